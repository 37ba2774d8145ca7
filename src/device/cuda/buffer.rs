//! Device memory. It is zero before its first use and erased, behind its last, before it goes back.

use core::{ffi::c_void, mem, ops::Range, ptr};
use std::sync::Arc;

use cudarc::driver::sys::{
    CUdeviceptr, CUmemAllocationType, CUmemLocationType, CUmemPool_attribute, CUmemPoolProps, CUmemoryPool, CUresult,
};

use super::{
    context::Context,
    driver::{Call, call},
    lanes::{Lane, Uses},
    shared::Core,
};
use crate::{Error, Result};

/// A handle to device memory. The last handle to memory of the library's own erases it, behind the commands that use it.
#[derive(Clone)]
pub struct CudaBuffer(Arc<Memory>);

struct Memory {
    pointer: CUdeviceptr,
    bytes: u64,
    /// What it takes of the device: `bytes` in whole blocks of 16.
    taken: u64,
    kind: Kind,
    uses: Uses,
    core: Arc<Core>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of the pool, in the order of streams.
    Pooled,
    /// An allocation of its own.
    Own,
    /// The same, to be given to other processes.
    Shared,
    /// Another process's, opened here. It is that process's to erase.
    Imported,
    /// The application's.
    Callers,
}

impl CudaBuffer {
    /// Zeroed memory, from the pool where there is one.
    pub(super) fn zeroed(core: &Arc<Core>, bytes: u64) -> Result<Self> {
        let taken = bytes.max(1).next_multiple_of(16);
        match &core.pool {
            Some(pool) => Self::allocated(core, bytes, taken, Kind::Pooled, |stream| pool.alloc(taken, stream)),
            None => Self::whole(core, bytes, taken, Kind::Own),
        }
    }

    /// Zeroed memory in an allocation of its own.
    pub(super) fn whole(core: &Arc<Core>, bytes: u64, taken: u64, kind: Kind) -> Result<Self> {
        Self::allocated(core, bytes, taken, kind, |_| {
            let mut pointer = 0;
            call!(cuMemAlloc_v2(&mut pointer, taken as usize)).map(|()| pointer)
        })
    }

    fn allocated(
        core: &Arc<Core>,
        bytes: u64,
        taken: u64,
        kind: Kind,
        alloc: impl Fn(cudarc::driver::sys::CUstream) -> Call<CUdeviceptr>,
    ) -> Result<Self> {
        let (current, mut lanes) = core.enter()?;
        let stream = lanes.stream(Lane::In);
        let alloc = || core.context.noting(alloc(stream));
        let pointer = match alloc() {
            Err(failure) if failure.code == CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                // What was let go of may still be on its way back.
                core.context.noting(call!(cuStreamSynchronize(lanes.stream(Lane::Erase))))?;
                core.pool.as_ref().map_or(Ok(()), Pool::trim)?;
                alloc()?
            }
            other => other?,
        };
        let uses = Uses::default();
        lanes.count(Lane::In, [&uses]);
        let buffer = CudaBuffer(Arc::new(Memory { pointer, bytes, taken, kind, uses, core: Arc::clone(core) }));
        let cleared = call!(cuMemsetD8Async(pointer, 0, taken as usize, stream));
        // Dropping the buffer takes the lanes again.
        drop((lanes, current));
        core.context.noting(cleared)?;
        Ok(buffer)
    }

    /// The application's memory, or another process's.
    pub(super) fn of_others(core: &Arc<Core>, pointer: CUdeviceptr, bytes: u64, kind: Kind) -> Self {
        let core = Arc::clone(core);
        CudaBuffer(Arc::new(Memory { pointer, bytes, taken: bytes, kind, uses: Uses::default(), core }))
    }

    /// Where it lies in the device's memory, for the application's own kernels. It stays there until the last handle is
    /// dropped; order your streams against the device's with [`CudaDevice::order_before`](super::CudaDevice::order_before).
    pub fn pointer(&self) -> CUdeviceptr {
        self.0.pointer
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.0.bytes
    }

    /// Where whole blocks of it end.
    pub(super) fn taken(&self) -> u64 {
        self.0.taken
    }

    pub(super) fn is_shared(&self) -> bool {
        self.0.kind == Kind::Shared
    }

    pub(super) fn uses(&self) -> &Uses {
        &self.0.uses
    }

    pub(super) fn is_of(&self, core: &Arc<Core>) -> bool {
        Arc::ptr_eq(&self.0.core, core)
    }

    /// The number of the GPU that it lies in.
    pub(super) fn device(&self) -> i32 {
        self.0.core.context.device()
    }

    /// Whether two handles reach the same bytes.
    pub(super) fn overlaps(&self, other: &CudaBuffer) -> bool {
        let range = |memory: &Memory| -> Range<u64> { memory.pointer..memory.pointer.saturating_add(memory.taken) };
        let (a, b) = (range(&self.0), range(&other.0));
        Arc::ptr_eq(&self.0, &other.0) || (a.start < b.end && b.start < a.end)
    }
}

impl core::fmt::Debug for CudaBuffer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CudaBuffer").field("bytes", &self.0.bytes).finish_non_exhaustive()
    }
}

impl Memory {
    fn put_away(&self) -> Call {
        let Memory { pointer, taken, kind, uses, core, .. } = self;
        if *kind == Kind::Callers {
            return Ok(());
        }
        let (_current, mut lanes) = core.enter()?;
        // Where it cannot be put behind its last use, that is waited for.
        lanes.after(Lane::Erase, uses).or_else(|_| lanes.finish())?;
        let stream = lanes.stream(Lane::Erase);
        lanes.count(Lane::Erase, []);
        if *kind != Kind::Imported {
            // What cannot be erased is not given back.
            call!(cuMemsetD8Async(*pointer, 0, *taken as usize, stream))?;
        }
        if *kind == Kind::Pooled {
            return call!(cuMemFreeAsync(*pointer, stream));
        }
        drop(lanes);
        call!(cuStreamSynchronize(stream))?;
        match kind {
            Kind::Imported => call!(cuIpcCloseMemHandle(*pointer)),
            _ => call!(cuMemFree_v2(*pointer)),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // A device that cannot erase has lost its memory; nobody is left to tell.
        let _ = self.core.context.noting(self.put_away());
    }
}

/// Memory that is handed out and taken back in the order of streams, without stopping the device.
pub(super) struct Pool {
    raw: CUmemoryPool,
    context: Arc<Context>,
}

// SAFETY: the driver's pools may be used from every thread.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Pool {
    /// The context is current. What is in the pool is no other library's, and cannot be exported to other processes.
    pub(super) fn new(context: &Arc<Context>) -> Call<Self> {
        // SAFETY: a plain C structure whose fields may all be zero: no export, no limit, reserved bytes.
        let mut properties: CUmemPoolProps = unsafe { mem::zeroed() };
        properties.allocType = CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
        set_location(&mut properties, context.device());
        let mut raw: CUmemoryPool = ptr::null_mut();
        call!(cuMemPoolCreate(&mut raw, &properties))?;
        let pool = Pool { raw, context: Arc::clone(context) };
        // Kept between batches: asking the system for memory stops the device.
        let mut keep = u64::MAX;
        let value = ptr::from_mut(&mut keep).cast::<c_void>();
        call!(cuMemPoolSetAttribute(raw, CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, value))?;
        // Copies in do not wait for the erasing of what came before, as long as there is other memory.
        let mut no = 0i32;
        let value = ptr::from_mut(&mut no).cast::<c_void>();
        let depend = CUmemPool_attribute::CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES;
        call!(cuMemPoolSetAttribute(raw, depend, value))?;
        Ok(pool)
    }

    fn alloc(&self, bytes: u64, stream: cudarc::driver::sys::CUstream) -> Call<CUdeviceptr> {
        let mut pointer = 0;
        call!(cuMemAllocFromPoolAsync(&mut pointer, bytes as usize, self.raw, stream)).map(|()| pointer)
    }

    /// Gives what is free back to the system.
    fn trim(&self) -> Call {
        call!(cuMemPoolTrimTo(self.raw, 0))
    }
}

/// Newer interfaces have the number in a union.
fn set_location(properties: &mut CUmemPoolProps, device: i32) {
    properties.location.__bindgen_anon_1.id = device;
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Ok(_current) = self.context.enter_lost() {
            let _ = call!(cuMemPoolDestroy(self.raw));
        }
    }
}

/// What a caller's memory must be.
pub(super) fn check_callers(context: &Context, pointer: CUdeviceptr, bytes: u64) -> Result<()> {
    use cudarc::driver::sys::CUpointer_attribute::{CU_POINTER_ATTRIBUTE_CONTEXT, CU_POINTER_ATTRIBUTE_MEMORY_TYPE};
    const DEVICE_MEMORY: u32 = 2;
    if !pointer.is_multiple_of(16) {
        return Err(Error::Usage("a buffer of the caller's starts at a multiple of 16 bytes"));
    }
    let _current = context.enter()?;
    let mut kind = 0u32;
    let asked =
        call!(cuPointerGetAttribute(ptr::from_mut(&mut kind).cast(), CU_POINTER_ATTRIBUTE_MEMORY_TYPE, pointer));
    if asked.is_err() || kind != DEVICE_MEMORY {
        return Err(Error::Usage("the pointer is not to this device's memory"));
    }
    let mut owner: cudarc::driver::sys::CUcontext = ptr::null_mut();
    let asked = call!(cuPointerGetAttribute(ptr::from_mut(&mut owner).cast(), CU_POINTER_ATTRIBUTE_CONTEXT, pointer));
    // Memory of pools belongs to no context.
    if asked.is_ok() && !owner.is_null() && owner != context.raw() {
        return Err(Error::Usage("the memory belongs to another context"));
    }
    let (mut start, mut size) = (0, 0);
    call!(cuMemGetAddressRange_v2(&mut start, &mut size, pointer))?;
    let end = pointer.checked_add(bytes).filter(|&end| end <= start + size as u64);
    end.map(drop).ok_or(Error::Usage("the memory ends before that many bytes"))
}
