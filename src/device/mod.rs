//! Devices: memory that tensors are opened into, and the kernels that open them.
//!
//! A vendor joins by implementing [`Device`] and passing the conformance suite. Devices see ciphertext, parameters
//! and, once for each epoch, a key. Rules every implementation must keep:
//!
//! - [`Device::copy_in`] ends in memory that only the device reaches, so that the host cannot change
//!   ciphertext between verifying and decrypting.
//! - Batches take effect in the order of their submission, commands in a batch in the order of their recording.
//! - Memory is zero when allocated and erased before it is freed.
//! - A buffer lives until the last handle to it and the last command that uses it are gone.

#[cfg(any(
    feature = "wgpu",
    all(feature = "web", target_arch = "wasm32"),
    all(feature = "cuda", not(target_arch = "wasm32"))
))]
mod check;
mod cpu;
#[cfg(all(feature = "cuda", not(target_arch = "wasm32")))]
#[allow(unsafe_code)] // the driver's interface is C's
pub mod cuda;
#[cfg(all(feature = "web", target_arch = "wasm32"))]
pub mod web;
#[cfg(feature = "wgpu")]
pub mod wgpu;
#[cfg(any(feature = "wgpu", all(feature = "web", target_arch = "wasm32")))]
mod wgsl;

use core::ops::Range;

#[cfg(all(feature = "web", target_arch = "wasm32"))]
pub use self::web::{WebBuffer, WebDevice};
#[cfg(feature = "wgpu")]
pub use self::wgpu::{WgpuBuffer, WgpuDevice};
pub use cpu::{CpuBuffer, CpuDevice};
#[cfg(all(feature = "cuda", not(target_arch = "wasm32")))]
pub use cuda::{CudaBuffer, CudaDevice};

pub use crate::parallel::MaybeSend;

use crate::{
    Result,
    kernel::{CHUNK_BYTES, Kernel, Params, TAG_BYTES},
};

/// What a device is and can do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// The name `--device` takes: "cpu", "wgpu", "cuda:0".
    pub id: String,
    /// The hardware's own name.
    pub name: String,
    /// The interface and driver it is reached by.
    pub driver: String,
    /// True where a CPU stands in for a GPU.
    pub software: bool,
    /// True where host and device share one memory.
    pub unified_memory: bool,
    /// The largest buffer.
    pub max_buffer_bytes: u64,
    /// The largest part of a buffer that one binding covers.
    pub max_binding_bytes: u64,
    /// What binding offsets must be multiples of.
    pub binding_alignment: u64,
    /// Capacity of one staging slot; a multiple of 16,400 so that pieces end at chunks.
    pub slot_bytes: u64,
    /// Slots in the staging ring. Whoever waits for a slot must hold none in a batch that is not submitted: two that hold
    /// and wait would wait for ever.
    pub slots: usize,
    /// Size of a key context.
    pub key_context_bytes: u64,
}

impl DeviceInfo {
    /// A device with WebGPU's default limits, a ring of four slots of 256 chunks, and everything else still to be said.
    pub fn new(id: impl Into<String>, name: impl Into<String>, driver: impl Into<String>) -> Self {
        DeviceInfo {
            id: id.into(),
            name: name.into(),
            driver: driver.into(),
            software: false,
            unified_memory: false,
            max_buffer_bytes: 256 << 20,
            max_binding_bytes: 128 << 20,
            binding_alignment: 256,
            slot_bytes: 256 * (CHUNK_BYTES + TAG_BYTES as u64),
            slots: 4,
            key_context_bytes: 0,
        }
    }

    /// Host memory the staging ring takes.
    pub fn staging_bytes(&self) -> u64 {
        self.slot_bytes * self.slots as u64
    }
}

/// A part of a slot and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Offset in the slot.
    pub from: u64,
    /// Offset in the buffer.
    pub to: u64,
    /// Length.
    pub bytes: u64,
}

/// A part of a buffer for a kernel to use.
#[derive(Debug)]
pub struct Binding<'a, B> {
    /// The buffer.
    pub buffer: &'a B,
    /// The part; its start is a multiple of [`DeviceInfo::binding_alignment`].
    pub range: Range<u64>,
}

/// One run of a kernel.
#[derive(Debug)]
pub struct Launch<'a, B> {
    /// The kernel.
    pub kernel: Kernel,
    /// As many as [`Kernel::bindings`]. What is written is bound nowhere else in the launch.
    pub bindings: &'a [Binding<'a, B>],
    /// Parameters.
    pub params: Params,
}

/// Names a read within its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadId(pub(crate) usize);

impl ReadId {
    /// The `index`-th read recorded in a batch, for devices to give out.
    pub fn new(index: usize) -> Self {
        ReadId(index)
    }
}

/// What a batch read back.
#[derive(Debug, Default)]
pub struct Reads(pub(crate) Vec<Vec<u8>>);

impl Reads {
    /// The reads of a batch in the order of their recording, for devices to give out.
    pub fn new(reads: Vec<Vec<u8>>) -> Self {
        Reads(reads)
    }

    /// The bytes of one read of this batch.
    pub fn bytes(&self, id: ReadId) -> Option<&[u8]> {
        self.0.get(id.0).map(Vec::as_slice)
    }
}

/// Host memory on its way to the device. It can be filled by several threads, and must not be read: it may be
/// write-combined.
pub trait Slot {
    /// A part of the slot.
    type Writer<'a>: SlotWriter
    where
        Self: 'a;

    /// How many bytes it takes.
    fn capacity(&self) -> u64;

    /// Hands out consecutive parts of these lengths from the slot's start. Together they must fit.
    fn writers(&mut self, lengths: &[u64]) -> Result<Vec<Self::Writer<'_>>>;

    /// Tells that the slot holds a secret: it is erased before anyone gets it again.
    fn erase_after_use(&mut self);
}

/// A part of a slot, for one thread.
pub trait SlotWriter: MaybeSend {
    /// Its length.
    fn capacity(&self) -> u64;

    /// Writes within it.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// The part as memory, where it is ordinary memory: it may then be sealed into directly.
    fn as_memory(&mut self) -> Option<&mut [u8]>;
}

/// A device.
///
/// Recording cannot fail; what is wrong with a batch, out of memory and loss of the device included,
/// surfaces from [`Device::submit`] or [`Device::wait`].
#[allow(async_fn_in_trait)] // browsers' futures are not Send, so no bound would fit every device
pub trait Device {
    /// A handle to device memory. Its last drop erases the memory, after the commands that use it.
    type Buffer: Clone;
    /// Staging memory.
    type Slot: Slot;
    /// Recorded commands.
    type Batch;
    /// A submitted batch.
    type Fence;

    /// What the device is.
    fn info(&self) -> &DeviceInfo;

    /// Allocates zeroed memory. Out of memory may surface only at [`Device::wait`].
    fn alloc(&self, bytes: u64) -> Result<Self::Buffer>;

    /// The next free slot; waits for submitted batches to give theirs back. This is where back-pressure lives.
    async fn slot(&self) -> Result<Self::Slot>;

    /// An empty batch.
    fn batch(&self) -> Self::Batch;

    /// Records copies from a slot, which returns to the ring when they are done.
    fn copy_in(&self, batch: &mut Self::Batch, slot: Self::Slot, to: &Self::Buffer, parts: &[Part]);

    /// Records a kernel.
    fn launch(&self, batch: &mut Self::Batch, launch: Launch<'_, Self::Buffer>);

    /// Records zeroing.
    fn clear(&self, batch: &mut Self::Batch, buffer: &Self::Buffer, range: Range<u64>);

    /// Records a copy to the host.
    fn copy_out(&self, batch: &mut Self::Batch, from: &Self::Buffer, range: Range<u64>) -> ReadId;

    /// Hands the batch to the device.
    fn submit(&self, batch: Self::Batch) -> Result<Self::Fence>;

    /// Waits until a batch is done and gives what it read. Every asynchronous error surfaces here.
    async fn wait(&self, fence: Self::Fence) -> Result<Reads>;

    /// How many kernels the device has run, so that a caller can tell who answered.
    fn launches(&self) -> u64;
}

/// A reference to a device is one.
impl<D: Device> Device for &D {
    type Buffer = D::Buffer;
    type Slot = D::Slot;
    type Batch = D::Batch;
    type Fence = D::Fence;

    fn info(&self) -> &DeviceInfo {
        (**self).info()
    }

    fn alloc(&self, bytes: u64) -> Result<D::Buffer> {
        (**self).alloc(bytes)
    }

    async fn slot(&self) -> Result<D::Slot> {
        (**self).slot().await
    }

    fn batch(&self) -> D::Batch {
        (**self).batch()
    }

    fn copy_in(&self, batch: &mut D::Batch, slot: D::Slot, to: &D::Buffer, parts: &[Part]) {
        (**self).copy_in(batch, slot, to, parts);
    }

    fn launch(&self, batch: &mut D::Batch, launch: Launch<'_, D::Buffer>) {
        (**self).launch(batch, launch);
    }

    fn clear(&self, batch: &mut D::Batch, buffer: &D::Buffer, range: Range<u64>) {
        (**self).clear(batch, buffer, range);
    }

    fn copy_out(&self, batch: &mut D::Batch, from: &D::Buffer, range: Range<u64>) -> ReadId {
        (**self).copy_out(batch, from, range)
    }

    fn submit(&self, batch: D::Batch) -> Result<D::Fence> {
        (**self).submit(batch)
    }

    async fn wait(&self, fence: D::Fence) -> Result<Reads> {
        (**self).wait(fence).await
    }

    fn launches(&self) -> u64 {
        (**self).launches()
    }
}
