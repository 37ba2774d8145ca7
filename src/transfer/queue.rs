//! Recording into batches without ever asking for more staging slots than the ring has.

use core::{future::poll_fn, ops::Range, pin::pin, task::Poll};

use crate::{
    Error, Result,
    device::{Device, Launch, Part, ReadId, Reads},
};

/// Is asked for parts of some bytes, in order, and writes each to the start of a slot.
pub type Source<'a, D> = dyn FnMut(Range<u64>, &mut <D as Device>::Slot) -> Result<()> + 'a;

/// A batch on its way, and those before it that were submitted only to give their slots back. Every error of theirs is
/// an error of what builds on them.
pub(super) struct Flight<D: Device> {
    early: Vec<D::Fence>,
    last: D::Fence,
}

impl<D: Device> Flight<D> {
    /// Waits for all of it and gives what its last batch read.
    pub(super) async fn wait(self, device: &D) -> Result<Reads> {
        let mut result = Ok(());
        for fence in self.early {
            result = result.and(device.wait(fence).await.map(drop));
        }
        let reads = device.wait(self.last).await;
        result.and(reads)
    }
}

/// The batch being recorded.
pub(super) struct Queue<D: Device> {
    batch: D::Batch,
    slots_held: usize,
    early: Vec<D::Fence>,
    /// Why a batch was not submitted early; the flight it belonged to cannot start any more.
    failure: Option<Error>,
}

impl<D: Device> Queue<D> {
    pub(super) fn new(device: &D) -> Self {
        Queue { batch: device.batch(), slots_held: 0, early: Vec::new(), failure: None }
    }

    /// A slot. What this batch holds is submitted first where it holds all of them, or where a slot must be waited for:
    /// others may wait for ours, and two that hold and wait would wait for ever.
    async fn slot(&mut self, device: &D) -> Result<D::Slot> {
        if self.slots_held == device.info().slots {
            self.give_slots_back(device);
        }
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let mut slot = pin!(device.slot());
        let slot = match poll_fn(|context| Poll::Ready(slot.as_mut().poll(context))).await {
            Poll::Ready(slot) => slot?,
            Poll::Pending => {
                self.give_slots_back(device);
                slot.await?
            }
        };
        self.slots_held += 1;
        Ok(slot)
    }

    /// Submits what was recorded if it holds slots. Its errors are the next flight's.
    pub(super) fn give_slots_back(&mut self, device: &D) {
        if self.slots_held == 0 {
            return;
        }
        match self.submit_batch(device) {
            Ok(fence) => self.early.push(fence),
            Err(error) => self.failure = self.failure.take().or(Some(error)),
        }
    }

    /// Copies bytes to device memory, through as many slots as it takes.
    pub(super) async fn copy_in(
        &mut self,
        device: &D,
        to: &D::Buffer,
        offset: u64,
        bytes: u64,
        source: &mut Source<'_, D>,
    ) -> Result<()> {
        let step = device.info().slot_bytes;
        let mut at = 0;
        while at < bytes {
            let range = at..bytes.min(at + step);
            let mut slot = self.slot(device).await?;
            source(range.clone(), &mut slot)?;
            let part = Part { from: 0, to: offset + range.start, bytes: range.end - range.start };
            device.copy_in(&mut self.batch, slot, to, &[part]);
            at = range.end;
        }
        Ok(())
    }

    pub(super) fn launch(&mut self, device: &D, launch: Launch<'_, D::Buffer>) {
        device.launch(&mut self.batch, launch);
    }

    pub(super) fn clear(&mut self, device: &D, buffer: &D::Buffer, range: Range<u64>) {
        device.clear(&mut self.batch, buffer, range);
    }

    pub(super) fn copy_out(&mut self, device: &D, from: &D::Buffer, range: Range<u64>) -> ReadId {
        device.copy_out(&mut self.batch, from, range)
    }

    /// Submits what was recorded and starts anew.
    pub(super) fn submit(&mut self, device: &D) -> Result<Flight<D>> {
        let (last, early) = (self.submit_batch(device), core::mem::take(&mut self.early));
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(Flight { early, last: last? }),
        }
    }

    fn submit_batch(&mut self, device: &D) -> Result<D::Fence> {
        self.slots_held = 0;
        device.submit(core::mem::replace(&mut self.batch, device.batch()))
    }
}
