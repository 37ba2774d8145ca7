//! A browser's WebGPU, without wgpu: the page's own `GPUDevice` and `GPUBuffer`s, the same WGSL kernels.
//!
//! wgpu hands WebGPU handles out and takes none in, and a page that runs a model has its own device already, whose buffers
//! no other device can use. So this device speaks to the page's: it opens tensors into buffers that ONNX Runtime Web or
//! the page's shaders then read, without a copy; and the package stays small.
//!
//! Batches are recorded as lists and encoded when submitted. Ciphertext goes from mapped staging buffers into device memory; nothing
//! is written through the queue. Errors come out of WebGPU's error scopes and surface from [`Device::wait`].

mod bindings;
mod buffer;
mod encode;
mod errors;
mod fence;
mod pipelines;
mod ring;

use core::{
    cell::{Cell, RefCell},
    ops::Range,
};
use std::rc::Rc;

use js_sys::{Array, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

pub use self::{
    bindings::{GpuBuffer, GpuDevice},
    buffer::WebBuffer,
    fence::WebFence,
    ring::{WebSlot, WebWriter},
};

use self::{
    bindings::{GpuAdapter, GpuLimits, GpuQueue, dictionary, usage},
    encode::{Encoded, Encoder},
    errors::{LOST, Loss, OUT_OF_MEMORY, Scope, meaning},
    pipelines::Pipelines,
    ring::Ring,
};
use super::{
    Device, DeviceInfo, Launch, Part, ReadId, Reads,
    wgsl::{LEAST_BYTES, MAX_BINDING_BYTES, Recorded, SEALED_CHUNK_BYTES},
};
use crate::{Error, Result, kernel::wgsl};

/// Of a staging slot: pieces of streams are this long too.
const SLOT_BYTES: u64 = 64 * SEALED_CHUNK_BYTES;
const SLOTS: usize = 4;

/// Recorded commands.
pub type WebBatch = Recorded<WebBuffer, WebSlot>;

/// A GPU reached through a browser's WebGPU. Clones share everything, the staging ring too.
#[derive(Clone)]
pub struct WebDevice {
    info: DeviceInfo,
    shared: Rc<Shared>,
}

/// What buffers, slots and batches need of their device.
struct Shared {
    device: GpuDevice,
    queue: GpuQueue,
    pipelines: Pipelines,
    ring: Rc<Ring>,
    loss: Loss,
    launches: Cell<u64>,
    uniform_alignment: u64,
    max_workgroups: u32,
    /// What error scopes will tell of buffers made since the last submission.
    unsettled: RefCell<Vec<Promise>>,
}

impl Shared {
    /// Closes a scope whose errors belong to the next batch.
    fn caught(&self, scope: Scope<'_>) {
        self.unsettled.borrow_mut().extend(scope.close());
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.ring.destroy();
    }
}

impl WebDevice {
    /// Over a device that the page has already; no feature and no more than WebGPU's default limits are needed. The page's handlers of
    /// uncaptured errors stay as they are: this library catches its own.
    pub fn new(device: GpuDevice) -> Result<Self> {
        let limits = device.limits();
        let short = |why: String| Error::DeviceUnavailable { device: "webgpu".into(), remedy: why };
        let least = LEAST_BYTES as f64;
        if limits.max_buffer_size() < least || limits.max_storage_buffer_binding_size() < least {
            return Err(short(format!("its buffers and bindings must be allowed {LEAST_BYTES} bytes")));
        }
        let described = device.adapter_info();
        let said = |part: fn(&bindings::GpuAdapterInfo) -> Option<String>| described.as_ref().and_then(part);
        let parts = [said(|info| info.vendor()), said(|info| info.architecture()), said(|info| info.description())];
        let mut words: Vec<String> = Vec::new();
        for part in parts.into_iter().flatten().filter(|part| !part.is_empty()) {
            if !words.iter().any(|word| part.to_lowercase().contains(&word.to_lowercase())) {
                words.push(part);
            } else if let Some(word) = words.iter_mut().find(|word| part.to_lowercase().contains(&word.to_lowercase()))
            {
                *word = part;
            }
        }
        let name = if words.is_empty() { "unnamed adapter".into() } else { words.join(" ") };
        let lower = name.to_lowercase();
        let software = described.as_ref().and_then(|info| info.is_fallback_adapter()).unwrap_or(false)
            || ["swiftshader", "llvmpipe", "lavapipe", "basic render", "warp"].iter().any(|s| lower.contains(s));
        let alignment = |of: fn(&GpuLimits) -> f64| of(&limits) as u64;
        let uniform_alignment = alignment(GpuLimits::min_uniform_buffer_offset_alignment);
        let max_buffer_bytes = limits.max_buffer_size() as u64;
        let info = DeviceInfo {
            software,
            unified_memory: software,
            max_buffer_bytes,
            max_binding_bytes: (limits.max_storage_buffer_binding_size() as u64).min(MAX_BINDING_BYTES) / 16 * 16,
            // Key contexts are bound as uniform buffers.
            binding_alignment: alignment(GpuLimits::min_storage_buffer_offset_alignment).max(uniform_alignment).max(16),
            slot_bytes: SLOT_BYTES.min(max_buffer_bytes / SEALED_CHUNK_BYTES * SEALED_CHUNK_BYTES),
            slots: SLOTS,
            key_context_bytes: wgsl::CONTEXT_BYTES,
            ..DeviceInfo::new("webgpu", name, "WebGPU")
        };
        let ring = Rc::new(Ring::new(info.slots, info.slot_bytes));
        let losing = Rc::downgrade(&ring);
        let loss = Loss::of(&device, move || {
            if let Some(ring) = losing.upgrade() {
                ring.lose();
            }
        });
        let shared = Rc::new(Shared {
            queue: device.queue(),
            pipelines: Pipelines::default(),
            ring,
            loss,
            launches: Cell::new(0),
            uniform_alignment,
            max_workgroups: limits.max_compute_workgroups_per_dimension() as u32,
            unsettled: RefCell::default(),
            device,
        });
        Ok(WebDevice { info, shared })
    }

    /// A device of its own on the browser's adapter, with the largest buffers and bindings that it allows.
    pub async fn open() -> Result<Self> {
        let none = |remedy: &str| Error::DeviceUnavailable { device: "webgpu".into(), remedy: remedy.into() };
        let gpu = bindings::gpu().ok_or_else(|| {
            none("this browser has no navigator.gpu here; it needs a secure context (https or localhost) and a browser with WebGPU")
        })?;
        let failed = |thrown: JsValue| match meaning(&thrown) {
            Error::Backend(why) => none(&why),
            other => other,
        };
        let preference = dictionary([("powerPreference", "high-performance".into())]);
        let adapter = JsFuture::from(gpu.request_adapter(&preference).map_err(failed)?).await.map_err(failed)?;
        if adapter.is_null() || adapter.is_undefined() {
            return Err(none(
                "the browser has WebGPU and offers no adapter for it; its GPU may be blocked or its driver missing",
            ));
        }
        let adapter: GpuAdapter = adapter.unchecked_into();
        let offered = adapter.limits();
        let wanted = dictionary([
            ("maxBufferSize", offered.max_buffer_size().into()),
            ("maxStorageBufferBindingSize", offered.max_storage_buffer_binding_size().into()),
        ]);
        let descriptor = dictionary([("label", "pqc-gpu".into()), ("requiredLimits", wanted.into())]);
        let device = JsFuture::from(adapter.request_device(&descriptor).map_err(failed)?).await.map_err(failed)?;
        WebDevice::new(device.unchecked_into())
    }

    /// The `GPUDevice`, for the page's own work.
    pub fn device(&self) -> &GpuDevice {
        &self.shared.device
    }

    /// Why the device was lost, if it was. Everything on it is gone; open another.
    pub fn lost(&self) -> Option<String> {
        self.shared.loss.reason()
    }

    /// Whether an error of this device says that it was lost.
    pub fn is_lost(error: &Error) -> bool {
        matches!(error, Error::Backend(text) if text.starts_with(LOST))
    }

    /// Whether an error of this device says that memory ran out.
    pub fn is_out_of_memory(error: &Error) -> bool {
        matches!(error, Error::Backend(text) if text == OUT_OF_MEMORY)
    }

    /// Lets tensors be opened into, or sealed out of, a buffer of the page's, which stays the page's: it is not erased when the handle
    /// is dropped. It needs the usage `STORAGE` and a size that is a multiple of 4, and must have been made by this `GPUDevice`: another
    /// device's surfaces as an error when it is used.
    pub fn adopt(&self, buffer: GpuBuffer) -> Result<WebBuffer> {
        if buffer.usage() & usage::STORAGE == 0 {
            return Err(Error::Usage("the buffer must have been created with the usage STORAGE"));
        }
        if !(buffer.size() as u64).is_multiple_of(4) {
            return Err(Error::Usage("the buffer's size must be a multiple of 4"));
        }
        Ok(WebBuffer::of_caller(buffer))
    }
}

impl Device for WebDevice {
    type Buffer = WebBuffer;
    type Slot = WebSlot;
    type Batch = WebBatch;
    type Fence = WebFence;

    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn alloc(&self, bytes: u64) -> Result<WebBuffer> {
        let size = bytes.max(1).checked_next_multiple_of(16).filter(|&size| size <= self.info.max_buffer_bytes);
        let size = size.ok_or_else(|| {
            Error::Backend(format!(
                "a buffer of {bytes} bytes is beyond the device's limit of {}",
                self.info.max_buffer_bytes
            ))
        })?;
        let scope = Scope::open(&self.shared.device);
        let buffer = self.shared.device.create_buffer(&dictionary([
            ("label", "pqc-gpu memory".into()),
            ("size", (size as f64).into()),
            ("usage", (usage::STORAGE | usage::UNIFORM | usage::COPY_SRC | usage::COPY_DST).into()),
        ]));
        self.shared.caught(scope);
        buffer.map(|buffer| WebBuffer::owned(buffer, Rc::clone(&self.shared))).map_err(|thrown| meaning(&thrown))
    }

    async fn slot(&self) -> Result<WebSlot> {
        ring::slot(&self.shared).await
    }

    fn batch(&self) -> WebBatch {
        WebBatch::default()
    }

    fn copy_in(&self, batch: &mut WebBatch, slot: WebSlot, to: &WebBuffer, parts: &[Part]) {
        batch.copy_in(slot, to, parts);
    }

    fn launch(&self, batch: &mut WebBatch, launch: Launch<'_, WebBuffer>) {
        batch.launch(&self.info, launch);
    }

    fn clear(&self, batch: &mut WebBatch, buffer: &WebBuffer, range: Range<u64>) {
        batch.clear(&self.info, buffer, range);
    }

    fn copy_out(&self, batch: &mut WebBatch, from: &WebBuffer, range: Range<u64>) -> ReadId {
        batch.copy_out(from, range)
    }

    fn submit(&self, batch: WebBatch) -> Result<WebFence> {
        let launches = batch.launches();
        let scope = Scope::open(&self.shared.device);
        let submitted = encode(batch, &self.shared);
        self.shared.caught(scope);
        let (read_back, reads) = submitted?;
        let scopes = self.shared.unsettled.take();
        self.shared.launches.set(self.shared.launches.get() + launches);
        Ok(WebFence::new(Rc::clone(&self.shared), scopes, read_back, reads))
    }

    async fn wait(&self, fence: WebFence) -> Result<Reads> {
        fence.wait().await
    }

    fn launches(&self) -> u64 {
        self.shared.launches.get()
    }
}

/// Encodes and submits a batch; gives its read-back and where in it each read lies.
fn encode(batch: WebBatch, shared: &Shared) -> Result<(GpuBuffer, Vec<Range<usize>>)> {
    let mut recorded = batch.into_commands()?;
    let mut encoder = Encoder::new(shared, &recorded)?;
    for command in &mut recorded {
        encoder.encode(command)?;
    }
    let Encoded { commands, departing, params, read_back, reads } = encoder.finish();
    shared.queue.submit(&Array::of1(&commands));
    // What is destroyed lives until the submission is done with it.
    params.destroy();
    // Only now: the last handle to a buffer erases it, behind the work that uses it, and slots ask for their mapping.
    drop((recorded, departing));
    Ok((read_back, reads))
}
