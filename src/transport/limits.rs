//! What a receiver lets a peer make it do.

use crate::{Error, Result, channel::record::RecordHeader, tensor::MAX_TENSOR_BYTES};

/// Bounds on what one session may bring. They are asked when a header has come, before anything is allocated for it.
///
/// They bound what a peer may announce; how much is in flight at once is the caller's pace, because nothing is taken off the
/// stream, and no memory for a tensor taken, but by a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest tensor, in bytes of plaintext. A tensor on a device takes this twice: sealed and opened.
    pub max_tensor_bytes: u64,
    /// The most records in a session, KEY_UPDATE and CLOSE included.
    pub max_records: u64,
    /// The most bytes of plaintext in a session.
    pub max_session_bytes: u64,
}

impl Default for Limits {
    /// Only what the protocol itself allows: 64 GiB a tensor.
    fn default() -> Self {
        Limits { max_tensor_bytes: MAX_TENSOR_BYTES, max_records: u64::MAX, max_session_bytes: u64::MAX }
    }
}

/// What a session has brought so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    records: u64,
    bytes: u64,
}

impl Usage {
    /// What it will have brought with the record announced, if that may come.
    pub(super) fn with(self, limits: &Limits, header: &RecordHeader) -> Result<Self> {
        if header.body_bytes > limits.max_tensor_bytes {
            return Err(Error::Limit("a tensor is too large"));
        }
        let records = self.records.checked_add(1).filter(|&records| records <= limits.max_records);
        let records = records.ok_or(Error::Limit("too many records in one session"))?;
        let bytes = self.bytes.checked_add(header.body_bytes).filter(|&bytes| bytes <= limits.max_session_bytes);
        let bytes = bytes.ok_or(Error::Limit("too many bytes in one session"))?;
        Ok(Usage { records, bytes })
    }
}
