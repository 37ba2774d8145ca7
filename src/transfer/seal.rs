//! Device memory into records: results are sealed on the device and leave it as ciphertext.

use core::ops::Range;

use super::{
    DeviceTensor, Transfer,
    body::{BodySpec, SealedBuffer, record_seal},
    queue::Flight,
};
use crate::{
    Error, Result,
    channel::ChannelSession,
    device::{Device, ReadId},
};

impl<D: Device> Transfer<D> {
    /// Seals a tensor on the device and gives its record's wire bytes to `sink`, in order and in parts no longer than a
    /// staging slot. Host memory never holds more than two parts.
    ///
    /// On error, or where the future is dropped, the session is over, as a record has begun that will not be completed.
    pub async fn seal(
        &mut self,
        session: &ChannelSession,
        tensor: &DeviceTensor<D>,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.seal_to(session, tensor, async |part: &[u8]| sink(part)).await
    }

    /// [`Transfer::seal`] into what must be waited for. No staging slot is held while `sink` waits.
    pub async fn seal_to(
        &mut self,
        session: &ChannelSession,
        tensor: &DeviceTensor<D>,
        sink: impl AsyncFnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        // Tensors being opened are judged by batches of their own: a failure of theirs must not end here.
        self.submit_recorded();
        let sealed = self.seal_alone(session, tensor, sink).await;
        self.note(sealed.as_ref().err());
        self.queue.give_slots_back(&self.device);
        self.forget_ended_epochs();
        sealed
    }

    async fn seal_alone(
        &mut self,
        session: &ChannelSession,
        tensor: &DeviceTensor<D>,
        mut sink: impl AsyncFnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut sealing = session.seal(tensor.metadata())?;
        let Some(job) = sealing.hand_out_all() else {
            return Err(Error::Usage("the record was begun elsewhere"));
        };
        let spec = BodySpec::record(&job.nonce, &job.aad, tensor.metadata().size_bytes());
        let context = self.context(&job.keys).await?;
        let sealed = SealedBuffer::alloc(&self.device, &mut self.queue, &spec, &job.aad).await?;
        record_seal(&self.device, &mut self.queue, &context, &spec, (tensor.buffer(), tensor.offset()), &sealed)?;

        let step = self.device.info().slot_bytes;
        let mut ranges =
            (0..spec.sealed_bytes()).step_by(step as usize).map(|at| at..spec.sealed_bytes().min(at + step));
        // Submitted before anything is handed over: what is recorded holds slots, and a sink may take its time.
        let mut next = self.read(&sealed, ranges.next())?;
        sink(sealing.prelude()).await?;
        while let Some((flight, read)) = next {
            // The next part is on its way while this one is handed over.
            next = self.read(&sealed, ranges.next())?;
            let reads = flight.wait(&self.device).await?;
            sink(reads.bytes(read).ok_or(Error::Backend("a read-back is missing".into()))?).await?;
        }
        sealing.sealed_elsewhere(job)
    }

    fn read(&mut self, sealed: &SealedBuffer<D>, range: Option<Range<u64>>) -> Result<Option<(Flight<D>, ReadId)>> {
        let Some(range) = range else { return Ok(None) };
        let read = sealed.copy_body_out(&self.device, &mut self.queue, range);
        Ok(Some((self.queue.submit(&self.device)?, read)))
    }
}
