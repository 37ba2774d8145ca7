//! A sealed file, opened: everything up to the bodies is verified, and the bodies can be read.

use core::ops::Range;

use zeroize::Zeroizing;

use super::{
    body::{Roots, SealedBody},
    ciphertext::{Ciphertexts, PIECE_CHUNKS},
    file_key,
    front::{Front, UnwrappedFront, VerifiedFront},
    manifest::{Manifest, SealedTensor},
    open::{BodyOpener, ChunkKey},
    source::Source,
};
use crate::{
    Error, Result,
    channel::chunk::{CHUNK_BYTES, ChunkRange},
    error::SealedFailure,
    identity::{Identity, TrustPolicy},
    tensor::TensorMetadata,
};

/// A sealed file whose manifest, publisher, recipients and length were verified with an identity that can open it.
///
/// Bodies are verified as they are opened.
pub struct SealedModel<S> {
    source: S,
    front: UnwrappedFront,
    body_key: Zeroizing<[u8; 32]>,
}

/// A tensor, or rows of one, in the clear.
pub struct OpenedTensor {
    /// What the tensor is; of rows, with an outermost extent of as many.
    pub metadata: TensorMetadata,
    /// Little-endian, as in safetensors.
    pub bytes: Vec<u8>,
    /// Whether the publisher's root was compared.
    pub roots: Roots,
}

impl<S: Source> SealedModel<S> {
    /// Reads the front and verifies, in this order: the publisher's signature, that `trust` accepts the publisher, the
    /// release, the file key wrapped for the identity, the recipients' MAC.
    pub async fn open(source: S, identity: &Identity, trust: &TrustPolicy, minimum_release: u64) -> Result<Self> {
        let front = Front::read(&source).await?.verify(trust, minimum_release)?;
        Self::unwrap(source, front, identity)
    }

    /// The same for a front that was read from `source` and verified before.
    pub fn unwrap(source: S, front: VerifiedFront, identity: &Identity) -> Result<Self> {
        let front = front.unwrap(identity)?;
        let body_key = front.file_key.body_key();
        Ok(SealedModel { source, front, body_key })
    }

    /// What the publisher signed.
    pub fn manifest(&self) -> &Manifest {
        self.front.front.manifest()
    }

    /// The front: publisher, recipients, and whether the publisher was pinned.
    pub fn front(&self) -> &VerifiedFront {
        &self.front.front
    }

    /// The source.
    pub fn source(&self) -> &S {
        &self.source
    }

    pub(super) fn unwrapped(&self) -> &UnwrappedFront {
        &self.front
    }

    /// What opening the chunks of a tensor takes, here or on a device ([`crate::transfer`]); the commitment is compared first.
    ///
    /// Fails with [`SealedFailure::Commitment`], and with [`Error::Usage`] where there is no such tensor.
    pub fn body(&self, tensor: u32) -> Result<SealedBody> {
        let entry = self.tensor(tensor)?;
        let derived = file_key::derive_body(&self.body_key, self.manifest(), tensor, &entry.metadata, &entry.salt);
        if !derived.commits_to(&entry.commitment) {
            return Err(SealedFailure::Commitment(tensor).into());
        }
        Ok(SealedBody::new(entry.metadata.clone(), derived, entry.root))
    }

    /// Where a tensor's body lies in the file, in bytes from the file's start.
    pub fn body_range(&self, tensor: u32) -> Result<Range<u64>> {
        let (start, body) = (self.front().bodies_start(), self.tensor(tensor)?.body());
        Ok(start + body.start..start + body.end)
    }

    /// The bodies of consecutive tensors as they lie in the file, for a device to open.
    ///
    /// Fails with [`Error::Usage`] where there are no such tensors.
    pub fn ciphertexts(&self, tensors: Range<u32>) -> Result<Ciphertexts<'_, S>> {
        if tensors.start > tensors.end || tensors.end as usize > self.manifest().tensors.len() {
            return Err(NO_SUCH_TENSOR);
        }
        Ok(Ciphertexts::new(&self.source, self.front().bodies_start(), self.manifest(), tensors))
    }

    /// Opens a tensor's body piece by piece; its pieces come from [`SealedModel::ciphertexts`] or elsewhere.
    pub fn opener(&self, tensor: u32, roots: Roots) -> Result<BodyOpener> {
        Ok(BodyOpener::new(tensor, &self.body(tensor)?, roots))
    }

    /// Opens a tensor into host memory. What comes back is verified whole.
    pub async fn open_tensor(&self, tensor: u32, roots: Roots) -> Result<OpenedTensor> {
        let mut opener = self.opener(tensor, roots)?;
        let metadata = self.tensor(tensor)?.metadata.clone();
        let mut pieces = self.ciphertexts(tensor..tensor + 1)?;
        // Not reserved for all of it beforehand: memory follows what has been verified.
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await? {
            opener.open(piece.bytes, &mut bytes)?;
        }
        Ok(OpenedTensor { metadata, bytes, roots: opener.finish()? })
    }

    /// Opens some of a tensor's rows (of its outermost extent), reading only the chunks that hold them.
    ///
    /// Every chunk's tag is verified, the root cannot be: `roots` must be [`Roots::Skip`], else this is an
    /// [`Error::Usage`], as are rows that the tensor has not or that start or end within a byte.
    pub async fn open_rows(&self, tensor: u32, rows: Range<u64>, roots: Roots) -> Result<OpenedTensor> {
        if roots == Roots::Check {
            return Err(Error::Usage("rows are read without the rest of their tensor, so its root must be skipped"));
        }
        let (body, start) = (self.body(tensor)?, self.body_range(tensor)?.start);
        let wanted = row_bytes(self.tensor(tensor)?, rows.clone())?;
        let (whole, mut bytes) = (body.metadata(), Vec::new());
        let mut extents = whole.shape().extents().to_vec();
        extents.iter_mut().take(1).for_each(|outermost| *outermost = rows.end - rows.start);
        let metadata = TensorMetadata::new(whole.tensor_id(), whole.name(), whole.dtype(), extents)?;
        if wanted.is_empty() {
            return Ok(OpenedTensor { metadata, bytes, roots });
        }
        let key = ChunkKey::new(body.derived());
        let mut chunks = ChunkRange::whole(whole.size_bytes());
        chunks.take((wanted.start / CHUNK_BYTES) as u32);
        while chunks.plaintext().start < wanted.end && !chunks.is_empty() {
            let left = wanted.end - chunks.plaintext().start;
            let piece = chunks.take(PIECE_CHUNKS.min(left.div_ceil(CHUNK_BYTES) as u32));
            let (sealed, plain) = (piece.sealed(), piece.plaintext());
            let mut ciphertext = vec![0; (sealed.end - sealed.start) as usize];
            self.source.read_at(start + sealed.start, &mut ciphertext).await?;
            let mut plaintext = Zeroizing::new(vec![0; (plain.end - plain.start) as usize]);
            if !key.body().open(&piece, &ciphertext, &mut plaintext) {
                return Err(SealedFailure::Ciphertext(tensor).into());
            }
            let from = wanted.start.saturating_sub(plain.start) as usize;
            let to = (wanted.end.min(plain.end) - plain.start) as usize;
            bytes.extend_from_slice(&plaintext[from..to]);
        }
        Ok(OpenedTensor { metadata, bytes, roots })
    }

    fn tensor(&self, tensor: u32) -> Result<&SealedTensor> {
        self.manifest().tensors.get(tensor as usize).ok_or(NO_SUCH_TENSOR)
    }
}

const NO_SUCH_TENSOR: Error = Error::Usage("the manifest has no such tensor");

/// Where rows lie in their tensor, in bytes.
fn row_bytes(tensor: &SealedTensor, rows: Range<u64>) -> Result<Range<u64>> {
    let count = *tensor.metadata.shape().extents().first().ok_or(Error::Usage("a scalar has no rows"))?;
    if rows.start > rows.end || rows.end > count {
        return Err(Error::Usage("the tensor has no such rows"));
    }
    // Within 64 GiB in bits, and rows ≤ count, so that the products stay below 2¹⁰⁰.
    let bits = u128::from(tensor.metadata.size_bytes()) * 8;
    let at = |row: u64| bits / u128::from(count.max(1)) * u128::from(row);
    let (start, end) = (at(rows.start), at(rows.end));
    if start % 8 != 0 || end % 8 != 0 {
        return Err(Error::Usage("the rows start or end within a byte; take their neighbours too"));
    }
    Ok((start / 8) as u64..(end / 8) as u64)
}
