//! `pqc-gpu inspect`: what a sealed file says of itself, without any key.

use std::collections::BTreeMap;

use pqc_gpu_driver::{
    Error, TrustPolicy, block_on,
    error::SealedFailure,
    sealed::{Front, Manifest},
};
use serde::Serialize;

use super::{
    facts::{Facts, hex, row},
    location::Location,
};
use crate::{failure::Failure, output};

const AFTER: &str = "\
Nothing is verified but the form and the publisher's signature, and anybody can sign: verify and open ask whose it is.

Examples:
  pqc-gpu inspect model.pqgs
  pqc-gpu inspect model.pqgs --json
      With every tensor, and where its ciphertext lies.";

/// Show what a sealed file says of itself: publisher, release, recipients, tensors; no key needed
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: Location,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    facts: Facts,
    /// Whether the manifest is signed by the key whose DID is the publisher's.
    signed: bool,
    metadata: &'a BTreeMap<String, String>,
    files: Vec<&'a str>,
    contents: Vec<Tensor<'a>>,
}

#[derive(Serialize)]
struct Tensor<'a> {
    id: &'a str,
    name: &'a str,
    dtype: &'static str,
    shape: &'a [u64],
    bytes: u64,
    /// Of the body from the bodies' start.
    offset: u64,
    sealed_bytes: u64,
    root: String,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let about = |error: Error| self.file.about(error);
        let source = self.file.open()?;
        let front = block_on(Front::read(&source)).map_err(about)?;
        let facts =
            Facts::new(&self.file.name(), front.manifest(), front.manifest().publisher(), None, front.recipients());
        let manifest = front.manifest().clone();
        // Accepting any: this asks for the signature alone.
        let (signed, failure) = match front.verify(&TrustPolicy::AcceptAny, 0) {
            Ok(_) => (true, None),
            Err(error @ Error::SealedFile(SealedFailure::Signature)) => (false, Some(about(error))),
            Err(error) => return Err(about(error)),
        };
        let report = Report::of(facts, signed, &manifest);
        match self.json {
            true => output::json(&report)?,
            false => report.print()?,
        }
        failure.map_or(Ok(()), Err)
    }
}

impl<'a> Report<'a> {
    fn of(facts: Facts, signed: bool, manifest: &'a Manifest) -> Self {
        let contents = manifest.tensors().iter().map(|tensor| {
            let metadata = tensor.metadata();
            Tensor {
                id: metadata.tensor_id(),
                name: metadata.name(),
                dtype: metadata.dtype().name(),
                shape: metadata.shape().extents(),
                bytes: metadata.size_bytes(),
                offset: tensor.offset(),
                sealed_bytes: tensor.sealed_bytes(),
                root: hex(tensor.root()),
            }
        });
        let files = manifest.files().iter().map(|file| file.name()).collect();
        Report { facts, signed, metadata: manifest.metadata(), files, contents: contents.collect() }
    }

    fn print(&self) -> Result<(), Failure> {
        let mut rows = self.facts.rows();
        rows.insert(2, row("signature", if self.signed { "the publisher's" } else { "wrong" }));
        let names = std::iter::once("files").chain(std::iter::repeat(""));
        rows.extend(names.zip(&self.files).map(|(name, file)| row(name, file)));
        rows.extend(self.metadata.iter().map(|(key, value)| row("metadata", format!("{key}: {value}"))));
        output::table(["file", self.facts.file()], &rows)?;
        output::lines([""])?;
        let tensor = |tensor: &Tensor<'_>| {
            let shape: Vec<_> = tensor.shape.iter().map(u64::to_string).collect();
            [tensor.name.into(), tensor.dtype.into(), format!("[{}]", shape.join(", ")), tensor.bytes.to_string()]
        };
        let rows: Vec<_> = self.contents.iter().map(tensor).collect();
        output::table(["tensor", "type", "shape", "bytes"], &rows)
    }
}
