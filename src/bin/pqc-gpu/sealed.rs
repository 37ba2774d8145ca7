//! Sealed model files: `seal`, `inspect`, `verify`, `open`, `load`, `rewrap`.

pub(crate) mod inspect;
pub(crate) mod load;
pub(crate) mod open;
pub(crate) mod rewrap;
pub(crate) mod seal;
pub(crate) mod verify;

mod facts;
mod location;
mod whole;

use std::path::Path;

use pqc_gpu_driver::{
    Error, TrustPolicy,
    error::SealedFailure,
    sealed::{Manifest, RecipientKey},
};
use serde::Serialize;

use crate::{
    failure::Failure,
    files,
    keys::{self, Trust},
    output::{self, shown},
};

/// `--trust` and `--min-release`: which publishers are believed, and how old their word may be.
#[derive(Debug, clap::Args)]
struct Publishers {
    /// A publisher's public key, several times for several; or any, which believes whoever signed
    #[arg(long, value_name = "KEY.pub.pem|any", required = true)]
    trust: Vec<Trust>,
    /// Refuse releases below this one
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_release: u64,
}

impl Publishers {
    fn policy(&self) -> Result<TrustPolicy, Failure> {
        let policy = keys::trust(&self.trust)?;
        if matches!(policy, TrustPolicy::AcceptAny) {
            output::note("warning: --trust any: whoever signed the file is believed, and anybody can sign one");
        }
        Ok(policy)
    }
}

/// Reads the ML-KEM-768 keys of .pub.pem files.
fn recipients<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Vec<RecipientKey>, Failure> {
    let read = |path: &Path| {
        let text = files::read_pem(path)?;
        RecipientKey::from_pem(&text).map_err(|error| Failure::from(error).about(format!("cannot use {}", shown(path))))
    };
    paths.into_iter().map(read).collect()
}

/// How it ended for the tensors, where it ended early: those before the refused one were verified, and it and those after
/// it were not.
#[derive(Serialize)]
struct Verdicts {
    verified: usize,
    rejected: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<String>,
}

impl Verdicts {
    fn all(manifest: &Manifest) -> Self {
        Verdicts { verified: manifest.tensors().len(), rejected: 0, rejection: None }
    }

    /// None where no tensor was refused.
    fn of(error: &Error, manifest: &Manifest) -> Option<Self> {
        use SealedFailure::{Ciphertext, Commitment, Root};
        let Error::SealedFile(Commitment(tensor) | Ciphertext(tensor) | Root(tensor)) = error else { return None };
        let verified = *tensor as usize;
        let rejected = manifest.tensors().len().saturating_sub(verified);
        Some(Verdicts { verified, rejected, rejection: Some(error.to_string()) })
    }
}

/// What happened, and to which tensor, by its name.
fn refused(error: Error, manifest: &Manifest, file: &str) -> Failure {
    use SealedFailure::{Ciphertext, Commitment, Root};
    let name = match &error {
        Error::SealedFile(Commitment(tensor) | Ciphertext(tensor) | Root(tensor)) => {
            manifest.tensors().get(*tensor as usize).map(|tensor| tensor.metadata().name().to_owned())
        }
        _ => None,
    };
    let failure = Failure::from(error);
    match name {
        Some(name) => failure.about(format_args!("{file}: {name}")),
        None => failure.about(file),
    }
}
