//! NVIDIA's GPUs through their own driver, which is loaded when it is first needed. The kernels are those of shaders/cuda.
//!
//! A batch is recorded as a list and issued when it is submitted. Copies in, kernels and copies out have streams of their own
//! and wait for one another only where they use the same buffer, so that sealing, copying and opening of successive pieces run
//! at once. Memory comes from a pool of this library's own; it is zero before its first use and erased before it goes back.
//!
//! No future here blocks its thread for longer than some microseconds: threads of the device's own wait for the GPU. Errors of the GPU's
//! end the device: every later call gives them again.
//!
//! Whoever brings pointers, contexts or streams of the driver's calls functions that are `unsafe`; nothing else here is.

mod batch;
mod buffer;
mod context;
mod dlpack;
mod driver;
mod event;
mod fence;
mod info;
mod ipc;
mod issue;
mod kernels;
mod lanes;
mod nvml;
mod nvrtc;
mod pinned;
mod registered;
mod ring;
mod shared;
mod timing;

use core::{ops::Range, sync::atomic::Ordering};
use std::sync::{Arc, atomic::AtomicU64};

use cudarc::driver::sys::{CUcontext, CUdeviceptr, CUstream};

pub use self::{
    batch::CudaBatch,
    buffer::CudaBuffer,
    dlpack::{Dlpack, DlpackElement},
    fence::CudaFence,
    ipc::CudaIpcHandle,
    nvml::ConfidentialComputing,
    registered::{CudaRegistered, Owner},
    ring::{CudaSlot, CudaWriter},
    timing::KernelTime,
};

use self::{
    buffer::Kind, context::Context, info::Facts, pinned::ReadBacks, registered::Registered, ring::Ring, shared::Core,
    timing::Clock,
};
use super::{Device, DeviceInfo, Launch, Part, ReadId, Reads};
use crate::{Error, Result};

/// A GPU reached through NVIDIA's driver.
pub struct CudaDevice {
    info: DeviceInfo,
    read_only_memory: bool,
    ring: Arc<Ring>,
    read_backs: Arc<ReadBacks>,
    launches: AtomicU64,
    clock: Arc<Clock>,
    core: Arc<Core>,
}

impl CudaDevice {
    /// How many GPUs the driver shows to this process. Where there is no driver, the error says what to install.
    pub fn count() -> Result<u32> {
        info::count()
    }

    /// The GPU of this number, through its primary context, which CUDA's runtime and other libraries of the process use too.
    pub fn open(number: u32) -> Result<Self> {
        let device = info::find(number)?;
        let facts = info::facts(format!("cuda:{number}"), device)?;
        Self::with(facts, Context::primary(device)?)
    }

    /// Over a context of the application's own.
    ///
    /// # Safety
    ///
    /// The context is one of the driver's, and is not destroyed while the device, or a buffer, slot, batch or fence of it, is there.
    pub unsafe fn in_context(context: CUcontext) -> Result<Self> {
        driver::start().map_err(|remedy| info::unavailable(0, remedy))?;
        let context = Context::of_caller(context)?;
        let facts = info::facts(format!("cuda:{}", context.device()), context.device())?;
        Self::with(facts, context)
    }

    fn with(facts: Facts, context: Context) -> Result<Self> {
        let Facts { info, architecture, pools, read_only_memory } = facts;
        let core = Arc::new(Core::new(context, architecture, pools)?);
        Ok(Self::over(info, read_only_memory, core))
    }

    fn over(info: DeviceInfo, read_only_memory: bool, core: Arc<Core>) -> Self {
        CudaDevice {
            ring: Arc::new(Ring::new(info.slots, info.slot_bytes, &core.context)),
            read_backs: Arc::new(ReadBacks::new(info.slot_bytes)),
            launches: AtomicU64::new(0),
            clock: Arc::default(),
            info,
            read_only_memory,
            core,
        }
    }

    /// Another one over the same context, streams and compiled kernels, with a staging ring and a count of launches of its own. Buffers may
    /// go from one to the other.
    pub fn sibling(&self) -> Self {
        Self::over(self.info.clone(), self.read_only_memory, Arc::clone(&self.core))
    }

    /// Whether this system's GPUs are in NVIDIA's confidential mode, as NVML says. Never claimed where it does not.
    pub fn confidential_computing(&self) -> ConfidentialComputing {
        nvml::confidential_computing()
    }

    /// Lets tensors be opened into, or sealed out of, memory of the application's, which stays the application's: it is not
    /// erased when the handle is dropped. Only the bytes that a tensor has are written, but its own memory ends with a
    /// whole block of 16 bytes where anything but plaintext is bound.
    ///
    /// It starts at a multiple of 16 bytes, and is device memory of this context or of a pool.
    ///
    /// # Safety
    ///
    /// The memory stays allocated until the last handle is dropped and what was submitted with it is done. Commands of the
    /// application's that use it are ordered by [`CudaDevice::order_after`] and [`CudaDevice::order_before`].
    pub unsafe fn adopt(&self, pointer: CUdeviceptr, bytes: u64) -> Result<CudaBuffer> {
        buffer::check_callers(&self.core.context, pointer, bytes)?;
        Ok(CudaBuffer::of_others(&self.core, pointer, bytes, Kind::Callers))
    }

    /// What is submitted from now on comes after all that this stream has been given.
    ///
    /// # Safety
    ///
    /// The stream is one of this context's, or its default stream (null).
    pub unsafe fn order_after(&self, stream: CUstream) -> Result<()> {
        Ok(self.core.order_after(stream)?)
    }

    /// What this stream is given from now on comes after all that was submitted, so that it sees what was opened.
    ///
    /// That a tensor was released is known to the host alone: do not use what was not yet settled.
    ///
    /// # Safety
    ///
    /// The stream is one of this context's, or its default stream (null).
    pub unsafe fn order_before(&self, stream: CUstream) -> Result<()> {
        Ok(self.core.order_before(stream)?)
    }

    /// Page-locks memory of the application's, as a mapped file or a buffer that holds sealed tensors, so that the GPU copies
    /// from it with no copy in between. Give it to [`CudaDevice::slot_of`].
    ///
    /// Systems differ in what they let be page-locked; where this is an error, fill slots instead.
    pub fn register(&self, memory: Owner) -> Result<CudaRegistered> {
        let _current = self.core.context.enter()?;
        let first = Registered::new(&self.core.context, Arc::clone(&memory), false);
        let registered = match first {
            // Memory that this process may only read.
            Err(_) if self.read_only_memory => Registered::new(&self.core.context, memory, true),
            other => other,
        };
        Ok(CudaRegistered(Arc::new(self.core.context.noting(registered)?)))
    }

    /// A part of registered memory in the place of a slot, filled already: what [`Transfer::begin_open`] asks to be filled may be
    /// replaced by it.
    ///
    /// [`Transfer::begin_open`]: crate::transfer::Transfer::begin_open
    pub fn slot_of(&self, memory: &CudaRegistered, range: Range<u64>) -> Result<CudaSlot> {
        CudaSlot::registered(&memory.0, range)
    }
}

impl Device for CudaDevice {
    type Buffer = CudaBuffer;
    type Slot = CudaSlot;
    type Batch = CudaBatch;
    type Fence = CudaFence;

    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn alloc(&self, bytes: u64) -> Result<CudaBuffer> {
        if bytes > self.info.max_buffer_bytes {
            return Err(Error::Backend(format!(
                "a buffer of {bytes} bytes is beyond the device's memory of {}",
                self.info.max_buffer_bytes
            )));
        }
        CudaBuffer::zeroed(&self.core, bytes)
    }

    async fn slot(&self) -> Result<CudaSlot> {
        self.ring.slot().await
    }

    fn batch(&self) -> CudaBatch {
        CudaBatch::new(&self.core)
    }

    fn copy_in(&self, batch: &mut CudaBatch, slot: CudaSlot, to: &CudaBuffer, parts: &[Part]) {
        batch.copy_in(slot, to, parts);
    }

    fn launch(&self, batch: &mut CudaBatch, launch: Launch<'_, CudaBuffer>) {
        batch.launch(&self.info, launch);
    }

    fn clear(&self, batch: &mut CudaBatch, buffer: &CudaBuffer, range: Range<u64>) {
        batch.clear(buffer, range);
    }

    fn copy_out(&self, batch: &mut CudaBatch, from: &CudaBuffer, range: Range<u64>) -> ReadId {
        batch.copy_out(from, range)
    }

    fn submit(&self, batch: CudaBatch) -> Result<CudaFence> {
        let launches = batch.launches;
        let fence = issue::issue(&self.core, &self.read_backs, &self.clock, batch)?;
        self.launches.fetch_add(launches, Ordering::Relaxed);
        Ok(fence)
    }

    async fn wait(&self, fence: CudaFence) -> Result<Reads> {
        fence.wait().await
    }

    fn launches(&self) -> u64 {
        self.launches.load(Ordering::Relaxed)
    }
}
