//! What of a sealed tensor is to be opened, and which of its bytes that takes.

use core::ops::Range;

use super::{Roots, SealedBody};
use crate::{Error, Result, channel::chunk::ChunkRange, tensor::TensorMetadata};

/// A sealed tensor to open, whole or some rows of it.
#[derive(Debug, Clone)]
pub struct SealedPart<'b> {
    body: &'b SealedBody,
    metadata: TensorMetadata,
    chunks: ChunkRange,
    skipped: u64,
    roots: Roots,
}

impl SealedBody {
    /// All of the tensor.
    pub fn whole(&self, roots: Roots) -> SealedPart<'_> {
        let chunks = ChunkRange::whole(self.metadata().size_bytes());
        SealedPart { body: self, metadata: self.metadata().clone(), chunks, skipped: 0, roots }
    }

    /// Rows of the tensor: places along its outermost dimension, from 0. Their bytes are opened without the rest of the tensor, so no root can be
    /// compared: each chunk's tag tells that the chunk, and its place, are some recipient's doing, or the publisher's.
    ///
    /// Fails with [`Error::Usage`] where the root was to be checked, the tensor has no dimension or fewer rows, or a row is no whole number of bytes.
    pub fn rows(&self, rows: Range<u64>, roots: Roots) -> Result<SealedPart<'_>> {
        if roots == Roots::Check {
            return Err(Error::Usage("a root is over the whole tensor: open all of it, or ask to skip the root"));
        }
        let whole = self.metadata();
        let mut extents = whole.shape().extents().to_vec();
        let Some(count) = extents.first_mut() else {
            return Err(Error::Usage("a tensor without dimensions has no rows"));
        };
        if rows.start > rows.end || rows.end > *count {
            return Err(Error::Usage("rows are a range within the tensor's outermost dimension"));
        }
        let row_bits = if *count == 0 { 0 } else { u128::from(whole.size_bytes()) * 8 / u128::from(*count) };
        if !row_bits.is_multiple_of(8) {
            return Err(Error::Usage("a row of this tensor is no whole number of bytes"));
        }
        let row_bytes = (row_bits / 8) as u64;
        *count = rows.end - rows.start;
        let metadata = TensorMetadata::new(whole.tensor_id(), whole.name(), whole.dtype(), extents)?;
        let bytes = rows.start * row_bytes..rows.end * row_bytes;
        let chunks = ChunkRange::covering(whole.size_bytes(), &bytes);
        let skipped = bytes.start - chunks.plaintext().start;
        Ok(SealedPart { body: self, metadata, chunks, skipped, roots })
    }
}

impl SealedPart<'_> {
    /// What opening gives: the tensor, or the same with fewer rows.
    pub fn metadata(&self) -> &TensorMetadata {
        &self.metadata
    }

    /// Which bytes of the body it takes: whole chunks with their tags.
    pub fn sealed(&self) -> Range<u64> {
        self.chunks.sealed()
    }

    /// Whether the root is compared.
    pub fn roots(&self) -> Roots {
        self.roots
    }

    pub(crate) fn body(&self) -> &SealedBody {
        self.body
    }

    pub(crate) fn chunks(&self) -> &ChunkRange {
        &self.chunks
    }

    /// Plaintext bytes of the first chunk that come before the rows.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, sealed::cobblestone};

    fn body(dtype: DType, extents: &[u64]) -> SealedBody {
        let metadata = TensorMetadata::new("0", "w", dtype, extents.to_vec()).expect("valid");
        SealedBody::new(metadata, cobblestone::derive(&[1; 32], &[2; 24], &[]), [0; 32])
    }

    #[test]
    fn rows_take_the_chunks_that_hold_them() {
        let body = body(DType::U8, &[10, 8192]);
        for (rows, sealed, skipped) in [
            (0..1, 0..16_400, 0),
            (1..2, 0..16_400, 8192),
            (1..3, 0..2 * 16_400, 8192),
            (2..4, 16_400..2 * 16_400, 0),
            (0..10, 0..5 * 16_400, 0),
            // Nothing takes one chunk: the empty last one, where it is behind the last row.
            (3..3, 16_400..2 * 16_400, 8192),
            (10..10, 5 * 16_400..5 * 16_400 + 16, 0),
        ] {
            let part = body.rows(rows.clone(), Roots::Skip).expect("rows");
            assert_eq!((part.sealed(), part.skipped()), (sealed, skipped), "{rows:?}");
            assert_eq!(part.metadata().size_bytes(), (rows.end - rows.start) * 8192);
        }
        assert_eq!(body.whole(Roots::Check).sealed(), 0..body.sealed_bytes());
    }

    #[test]
    fn rows_that_are_not_there_are_refused() {
        let refused = |body: SealedBody, rows: Range<u64>, roots| {
            assert!(matches!(body.rows(rows, roots), Err(Error::Usage(_))));
        };
        refused(body(DType::U8, &[10, 3]), 0..1, Roots::Check);
        refused(body(DType::U8, &[10, 3]), 0..11, Roots::Skip);
        #[allow(clippy::reversed_empty_ranges)]
        refused(body(DType::U8, &[10, 3]), 2..1, Roots::Skip);
        refused(body(DType::U8, &[]), 0..1, Roots::Skip);
        refused(body(DType::F4, &[4, 3]), 0..2, Roots::Skip);
        let nothing = body(DType::F64, &[0, u64::MAX]);
        assert_eq!(nothing.rows(0..0, Roots::Skip).expect("no rows").sealed(), 0..16);
    }
}
