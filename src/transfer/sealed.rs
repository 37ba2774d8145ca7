//! Tensors of sealed files into device memory. Each stands for itself: it has a key of its own, which is on the device only until its launches
//! are done, and the failure of one is nobody else's.

use core::ops::Range;
use std::sync::Arc;

use super::{
    DeviceTensor, Transfer,
    arrival::Arriving,
    body::{BodySpec, KeyContext, SealedBuffer, fill},
    open::{Begun, Claim, Destination},
    rows::Chunks,
};
use crate::{
    Error, Result,
    device::Device,
    ops::Origin,
    sealed::{Roots, SealedPart},
};

/// A sealed tensor on its way to the device, piece by piece. Many may be on their way at once.
///
/// It is the library's own memory that pieces arrive in, so one that is dropped leaves nothing, and a piece that failed can be pushed again: as long
/// as this is there, the rest can come at any later time, whatever else is opened or settled meanwhile.
pub struct SealedArrival<D: Device> {
    arriving: Arriving<D>,
    transfer: Arc<()>,
}

impl<D: Device> Transfer<D> {
    /// Queues a sealed tensor, or rows of it, to be opened on the device. `source` is asked for parts of [`SealedPart::sealed`], in order and
    /// counted from its start, and writes each to the start of a staging slot.
    ///
    /// [`Transfer::settle`] then gives the tensor, whose [`DeviceTensor::origin`] tells whether the root was compared, or its error. On error, or where
    /// the future is dropped, nothing was queued.
    pub async fn begin_open_sealed(
        &mut self,
        part: &SealedPart<'_>,
        destination: Destination<'_, D>,
        source: impl FnMut(Range<u64>, &mut D::Slot) -> Result<()>,
    ) -> Result<()> {
        let begun = self.start_sealed(part, destination).await;
        let queued = match begun {
            Ok(begun) => self.copy_and_record(begun, source).await,
            Err(error) => Err(error),
        };
        self.queue.give_slots_back(&self.device);
        queued
    }

    /// Queues what is at hand whole, as [`Transfer::begin_open_sealed`] does: `sealed` are the bytes that [`SealedPart::sealed`] says.
    pub async fn begin_open_sealed_bytes(&mut self, part: &SealedPart<'_>, sealed: &[u8]) -> Result<()> {
        let expected = part.sealed();
        if sealed.len() as u64 != expected.end - expected.start {
            return Err(Error::Usage("the sealed bytes are not as many as the tensor's part has"));
        }
        let source =
            |range: Range<u64>, slot: &mut D::Slot| fill(slot, &sealed[range.start as usize..range.end as usize]);
        self.begin_open_sealed(part, Destination::Owned, source).await
    }

    /// Opens what is at hand whole, and waits.
    pub async fn open_sealed(&mut self, part: &SealedPart<'_>, sealed: &[u8]) -> Result<DeviceTensor<D>> {
        self.check_idle()?;
        self.begin_open_sealed_bytes(part, sealed).await?;
        self.settle().await.pop().unwrap_or(Err(Error::Backend("the tensor was lost".into())))
    }

    /// Takes the device's memory for a sealed tensor, or for rows of it, that will come piece by piece.
    pub async fn sealed_arrival(
        &mut self,
        part: &SealedPart<'_>,
        destination: Destination<'_, D>,
    ) -> Result<SealedArrival<D>> {
        let begun = self.start_sealed(part, destination).await;
        self.queue.give_slots_back(&self.device);
        Ok(SealedArrival { arriving: Arriving::new(begun?), transfer: Arc::clone(&self.identity) })
    }

    async fn start_sealed(&mut self, part: &SealedPart<'_>, destination: Destination<'_, D>) -> Result<Begun<D>> {
        let metadata = part.metadata().clone();
        let (buffer, offset) = self.place(destination, metadata.size_bytes())?;
        let origin = match part.roots() {
            Roots::Check => Origin::Publisher,
            Roots::Skip => Origin::AnyRecipient,
        };
        let tensor = DeviceTensor::new(metadata, buffer, offset, origin);
        let derived = part.body().derived();
        let spec = BodySpec::sealed(&derived.base_nonce, part.chunks());
        let bytes = tensor.metadata().size_bytes();
        let chunks = match spec.plaintext_bytes() == bytes {
            true => None,
            false => Some(Chunks::alloc(&self.device, spec.plaintext_bytes(), part.skipped(), bytes)?),
        };
        let context = KeyContext::expand(&self.device, &mut self.queue, &derived.key).await?;
        let mut sealed = SealedBuffer::alloc(&self.device, &mut self.queue, &spec, &[]).await?;
        if part.roots() == Roots::Check {
            sealed.demand_root(&self.device, &spec, *part.body().root())?;
        }
        let failures = self.failures;
        Ok(Begun { claim: Claim::Sealed, spec, context, sealed, tensor, chunks, failures })
    }
}

impl<D: Device> SealedArrival<D> {
    /// How many of the sealed bytes are still to come: the last ones of [`SealedPart::sealed`].
    pub fn missing_bytes(&self) -> u64 {
        self.arriving.missing_bytes()
    }

    /// Copies the next piece to the device. Every piece but the last is a multiple of 16,400 bytes long. After an error, or where
    /// the future was dropped, the piece has not arrived and can be pushed again.
    ///
    /// `transfer` must be the one that began the arrival.
    pub async fn push(&mut self, transfer: &mut Transfer<D>, piece: &[u8]) -> Result<()> {
        self.check(transfer)?;
        self.arriving.push(transfer, piece).await
    }

    /// Queues the opening of what has arrived whole; [`Transfer::settle`] gives the tensor or its error.
    pub fn finish(self, transfer: &mut Transfer<D>) -> Result<()> {
        self.check(transfer)?;
        self.arriving.finish(transfer)
    }

    fn check(&self, transfer: &Transfer<D>) -> Result<()> {
        match Arc::ptr_eq(&self.transfer, &transfer.identity) {
            true => Ok(()),
            false => Err(Error::Usage("the arrival belongs to another transfer")),
        }
    }
}
