//! The seed's backend: upload, download, free and device_info over any device. It carries ciphertext and holds no key.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{body::fill, queue::Queue};
use crate::{
    EncryptedTensor, Error, Result,
    device::{CpuDevice, Device, DeviceInfo},
};

/// A backend in this process's memory.
pub type InMemoryBackend = Backend<CpuDevice>;

/// Stores sealed tensors in a device's memory.
///
/// What is stored is a copy: the caller's later changes to its own do not reach it. Freed memory is erased.
pub struct Backend<D: Device> {
    device: D,
    stored: Mutex<Stored<D::Buffer>>,
}

/// Names an uploaded tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle(u64);

struct Stored<B> {
    next: u64,
    buffers: HashMap<Handle, (B, u64)>,
}

impl<B> Default for Stored<B> {
    fn default() -> Self {
        Stored { next: 0, buffers: HashMap::new() }
    }
}

impl<D: Device + Default> Default for Backend<D> {
    fn default() -> Self {
        Backend::new(D::default())
    }
}

impl<D: Device> Backend<D> {
    /// A backend over a device.
    pub fn new(device: D) -> Self {
        Backend { device, stored: Mutex::default() }
    }

    /// What the device is.
    pub fn device_info(&self) -> &DeviceInfo {
        self.device.info()
    }

    /// Copies a sealed tensor to the device.
    pub async fn upload(&self, tensor: &EncryptedTensor) -> Result<Handle> {
        let bytes = tensor.as_bytes();
        let buffer = self.device.alloc((bytes.len() as u64).next_multiple_of(16))?;
        let mut queue = Queue::new(&self.device);
        let source = &mut |range: core::ops::Range<u64>, slot: &mut D::Slot| {
            fill(slot, &bytes[range.start as usize..range.end as usize])
        };
        queue.copy_in(&self.device, &buffer, 0, bytes.len() as u64, source).await?;
        queue.submit(&self.device)?.wait(&self.device).await?;
        let mut stored = self.stored();
        let handle = Handle(stored.next);
        stored.next += 1;
        stored.buffers.insert(handle, (buffer, bytes.len() as u64));
        Ok(handle)
    }

    /// Copies it back, still sealed.
    pub async fn download(&self, handle: Handle) -> Result<EncryptedTensor> {
        let (buffer, bytes) = self.stored().buffers.get(&handle).cloned().ok_or(UNKNOWN)?;
        let mut queue = Queue::new(&self.device);
        let read = queue.copy_out(&self.device, &buffer, 0..bytes);
        let reads = queue.submit(&self.device)?.wait(&self.device).await?;
        EncryptedTensor::from_bytes(reads.bytes(read).unwrap_or_default())
    }

    /// Erases and frees it.
    pub async fn free(&self, handle: Handle) -> Result<()> {
        let (buffer, bytes) = self.stored().buffers.remove(&handle).ok_or(UNKNOWN)?;
        let mut queue = Queue::new(&self.device);
        queue.clear(&self.device, &buffer, 0..bytes);
        queue.submit(&self.device)?.wait(&self.device).await.map(drop)
    }

    fn stored(&self) -> MutexGuard<'_, Stored<D::Buffer>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const UNKNOWN: Error = Error::Usage("no tensor has this handle; it was freed, or is another backend's");
