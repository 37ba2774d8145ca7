//! Device memory.

use std::sync::Arc;

use super::{
    super::{check::Bound, wgsl},
    Shared,
    errors::Scope,
};

/// A handle to a buffer of the device. The last handle to memory of the library's own erases it.
#[derive(Clone)]
pub struct WgpuBuffer(Arc<Memory>);

struct Memory {
    buffer: wgpu::Buffer,
    /// None where the buffer is the caller's.
    owner: Option<Arc<Shared>>,
}

impl WgpuBuffer {
    pub(super) fn owned(buffer: wgpu::Buffer, owner: Arc<Shared>) -> Self {
        WgpuBuffer(Arc::new(Memory { buffer, owner: Some(owner) }))
    }

    pub(super) fn of_caller(buffer: wgpu::Buffer) -> Self {
        WgpuBuffer(Arc::new(Memory { buffer, owner: None }))
    }

    /// The buffer itself, for the application's own shaders. It is erased when the last [`WgpuBuffer`] is dropped, after
    /// the work submitted until then; memory of the library's own has the usages `STORAGE`, `UNIFORM`, `COPY_SRC` and `COPY_DST`.
    pub fn raw(&self) -> &wgpu::Buffer {
        &self.0.buffer
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.0.buffer.size()
    }
}

impl Bound for WgpuBuffer {
    fn size(&self) -> u64 {
        self.size()
    }

    fn shares(&self, other: &Self) -> bool {
        self.0.buffer == other.0.buffer
    }
}

impl wgsl::Memory for WgpuBuffer {
    fn is_callers(&self) -> bool {
        self.0.owner.is_none()
    }

    fn is_copied_to(&self) -> bool {
        self.0.buffer.usage().contains(wgpu::BufferUsages::COPY_DST)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let Some(Shared { device, queue, .. }) = self.owner.as_deref() else { return };
        let scope = Scope::open(device);
        let mut encoder =
            device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("pqc-gpu erase") });
        encoder.clear_buffer(&self.buffer, 0, None);
        queue.submit([encoder.finish()]);
        // A device that cannot erase has lost its memory; nobody is left to tell.
        let _ = scope.close();
    }
}
