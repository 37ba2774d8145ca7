//! Sending: tensors in pieces, and control records.

use core::ops::Range;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::{ChannelSession, Inner, state};
use crate::{
    Error, Result,
    channel::{
        chunk::{BodyKey, ChunkRange, SEALED_CHUNK_BYTES, chunk_count, sealed_bytes},
        record::{self, HEADER_BYTES, RecordHeader, RecordType},
        schedule::EpochKeys,
        suite::{NONCE_BYTES, TAG_BYTES},
    },
    tensor::TensorMetadata,
};

/// Length of a control record (READY, KEY_UPDATE, CLOSE): a header and one tag.
pub const CONTROL_BYTES: usize = HEADER_BYTES + TAG_BYTES;

impl ChannelSession {
    /// Starts to seal a tensor; its bytes follow piece by piece ([`Sealing::next_piece`]).
    ///
    /// Consumes a sequence number, two when the key is updated first. On error nothing is consumed.
    pub fn seal(&self, metadata: &TensorMetadata) -> Result<Sealing> {
        let inner = &self.inner;
        let mut state = inner.live()?;
        let chunks = u64::from(chunk_count(metadata.size_bytes()));
        if chunks + state::CONTROL_RESERVE > inner.max_chunks {
            return Err(Error::Usage("the tensor has more chunks than one key may seal; split it"));
        }
        let half = state.send()?;
        if !half.has_sequence() {
            return Err(Error::Usage("the direction's sequence numbers are used up; establish a new channel"));
        }
        let mut prelude = Vec::new();
        if !half.has_room(chunks, inner.max_chunks) {
            prelude.extend(inner.seal_key_update(&mut state)?);
        }
        let half = state.send()?;
        let sequence = half.take(chunks);
        let keys = Arc::clone(&half.keys);
        drop(state);

        let encoded = metadata.encode();
        let header = RecordHeader {
            record_type: RecordType::Tensor,
            direction: inner.local,
            session_id: inner.session_id,
            epoch: keys.epoch,
            metadata_bytes: encoded.len() as u32,
            sequence,
            body_bytes: metadata.size_bytes(),
        };
        let encoded_header = header.encode();
        prelude.extend(encoded_header);
        prelude.extend(&encoded);
        Ok(Sealing {
            inner: Arc::clone(inner),
            job: Job { nonce: keys.record_nonce(sequence), aad: record::aad(&encoded_header, &encoded), keys },
            prelude,
            rest: ChunkRange::whole(header.body_bytes),
            sealed: Arc::new(AtomicU32::new(0)),
            header,
            finished: false,
        })
    }

    /// Ends this key's use now rather than when its chunks run out. Gives the KEY_UPDATE record to send.
    pub fn update_key(&self) -> Result<Vec<u8>> {
        let mut state = self.inner.live()?;
        if !state.send()?.has_sequence() {
            return Err(Error::Usage("the direction's sequence numbers are used up; establish a new channel"));
        }
        self.inner.seal_key_update(&mut state)
    }

    /// Closes this end's direction. Gives the CLOSE record to send; nothing can be sealed after it.
    pub fn close(&self) -> Result<Vec<u8>> {
        let mut state = self.inner.live()?;
        let record = self.inner.seal_control(&mut state, RecordType::Close)?;
        state.send = None;
        Ok(record)
    }

    /// The device's first record.
    pub(in crate::channel) fn send_ready(&self) -> Result<Vec<u8>> {
        self.inner.seal_control(&mut *self.inner.live()?, RecordType::Ready)
    }
}

impl Inner {
    fn seal_key_update(&self, state: &mut state::State) -> Result<Vec<u8>> {
        if !state.send()?.has_next_epoch() {
            return Err(Error::Usage("the direction's epochs are used up; establish a new channel"));
        }
        let record = self.seal_control(state, RecordType::KeyUpdate)?;
        state::advance(&mut state.send);
        Ok(record)
    }

    pub(super) fn seal_control(&self, state: &mut state::State, record_type: RecordType) -> Result<Vec<u8>> {
        let half = state.send()?;
        let header = RecordHeader {
            record_type,
            direction: self.local,
            session_id: self.session_id,
            epoch: half.keys.epoch,
            metadata_bytes: 0,
            sequence: half.take(1),
            body_bytes: 0,
        };
        let mut record = header.encode().to_vec();
        let aad = record::aad(&header.encode(), &[]);
        record.resize(CONTROL_BYTES, 0);
        half.keys.aead.seal(half.keys.record_nonce(header.sequence), &aad, &[], &mut record[HEADER_BYTES..]);
        Ok(record)
    }
}

/// What seals or opens one body.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) keys: Arc<EpochKeys>,
    pub(super) nonce: [u8; NONCE_BYTES],
    pub(super) aad: [u8; 32],
}

impl Job {
    pub(super) fn body(&self) -> BodyKey<'_> {
        BodyKey { aead: &self.keys.aead, nonce: self.nonce, aad: &self.aad }
    }
}

/// A tensor being sealed. Its sequence number is spent: unless [`Sealing::finish`] succeeds, the session ends.
pub struct Sealing {
    inner: Arc<Inner>,
    job: Job,
    prelude: Vec<u8>,
    header: RecordHeader,
    rest: ChunkRange,
    /// Chunks sealed so far, by pieces on whatever threads.
    sealed: Arc<AtomicU32>,
    finished: bool,
}

impl Sealing {
    /// What goes on the wire before the body: a KEY_UPDATE record where one is due, header, metadata.
    pub fn prelude(&self) -> &[u8] {
        &self.prelude
    }

    /// The record's header.
    pub fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// The length of the sealed body.
    pub fn body_bytes(&self) -> u64 {
        sealed_bytes(self.header.body_bytes)
    }

    /// The next `chunks` chunks (or what is left) to seal, for this or any other thread. None when all are handed
    /// out. Each chunk is handed out once.
    pub fn next_piece(&mut self, chunks: u32) -> Option<Piece> {
        if self.rest.is_empty() || chunks == 0 {
            return None;
        }
        Some(Piece { job: self.job.clone(), range: self.rest.take(chunks), sealed: Arc::clone(&self.sealed) })
    }

    /// Ends the record. Fails, and ends the session, unless every piece was sealed. Fails also where the session ended
    /// meanwhile: the record must not be sent then.
    pub fn finish(mut self) -> Result<()> {
        drop(self.inner.live()?);
        self.finished = self.sealed.load(Ordering::Acquire) == chunk_count(self.header.body_bytes);
        if self.finished { Ok(()) } else { Err(Error::Usage("a seal ended before every piece of it was sealed")) }
    }

    /// Gives all chunks away at once, to be sealed by a device; it reports back with [`Sealing::sealed_elsewhere`].
    pub(crate) fn hand_out_all(&mut self) -> Option<DeviceJob> {
        if self.rest != ChunkRange::whole(self.header.body_bytes) {
            return None;
        }
        let piece = self.next_piece(u32::MAX)?;
        Some(DeviceJob { keys: piece.job.keys, nonce: piece.job.nonce, aad: piece.job.aad })
    }

    /// Takes back the job that [`Sealing::hand_out_all`] gave; another tensor's ends the session.
    pub(crate) fn sealed_elsewhere(self, job: DeviceJob) -> Result<()> {
        if job.aad != self.job.aad {
            return Err(Error::Usage("a device reported the seal of another tensor"));
        }
        self.sealed.store(chunk_count(self.header.body_bytes), Ordering::Release);
        self.finish()
    }
}

impl Drop for Sealing {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing received is at fault: tensors in flight the other way may still be released.
            self.inner.fail_at(u64::MAX);
        }
    }
}

/// Key, nonce and AAD of a body that a device seals or opens.
pub(crate) struct DeviceJob {
    pub(crate) keys: Arc<EpochKeys>,
    pub(crate) nonce: [u8; NONCE_BYTES],
    pub(crate) aad: [u8; 32],
}

/// Consecutive chunks to seal, once.
#[must_use = "an unsealed piece ends the session"]
pub struct Piece {
    job: Job,
    range: ChunkRange,
    sealed: Arc<AtomicU32>,
}

impl Piece {
    /// Where its plaintext lies in the tensor.
    pub fn plaintext(&self) -> Range<u64> {
        self.range.plaintext()
    }

    /// Where its sealed chunks lie in the body.
    pub fn sealed(&self) -> Range<u64> {
        self.range.sealed()
    }

    /// Seals from `plaintext` straight into `sealed`, on several cores where the piece is large. The plaintext is
    /// read once. Fails on other lengths than [`Piece::plaintext`]'s and [`Piece::sealed`]'s; the piece is then spent.
    pub fn seal(self, plaintext: &[u8], sealed: &mut [u8]) -> Result<()> {
        self.check(plaintext, sealed.len() as u64)?;
        self.job.body().seal(&self.range, plaintext, sealed);
        self.done();
        Ok(())
    }

    /// Like [`Piece::seal`], for a destination that can only be written: `write` gets an offset within the piece and a
    /// sealed chunk. On this thread alone.
    pub fn seal_each(mut self, plaintext: &[u8], mut write: impl FnMut(u64, &[u8])) -> Result<()> {
        self.check(plaintext, self.sealed().end - self.sealed().start)?;
        let (p0, s0) = (self.plaintext().start, self.sealed().start);
        let count = self.range.count;
        let mut scratch = [0; SEALED_CHUNK_BYTES as usize];
        while !self.range.is_empty() {
            let chunk = self.range.take(1);
            let (p, s) = (chunk.plaintext(), chunk.sealed());
            let out = &mut scratch[..(s.end - s.start) as usize];
            self.job.body().seal(&chunk, &plaintext[(p.start - p0) as usize..(p.end - p0) as usize], out);
            write(s.start - s0, out);
        }
        self.sealed.fetch_add(count, Ordering::Release);
        Ok(())
    }

    fn check(&self, plaintext: &[u8], sealed: u64) -> Result<()> {
        let (p, s) = (self.plaintext(), self.sealed());
        if plaintext.len() as u64 != p.end - p.start || sealed != s.end - s.start {
            return Err(Error::Usage("a piece is sealed from and into exactly its own ranges"));
        }
        Ok(())
    }

    fn done(self) {
        self.sealed.fetch_add(self.range.count, Ordering::Release);
    }
}
