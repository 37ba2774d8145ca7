//! A sealed tensor in one piece of memory: its wire form.

use core::ops::Range;

use super::{ChannelSession, seal::CONTROL_BYTES};
use crate::{
    Error, Result,
    channel::{
        chunk::sealed_bytes,
        record::{HEADER_BYTES, RecordHeader, RecordType},
    },
    tensor::TensorMetadata,
};

/// A tensor as it crosses: a KEY_UPDATE record where one was due, header, metadata, sealed body. There is no nonce in
/// it: both ends compute it.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedTensor {
    bytes: Vec<u8>,
    header: RecordHeader,
    metadata: TensorMetadata,
    body: Range<usize>,
}

impl EncryptedTensor {
    /// Reads the wire form. Lengths are checked before anything is kept; authenticity is not checked here, only by
    /// [`ChannelSession::decrypt_tensor`].
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        let (mut at, mut header) = (0, header_at(&bytes, 0)?);
        if header.record_type == RecordType::KeyUpdate {
            at = CONTROL_BYTES;
            header = header_at(&bytes, at)?;
        }
        if header.record_type != RecordType::Tensor {
            return Err(Error::Record("a tensor was due"));
        }
        let metadata_end = at + HEADER_BYTES + header.metadata_bytes as usize;
        let metadata = bytes.get(at + HEADER_BYTES..metadata_end).ok_or(SHORT)?;
        let metadata = TensorMetadata::decode(metadata)?;
        if metadata.size_bytes() != header.body_bytes {
            return Err(Error::Record("the body's length is not that of the tensor's shape and type"));
        }
        let end = metadata_end as u64 + sealed_bytes(header.body_bytes);
        match end.cmp(&(bytes.len() as u64)) {
            core::cmp::Ordering::Less => return Err(Error::Record("trailing bytes")),
            core::cmp::Ordering::Greater => return Err(SHORT),
            core::cmp::Ordering::Equal => {}
        }
        Ok(EncryptedTensor { body: metadata_end..bytes.len(), bytes, header, metadata })
    }

    /// The wire form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the tensor is said to be; readable by anyone, authenticated by every tag.
    pub fn metadata(&self) -> &TensorMetadata {
        &self.metadata
    }

    /// The record's header.
    pub fn header(&self) -> &RecordHeader {
        &self.header
    }

    pub(crate) fn key_update(&self) -> Option<&[u8]> {
        Some(&self.bytes[..self.header_start()]).filter(|record| !record.is_empty())
    }

    pub(crate) fn header_bytes(&self) -> &[u8] {
        &self.bytes[self.header_start()..][..HEADER_BYTES]
    }

    pub(crate) fn metadata_bytes(&self) -> &[u8] {
        &self.bytes[self.header_start() + HEADER_BYTES..self.body.start]
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.body.clone()]
    }

    fn header_start(&self) -> usize {
        self.body.start - HEADER_BYTES - self.header.metadata_bytes as usize
    }
}

impl core::fmt::Debug for EncryptedTensor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EncryptedTensor").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

impl ChannelSession {
    /// Seals a tensor in memory. Fails, consuming nothing, where `bytes` has not the length the metadata says.
    pub fn encrypt_tensor(&self, bytes: &[u8], metadata: &TensorMetadata) -> Result<EncryptedTensor> {
        if bytes.len() as u64 != metadata.size_bytes() {
            return Err(Error::Usage("the tensor's bytes are not as many as its shape and type say"));
        }
        let mut sealing = self.seal(metadata)?;
        let start = sealing.prelude().len();
        let mut wire = Vec::with_capacity(start + sealing.body_bytes() as usize);
        wire.extend(sealing.prelude());
        wire.resize(start + sealing.body_bytes() as usize, 0);
        if let Some(piece) = sealing.next_piece(u32::MAX) {
            piece.seal(bytes, &mut wire[start..])?;
        }
        let header = sealing.header().clone();
        sealing.finish()?;
        Ok(EncryptedTensor { body: start..wire.len(), bytes: wire, header, metadata: metadata.clone() })
    }
}

const SHORT: Error = Error::Record("shorter than announced");

fn header_at(bytes: &[u8], at: usize) -> Result<RecordHeader> {
    let header = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(SHORT)?;
    RecordHeader::decode(header)
}
