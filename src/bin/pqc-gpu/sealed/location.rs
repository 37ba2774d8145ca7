//! Where a sealed file is: a path or a URL.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use pqc_gpu_driver::{
    block_on,
    error::SealedFailure,
    sealed::{MappedFile, ObjectSource, Source},
};

use crate::failure::Failure;

/// FILE as it was given, and how long to wait for it.
#[derive(Debug, clap::Args)]
pub(super) struct Location {
    /// A sealed file: a path, or an http://, https:// or s3:// URL
    #[arg(value_name = "FILE|URL")]
    file: String,
    /// Seconds that a URL's server may send nothing
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// An open file, or an object in storage.
pub(super) enum Storage {
    Mapped(MappedFile),
    Object(ObjectSource),
}

impl Location {
    /// What to call it: of a URL without what is signed or secret in it.
    pub(super) fn name(&self) -> String {
        let Some((scheme, rest)) = self.file.split_once("://").filter(|_| ObjectSource::is_url(&self.file)) else {
            return self.file.clone();
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{host}{path}")
    }

    /// The path, where it is one.
    pub(super) fn path(&self) -> Option<PathBuf> {
        (!ObjectSource::is_url(&self.file)).then(|| self.file.clone().into())
    }

    /// Opens it to be read.
    pub(super) fn open(&self) -> Result<Storage, Failure> {
        if ObjectSource::is_url(&self.file) {
            let object = block_on(ObjectSource::open(&self.file, Duration::from_secs(self.timeout)));
            return object.map(Storage::Object).map_err(|failure| self.about(failure.into()));
        }
        let path = Path::new(&self.file);
        MappedFile::open(path).map(Storage::Mapped).map_err(|error| Failure::reading(path, error))
    }

    /// A failure of the library, told of this file.
    pub(super) fn about(&self, error: pqc_gpu_driver::Error) -> Failure {
        Failure::from(error).about(self.name())
    }
}

impl Storage {
    /// How many reads' memory is taken while bodies are read: that of each read under way, and of each request's answer
    /// until it has come whole.
    pub(super) fn buffers(&self) -> u64 {
        match self {
            Storage::Mapped(_) => 1,
            Storage::Object(object) => 2 * object.reads_in_flight() as u64,
        }
    }
}

impl Source for Storage {
    fn size(&self) -> u64 {
        match self {
            Storage::Mapped(file) => file.size(),
            Storage::Object(object) => object.size(),
        }
    }

    async fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), SealedFailure> {
        match self {
            Storage::Mapped(file) => file.read_at(offset, into).await,
            Storage::Object(object) => object.read_at(offset, into).await,
        }
    }

    fn reads_in_flight(&self) -> usize {
        match self {
            Storage::Mapped(file) => file.reads_in_flight(),
            Storage::Object(object) => object.reads_in_flight(),
        }
    }

    fn resident(&self) -> Option<&[u8]> {
        match self {
            Storage::Mapped(file) => file.resident(),
            Storage::Object(object) => object.resident(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_no_secret() {
        let name = |file: &str| Location { file: file.into(), timeout: 1 }.name();
        assert_eq!(name("https://user:pass@host:81/a/b.pqgs?X-Amz-Signature=abc#f"), "https://host:81/a/b.pqgs");
        assert_eq!(name("s3://bucket/key"), "s3://bucket/key");
        assert_eq!(name("models/a@b?c"), "models/a@b?c");
    }
}
