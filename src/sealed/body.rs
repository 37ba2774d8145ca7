//! One tensor of a sealed file: what it is, what opens it, and what its ciphertext must be.

use super::{cobblestone::Derived, tree::Node};
use crate::{channel::chunk, tensor::TensorMetadata};

/// A tensor whose key the file key gave and whose commitment was compared: all that opening its chunks takes.
#[derive(Debug)]
pub struct SealedBody {
    metadata: TensorMetadata,
    derived: Derived,
    root: Node,
}

impl SealedBody {
    pub(crate) fn new(metadata: TensorMetadata, derived: Derived, root: Node) -> Self {
        SealedBody { metadata, derived, root }
    }

    /// What the tensor is; signed by the publisher, bound by every tag.
    pub fn metadata(&self) -> &TensorMetadata {
        &self.metadata
    }

    /// Bytes of its chunks, tags included.
    pub fn sealed_bytes(&self) -> u64 {
        chunk::sealed_bytes(self.metadata.size_bytes())
    }

    /// Key and base nonce of its chunks, whose AAD is empty.
    pub(crate) fn derived(&self) -> &Derived {
        &self.derived
    }

    /// The root over its chunks that the publisher signed.
    pub fn root(&self) -> &Node {
        &self.root
    }
}

/// Whether a tensor's ciphertext is compared with the publisher's root before its verdict.
///
/// Tags alone keep out everybody but the file's recipients; roots keep out those too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Roots {
    /// Compared, before the verdict.
    #[default]
    Check,
    /// Not compared: another recipient may have altered the tensor. Results say so.
    Skip,
}
