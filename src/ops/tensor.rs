//! Tensors in device memory.

use crate::{device::Device, tensor::TensorMetadata};

/// Who can have made a tensor's bytes: what stood behind them when they were released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// The peer of the session that it was received in.
    Peer,
    /// The publisher of the sealed file that it was opened from: its root was compared.
    Publisher,
    /// Any recipient of that file, or the publisher: tags verified, the root was not compared.
    AnyRecipient,
}

impl Origin {
    /// Of what is made of tensors of both.
    pub(super) fn and(self, other: Origin) -> Origin {
        if other == Origin::AnyRecipient { other } else { self }
    }
}

/// A released tensor in device memory, or what was made of one. Memory of the library's own is erased when the last handle is
/// gone.
pub struct DeviceTensor<D: Device> {
    metadata: TensorMetadata,
    buffer: D::Buffer,
    offset: u64,
    pub(super) origin: Origin,
}

impl<D: Device> DeviceTensor<D> {
    pub(crate) fn new(metadata: TensorMetadata, buffer: D::Buffer, offset: u64, origin: Origin) -> Self {
        DeviceTensor { metadata, buffer, offset, origin }
    }

    /// What it is: authenticated where it was opened, else what follows from that.
    pub fn metadata(&self) -> &TensorMetadata {
        &self.metadata
    }

    /// Who can have made it. Of what was made of tensors, who can have made the first of them, but [`Origin::AnyRecipient`] where one
    /// of the others has that.
    pub fn origin(&self) -> Origin {
        self.origin
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
        DeviceTensor {
            metadata: self.metadata.clone(),
            buffer: self.buffer.clone(),
            offset: self.offset,
            origin: self.origin,
        }
    }
}

impl<D: Device> core::fmt::Debug for DeviceTensor<D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DeviceTensor")
            .field("metadata", &self.metadata)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_any_recipient_may_have_touched_is_anyones() {
        use Origin::{AnyRecipient, Peer, Publisher};
        for origin in [Peer, Publisher, AnyRecipient] {
            assert_eq!((origin.and(AnyRecipient), AnyRecipient.and(origin)), (AnyRecipient, AnyRecipient));
        }
        assert_eq!((Peer.and(Publisher), Publisher.and(Peer)), (Peer, Publisher));
    }
}
