//! Tensors in device memory.

use crate::{device::Device, tensor::TensorMetadata};

/// A released tensor in device memory, or what was made of one. Memory of the library's own is erased when the last handle is
/// gone.
pub struct DeviceTensor<D: Device> {
    metadata: TensorMetadata,
    buffer: D::Buffer,
    offset: u64,
}

impl<D: Device> DeviceTensor<D> {
    pub(crate) fn new(metadata: TensorMetadata, buffer: D::Buffer, offset: u64) -> Self {
        DeviceTensor { metadata, buffer, offset }
    }

    /// What it is: authenticated where it was opened, else what follows from that.
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
