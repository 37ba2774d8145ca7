//! Where channel and device meet: records are opened into device memory and sealed out of it.
//!
//! [`Transfer`] keeps many tensors in flight: each is queued with [`Transfer::begin_open`], and
//! [`Transfer::settle`] waits, judges and releases them in sequence order. A tensor's handle exists only after its
//! verdict was read and its record released; until then, and for ever after a failure, nothing of it can be read.
//!
//! [`Backend`] is the plain carrier of the four methods upload, download, free, device_info: ciphertext in, ciphertext out.

mod backend;
mod body;
pub mod hazmat;
mod open;
mod queue;
mod seal;
mod slot;

pub use backend::{Backend, Handle, InMemoryBackend};
pub use open::Destination;
pub use queue::Source;
pub use slot::seal_into_slot;

use std::sync::Arc;

use crate::{
    Result,
    channel::{self, schedule::EpochKeys},
    device::Device,
    kernel,
    tensor::TensorMetadata,
};
use body::KeyContext;
use open::InFlight;
use queue::{Queue, Submitted};

// The channel and the kernels know nothing of each other, but their chunks must be the same.
const _: () =
    assert!(channel::chunk::CHUNK_BYTES == kernel::CHUNK_BYTES && channel::suite::TAG_BYTES == kernel::TAG_BYTES);

/// Key contexts kept on the device: two directions, and the epoch before for what is still in flight.
const CONTEXTS: usize = 4;

/// Moves tensors between a session and a device.
pub struct Transfer<D: Device> {
    device: D,
    queue: Queue<D>,
    contexts: Vec<(Arc<EpochKeys>, KeyContext<D>)>,
    /// Tensors whose launches are recorded but not submitted.
    recorded: Vec<InFlight<D>>,
    recorded_bytes: u64,
    verdicts: Option<D::Buffer>,
    /// Batches on their way, each with the tensors it judges.
    submitted: Vec<Submitted<D, Vec<InFlight<D>>>>,
}

impl<D: Device> Transfer<D> {
    /// A transfer over a device. Sessions that share it share nothing but its memory and time.
    pub fn new(device: D) -> Self {
        Transfer {
            queue: Queue::new(&device),
            device,
            contexts: Vec::new(),
            recorded: Vec::new(),
            recorded_bytes: 0,
            verdicts: None,
            submitted: Vec::new(),
        }
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The key context of an epoch, expanded on the device at its first use. Older ones are dropped, which erases them
    /// once the launches that use them are done.
    async fn context(&mut self, keys: &Arc<EpochKeys>) -> Result<KeyContext<D>> {
        if let Some((_, context)) = self.contexts.iter().find(|(known, _)| Arc::ptr_eq(known, keys)) {
            return Ok(context.clone());
        }
        let context = KeyContext::expand(&self.device, &mut self.queue, keys.key()).await?;
        if self.contexts.len() == CONTEXTS {
            self.contexts.remove(0);
        }
        self.contexts.push((Arc::clone(keys), context.clone()));
        Ok(context)
    }
}

/// A released tensor in device memory. The memory is erased when the last handle is gone.
pub struct DeviceTensor<D: Device> {
    metadata: TensorMetadata,
    buffer: D::Buffer,
    offset: u64,
}

impl<D: Device> DeviceTensor<D> {
    /// What it is, authenticated.
    pub fn metadata(&self) -> &TensorMetadata {
        &self.metadata
    }

    /// The buffer it lies in.
    pub fn buffer(&self) -> &D::Buffer {
        &self.buffer
    }

    /// Where in the buffer it starts; it is [`TensorMetadata::size_bytes`] long.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl<D: Device> Clone for DeviceTensor<D> {
    fn clone(&self) -> Self {
        DeviceTensor { metadata: self.metadata.clone(), buffer: self.buffer.clone(), offset: self.offset }
    }
}

impl<D: Device> core::fmt::Debug for DeviceTensor<D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DeviceTensor").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}
