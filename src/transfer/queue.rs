//! Recording into batches without ever asking for more staging slots than the ring has.

use core::ops::Range;

use crate::{
    Result,
    device::{Device, Launch, Part, ReadId},
};

/// Is asked for parts of some bytes, in order, and writes each to the start of a slot.
pub type Source<'a, D> = dyn FnMut(Range<u64>, &mut <D as Device>::Slot) -> Result<()> + 'a;

/// A batch on its way, and what waits for it.
pub(super) struct Submitted<D: Device, T> {
    pub(super) fence: D::Fence,
    pub(super) read: Option<ReadId>,
    pub(super) waiting: T,
}

/// The batch being recorded.
pub(super) struct Queue<D: Device> {
    batch: D::Batch,
    slots_held: usize,
    /// Batches submitted only to free their slots; later batches build on them.
    early: Vec<D::Fence>,
}

impl<D: Device> Queue<D> {
    pub(super) fn new(device: &D) -> Self {
        Queue { batch: device.batch(), slots_held: 0, early: Vec::new() }
    }

    /// A slot. If this batch holds all of them it is submitted first.
    pub(super) async fn slot(&mut self, device: &D) -> Result<D::Slot> {
        if self.slots_held == device.info().slots {
            let fence = self.submit(device)?;
            self.early.push(fence);
        }
        let slot = device.slot().await?;
        self.slots_held += 1;
        Ok(slot)
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
    pub(super) fn submit(&mut self, device: &D) -> Result<D::Fence> {
        self.slots_held = 0;
        device.submit(core::mem::replace(&mut self.batch, device.batch()))
    }

    /// Waits for the batches that were submitted early. Every error of theirs is an error of what builds on them.
    pub(super) async fn wait_early(&mut self, device: &D) -> Result<()> {
        let mut result = Ok(());
        for fence in self.early.drain(..) {
            result = result.and(device.wait(fence).await.map(drop));
        }
        result
    }
}
