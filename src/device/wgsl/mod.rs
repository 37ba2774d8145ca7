//! What the devices that run the WGSL kernels share, whichever way they reach WebGPU: batches are recorded as lists, checked
//! on the way, and encoded when they are submitted.

mod batch;
mod layout;

pub(super) use batch::{Command, Dispatch, Recorded};
pub(super) use layout::{PARAMS_BYTES, bound, columns, params, read_bytes, words};

use super::check::Bound;
use crate::kernel::{CHUNK_BYTES, TAG_BYTES};

/// Of buffers and bindings: 16 sealed chunks are the least that launches are split at.
pub(super) const LEAST_BYTES: u64 = 16 * SEALED_CHUNK_BYTES;
/// Offsets within a binding are counted in 32 bits.
pub(super) const MAX_BINDING_BYTES: u64 = 2 << 30;
/// A chunk and its tag.
pub(super) const SEALED_CHUNK_BYTES: u64 = CHUNK_BYTES + TAG_BYTES as u64;

/// What recording asks of a buffer.
pub(super) trait Memory: Bound + Clone {
    /// Whether it is the application's.
    fn is_callers(&self) -> bool;

    /// Whether it has the usage COPY_DST.
    fn is_copied_to(&self) -> bool;
}
