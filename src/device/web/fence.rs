//! Waiting for a batch and reading what it read back.

use core::{cell::RefCell, future::poll_fn, ops::Range, task::Poll};
use std::{rc::Rc, task::Waker};

use js_sys::{Promise, Uint8Array};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::{
    super::Reads,
    Shared,
    bindings::{GpuBuffer, map_mode},
    errors::first_error,
};
use crate::{Error, Result};

/// A submitted batch.
pub struct WebFence {
    shared: Rc<Shared>,
    read_back: GpuBuffer,
    /// Where in it each read lies.
    reads: Vec<Range<usize>>,
    done: Rc<RefCell<Done>>,
}

#[derive(Default)]
struct Done {
    outcome: Option<Result<()>>,
    waiting: Option<Waker>,
}

impl WebFence {
    /// Asks for the read-back's mapping, which tells that the submission is done, and for what the scopes caught. Both are
    /// awaited here and not by who waits, so that a fence nobody waits for leaves no rejection unhandled.
    pub(super) fn new(
        shared: Rc<Shared>,
        scopes: Vec<Promise>,
        read_back: GpuBuffer,
        reads: Vec<Range<usize>>,
    ) -> Self {
        let done = Rc::new(RefCell::new(Done::default()));
        let (mapped, told, loss) = (read_back.map_async(map_mode::READ), Rc::clone(&done), shared.loss.clone());
        spawn_local(async move {
            let mapped = JsFuture::from(mapped).await;
            let outcome = match (first_error(scopes).await, mapped) {
                _ if loss.reason().is_some() => Err(loss.error()),
                (Some(error), _) => Err(error),
                (None, Err(_)) => Err(loss.error()),
                (None, Ok(_)) => Ok(()),
            };
            let waiting = {
                let mut done = told.borrow_mut();
                done.outcome = Some(outcome);
                done.waiting.take()
            };
            if let Some(waker) = waiting {
                waker.wake();
            }
        });
        WebFence { shared, read_back, reads, done }
    }

    pub(super) async fn wait(self) -> Result<Reads> {
        let outcome = poll_fn(|context| {
            let mut done = self.done.borrow_mut();
            match done.outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                None => {
                    done.waiting = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        if let Err(error) = outcome {
            self.shared.pipelines.forget();
            return Err(error);
        }
        let mapped = self.read_back.get_mapped_range().map_err(|_| self.shared.loss.error())?;
        let view = Uint8Array::new(&mapped);
        let read = |range: &Range<usize>| {
            let part = view.subarray(range.start as u32, range.end as u32).to_vec();
            if part.len() == range.len() { Ok(part) } else { Err(Error::Backend("a read-back is missing".into())) }
        };
        Ok(Reads::new(self.reads.iter().map(read).collect::<Result<_>>()?))
    }
}

impl Drop for WebFence {
    fn drop(&mut self) {
        self.read_back.destroy();
    }
}
