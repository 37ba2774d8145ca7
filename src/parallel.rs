//! Work over equal pieces of memory, on all cores natively, in order on wasm.

/// What crosses between threads natively must be `Send`; in a browser's WebGPU nothing is, and nothing crosses.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + ?Sized> MaybeSend for T {}
/// What crosses between threads natively must be `Send`; in a browser's WebGPU nothing is, and nothing crosses.
#[cfg(target_arch = "wasm32")]
pub trait MaybeSend {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> MaybeSend for T {}

/// What several threads look at natively must be `Sync`.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSync: Sync {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Sync + ?Sized> MaybeSync for T {}
/// What several threads look at natively must be `Sync`.
#[cfg(target_arch = "wasm32")]
pub trait MaybeSync {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> MaybeSync for T {}

/// Fewer chunks than this are sealed or opened by one thread: waking another took longer than it saved at 1 MiB, and
/// paid at 4 MiB (docs/measurements.md).
#[cfg(not(target_arch = "wasm32"))]
const SERIAL_BELOW: usize = 128;
/// The same for verifying, which takes twice as long a chunk.
#[cfg(not(target_arch = "wasm32"))]
const VERIFIED_SERIALLY_BELOW: usize = 64;
/// No thread gets fewer pieces than this.
#[cfg(not(target_arch = "wasm32"))]
const LEAST_SHARE: usize = 16;

/// How many threads there are.
pub(crate) fn threads() -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    return rayon::current_num_threads();
    #[cfg(target_arch = "wasm32")]
    1
}

/// Calls `work` with each index and pair of pieces. Both buffers must be whole pieces.
pub(crate) fn zip(
    from: &[u8],
    from_piece: usize,
    to: &mut [u8],
    to_piece: usize,
    work: impl Fn((usize, (&[u8], &mut [u8]))) + Sync,
) {
    #[cfg(not(target_arch = "wasm32"))]
    if from.len() / from_piece >= SERIAL_BELOW && threads() > 1 {
        use rayon::prelude::*;
        let pairs = from.par_chunks_exact(from_piece).zip(to.par_chunks_exact_mut(to_piece));
        pairs.enumerate().with_min_len(LEAST_SHARE).for_each(&work);
        return;
    }
    from.chunks_exact(from_piece).zip(to.chunks_exact_mut(to_piece)).enumerate().for_each(work);
}

/// Adds up `work` over pieces, the last of which may be shorter.
pub(crate) fn sum(pieces: &[u8], piece: usize, work: impl Fn(usize, &[u8]) -> u32 + Sync) -> u32 {
    #[cfg(not(target_arch = "wasm32"))]
    if pieces.len() / piece >= VERIFIED_SERIALLY_BELOW && threads() > 1 {
        use rayon::prelude::*;
        let pieces = pieces.par_chunks(piece).with_min_len(LEAST_SHARE);
        return pieces.enumerate().map(|(i, piece)| work(i, piece)).sum();
    }
    pieces.chunks(piece).enumerate().map(|(i, piece)| work(i, piece)).sum()
}

/// Gives what `work` makes of each piece, in order; the last piece may be shorter.
pub(crate) fn map<T: Send>(pieces: &[u8], piece: usize, work: impl Fn(&[u8]) -> T + Sync) -> Vec<T> {
    #[cfg(not(target_arch = "wasm32"))]
    if pieces.len() / piece >= LEAST_SHARE && threads() > 1 {
        use rayon::prelude::*;
        return pieces.par_chunks(piece).map(&work).collect();
    }
    pieces.chunks(piece).map(work).collect()
}

/// Runs `work` on each item, each perhaps on a thread of its own. Gives the first error there was.
pub(crate) fn each<T: MaybeSend, E: Send>(items: Vec<T>, work: impl Fn(T) -> Result<(), E> + Sync) -> Result<(), E> {
    #[cfg(not(target_arch = "wasm32"))]
    {
        use rayon::prelude::*;
        items.into_par_iter().map(&work).collect()
    }
    #[cfg(target_arch = "wasm32")]
    items.into_iter().try_for_each(work)
}
