//! Bodies that come from somewhere that must be waited for: piece by piece, no staging slot held in between.

use core::ops::Range;

use super::{Destination, Transfer, body::fill, open::Begun};
use crate::{
    Error, Result,
    channel::{chunk::SEALED_CHUNK_BYTES, session::Pending},
    device::Device,
};

/// A record on its way to the device. Dropped before [`Arrival::finish`], the record, and with it the session, has failed.
pub struct Arrival<'t, D: Device> {
    transfer: &'t mut Transfer<D>,
    arriving: Arriving<D>,
}

impl<D: Device> Transfer<D> {
    /// Queues a record to be opened on the device, as [`Transfer::begin_open`] does, for a caller that has its body only
    /// piece by piece: a stream's reader must not hold one of the device's few slots while it waits for bytes.
    ///
    /// The device's memory for the whole record is taken here.
    pub async fn arrival(&mut self, pending: Pending, destination: Destination<'_, D>) -> Result<Arrival<'_, D>> {
        let begun = self.start_open(pending, destination).await;
        self.queue.give_slots_back(&self.device);
        Ok(Arrival { arriving: Arriving::new(begun?), transfer: self })
    }
}

impl<D: Device> Arrival<'_, D> {
    /// How many bytes of the sealed body are still to come.
    pub fn missing_bytes(&self) -> u64 {
        self.arriving.missing_bytes()
    }

    /// Copies the next piece of the sealed body to the device. Every piece but the last is a multiple of 16,400 bytes long. After
    /// an error, or where the future was dropped, the piece has not arrived.
    pub async fn push(&mut self, piece: &[u8]) -> Result<()> {
        self.arriving.push(self.transfer, piece).await
    }

    /// Queues the opening of what has arrived whole; [`Transfer::settle`] gives the tensor or its error.
    pub fn finish(self) -> Result<()> {
        self.arriving.finish(self.transfer)
    }
}

/// A body on its way, and how much of it has come.
pub(super) struct Arriving<D: Device> {
    begun: Begun<D>,
    arrived: u64,
}

impl<D: Device> Arriving<D> {
    pub(super) fn new(begun: Begun<D>) -> Self {
        Arriving { begun, arrived: 0 }
    }

    pub(super) fn missing_bytes(&self) -> u64 {
        self.begun.spec.sealed_bytes() - self.arrived
    }

    pub(super) async fn push(&mut self, transfer: &mut Transfer<D>, piece: &[u8]) -> Result<()> {
        let bytes = piece.len() as u64;
        if bytes > self.missing_bytes() {
            return Err(Error::Record("the body's length is not the one announced"));
        }
        if bytes < self.missing_bytes() && !bytes.is_multiple_of(SEALED_CHUNK_BYTES) {
            return Err(Error::Usage("a piece of a body ends at a chunk, unless it is the last"));
        }
        let Transfer { device, queue, .. } = transfer;
        let source =
            &mut |range: Range<u64>, slot: &mut D::Slot| fill(slot, &piece[range.start as usize..range.end as usize]);
        let part = self.arrived..self.arrived + bytes;
        let copied = self.begun.sealed.copy_part_in(device, queue, part, source).await;
        queue.give_slots_back(device);
        copied?;
        self.arrived += bytes;
        Ok(())
    }

    pub(super) fn finish(self, transfer: &mut Transfer<D>) -> Result<()> {
        if self.missing_bytes() > 0 {
            return Err(Error::Usage("a body is opened when all of it has arrived"));
        }
        transfer.record_opening(self.begun)
    }
}
