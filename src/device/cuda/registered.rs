//! The application's own memory, page-locked where it lies: what is in it already needs no staging.

use core::ops::Range;
use std::sync::Arc;

use cudarc::driver::sys::{CU_MEMHOSTREGISTER_PORTABLE, CU_MEMHOSTREGISTER_READ_ONLY};

use super::{
    context::Context,
    driver::{Call, call},
};
use crate::{Error, Result};

/// What the application lends: it is held as long as anything copies from it.
pub type Owner = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Memory of the application's that the GPU copies from without a copy in between: sealed tensors in page-locked memory or
/// in a mapped file.
#[derive(Clone)]
pub struct CudaRegistered(pub(super) Arc<Registered>);

impl CudaRegistered {
    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.0.memory().len() as u64
    }
}

pub(super) struct Registered {
    start: *const u8,
    bytes: usize,
    context: Arc<Context>,
    _owner: Owner,
}

// SAFETY: it is a shared borrow of what the owner, which is Send and Sync, holds.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl Registered {
    /// The context is current. `read_only` is for memory that the process cannot write, as of mapped files.
    pub(super) fn new(context: &Arc<Context>, owner: Owner, read_only: bool) -> Call<Self> {
        let memory: &[u8] = (*owner).as_ref();
        let (start, bytes) = (memory.as_ptr(), memory.len());
        let flags = CU_MEMHOSTREGISTER_PORTABLE | if read_only { CU_MEMHOSTREGISTER_READ_ONLY } else { 0 };
        if bytes > 0 {
            // The GPU only reads it.
            call!(cuMemHostRegister_v2(start.cast_mut().cast(), bytes, flags))?;
        }
        Ok(Registered { start, bytes, context: Arc::clone(context), _owner: owner })
    }

    fn memory(&self) -> &[u8] {
        // SAFETY: the owner lent it by a shared borrow, which lasts as long as the owner is held.
        unsafe { core::slice::from_raw_parts(self.start, self.bytes) }
    }

    pub(super) fn part(memory: &Arc<Self>, range: Range<u64>) -> Result<Part> {
        if range.start > range.end || range.end > memory.bytes as u64 {
            return Err(Error::Usage("the part reaches beyond the registered memory"));
        }
        Ok(Part { whole: Arc::clone(memory), range: range.start as usize..range.end as usize })
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        if let Ok(_current) = self.context.enter_lost() {
            let _ = call!(cuMemHostUnregister(self.start.cast_mut().cast()));
        }
    }
}

/// A part of registered memory.
#[derive(Clone)]
pub(super) struct Part {
    whole: Arc<Registered>,
    range: Range<usize>,
}

impl Part {
    pub(super) fn memory(&self) -> &[u8] {
        &self.whole.memory()[self.range.clone()]
    }

    pub(super) fn is_of(&self, context: &Arc<Context>) -> bool {
        Arc::ptr_eq(&self.whole.context, context)
    }
}
