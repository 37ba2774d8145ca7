//! A model as it is before it is sealed.

use std::collections::BTreeMap;

use super::manifest::ModelFile;
use crate::{Result, error::SealedFailure, tensor::TensorMetadata};

/// A model to seal: its tensors, whose bytes are somewhere in memory, mapped for instance, and what goes with them.
pub struct PlainModel<'a> {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: Vec<(TensorMetadata, &'a [u8])>,
    pub(super) files: Vec<ModelFile>,
    pub(super) index: Vec<u8>,
}

impl<'a> PlainModel<'a> {
    /// A model that came from no files. Its tensors are sealed in this order; their bytes are little-endian, as in
    /// safetensors.
    ///
    /// Fails with [`SealedFailure::Model`] where a tensor's bytes are not as many as its metadata says.
    pub fn new(metadata: BTreeMap<String, String>, tensors: Vec<(TensorMetadata, &'a [u8])>) -> Result<Self> {
        Self::from_files(metadata, tensors, Vec::new(), Vec::new())
    }

    pub(super) fn from_files(
        metadata: BTreeMap<String, String>,
        tensors: Vec<(TensorMetadata, &'a [u8])>,
        files: Vec<ModelFile>,
        index: Vec<u8>,
    ) -> Result<Self> {
        if let Some((wrong, _)) = tensors.iter().find(|(tensor, bytes)| tensor.size_bytes() != bytes.len() as u64) {
            return Err(
                SealedFailure::Model(format!("tensor {:?} has other bytes than its shape says", wrong.name())).into()
            );
        }
        Ok(PlainModel { metadata, tensors, files, index })
    }

    /// The tensors, in the order in which they are sealed.
    pub fn tensors(&self) -> &[(TensorMetadata, &'a [u8])] {
        &self.tensors
    }

    /// Bytes of all tensors.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.iter().map(|(tensor, _)| tensor.size_bytes()).sum()
    }
}
