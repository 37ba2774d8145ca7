//! The manifest: what the publisher signs (docs/sealed-format.md, "Manifest").

mod decode;

use std::{collections::BTreeMap, ops::Range};

use super::{
    cobblestone::{COMMITMENT_BYTES, HEADER_BYTES, SALT_BYTES},
    tree::Node,
};
use crate::{channel::chunk, error::SealedFailure, identity::KeyId, tensor::TensorMetadata};

/// The longest encoded manifest: 64 MiB.
pub const MAX_MANIFEST_BYTES: usize = 64 << 20;
/// The most tensors of a model.
pub const MAX_TENSORS: usize = 1 << 20;
/// The most files that a model is given back as.
pub const MAX_FILES: usize = 1 << 16;
/// Bodies start at multiples of this many bytes.
pub const ALIGNMENT: u64 = 4096;

/// The version that stands in manifests.
const VERSION: u8 = 1;
const MAX_FILE_NAME_BYTES: usize = 255;

/// Everything about a model but its weights and its readers; immutable for the life of a sealing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub(super) model_id: [u8; 32],
    pub(super) release: u64,
    pub(super) publisher: KeyId,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: Vec<SealedTensor>,
    pub(super) files: Vec<ModelFile>,
    pub(super) index: Vec<u8>,
}

/// One tensor's line in the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedTensor {
    pub(super) metadata: TensorMetadata,
    pub(super) offset: u64,
    pub(super) salt: [u8; SALT_BYTES],
    pub(super) commitment: [u8; COMMITMENT_BYTES],
    pub(super) root: Node,
}

/// A safetensors file that tensors came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    pub(super) name: String,
    pub(super) header: Vec<u8>,
    pub(super) tensors: u32,
}

impl Manifest {
    /// 32 random bytes, fresh for every sealing.
    pub fn model_id(&self) -> &[u8; 32] {
        &self.model_id
    }

    /// The publisher's count of releases.
    pub fn release(&self) -> u64 {
        self.release
    }

    /// SHA3-256 of the publisher's public key.
    pub fn publisher(&self) -> KeyId {
        self.publisher
    }

    /// The model's own metadata, safetensors' `__metadata__`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The tensors, in the order of their bodies.
    pub fn tensors(&self) -> &[SealedTensor] {
        &self.tensors
    }

    /// The number of a tensor by its name. Linear in the number of tensors.
    pub fn position(&self, name: &str) -> Option<u32> {
        self.tensors.iter().position(|tensor| tensor.metadata.name() == name).map(|index| index as u32)
    }

    /// The files that the model was, whose tensors follow each other; empty where it was none.
    pub fn files(&self) -> &[ModelFile] {
        &self.files
    }

    /// The tensors of the file with this number, as a range of [`Manifest::tensors`]. None where there is no such file.
    pub fn tensors_of_file(&self, file: usize) -> Option<Range<u32>> {
        let own = self.files.get(file)?.tensors;
        let first = self.files[..file].iter().map(|file| file.tensors).sum();
        Some(first..first + own)
    }

    /// The bytes of `model.safetensors.index.json`; empty where there was none.
    pub fn index(&self) -> &[u8] {
        &self.index
    }

    /// Bytes of all tensors in the clear.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.metadata.size_bytes()).sum()
    }

    /// Bytes of the bodies with the zeros between them.
    pub fn bodies_bytes(&self) -> u64 {
        self.tensors.last().map_or(0, |last| last.body().end)
    }

    /// The zeros between the body of tensor `index` and the next, from the bodies' start. Empty after the last one.
    pub(super) fn padding_after(&self, index: u32) -> Range<u64> {
        let end = self.tensors.get(index as usize).map_or(0, |tensor| tensor.body().end);
        end..self.tensors.get(index as usize + 1).map_or(end, |next| next.offset)
    }

    /// The one encoding: deterministic CBOR (RFC 8949 section 4.2.1).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = minicbor::Encoder::new(Vec::new());
        let written = self.write(&mut out);
        debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
        out.into_writer()
    }

    fn write(
        &self,
        out: &mut minicbor::Encoder<Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
        out.map(8)?.u8(1)?.u8(VERSION)?.u8(2)?.bytes(&self.model_id)?.u8(3)?.u64(self.release)?;
        out.u8(4)?.bytes(self.publisher.as_bytes())?.u8(5)?.map(self.metadata.len() as u64)?;
        let mut pairs: Vec<_> = self.metadata.iter().collect();
        // Ascending order of encodings: a shorter text's comes first.
        pairs.sort_by_key(|(key, _)| (key.len(), *key));
        for (key, value) in pairs {
            out.str(key)?.str(value)?;
        }
        out.u8(6)?.array(self.tensors.len() as u64)?;
        for (index, tensor) in self.tensors.iter().enumerate() {
            out.array(6)?.u64(index as u64)?.writer_mut().extend(tensor.metadata.encode());
            out.u64(tensor.offset)?.u64(tensor.sealed_bytes())?;
            out.bytes(&[&tensor.salt[..], &tensor.commitment].concat())?.bytes(&tensor.root)?;
        }
        out.u8(7)?.array(self.files.len() as u64)?;
        for file in &self.files {
            out.array(3)?.str(&file.name)?.bytes(&file.header)?.u32(file.tensors)?;
        }
        out.u8(8)?.bytes(&self.index)?;
        Ok(())
    }

    /// Puts every body at its place.
    pub(super) fn place(&mut self) {
        let mut end = 0u64;
        for tensor in &mut self.tensors {
            tensor.offset = end.next_multiple_of(ALIGNMENT);
            end = tensor.body().end;
        }
    }

    /// What no manifest may break, besides its encoding. Sums cannot overflow: 2²⁰ tensors of 2³⁶ bytes.
    pub(super) fn check(&self) -> Result<(), SealedFailure> {
        use SealedFailure::Malformed;
        if self.tensors.len() > MAX_TENSORS || self.files.len() > MAX_FILES {
            return Err(Malformed("more than 1,048,576 tensors or 65,536 files"));
        }
        let mut end = 0u64;
        for tensor in &self.tensors {
            if tensor.offset != end.next_multiple_of(ALIGNMENT) {
                return Err(Malformed("a body's offset is not the one that follows from the bodies before it"));
            }
            end = tensor.body().end;
        }
        if !all_differ(self.tensors.iter().map(|tensor| tensor.metadata.name())) {
            return Err(Malformed("two tensors have one name"));
        }
        if self.files.iter().any(|file| !is_file_name(&file.name)) {
            return Err(Malformed("a file's name is not a plain one"));
        }
        if !all_differ(self.files.iter().map(|file| file.name.as_str())) {
            return Err(Malformed("two files have one name"));
        }
        let tensors: u64 = self.files.iter().map(|file| u64::from(file.tensors)).sum();
        if !self.files.is_empty() && tensors != self.tensors.len() as u64 {
            return Err(Malformed("the files' numbers of tensors do not add up"));
        }
        Ok(())
    }
}

impl SealedTensor {
    /// What the tensor is.
    pub fn metadata(&self) -> &TensorMetadata {
        &self.metadata
    }

    /// Where its body starts, in bytes from the bodies' start.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of its body, tags included.
    pub fn sealed_bytes(&self) -> u64 {
        chunk::sealed_bytes(self.metadata.size_bytes())
    }

    /// Salt and commitment of its Cobblestone-256 message.
    pub fn header(&self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..SALT_BYTES].copy_from_slice(&self.salt);
        header[SALT_BYTES..].copy_from_slice(&self.commitment);
        header
    }

    /// The root over its sealed chunks.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Its body, in bytes from the bodies' start.
    pub fn body(&self) -> Range<u64> {
        self.offset..self.offset + self.sealed_bytes()
    }
}

impl ModelFile {
    /// Its name: no path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its first bytes, up to where tensor data starts.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// How many tensors it holds.
    pub fn tensors(&self) -> u32 {
        self.tensors
    }
}

/// Whether a file may be called so: what is given back must not leave its directory.
pub(super) fn is_file_name(name: &str) -> bool {
    (1..=MAX_FILE_NAME_BYTES).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.chars().any(|c| c == '/' || c == '\\' || c.is_control())
}

/// Sorted rather than hashed: names are the sealer's choice, and so would be their hashes.
pub(super) fn all_differ<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.windows(2).all(|pair| pair[0] != pair[1])
}
