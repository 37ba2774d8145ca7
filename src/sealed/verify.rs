//! Everything that can be checked without a key.

use super::{
    ciphertext::Ciphertexts,
    front::{Front, VerifiedFront},
    source::Source,
    tree,
};
use crate::{Result, channel::chunk::SEALED_CHUNK_BYTES, error::SealedFailure, identity::TrustPolicy, parallel};

/// Verifies a file without opening it: form and lengths, the publisher's signature, trust and release, zeros
/// between bodies, and every body's root.
///
/// Whether the recipients can open it is known to them only: tags, commitments and the recipients' MAC take the file key.
/// `progress` hears how many bytes of bodies were verified since it was last called. Memory is that of
/// [`Ciphertexts`], beside 32 bytes a chunk of the tensor at hand.
pub async fn verify<S: Source + ?Sized>(
    source: &S,
    trust: &TrustPolicy,
    minimum_release: u64,
    mut progress: impl FnMut(u64),
) -> Result<VerifiedFront> {
    let front = Front::read(source).await?.verify(trust, minimum_release)?;
    let manifest = front.manifest();
    let mut pieces = Ciphertexts::new(source, front.bodies_start(), manifest, 0..manifest.tensors.len() as u32);
    let mut leaves = Vec::new();
    while let Some(piece) = pieces.next().await? {
        leaves.extend(parallel::map(piece.bytes, SEALED_CHUNK_BYTES as usize, tree::leaf));
        progress(piece.bytes.len() as u64);
        if piece.last && tree::root(core::mem::take(&mut leaves)) != manifest.tensors[piece.tensor as usize].root {
            return Err(SealedFailure::Root(piece.tensor).into());
        }
    }
    drop(pieces);
    Ok(front)
}
