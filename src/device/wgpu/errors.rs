//! wgpu's errors as ours. Uncaught, they would end the program.

#[cfg(not(target_arch = "wasm32"))]
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::lost;
#[cfg(not(target_arch = "wasm32"))]
use crate::Error;
use crate::Result;

/// Catches what goes wrong on this thread until it is closed.
pub(super) struct Scope {
    // Dropped in this order, the reverse of their opening.
    validation: wgpu::ErrorScopeGuard,
    memory: wgpu::ErrorScopeGuard,
    internal: wgpu::ErrorScopeGuard,
}

impl Scope {
    pub(super) fn open(device: &wgpu::Device) -> Self {
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        Scope { validation, memory, internal }
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

/// Polls, and natively waits where asked to.
pub(super) fn poll(device: &wgpu::Device, poll: wgpu::PollType) -> Result<()> {
    // A driver that reports the loss of its device while we wait makes wgpu 30 panic, after it has told everyone of the loss.
    #[cfg(not(target_arch = "wasm32"))]
    return match catch_unwind(AssertUnwindSafe(|| device.poll(poll))) {
        Ok(polled) => polled.map(drop).map_err(|_| lost()),
        Err(_) => Err(lost()),
    };
    #[cfg(target_arch = "wasm32")]
    return device.poll(poll).map(drop).map_err(|_| lost());
}
