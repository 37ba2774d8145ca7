//! The driver itself, stand-in or not, for what the tests do beside the library: memory and streams of their own.
#![allow(unsafe_code)] // the driver's interface is C's

use std::{ffi::CString, ptr};

use pqc_gpu_driver::cudarc::driver::sys::{self, CUcontext, CUdeviceptr, CUresult, CUstream};

fn check(code: CUresult) {
    assert_eq!(code, CUresult::CUDA_SUCCESS);
}

/// The GPU's primary context, current while this lives.
pub(crate) struct Primary {
    pub(crate) context: CUcontext,
    device: i32,
}

impl Primary {
    pub(crate) fn new(device: i32) -> Self {
        let mut context = ptr::null_mut();
        // SAFETY: a device was opened, so the driver runs.
        unsafe {
            check(sys::cuDevicePrimaryCtxRetain(&mut context, device));
            check(sys::cuCtxPushCurrent_v2(context));
        }
        Primary { context, device }
    }

    pub(crate) fn alloc(&self, bytes: usize) -> Memory<'_> {
        let mut pointer = 0;
        // SAFETY: the context is current.
        unsafe { check(sys::cuMemAlloc_v2(&mut pointer, bytes)) };
        let memory = Memory { pointer, bytes, _context: self };
        memory.set(0xa5);
        memory
    }

    pub(crate) fn stream(&self) -> CUstream {
        let mut stream = ptr::null_mut();
        // SAFETY: the context is current. Non-blocking: not ordered against the default stream.
        unsafe { check(sys::cuStreamCreate(&mut stream, 1)) };
        stream
    }

    /// Asks a stream to set memory, some time.
    pub(crate) fn set_later(&self, stream: CUstream, pointer: CUdeviceptr, value: u8, bytes: usize) {
        // SAFETY: the tests keep both until the stream is done.
        unsafe { check(sys::cuMemsetD8Async(pointer, value, bytes, stream)) };
    }

    pub(crate) fn finish(&self, stream: CUstream) {
        // SAFETY: it was made here, and is destroyed once.
        unsafe {
            check(sys::cuStreamSynchronize(stream));
            check(sys::cuStreamDestroy_v2(stream));
        }
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        let mut popped = ptr::null_mut();
        // SAFETY: pushed and retained above.
        unsafe {
            sys::cuCtxPopCurrent_v2(&mut popped);
            sys::cuDevicePrimaryCtxRelease_v2(self.device);
        }
    }
}

/// Memory of the application's.
pub(crate) struct Memory<'a> {
    pub(crate) pointer: CUdeviceptr,
    pub(crate) bytes: usize,
    _context: &'a Primary,
}

impl Memory<'_> {
    fn set(&self, value: u8) {
        // SAFETY: the memory is this one's, and the default stream is waited for.
        unsafe {
            check(sys::cuMemsetD8Async(self.pointer, value, self.bytes, ptr::null_mut()));
            check(sys::cuStreamSynchronize(ptr::null_mut()));
        }
    }
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        // The stand-in wants to see everything erased before it is freed.
        self.set(0);
        // SAFETY: allocated above.
        unsafe { sys::cuMemFree_v2(self.pointer) };
    }
}

/// From now on the stand-in's `n`-th call of a kind fails, and no other; a negative `n` is none. See tests/cuda_driver.
/// An allocation that fails once is tried again when what was let go of is back, so it fails twice.
pub(crate) fn fail(kind: &str, n: i64) {
    let times = if kind == "alloc" { 2 } else { 1 };
    let kind = CString::new(kind).unwrap();
    // SAFETY: the stand-in has this function, of this type.
    unsafe {
        let fail = sys::culib().get::<unsafe extern "C" fn(*const i8, i64, i64)>(b"stand_in_fail").unwrap();
        fail(kind.as_ptr(), n, times);
    }
}

/// How many calls of a kind the stand-in has seen since it was told to fail some.
pub(crate) fn seen(kind: &str) -> i64 {
    let kind = CString::new(kind).unwrap();
    // SAFETY: as above.
    unsafe {
        let seen = sys::culib().get::<unsafe extern "C" fn(*const i8) -> i64>(b"stand_in_seen").unwrap();
        seen(kind.as_ptr())
    }
}
