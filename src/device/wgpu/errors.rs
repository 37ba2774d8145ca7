//! wgpu's errors as ours. Uncaught, they would end the program.

#[cfg(not(target_arch = "wasm32"))]
use crate::Error;
use crate::Result;

/// Catches what goes wrong on this thread until it is closed.
pub(super) struct Scope {
    internal: wgpu::ErrorScopeGuard,
    memory: wgpu::ErrorScopeGuard,
    validation: wgpu::ErrorScopeGuard,
}

impl Scope {
    pub(super) fn open(device: &wgpu::Device) -> Self {
        Scope {
            internal: device.push_error_scope(wgpu::ErrorFilter::Internal),
            memory: device.push_error_scope(wgpu::ErrorFilter::OutOfMemory),
            validation: device.push_error_scope(wgpu::ErrorFilter::Validation),
        }
    }

    /// Natively errors are known at once. A browser tells them later: there they surface from the next wait, as failed mappings.
    pub(super) fn close(self) -> Result<()> {
        let (validation, memory, internal) = (self.validation.pop(), self.memory.pop(), self.internal.pop());
        #[cfg(not(target_arch = "wasm32"))]
        {
            let caught = pollster::block_on(async { [memory.await, validation.await, internal.await] });
            match caught.into_iter().flatten().next() {
                Some(wgpu::Error::OutOfMemory { .. }) => Err(Error::Backend("out of memory".into())),
                Some(error) => Err(Error::Backend(error.to_string())),
                None => Ok(()),
            }
        }
        #[cfg(target_arch = "wasm32")]
        {
            drop((validation, memory, internal));
            Ok(())
        }
    }
}
