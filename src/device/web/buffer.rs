//! Device memory.

use std::rc::Rc;

use super::{
    super::{check::Bound, wgsl},
    Shared,
    bindings::{GpuBuffer, usage},
    errors::Scope,
};

/// A handle to a buffer of the device. The last handle to memory of the library's own erases and destroys it.
#[derive(Clone)]
pub struct WebBuffer(Rc<Memory>);

struct Memory {
    buffer: GpuBuffer,
    /// None where the buffer is the page's.
    owner: Option<Rc<Shared>>,
}

impl WebBuffer {
    pub(super) fn owned(buffer: GpuBuffer, owner: Rc<Shared>) -> Self {
        WebBuffer(Rc::new(Memory { buffer, owner: Some(owner) }))
    }

    pub(super) fn of_caller(buffer: GpuBuffer) -> Self {
        WebBuffer(Rc::new(Memory { buffer, owner: None }))
    }

    /// The `GPUBuffer` itself, for the page's own shaders. Memory of the library's own has the usages `STORAGE`, `UNIFORM`, `COPY_SRC` and
    /// `COPY_DST`; it is erased and destroyed when the last [`WebBuffer`] is dropped, after the work submitted until then.
    pub fn raw(&self) -> &GpuBuffer {
        &self.0.buffer
    }
}

impl Bound for WebBuffer {
    fn size(&self) -> u64 {
        self.0.buffer.size() as u64
    }

    fn shares(&self, other: &WebBuffer) -> bool {
        self.0.buffer == other.0.buffer
    }
}

impl wgsl::Memory for WebBuffer {
    fn is_callers(&self) -> bool {
        self.0.owner.is_none()
    }

    fn is_copied_to(&self) -> bool {
        self.0.buffer.usage() & usage::COPY_DST != 0
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let Some(Shared { device, queue, .. }) = self.owner.as_deref() else { return };
        let scope = Scope::open(device);
        let encoder = device.create_command_encoder();
        encoder.clear_buffer(&self.buffer, 0.0, self.buffer.size());
        queue.submit(&js_sys::Array::of1(&encoder.finish()));
        // A device that cannot erase has lost its memory; nobody is left to tell.
        let _ = scope.close();
        // Takes effect behind what was submitted (W3C WebGPU, "Buffer destruction").
        self.buffer.destroy();
    }
}

impl core::fmt::Debug for WebBuffer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WebBuffer").field("size", &self.size()).finish_non_exhaustive()
    }
}
