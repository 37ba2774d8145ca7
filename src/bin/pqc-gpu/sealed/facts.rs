//! What the commands say of a sealed file, in the same words.

use pqc_gpu_driver::{
    identity::KeyId,
    sealed::{Manifest, RecipientId, VerifiedFront},
};
use serde::Serialize;

/// What stands in a front.
#[derive(Serialize)]
pub(super) struct Facts {
    file: String,
    model_id: String,
    /// DID.
    publisher: String,
    /// Null where it was not asked for.
    trust: Option<&'static str>,
    release: u64,
    /// Key-ids.
    recipients: Vec<String>,
    tensors: usize,
    bytes: u64,
}

impl Facts {
    pub(super) fn new(
        file: &str,
        manifest: &Manifest,
        publisher: KeyId,
        trust: Option<&'static str>,
        recipients: impl Iterator<Item = RecipientId>,
    ) -> Self {
        Facts {
            file: file.into(),
            model_id: hex(manifest.model_id()),
            publisher: publisher.did(),
            trust,
            release: manifest.release(),
            recipients: recipients.map(|id| id.to_string()).collect(),
            tensors: manifest.tensors().len(),
            bytes: manifest.tensor_bytes(),
        }
    }

    pub(super) fn of(file: &str, front: &VerifiedFront) -> Self {
        let trust = if front.publisher_is_pinned() { "pinned" } else { "any" };
        Self::new(file, front.manifest(), front.publisher_id(), Some(trust), front.recipients())
    }

    /// Rows for people; the first is the head.
    pub(super) fn rows(&self) -> Vec<[String; 2]> {
        let mut rows =
            vec![row("model id", &self.model_id), row("publisher", &self.publisher), row("release", self.release)];
        if let Some(trust) = self.trust {
            rows.insert(2, row("trust", if trust == "any" { "any: the publisher was not pinned" } else { trust }));
        }
        let names = std::iter::once("recipients").chain(std::iter::repeat(""));
        rows.extend(names.zip(&self.recipients).map(|(name, recipient)| row(name, recipient)));
        rows.extend([row("tensors", self.tensors), row("bytes", self.bytes)]);
        rows
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }
}

pub(super) fn row(name: &str, value: impl ToString) -> [String; 2] {
    [name.to_owned(), value.to_string()]
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 10⁹ bytes a second.
pub(super) fn gbps(bytes: u64, seconds: f64) -> Option<f64> {
    (bytes > 0 && seconds > 0.0).then(|| bytes as f64 / seconds / 1e9)
}

/// The same for people.
pub(super) fn speed(gbps: Option<f64>) -> String {
    gbps.map_or("-".into(), |gbps| crate::output::significant(gbps) + " GB/s")
}
