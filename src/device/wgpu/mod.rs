//! Any GPU that wgpu reaches: Vulkan, Metal, DX12, a browser's WebGPU. The kernels are the WGSL shaders.
//!
//! A batch is recorded as a list and encoded when it is submitted: its parameters travel in one buffer, its read-backs
//! in another. Ciphertext goes from mapped staging buffers into device memory; nothing is written through the queue.
//!
//! Natively [`Device::wait`] and a second look for a staging slot block the calling thread until the GPU has come so
//! far; in a browser they wait for its event loop.

mod adapter;
mod buffer;
mod encode;
mod errors;
mod fence;
mod pipelines;
mod ring;
mod timing;

use core::{ops::Range, sync::atomic::Ordering};
use std::sync::{Arc, atomic::AtomicU64};

#[cfg(not(target_arch = "wasm32"))]
pub use self::adapter::adapters;
pub use self::{
    buffer::WgpuBuffer,
    fence::WgpuFence,
    ring::{WgpuSlot, WgpuWriter},
    timing::KernelTime,
};

use self::{
    encode::{Encoded, Encoder},
    errors::Scope,
    pipelines::Pipelines,
    ring::Ring,
    timing::Clock,
};
use super::{
    Device, DeviceInfo, Launch, Part, ReadId, Reads,
    wgsl::{LEAST_BYTES, MAX_BINDING_BYTES, Recorded, SEALED_CHUNK_BYTES},
};
use crate::{Error, Result, kernel::wgsl};

/// Capacity of a staging slot.
const SLOT_BYTES: u64 = 256 * SEALED_CHUNK_BYTES;
const SLOTS: usize = 8;

/// Recorded commands.
pub type WgpuBatch = Recorded<WgpuBuffer, WgpuSlot>;

/// A GPU reached through wgpu.
pub struct WgpuDevice {
    info: DeviceInfo,
    shared: Arc<Shared>,
}

/// What buffers, slots and batches need of their device.
struct Shared {
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// The same for all that were made of one another.
    pipelines: Arc<Pipelines>,
    ring: Arc<Ring>,
    launches: AtomicU64,
    limits: wgpu::Limits,
    clock: Clock,
}

impl WgpuDevice {
    /// Over a device and queue that the application has already. Needs no feature and no more than WebGPU's default limits; on
    /// NVIDIA's GPUs it makes use of `SHADER_INT64`, and larger
    /// `max_buffer_size` and `max_storage_buffer_binding_size` let larger tensors through. The application's handlers
    /// of uncaptured errors and of device loss stay as they are: this library catches its own errors.
    pub fn new(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        let forms = forms(&device);
        Self::with_forms(device, queue, forms)
    }

    /// The same with kernels in other forms, to measure them on a GPU.
    pub fn with_forms(device: wgpu::Device, queue: wgpu::Queue, forms: wgsl::Forms) -> Result<Self> {
        let (adapter, limits) = (device.adapter_info(), device.limits());
        let need = wgpu::Limits::default();
        let short = limits.max_storage_buffers_per_shader_stage < 4
            || limits.max_compute_invocations_per_workgroup < need.max_compute_invocations_per_workgroup
            || limits.max_compute_workgroup_storage_size < need.max_compute_workgroup_storage_size
            || limits.max_compute_workgroups_per_dimension < need.max_compute_workgroups_per_dimension
            || limits.max_uniform_buffers_per_shader_stage < 2
            || limits.max_dynamic_uniform_buffers_per_pipeline_layout < 1
            || limits.max_buffer_size < LEAST_BYTES
            || limits.max_storage_buffer_binding_size < LEAST_BYTES;
        if short {
            return Err(Error::DeviceUnavailable {
                device: "wgpu".into(),
                remedy: format!("{} has less than WebGPU's default compute limits", adapter.name),
            });
        }
        Ok(WgpuDevice::with(device, queue, Arc::new(Pipelines::new(forms))))
    }

    /// Another one over the same wgpu device and queue, which shares the compiled shaders and nothing else: it has a staging ring
    /// and a count of launches of its own. Buffers may go from one to the other.
    pub fn sibling(&self) -> Self {
        let Shared { device, queue, pipelines, .. } = &*self.shared;
        WgpuDevice::with(device.clone(), queue.clone(), Arc::clone(pipelines))
    }

    fn with(device: wgpu::Device, queue: wgpu::Queue, pipelines: Arc<Pipelines>) -> Self {
        let (adapter, limits) = (device.adapter_info(), device.limits());
        let software = adapter.device_type == wgpu::DeviceType::Cpu;
        let driver = [adapter.backend.to_string(), adapter.driver, adapter.driver_info].join(" ");
        let info = DeviceInfo {
            software,
            unified_memory: software || adapter.device_type == wgpu::DeviceType::IntegratedGpu,
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size.min(MAX_BINDING_BYTES) / 16 * 16,
            // Key contexts are bound as uniform buffers.
            binding_alignment: u64::from(limits.min_storage_buffer_offset_alignment)
                .max(u64::from(limits.min_uniform_buffer_offset_alignment))
                .max(16),
            slot_bytes: SLOT_BYTES.min(limits.max_buffer_size / SEALED_CHUNK_BYTES * SEALED_CHUNK_BYTES),
            slots: SLOTS,
            key_context_bytes: wgsl::CONTEXT_BYTES,
            ..DeviceInfo::new("wgpu", adapter.name, driver.trim())
        };
        let shared = Arc::new(Shared {
            pipelines,
            ring: Arc::new(Ring::new(info.slots, info.slot_bytes)),
            launches: AtomicU64::new(0),
            clock: Clock::new(&queue, device.features()),
            limits,
            device,
            queue,
        });
        WgpuDevice { info, shared }
    }

    /// Under another name than "wgpu", for programs that know several: it is what [`DeviceInfo::id`] then says.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.info.id = id.into();
        self
    }

    /// The device, for the application's own work.
    pub fn device(&self) -> &wgpu::Device {
        &self.shared.device
    }

    /// Its queue. What is submitted to it later sees what was opened before.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.shared.queue
    }

    /// Lets tensors be opened into, or sealed out of, a buffer of the application's, which stays the application's: it is not erased when the
    /// handle is dropped. It needs the usage `STORAGE` and a size that is a multiple of 4, and must have been made by this wgpu device:
    /// another device's surfaces as an error when it is used, but wgpu 30 panics over, or mistakes for another, a buffer of
    /// another `wgpu::Instance`.
    pub fn adopt(&self, buffer: wgpu::Buffer) -> Result<WgpuBuffer> {
        if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
            return Err(Error::Usage("the buffer must have been created with the usage STORAGE"));
        }
        if !buffer.size().is_multiple_of(4) {
            return Err(Error::Usage("the buffer's size must be a multiple of 4"));
        }
        Ok(WgpuBuffer::of_caller(buffer))
    }
}

impl Device for WgpuDevice {
    type Buffer = WgpuBuffer;
    type Slot = WgpuSlot;
    type Batch = WgpuBatch;
    type Fence = WgpuFence;

    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn alloc(&self, bytes: u64) -> Result<WgpuBuffer> {
        let size = bytes.max(1).checked_next_multiple_of(16).filter(|&size| size <= self.info.max_buffer_bytes);
        let size = size.ok_or_else(|| {
            Error::Backend(format!(
                "a buffer of {bytes} bytes is beyond the device's limit of {}",
                self.info.max_buffer_bytes
            ))
        })?;
        let scope = Scope::open(&self.shared.device);
        let buffer = self.shared.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("pqc-gpu memory"),
            size,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::UNIFORM
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        scope.close()?;
        Ok(WgpuBuffer::owned(buffer, Arc::clone(&self.shared)))
    }

    async fn slot(&self) -> Result<WgpuSlot> {
        ring::slot(&self.shared.ring, &self.shared.device).await
    }

    fn batch(&self) -> WgpuBatch {
        WgpuBatch::default()
    }

    fn copy_in(&self, batch: &mut WgpuBatch, slot: WgpuSlot, to: &WgpuBuffer, parts: &[Part]) {
        batch.copy_in(slot, to, parts);
    }

    fn launch(&self, batch: &mut WgpuBatch, launch: Launch<'_, WgpuBuffer>) {
        batch.launch(&self.info, launch);
    }

    fn clear(&self, batch: &mut WgpuBatch, buffer: &WgpuBuffer, range: Range<u64>) {
        batch.clear(&self.info, buffer, range);
    }

    fn copy_out(&self, batch: &mut WgpuBatch, from: &WgpuBuffer, range: Range<u64>) -> ReadId {
        batch.copy_out(from, range)
    }

    fn submit(&self, batch: WgpuBatch) -> Result<WgpuFence> {
        let scope = Scope::open(&self.shared.device);
        let launches = batch.launches();
        let submitted = submit(batch, &self.shared);
        scope.close()?;
        let fence = submitted?;
        self.shared.launches.fetch_add(launches, Ordering::Relaxed);
        Ok(fence)
    }

    async fn wait(&self, fence: WgpuFence) -> Result<Reads> {
        fence.wait().await
    }

    fn launches(&self) -> u64 {
        self.shared.launches.load(Ordering::Relaxed)
    }
}

fn submit(batch: WgpuBatch, shared: &Arc<Shared>) -> Result<WgpuFence> {
    let mut recorded = batch.into_commands()?;
    let mut encoder = Encoder::new(shared, &recorded)?;
    for command in &mut recorded {
        encoder.encode(command)?;
    }
    let Encoded { commands, departing, read_back, reads, timed } = encoder.finish();
    let submission = shared.queue.submit([commands]);
    // Only now: the last handle to a buffer erases it, behind the work that uses it.
    drop(recorded);
    departing.into_iter().for_each(|slot| slot.return_after(submission.clone()));
    Ok(WgpuFence::new(shared.device.clone(), submission, read_back, reads, timed))
}

/// The forms for a GPU. NVIDIA's multiply 32 by 32 bits into 64 in one instruction; the others' counts speak against it
/// (docs/kernels.md).
fn forms(device: &wgpu::Device) -> wgsl::Forms {
    let multiplies = device.adapter_info().vendor == adapter::NVIDIA && device.features().contains(adapter::WIDE);
    let ghash = if multiplies { wgsl::GhashForm::Wide } else { wgsl::GhashForm::Bits };
    wgsl::Forms { ghash, ..wgsl::Forms::default() }
}

/// What a failed call says where wgpu says nothing: it reports a lost device only to the application's own handler.
fn lost() -> Error {
    Error::Backend("the device was lost".into())
}
