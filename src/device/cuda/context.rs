//! A driver's context: who holds it, making it current, and that it was lost.

use core::{ffi::c_int, ptr};
use std::sync::OnceLock;

use cudarc::driver::sys::{CUcontext, CUdevice};

use super::driver::{Call, Failure, call};
use crate::{Error, Result};

/// A context of the driver's, current only during the calls of this library.
pub(super) struct Context {
    raw: CUcontext,
    device: CUdevice,
    /// Whether it is the device's primary context, retained here; else it is the caller's.
    retained: bool,
    /// The first error after which nothing works any more.
    lost: OnceLock<Failure>,
}

// SAFETY: contexts may be used from every thread (CUDA C programming guide, "Context"); the pointer is never
// dereferenced here.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// The primary context, which the CUDA runtime and other libraries of the process use too.
    pub(super) fn primary(device: CUdevice) -> Call<Self> {
        let mut raw = ptr::null_mut();
        call!(cuDevicePrimaryCtxRetain(&mut raw, device))?;
        Ok(Context { raw, device, retained: true, lost: OnceLock::new() })
    }

    /// The caller's.
    pub(super) fn of_caller(raw: CUcontext) -> Call<Self> {
        let mut context = Context { raw, device: 0, retained: false, lost: OnceLock::new() };
        let mut device: CUdevice = 0;
        {
            let _current = context.enter()?;
            call!(cuCtxGetDevice(&mut device))?;
        }
        context.device = device;
        Ok(context)
    }

    pub(super) fn device(&self) -> c_int {
        self.device
    }

    pub(super) fn raw(&self) -> CUcontext {
        self.raw
    }

    /// Makes it current for as long as what is given lives.
    pub(super) fn enter(&self) -> Call<Entered> {
        if let Some(&lost) = self.lost.get() {
            return Err(lost);
        }
        self.enter_lost()
    }

    /// The same for those who put away what is left of a lost one.
    pub(super) fn enter_lost(&self) -> Call<Entered> {
        call!(cuCtxPushCurrent_v2(self.raw))?;
        Ok(Entered(()))
    }

    /// Remembers an error after which nothing works.
    pub(super) fn lose(&self, failure: Failure) {
        let _ = self.lost.set(failure);
    }

    /// The same where it is such an error.
    pub(super) fn noting<T>(&self, result: Call<T>) -> Call<T> {
        result.inspect_err(|failure| {
            if failure.is_loss() {
                self.lose(*failure);
            }
        })
    }

    pub(super) fn alive(&self) -> Result<()> {
        self.lost.get().map_or(Ok(()), |&failure| Err(Error::from(failure)))
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.retained {
            let _ = call!(cuDevicePrimaryCtxRelease_v2(self.device));
        }
    }
}

/// While it lives, the context is the thread's.
pub(super) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        let mut popped = ptr::null_mut();
        let _ = call!(cuCtxPopCurrent_v2(&mut popped));
    }
}
