//! What devices over one context share: its lanes, its memory and its kernels.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys::CUstream;

use super::{
    buffer::Pool,
    context::{Context, Entered},
    driver::{Call, call},
    event::{Event, Waiter},
    kernels::Kernels,
    lanes::{Lane, Lanes},
};
use crate::Result;

/// Shared by a device, its siblings, and every buffer of theirs.
pub(super) struct Core {
    pub(super) kernels: Kernels,
    pub(super) pool: Option<Pool>,
    lanes: Mutex<Lanes>,
    /// Waits for copies in, which give slots back.
    pub(super) copies: Waiter,
    /// Waits for the ends of batches.
    pub(super) batches: Waiter,
    pub(super) context: Arc<Context>,
}

impl Core {
    pub(super) fn new(context: Context, architecture: (u32, u32), pools: bool) -> Result<Self> {
        let context = Arc::new(context);
        let _current = context.enter()?;
        let pool = if pools { Some(Pool::new(&context)?) } else { None };
        Ok(Core {
            kernels: Kernels::new(&context, architecture),
            pool,
            lanes: Mutex::new(Lanes::new(&context)?),
            copies: Waiter::start("cuda copies")?,
            batches: Waiter::start("cuda batches")?,
            context: Arc::clone(&context),
        })
    }

    /// Makes the context current, and takes the lanes: one at a time gives commands.
    pub(super) fn enter(&self) -> Call<(Entered, MutexGuard<'_, Lanes>)> {
        let lanes = self.lanes();
        Ok((self.context.enter()?, lanes))
    }

    pub(super) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is submitted from now on comes after all that this stream of the caller's has been given.
    pub(super) fn order_after(&self, stream: CUstream) -> Call {
        let (_current, mut lanes) = self.enter()?;
        let event = Event::record(&self.context, stream)?;
        self.context.noting(lanes.all_after(&event))
    }

    /// What this stream of the caller's is given from now on comes after all that was submitted.
    pub(super) fn order_before(&self, stream: CUstream) -> Call {
        let (_current, mut lanes) = self.enter()?;
        for lane in [Lane::In, Lane::Compute, Lane::Out] {
            lanes.after_all_of(Lane::End, lane)?;
        }
        let event = Event::record(&self.context, lanes.stream(Lane::End))?;
        self.context.noting(call!(cuStreamWaitEvent(stream, event.raw(), 0)))
    }
}

impl Drop for Core {
    /// Kernels have run before they are unloaded, and what is erased is erased before the context may go.
    fn drop(&mut self) {
        let Ok((_current, lanes)) = self.enter() else { return };
        if let Err(failure) = lanes.finish() {
            // Nobody knows what still runs: it is left to the end of the process.
            self.context.lose(failure);
        }
    }
}
