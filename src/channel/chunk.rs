//! Record bodies: 16 KiB chunks, each followed by its tag, the last chunk always shorter, possibly empty.
//!
//! The layout is that of C2SP chunked-encryption. The short last chunk is the end mark: a body of n bytes
//! has ⌊n / 16384⌋ + 1 chunks, and there is one correct body length for each n.

use core::ops::Range;

use zeroize::Zeroize;

use super::suite::{AeadKey, NONCE_BYTES, TAG_BYTES};
use crate::parallel;

/// Plaintext bytes of every chunk but the last.
pub const CHUNK_BYTES: u64 = 16 << 10;
/// Bytes from the start of one sealed chunk to the next: 16,400.
pub const SEALED_CHUNK_BYTES: u64 = CHUNK_BYTES + TAG_BYTES as u64;

/// The number of chunks of a body with `plaintext_bytes` ≤ 64 GiB.
pub const fn chunk_count(plaintext_bytes: u64) -> u32 {
    (plaintext_bytes / CHUNK_BYTES) as u32 + 1
}

/// The length of a sealed body: plaintext and one tag a chunk.
pub const fn sealed_bytes(plaintext_bytes: u64) -> u64 {
    plaintext_bytes + chunk_count(plaintext_bytes) as u64 * TAG_BYTES as u64
}

/// Consecutive chunks of one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkRange {
    pub(crate) first: u32,
    pub(crate) count: u32,
    body_bytes: u64,
}

impl ChunkRange {
    /// All chunks of a body of `body_bytes` of plaintext.
    pub(crate) fn whole(body_bytes: u64) -> Self {
        ChunkRange { first: 0, count: chunk_count(body_bytes), body_bytes }
    }

    /// The chunks of such a body that hold these of its bytes; the one at which they start where there are none.
    pub(crate) fn covering(body_bytes: u64, bytes: &Range<u64>) -> Self {
        let (first, end) = (bytes.start / CHUNK_BYTES, bytes.end.div_ceil(CHUNK_BYTES));
        ChunkRange { first: first as u32, count: end.saturating_sub(first).max(1) as u32, body_bytes }
    }

    /// Cuts off the first `count` chunks (or all there are).
    pub(crate) fn take(&mut self, count: u32) -> Self {
        let taken = ChunkRange { count: count.min(self.count), ..self.clone() };
        self.first += taken.count;
        self.count -= taken.count;
        taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Where the plaintext lies in the tensor.
    pub(crate) fn plaintext(&self) -> Range<u64> {
        let at = |chunk: u64| (chunk * CHUNK_BYTES).min(self.body_bytes);
        at(self.first.into())..at(u64::from(self.first) + u64::from(self.count))
    }

    /// Where the sealed chunks lie in the body.
    pub(crate) fn sealed(&self) -> Range<u64> {
        let end = sealed_bytes(self.body_bytes);
        let at = |chunk: u64| (chunk * SEALED_CHUNK_BYTES).min(end);
        at(self.first.into())..at(u64::from(self.first) + u64::from(self.count))
    }
}

/// Key, nonce of chunk 0 and AAD of one body.
#[derive(Clone, Copy)]
pub(crate) struct BodyKey<'a> {
    pub(crate) aead: &'a AeadKey,
    pub(crate) nonce: [u8; NONCE_BYTES],
    /// A record's is 32 bytes, a sealed file's is empty.
    pub(crate) aad: &'a [u8],
}

impl BodyKey<'_> {
    /// Seals the chunks from `plaintext` straight into `sealed`, in parallel where there are many. Lengths
    /// must be those of the range. Each chunk may be sealed once only.
    pub(crate) fn seal(&self, range: &ChunkRange, plaintext: &[u8], sealed: &mut [u8]) {
        let chunk = |(i, (plaintext, sealed)): (usize, (&[u8], &mut [u8]))| {
            self.aead.seal(chunk_nonce(self.nonce, range.first + i as u32), self.aad, plaintext, sealed);
        };
        each_chunk(plaintext, sealed, range.count, chunk);
    }

    /// Opens the chunks of `sealed` into `plaintext`, each tag checked. On failure, which other lengths than the
    /// range's are, all of `plaintext` is zeros.
    #[must_use]
    pub(crate) fn open(&self, range: &ChunkRange, sealed: &[u8], plaintext: &mut [u8]) -> bool {
        // With other lengths fewer chunks than the range has would be looked at, and the rest pass unverified.
        let length = |range: Range<u64>| range.end - range.start;
        if sealed.len() as u64 != length(range.sealed()) || plaintext.len() as u64 != length(range.plaintext()) {
            plaintext.zeroize();
            return false;
        }
        let failed = core::sync::atomic::AtomicBool::new(false);
        let chunk = |(i, (sealed, plaintext)): (usize, (&[u8], &mut [u8]))| {
            if !self.aead.open(chunk_nonce(self.nonce, range.first + i as u32), self.aad, sealed, plaintext) {
                failed.store(true, core::sync::atomic::Ordering::Relaxed);
            }
        };
        each_sealed_chunk(sealed, plaintext, range.count, chunk);
        let failed = failed.into_inner();
        if failed {
            plaintext.zeroize();
        }
        !failed
    }
}

/// A chunk's nonce: the body's with the chunk's number XORed into its last four bytes.
pub(super) fn chunk_nonce(mut nonce: [u8; NONCE_BYTES], chunk: u32) -> [u8; NONCE_BYTES] {
    nonce[8..].iter_mut().zip(chunk.to_be_bytes()).for_each(|(n, c)| *n ^= c);
    nonce
}

const CHUNK: usize = CHUNK_BYTES as usize;
const SEALED_CHUNK: usize = SEALED_CHUNK_BYTES as usize;

// A range may end in an empty plaintext chunk, which `chunks` does not yield; `tail` adds it.
fn each_chunk(plaintext: &[u8], sealed: &mut [u8], count: u32, chunk: impl Fn((usize, (&[u8], &mut [u8]))) + Sync) {
    let full = (plaintext.len() / CHUNK).min(count as usize);
    let (plaintext_full, plaintext_tail) = plaintext.split_at(full * CHUNK);
    let (sealed_full, sealed_tail) = sealed.split_at_mut(full * SEALED_CHUNK);
    if full < count as usize {
        chunk((full, (plaintext_tail, sealed_tail)));
    }
    parallel::zip(plaintext_full, CHUNK, sealed_full, SEALED_CHUNK, chunk);
}

fn each_sealed_chunk(
    sealed: &[u8],
    plaintext: &mut [u8],
    count: u32,
    chunk: impl Fn((usize, (&[u8], &mut [u8]))) + Sync,
) {
    let full = (plaintext.len() / CHUNK).min(count as usize);
    let (sealed_full, sealed_tail) = sealed.split_at(full * SEALED_CHUNK);
    let (plaintext_full, plaintext_tail) = plaintext.split_at_mut(full * CHUNK);
    if full < count as usize {
        chunk((full, (sealed_tail, plaintext_tail)));
    }
    parallel::zip(sealed_full, SEALED_CHUNK, plaintext_full, CHUNK, chunk);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_lengths() {
        assert_eq!(chunk_count(0), 1);
        assert_eq!(chunk_count(16383), 1);
        assert_eq!(chunk_count(16384), 2);
        assert_eq!(chunk_count(64 << 30), (1 << 22) + 1);
        assert_eq!(sealed_bytes(0), 16);
        assert_eq!(sealed_bytes(16384), 16384 + 32);
        assert_eq!(sealed_bytes(64 << 30), (64 << 30) + 16 * ((1 << 22) + 1));
    }

    #[test]
    fn ranges_tile_a_body() {
        for bytes in [0, 1, 16383, 16384, 16385, 100_000, 5 << 30] {
            let mut rest = ChunkRange::whole(bytes);
            let (mut plaintext, mut sealed, mut chunks) = (0, 0, 0);
            while !rest.is_empty() {
                let piece = rest.take(3 + chunks / 7);
                assert_eq!(piece.first, chunks);
                assert_eq!((piece.plaintext().start, piece.sealed().start), (plaintext, sealed));
                (plaintext, sealed, chunks) = (piece.plaintext().end, piece.sealed().end, chunks + piece.count);
            }
            assert_eq!((plaintext, sealed, chunks), (bytes, sealed_bytes(bytes), chunk_count(bytes)));
        }
    }

    #[test]
    fn bodies_open_only_as_sealed() {
        let aead = AeadKey::new(&[5; 32]);
        let key = BodyKey { aead: &aead, nonce: [6; 12], aad: &[7; 32] };
        for bytes in [0usize, 1, 15, 16, 17, 16383, 16384, 16385, 600_000] {
            let range = ChunkRange::whole(bytes as u64);
            let plaintext: Vec<u8> = (0..bytes).map(|i| (i * 31 % 251) as u8).collect();
            let mut sealed = vec![0; sealed_bytes(bytes as u64) as usize];
            key.seal(&range, &plaintext, &mut sealed);
            let mut opened = vec![0; bytes];
            assert!(key.open(&range, &sealed, &mut opened));
            assert_eq!(opened, plaintext);
            for at in [0, sealed.len() / 2, sealed.len() - 1] {
                sealed[at] ^= 0x80;
                assert!(!key.open(&range, &sealed, &mut opened));
                assert!(opened.iter().all(|&b| b == 0), "a failed open leaves zeros");
                sealed[at] ^= 0x80;
            }
            // Piece by piece gives the same bytes.
            let (mut rest, mut pieces) = (range, vec![0; sealed.len()]);
            while !rest.is_empty() {
                let piece = rest.take(2);
                let [p, s] = [piece.plaintext(), piece.sealed()].map(|r| r.start as usize..r.end as usize);
                key.seal(&piece, &plaintext[p], &mut pieces[s]);
            }
            assert_eq!(pieces, sealed);
        }
    }
}
