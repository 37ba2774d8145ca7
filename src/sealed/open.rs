//! Opening a body in host memory, piece by piece.

use zeroize::Zeroizing;

use super::{
    body::{Roots, SealedBody},
    cobblestone::Derived,
    tree::{self, Node},
};
use crate::{
    Error, Result,
    channel::{
        chunk::{BodyKey, ChunkRange, SEALED_CHUNK_BYTES},
        suite::AeadKey,
    },
    error::SealedFailure,
    parallel,
};

/// A body being opened: takes its pieces in order, gives their plaintext, and judges the whole at the end.
///
/// Each piece's tags are verified before its plaintext is given; the root is known only at the end. So **what was
/// given is not to be used before [`BodyOpener::finish`] has agreed**: keep it where it can be thrown away.
pub struct BodyOpener {
    key: ChunkKey,
    root: Node,
    index: u32,
    rest: ChunkRange,
    roots: Roots,
    leaves: Vec<Node>,
    failed: bool,
}

impl BodyOpener {
    pub(super) fn new(index: u32, body: &SealedBody, roots: Roots) -> Self {
        let rest = ChunkRange::whole(body.metadata().size_bytes());
        let key = ChunkKey::new(body.derived());
        BodyOpener { key, root: *body.root(), index, rest, roots, leaves: Vec::new(), failed: false }
    }

    /// Opens the next piece: whole chunks, those that follow the pieces before. Gives its plaintext, appended to
    /// `plaintext`.
    ///
    /// Fails with [`SealedFailure::Ciphertext`] where a tag is wrong; then nothing is appended and the body has failed for
    /// good. A piece of another length is an [`Error::Usage`], and changes nothing.
    pub fn open(&mut self, piece: &[u8], plaintext: &mut Vec<u8>) -> Result<()> {
        if self.failed {
            return Err(SealedFailure::Ciphertext(self.index).into());
        }
        let mut rest = self.rest.clone();
        let range = rest.take(u32::try_from((piece.len() as u64).div_ceil(SEALED_CHUNK_BYTES)).unwrap_or(u32::MAX));
        let length = |range: core::ops::Range<u64>| (range.end - range.start) as usize;
        if range.is_empty() || piece.len() != length(range.sealed()) {
            return Err(Error::Usage("a piece of a body ends at a chunk, unless it is the last"));
        }
        let start = plaintext.len();
        plaintext.resize(start + length(range.plaintext()), 0);
        if !self.key.body().open(&range, piece, &mut plaintext[start..]) {
            plaintext.truncate(start);
            self.failed = true;
            return Err(SealedFailure::Ciphertext(self.index).into());
        }
        if self.roots == Roots::Check {
            self.leaves.extend(parallel::map(piece, SEALED_CHUNK_BYTES as usize, tree::leaf));
        }
        self.rest = rest;
        Ok(())
    }

    /// Judges the body: every chunk has come, and the root, unless it is skipped, is the publisher's.
    ///
    /// Fails with [`SealedFailure::Root`], or [`SealedFailure::Ciphertext`] where a piece failed or is missing.
    pub fn finish(self) -> Result<Roots> {
        if self.failed || !self.rest.is_empty() {
            return Err(SealedFailure::Ciphertext(self.index).into());
        }
        if self.roots == Roots::Check && tree::root(self.leaves) != self.root {
            return Err(SealedFailure::Root(self.index).into());
        }
        Ok(self.roots)
    }
}

/// Key and base nonce of a body's chunks, expanded.
pub(super) struct ChunkKey {
    aead: AeadKey,
    nonce: Zeroizing<[u8; 12]>,
}

impl ChunkKey {
    pub(super) fn new(derived: &Derived) -> Self {
        ChunkKey { aead: AeadKey::new(&derived.key), nonce: derived.base_nonce.clone() }
    }

    /// Cobblestone's chunks have no AAD.
    pub(super) fn body(&self) -> BodyKey<'_> {
        BodyKey { aead: &self.aead, nonce: *self.nonce, aad: &[] }
    }
}
