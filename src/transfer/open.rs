//! Records into device memory.

use core::ops::Range;

use super::{
    DeviceTensor, Transfer,
    body::{BodySpec, SealedBuffer, VerdictSlot, alloc_padded, fill, random_word, record_open},
    queue::Submitted,
};
use crate::{
    Error, Result,
    channel::session::{Pending, Verdict},
    device::Device,
    kernel::VERDICT_BYTES,
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

/// A tensor between the recording of its launches and its release.
pub(super) struct InFlight<D: Device> {
    pending: Pending,
    tensor: DeviceTensor<D>,
    index: u32,
    token: u32,
}

impl<D: Device> Transfer<D> {
    /// Queues a record to be opened on the device. `source` is asked for parts of the sealed body, in order, and writes
    /// each to the start of a staging slot.
    ///
    /// Records must be queued in sequence order. On error the record, and with it the session, has failed.
    pub async fn begin_open(
        &mut self,
        pending: Pending,
        destination: Destination<'_, D>,
        mut source: impl FnMut(Range<u64>, &mut D::Slot) -> Result<()>,
    ) -> Result<()> {
        let bytes = pending.metadata().size_bytes();
        let (buffer, offset) = match destination {
            Destination::Owned => (alloc_padded(&self.device, bytes)?, 0),
            Destination::Buffer(buffer, offset) => (buffer.clone(), offset),
        };
        if !offset.is_multiple_of(self.device.info().binding_alignment) {
            return Err(Error::Usage("the offset must be a multiple of the device's binding alignment"));
        }
        let context = self.context(pending.keys()).await?;
        let spec = BodySpec::record(pending.nonce(), pending.aad(), bytes);
        let sealed = SealedBuffer::alloc(&self.device, &mut self.queue, &spec).await?;
        sealed.copy_body_in(&self.device, &mut self.queue, &spec, &mut source).await?;

        let verdicts = match &self.verdicts {
            Some(buffer) => buffer.clone(),
            None => self.device.alloc(u64::from(VERDICTS) * VERDICT_BYTES)?,
        };
        let (index, token) = (self.recorded.len() as u32, random_word()?);
        let verdict = VerdictSlot { buffer: &verdicts, capacity: VERDICTS, index, token };
        record_open(&self.device, &mut self.queue, &context, &spec, &sealed, &verdict, (&buffer, offset))?;
        self.verdicts = Some(verdicts);
        self.recorded_bytes += spec.sealed_bytes();
        let tensor = DeviceTensor { metadata: pending.metadata().clone(), buffer, offset };
        self.recorded.push(InFlight { pending, tensor, index, token });
        if self.recorded.len() == VERDICTS as usize || self.recorded_bytes >= BATCH_BYTES {
            self.submit_recorded()?;
        }
        Ok(())
    }

    /// Queues a record whose body is at hand.
    pub async fn begin_open_bytes(&mut self, pending: Pending, body: &[u8]) -> Result<()> {
        if body.len() as u64 != pending.body_bytes() {
            return Err(Error::Record("the body's length is not the one announced"));
        }
        let source =
            |range: Range<u64>, slot: &mut D::Slot| fill(slot, &body[range.start as usize..range.end as usize]);
        self.begin_open(pending, Destination::Owned, source).await
    }

    /// Waits for everything queued and releases it in sequence order, each tensor by its own verdict.
    ///
    /// After the first failure the session is over: that tensor and all after it are errors and zeros, those before it
    /// are released.
    pub async fn settle(&mut self) -> Vec<Result<DeviceTensor<D>>> {
        let mut failure = self.submit_recorded().err();
        if let Err(error) = self.queue.wait_early(&self.device).await {
            failure = failure.or(Some(error));
        }
        let mut results = Vec::new();
        let mut spoiled = Vec::new();
        for Submitted { fence, read, waiting } in core::mem::take(&mut self.submitted) {
            let reads = self.device.wait(fence).await;
            let words = match (&reads, &failure) {
                (Ok(reads), None) => read.and_then(|id| reads.bytes(id)),
                _ => None,
            };
            for mut tensor in waiting {
                let verdict = tensor.verdict(words);
                match tensor.pending.commit(verdict) {
                    Ok(()) => results.push(Ok(tensor.tensor)),
                    Err(error) => {
                        spoiled.push(tensor.tensor);
                        results.push(Err(failure.clone().or(reads.as_ref().err().cloned()).unwrap_or(error)));
                    }
                }
            }
            failure = failure.or(reads.err());
        }
        if let Err(error) = self.erase(&spoiled).await {
            // Only a lost device gets here; its memory is gone with it. The tensors are errors already.
            results.iter_mut().filter(|result| result.is_err()).for_each(|result| *result = Err(error.clone()));
        }
        results
    }

    /// Opens one record whose body is at hand, and waits.
    pub async fn open(&mut self, pending: Pending, body: &[u8]) -> Result<DeviceTensor<D>> {
        if !self.recorded.is_empty() || !self.submitted.is_empty() {
            return Err(Error::Usage("tensors are in flight; settle them first"));
        }
        self.begin_open_bytes(pending, body).await?;
        self.settle().await.pop().unwrap_or(Err(Error::Backend("the tensor was lost".into())))
    }

    fn submit_recorded(&mut self) -> Result<()> {
        let waiting = core::mem::take(&mut self.recorded);
        self.recorded_bytes = 0;
        let Some(verdicts) = self.verdicts.take() else { return Ok(()) };
        let read = self.queue.copy_out(&self.device, &verdicts, 0..waiting.len() as u64 * VERDICT_BYTES);
        match self.queue.submit(&self.device) {
            Ok(fence) => {
                self.submitted.push(Submitted { fence, read: Some(read), waiting });
                Ok(())
            }
            Err(error) => Err(error), // the Pendings are dropped, which fails the session at the first of them
        }
    }

    async fn erase(&mut self, tensors: &[DeviceTensor<D>]) -> Result<()> {
        if tensors.is_empty() {
            return Ok(());
        }
        for tensor in tensors {
            let range = tensor.offset..tensor.offset + tensor.metadata.size_bytes();
            self.queue.clear(&self.device, &tensor.buffer, range);
        }
        let fence = self.queue.submit(&self.device)?;
        self.device.wait(fence).await.map(drop)
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

/// Tensors queued and never settled are not released; what they wrote into callers' buffers is cleared.
impl<D: Device> Drop for Transfer<D> {
    fn drop(&mut self) {
        let waiting = self.submitted.drain(..).flat_map(|batch| batch.waiting);
        let abandoned: Vec<_> = waiting.chain(self.recorded.drain(..)).map(|in_flight| in_flight.tensor).collect();
        if abandoned.is_empty() {
            return;
        }
        for tensor in &abandoned {
            let range = tensor.offset..tensor.offset + tensor.metadata.size_bytes();
            self.queue.clear(&self.device, &tensor.buffer, range);
        }
        // Nobody is left to tell of an error; a device that fails here has lost its memory.
        let _ = self.queue.submit(&self.device);
    }
}
