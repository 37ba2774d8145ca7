//! Records into device memory, and what all that is opened goes through.

use core::ops::Range;

use super::{
    DeviceTensor, Transfer,
    body::{BodySpec, KeyContext, SealedBuffer, VerdictSlot, alloc_padded, fill, random_word, record_open},
    queue::Flight,
    rows::Chunks,
};
use crate::{
    Error, Result,
    channel::session::{Pending, Verdict},
    device::{Device, ReadId, Reads},
    kernel::VERDICT_BYTES,
    ops::Origin,
};

/// Tensors judged by one read-back.
const VERDICTS: u32 = 256;
/// A batch with this many sealed bytes is submitted without waiting for more.
const BATCH_BYTES: u64 = 64 << 20;

/// Where a tensor is opened to.
pub enum Destination<'a, D: Device> {
    /// Memory of the library's own, erased when the last handle is gone.
    Owned,
    /// The caller's buffer, from this offset (a multiple of the device's binding alignment). On failure the tensor's
    /// part of it is zeros. Do not read it before the tensor is released.
    Buffer(&'a D::Buffer, u64),
}

/// What a verdict is for.
pub(super) enum Claim {
    /// A record, which is released in its session's order or ends it.
    Record(Box<Pending>),
    /// A tensor of a sealed file, which stands for itself.
    Sealed,
}

impl Claim {
    fn commit(&mut self, verdict: Verdict) -> Result<()> {
        match (self, verdict) {
            (Claim::Record(pending), verdict) => pending.commit(verdict),
            (Claim::Sealed, Verdict::Verified) => Ok(()),
            (Claim::Sealed, Verdict::Failed) => Err(Error::Decryption),
        }
    }
}

/// A body whose memory was taken and whose launches are not yet recorded.
pub(super) struct Begun<D: Device> {
    pub(super) claim: Claim,
    pub(super) spec: BodySpec,
    pub(super) context: KeyContext<D>,
    pub(super) sealed: SealedBuffer<D>,
    /// What it becomes, if its verdict is good.
    pub(super) tensor: DeviceTensor<D>,
    /// What is opened where the tensor is only a part of it.
    pub(super) chunks: Option<Chunks<D>>,
    /// [`Transfer::failures`] when it began.
    pub(super) failures: u64,
}

/// A tensor between the recording of its launches and its release.
pub(super) struct InFlight<D: Device> {
    claim: Claim,
    failures: u64,
    tensor: DeviceTensor<D>,
    index: u32,
    token: u32,
}

/// A batch on its way, and the tensors that it judges.
pub(super) struct Submitted<D: Device> {
    /// Why it is not on its way, where submitting it failed. None while a settle waits for it.
    flight: Option<Result<Flight<D>>>,
    read: ReadId,
    waiting: Vec<InFlight<D>>,
}

impl<D: Device> Transfer<D> {
    /// Queues a record to be opened on the device. `source` is asked for parts of the sealed body, in order, and writes
    /// each to the start of a staging slot.
    ///
    /// Records must be queued in sequence order. On error, or where the future is dropped, the record, and with it the
    /// session, has failed; else [`Transfer::settle`] gives the tensor or its error.
    pub async fn begin_open(
        &mut self,
        pending: Pending,
        destination: Destination<'_, D>,
        source: impl FnMut(Range<u64>, &mut D::Slot) -> Result<()>,
    ) -> Result<()> {
        let queued = self.queue_open(pending, destination, source).await;
        // Others may wait for the slots, and nobody knows when the next call here comes.
        self.queue.give_slots_back(&self.device);
        queued
    }

    async fn queue_open(
        &mut self,
        pending: Pending,
        destination: Destination<'_, D>,
        source: impl FnMut(Range<u64>, &mut D::Slot) -> Result<()>,
    ) -> Result<()> {
        let begun = self.start_open(pending, destination).await?;
        self.copy_and_record(begun, source).await
    }

    /// Copies the whole body in and records its opening.
    pub(super) async fn copy_and_record(
        &mut self,
        begun: Begun<D>,
        mut source: impl FnMut(Range<u64>, &mut D::Slot) -> Result<()>,
    ) -> Result<()> {
        begun.sealed.copy_body_in(&self.device, &mut self.queue, &begun.spec, &mut source).await?;
        self.record_opening(begun)
    }

    /// Takes memory for a record and brings its key to the device.
    pub(super) async fn start_open(&mut self, pending: Pending, destination: Destination<'_, D>) -> Result<Begun<D>> {
        let bytes = pending.metadata().size_bytes();
        let (buffer, offset) = self.place(destination, bytes)?;
        let context = self.context(pending.keys()).await?;
        let spec = BodySpec::record(pending.nonce(), pending.aad(), bytes);
        let sealed = SealedBuffer::alloc(&self.device, &mut self.queue, &spec, pending.aad()).await?;
        let tensor = DeviceTensor::new(pending.metadata().clone(), buffer, offset, Origin::Peer);
        Ok(Begun {
            claim: Claim::Record(Box::new(pending)),
            spec,
            context,
            sealed,
            tensor,
            chunks: None,
            failures: self.failures,
        })
    }

    /// Where a tensor of so many bytes will be.
    pub(super) fn place(&self, destination: Destination<'_, D>, bytes: u64) -> Result<(D::Buffer, u64)> {
        let (buffer, offset) = match destination {
            Destination::Owned => (alloc_padded(&self.device, bytes)?, 0),
            Destination::Buffer(buffer, offset) => (buffer.clone(), offset),
        };
        if !offset.is_multiple_of(self.device.info().binding_alignment) {
            return Err(Error::Usage("the offset must be a multiple of the device's binding alignment"));
        }
        if offset.checked_add(bytes).is_none() {
            return Err(Error::Usage("the offset is beyond every buffer"));
        }
        Ok((buffer, offset))
    }

    /// Records the launches that open a body that is on the device, or on its way there.
    pub(super) fn record_opening(&mut self, begun: Begun<D>) -> Result<()> {
        let verdicts = match &self.verdicts {
            Some(buffer) => buffer.clone(),
            None => self.device.alloc(u64::from(VERDICTS) * VERDICT_BYTES)?,
        };
        let (index, token) = (self.recorded.len() as u32, random_word()?);
        let verdict = VerdictSlot { buffer: &verdicts, capacity: VERDICTS, index, token };
        let Begun { claim, spec, context, sealed, tensor, chunks, failures } = begun;
        let out = match &chunks {
            Some(chunks) => (chunks.buffer(), 0),
            None => (tensor.buffer(), tensor.offset()),
        };
        record_open(&self.device, &mut self.queue, &context, &spec, &sealed, &verdict, out)?;
        if let Some(chunks) = &chunks {
            chunks.record(&self.device, &mut self.queue, &tensor);
        }
        self.verdicts = Some(verdicts);
        self.recorded_bytes += spec.sealed_bytes();
        self.recorded.push(InFlight { claim, failures, tensor, index, token });
        if self.recorded.len() == VERDICTS as usize || self.recorded_bytes >= BATCH_BYTES {
            self.submit_recorded();
        }
        Ok(())
    }

    /// Queues a record whose body is at hand, as [`Transfer::begin_open`] does.
    pub async fn begin_open_bytes(&mut self, pending: Pending, body: &[u8]) -> Result<()> {
        if body.len() as u64 != pending.body_bytes() {
            return Err(Error::Record("the body's length is not the one announced"));
        }
        let source =
            |range: Range<u64>, slot: &mut D::Slot| fill(slot, &body[range.start as usize..range.end as usize]);
        self.begin_open(pending, Destination::Owned, source).await
    }

    /// Waits for everything queued and releases it in order, each tensor by its own verdict. Gives one result for
    /// each tensor queued since the last settle, in the order of queueing.
    ///
    /// After the first failure of a record its session is over: that tensor and all after it in the session are errors and zeros, those before it
    /// are released. Tensors of sealed files fail each for itself. Where the future is dropped the batch it was waiting for counts as failed, and the next settle gives
    /// all results.
    pub async fn settle(&mut self) -> Vec<Result<DeviceTensor<D>>> {
        self.submit_recorded();
        // Nothing of a batch leaves `self` before it is judged, so that dropping this future loses no tensor.
        while let Some(batch) = self.submitted.front_mut() {
            let reads = match batch.flight.take() {
                Some(Ok(flight)) => flight.wait(&self.device).await,
                Some(Err(error)) => Err(error),
                None => Err(Error::Backend("nobody waited for the batch to its end".into())),
            };
            if let Some(batch) = self.submitted.pop_front() {
                self.judge(batch, reads);
            }
        }
        self.failure = None;
        self.forget_ended_epochs();
        if let Err(error) = self.clear_spoiled().await {
            self.note(Some(&error));
            // What is refused anyway is now an error of the device. Clearing is tried again when this is dropped.
            self.settled.iter_mut().filter(|result| result.is_err()).for_each(|result| *result = Err(error.clone()));
        }
        core::mem::take(&mut self.settled)
    }

    /// Opens one record whose body is at hand, and waits. On error the session is over.
    pub async fn open(&mut self, pending: Pending, body: &[u8]) -> Result<DeviceTensor<D>> {
        self.check_idle()?;
        self.begin_open_bytes(pending, body).await?;
        self.settle().await.pop().unwrap_or(Err(Error::Backend("the tensor was lost".into())))
    }

    pub(super) fn check_idle(&self) -> Result<()> {
        match self.recorded.is_empty() && self.submitted.is_empty() && self.settled.is_empty() {
            true => Ok(()),
            false => Err(Error::Usage("tensors are in flight; settle them first")),
        }
    }

    pub(super) fn submit_recorded(&mut self) {
        let waiting = core::mem::take(&mut self.recorded);
        self.recorded_bytes = 0;
        let Some(verdicts) = self.verdicts.take() else { return };
        let read = self.queue.copy_out(&self.device, &verdicts, 0..waiting.len() as u64 * VERDICT_BYTES);
        let flight = Some(self.queue.submit(&self.device));
        self.submitted.push_back(Submitted { flight, read, waiting });
    }

    /// Releases the tensors of a batch or refuses them.
    fn judge(&mut self, batch: Submitted<D>, reads: Result<Reads>) {
        self.note(reads.as_ref().err());
        self.failure = self.failure.take().or(reads.as_ref().err().cloned());
        let words = match (&reads, &self.failure) {
            (Ok(reads), None) => reads.bytes(batch.read),
            _ => None,
        };
        for mut tensor in batch.waiting {
            let verdict = tensor.verdict(words);
            match tensor.claim.commit(verdict) {
                Ok(()) => self.settled.push(Ok(tensor.tensor)),
                Err(error) => {
                    self.spoiled.push(tensor.tensor);
                    // What came to the device in pieces may have come while it failed, and others were told then.
                    let missed = (tensor.failures != self.failures)
                        .then(|| Error::Backend("the device failed while the tensor was on its way".into()));
                    self.settled.push(Err(self.failure.clone().or(missed).unwrap_or(error)));
                }
            }
        }
    }

    /// Clears what was refused, each in a batch of its own: one that cannot be cleared, as where a caller's offset lies
    /// beyond its buffer, keeps no other from it.
    async fn clear_spoiled(&mut self) -> Result<()> {
        let cleared: Vec<_> = core::mem::take(&mut self.spoiled)
            .into_iter()
            .map(|tensor| {
                let flight = self.clear(&tensor);
                (tensor, flight)
            })
            .collect();
        let mut result = Ok(());
        for (tensor, flight) in cleared {
            let done = match flight {
                Ok(flight) => flight.wait(&self.device).await.map(drop),
                Err(error) => Err(error),
            };
            if done.is_err() {
                self.spoiled.push(tensor);
            }
            result = result.and(done);
        }
        result
    }

    fn clear(&mut self, tensor: &DeviceTensor<D>) -> Result<Flight<D>> {
        let range = tensor.offset()..tensor.offset() + tensor.metadata().size_bytes();
        self.queue.clear(&self.device, tensor.buffer(), range);
        self.queue.submit(&self.device)
    }
}

impl<D: Device> InFlight<D> {
    /// Verified only if the batch was read back and its word is the token this launch was given.
    fn verdict(&self, words: Option<&[u8]>) -> Verdict {
        let at = (u64::from(self.index) * VERDICT_BYTES) as usize + 4;
        match words.and_then(|words| words.get(at..)?.first_chunk()) {
            Some(word) if u32::from_le_bytes(*word) == self.token && self.token != 0 => Verdict::Verified,
            _ => Verdict::Failed,
        }
    }
}

/// Tensors whose results no settle gave are not released; what they wrote into callers' buffers is cleared.
impl<D: Device> Drop for Transfer<D> {
    fn drop(&mut self) {
        let waiting = self.submitted.drain(..).flat_map(|batch| batch.waiting);
        let waiting = waiting.chain(self.recorded.drain(..)).map(|in_flight| in_flight.tensor);
        let unseen = self.settled.drain(..).filter_map(Result::ok);
        let abandoned: Vec<_> = self.spoiled.drain(..).chain(waiting).chain(unseen).collect();
        for tensor in &abandoned {
            // Nobody is left to tell of an error; a device that fails here has lost its memory.
            let _ = self.clear(tensor);
        }
    }
}
