//! Waiting for a batch and reading what it read back.

use core::{future::poll_fn, ops::Range, task::Poll};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use super::{super::Reads, errors::poll, lost, timing::Timed};
use crate::Result;

/// A submitted batch.
pub struct WgpuFence {
    device: wgpu::Device,
    submission: wgpu::SubmissionIndex,
    read_back: wgpu::Buffer,
    /// Where in it each read lies.
    reads: Vec<Range<usize>>,
    mapped: Arc<Mutex<Mapped>>,
    timed: Option<Timed>,
}

#[derive(Default)]
struct Mapped {
    outcome: Option<bool>,
    waiting: Option<Waker>,
}

fn lock(mapped: &Mutex<Mapped>) -> MutexGuard<'_, Mapped> {
    mapped.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WgpuFence {
    /// Asks for the read-back's mapping, which tells that the submission is done, and whether the device still is there.
    pub(super) fn new(
        device: wgpu::Device,
        submission: wgpu::SubmissionIndex,
        read_back: wgpu::Buffer,
        reads: Vec<Range<usize>>,
        timed: Option<Timed>,
    ) -> Self {
        let mapped = Arc::new(Mutex::new(Mapped::default()));
        let told = Arc::clone(&mapped);
        read_back.map_async(wgpu::MapMode::Read, .., move |outcome| {
            let mut mapped = lock(&told);
            mapped.outcome = Some(outcome.is_ok());
            if let Some(waker) = mapped.waiting.take() {
                drop(mapped);
                waker.wake();
            }
        });
        WgpuFence { device, submission, read_back, reads, mapped, timed }
    }

    pub(super) async fn wait(self) -> Result<Reads> {
        // In a browser this does nothing, and its event loop calls back.
        let submission_index = Some(self.submission.clone());
        poll(&self.device, wgpu::PollType::Wait { submission_index, timeout: None })?;
        let mapped = poll_fn(|context| {
            let mut mapped = lock(&self.mapped);
            match mapped.outcome {
                Some(outcome) => Poll::Ready(outcome),
                // The GPU is done, so the call back is under way on some other thread that polls the device.
                None => {
                    mapped.waiting = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        if !mapped {
            return Err(lost());
        }
        let view = self.read_back.get_mapped_range(..).map_err(|_| lost())?;
        if let Some(timed) = self.timed {
            timed.take(&view);
        }
        Ok(Reads::new(self.reads.iter().map(|range| view[range.clone()].to_vec()).collect()))
    }
}
