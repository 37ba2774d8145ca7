//! Waiting for a batch and reading what it read back.

use core::{future::poll_fn, hint, ops::Range, task::Poll};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::{Duration, Instant},
};

use super::{
    super::Reads,
    driver::{Call, Failure},
    event::{Event, Waiter},
    pinned::ReadBack,
    timing::Timed,
};
use crate::Result;

/// Small batches are done before a thread that waits would have woken.
const SPIN: Duration = Duration::from_micros(20);

/// A submitted batch.
pub struct CudaFence {
    event: Arc<Event>,
    read_back: Option<Arc<ReadBack>>,
    /// Where in it each read lies.
    reads: Vec<Range<usize>>,
    timed: Option<Timed>,
    ended: Arc<Mutex<Ended>>,
}

#[derive(Default)]
struct Ended {
    outcome: Option<Result<(), Failure>>,
    waiting: Option<Waker>,
}

fn lock(ended: &Mutex<Ended>) -> MutexGuard<'_, Ended> {
    ended.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CudaFence {
    /// The event marks the batch's end. What it reads back is held until then, whatever becomes of the fence.
    pub(super) fn new(
        event: Event,
        waiter: &Waiter,
        read_back: Option<ReadBack>,
        reads: Vec<Range<usize>>,
        timed: Option<Timed>,
    ) -> Self {
        let (event, read_back) = (Arc::new(event), read_back.map(Arc::new));
        let ended = Arc::new(Mutex::new(Ended::default()));
        let (told, held) = (Arc::clone(&ended), read_back.clone());
        waiter.when(Arc::clone(&event), move |outcome: Call| {
            drop(held);
            let mut ended = lock(&told);
            ended.outcome = Some(outcome);
            let waker = ended.waiting.take();
            drop(ended);
            waker.into_iter().for_each(Waker::wake);
        });
        CudaFence { event, read_back, reads, timed, ended }
    }

    pub(super) async fn wait(self) -> Result<Reads> {
        let started = Instant::now();
        let mut done = self.event.is_done()?;
        while !done && started.elapsed() < SPIN {
            hint::spin_loop();
            done = self.event.is_done()?;
        }
        if !done {
            poll_fn(|context| {
                let mut ended = lock(&self.ended);
                match ended.outcome {
                    Some(outcome) => Poll::Ready(outcome),
                    None => {
                        ended.waiting = Some(context.waker().clone());
                        Poll::Pending
                    }
                }
            })
            .await?;
        }
        if let Some(timed) = &self.timed {
            timed.take()?;
        }
        let memory = self.read_back.as_ref().map_or(&[][..], |read_back| read_back.memory());
        Ok(Reads::new(self.reads.iter().map(|range| memory[range.clone()].to_vec()).collect()))
    }
}
