//! Host memory that the GPU copies from and to: page-locked, and ordinary otherwise, so that it may be read.

use core::{ffi::c_void, ops::Range, ptr::NonNull, slice};
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::CU_MEMHOSTALLOC_PORTABLE;
use zeroize::optimization_barrier;

use super::{
    context::Context,
    driver::{Call, call},
};

/// Page-locked memory, zero at first.
pub(super) struct Pinned {
    start: NonNull<u8>,
    bytes: usize,
    context: Arc<Context>,
}

// SAFETY: it owns its memory, as a `Box<[u8]>` would.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// The context is current. Not write-combined: sealing reads what it wrote.
    pub(super) fn alloc(context: &Arc<Context>, bytes: u64) -> Call<Self> {
        let bytes = bytes.max(1) as usize;
        let mut start: *mut c_void = core::ptr::null_mut();
        call!(cuMemHostAlloc(&mut start, bytes, CU_MEMHOSTALLOC_PORTABLE))?;
        let start = NonNull::new(start.cast::<u8>()).ok_or_else(Self::none)?;
        // SAFETY: so many bytes were just given, and nobody else has them.
        unsafe { start.write_bytes(0, bytes) };
        Ok(Pinned { start, bytes, context: Arc::clone(context) })
    }

    fn none() -> super::driver::Failure {
        let code = cudarc::driver::sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY;
        match super::driver::check("cuMemHostAlloc", code) {
            Err(failure) => failure,
            Ok(()) => unreachable!("it is an error's code"),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    pub(super) fn pointer(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// To be used where the GPU neither reads nor writes it.
    pub(super) fn memory(&self) -> &[u8] {
        // SAFETY: it is initialised since its allocation, and only `memory_mut` writes it while no copy is on its way.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    /// To be used where the GPU neither reads nor writes it.
    pub(super) fn memory_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and it is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }

    /// Zeroes a part in a way the compiler must keep.
    pub(super) fn erase(&mut self, range: Range<usize>) {
        let memory = &mut self.memory_mut()[range];
        memory.fill(0);
        optimization_barrier(memory);
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Of a lost context nobody knows what its copies still do: the memory is left to the end of the process.
        if let Ok(_current) = self.context.enter() {
            let _ = call!(cuMemFreeHost(self.start.as_ptr().cast()));
        }
    }
}

/// Memory for read-backs, kept for the next ones.
pub(super) struct ReadBacks {
    free: Mutex<Vec<Pinned>>,
    keep_bytes: u64,
}

/// How many pieces of memory are kept.
const KEPT: usize = 4;

impl ReadBacks {
    /// Pieces up to this size are kept.
    pub(super) fn new(keep_bytes: u64) -> Self {
        ReadBacks { free: Mutex::default(), keep_bytes }
    }

    /// The context is current.
    pub(super) fn take(self: &Arc<Self>, context: &Arc<Context>, bytes: u64) -> Call<ReadBack> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |pinned: &Pinned| pinned.bytes() >= bytes;
        let best = (0..free.len()).filter(|&i| fits(&free[i])).min_by_key(|&i| free[i].bytes());
        let kept = best.map(|i| free.swap_remove(i));
        drop(free);
        let pinned = match kept {
            Some(pinned) => pinned,
            None => Pinned::alloc(context, bytes.next_multiple_of(64 << 10).max(64 << 10))?,
        };
        Ok(ReadBack { pinned: Some(pinned), used: bytes as usize, home: Arc::clone(self) })
    }
}

/// Memory of a batch's reads; goes home erased when it is dropped, which must not be before the GPU has written it.
pub(super) struct ReadBack {
    /// None once it is lost or back.
    pinned: Option<Pinned>,
    used: usize,
    home: Arc<ReadBacks>,
}

impl ReadBack {
    pub(super) fn pointer(&self) -> *mut u8 {
        self.pinned.as_ref().map_or(core::ptr::null_mut(), Pinned::pointer)
    }

    /// To be used when the GPU has written it.
    pub(super) fn memory(&self) -> &[u8] {
        self.pinned.as_ref().map_or(&[], Pinned::memory)
    }
}

impl Drop for ReadBack {
    fn drop(&mut self) {
        let Some(mut pinned) = self.pinned.take() else { return };
        if pinned.context.is_lost() {
            // The GPU may still write it.
            return core::mem::forget(pinned);
        }
        pinned.erase(0..self.used);
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        if pinned.bytes() <= self.home.keep_bytes && free.len() < KEPT {
            free.push(pinned);
        }
    }
}
