//! Rows that start or end within a chunk: whole chunks are opened to memory of the library's own, and the rows copied from there.

use super::{
    DeviceTensor,
    body::{alloc_padded, bind},
    queue::Queue,
};
use crate::{
    Error, Result,
    device::{Device, Launch},
    kernel::{Operation, StridedCopy},
};

/// The most elements of one launch: what kernels count fits 32 bits.
const MAX_LAUNCH_ELEMENTS: u64 = 1 << 28;

/// The chunks' plaintext, zeros where they failed.
pub(super) struct Chunks<D: Device> {
    buffer: D::Buffer,
    skipped: u64,
    /// Bytes of an element, of which both what is skipped and what is copied are multiples.
    element: u64,
    /// Bytes that one launch copies.
    step: u64,
}

impl<D: Device> Chunks<D> {
    /// `skipped` bytes of theirs come before the `bytes` of the rows.
    pub(super) fn alloc(device: &D, plaintext_bytes: u64, skipped: u64, bytes: u64) -> Result<Self> {
        let info = device.info();
        let element = [8, 4, 2, 1].into_iter().find(|&e| (bytes | skipped).is_multiple_of(e)).unwrap_or(1);
        let most = info.max_binding_bytes.min(MAX_LAUNCH_ELEMENTS * element) / alignment(device);
        // What is read starts where a binding may, so it may be longer than what is written. Known here, because nothing that was
        // recorded can be taken back.
        let step = most.saturating_sub(1) * alignment(device);
        if step == 0 {
            return Err(Error::Backend("the device's bindings are too small to copy rows".into()));
        }
        Ok(Chunks { buffer: alloc_padded(device, plaintext_bytes)?, skipped, element, step })
    }

    pub(super) fn buffer(&self) -> &D::Buffer {
        &self.buffer
    }

    /// Records the copies of the rows.
    pub(super) fn record(&self, device: &D, queue: &mut Queue<D>, rows: &DeviceTensor<D>) {
        let bytes = rows.metadata().size_bytes();
        for start in (0..bytes).step_by(self.step as usize) {
            let end = bytes.min(start + self.step);
            let from = (self.skipped + start) / alignment(device) * alignment(device);
            let elements = |bytes: u64| (bytes / self.element) as u32;
            let operation = Operation::StridedCopy(StridedCopy {
                count: elements(end - start),
                first: 0,
                element_bytes: self.element as u32,
                offset: elements(self.skipped + start - from),
                window_first: 0,
                window_count: elements(self.skipped + end - from),
                extents: [1, 1, 1, elements(end - start)],
                strides: [0, 0, 0, 1],
            });
            let written = rows.offset() + start..rows.offset() + end;
            let bindings = &[bind(&self.buffer, from..self.skipped + end), bind(rows.buffer(), written)];
            queue.launch(device, Launch { kernel: operation.kernel(), bindings, params: operation.params() });
        }
    }
}

/// Of bindings, and of the largest element.
fn alignment<D: Device>(device: &D) -> u64 {
    device.info().binding_alignment.max(8)
}
