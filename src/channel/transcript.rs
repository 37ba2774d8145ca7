//! The transcript: whole messages with their headers, sealed parts as plaintext.

use sha2::{Digest, Sha512};

/// A transcript hash, TH(x) = SHA-512(x).
pub(super) type TranscriptHash = [u8; 64];

/// The handshake so far. It is kept whole because a sealed part's AAD is everything before it.
#[derive(Default)]
pub(super) struct Transcript(Vec<u8>);

impl Transcript {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn hash(&self) -> TranscriptHash {
        Sha512::digest(&self.0).into()
    }
}
