//! Where a sealed file is: a path.

use std::{ops::Deref, path::Path};

use pqc_gpu_driver::sealed::MappedFile;

use crate::{failure::Failure, output::printable};

/// FILE as it was given.
#[derive(Debug, Clone)]
pub(super) struct Location(String);

impl From<&str> for Location {
    fn from(text: &str) -> Self {
        Location(text.into())
    }
}

impl Deref for Location {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Location {
    /// As it is shown.
    pub(super) fn shown(&self) -> String {
        printable(&self.0)
    }

    /// Opens it to be read.
    pub(super) fn open(&self) -> Result<MappedFile, Failure> {
        let path = Path::new(&self.0);
        MappedFile::open(path).map_err(|error| Failure::reading(path, error))
    }
}
