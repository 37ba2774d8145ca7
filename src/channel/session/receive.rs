//! Receiving: reserve, open, release in order; and control records.

use std::sync::{Arc, PoisonError};

use zeroize::Zeroize;

use super::{
    ChannelSession, Inner,
    seal::{CONTROL_BYTES, Job},
    state::{self, State},
};
use crate::{
    Error, Result,
    channel::{
        chunk::{ChunkRange, chunk_count, sealed_bytes},
        record::{self, HEADER_BYTES, RecordHeader, RecordType},
        schedule::EpochKeys,
        suite::{NONCE_BYTES, TAG_BYTES},
    },
    error::HandshakeFailure,
    tensor::TensorMetadata,
};

/// A control record that was received and verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The peer's next records are under its next key.
    KeyUpdate,
    /// The peer sends nothing more.
    Close,
}

/// What became of the tags of a whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every chunk verified.
    Verified,
    /// Not every chunk verified, or the device failed.
    Failed,
}

impl ChannelSession {
    /// Accepts a tensor's header and metadata, as they came, and reserves its place. Nothing is authenticated yet:
    /// the [`Pending`] opens the body and is released in its turn.
    ///
    /// Whatever cannot come now ends the session: another direction, session, epoch or sequence number, metadata
    /// that is not canonical or disagrees with the body's length, more chunks than the key may carry.
    pub fn reserve(&self, header: &[u8], metadata: &[u8]) -> Result<Pending> {
        let mut state = self.inner.live()?;
        let expected = state.receive()?.next;
        let reserved = self.inner.reserve(&mut state, header, metadata);
        if reserved.is_err() {
            state.fail(expected, Error::ChannelFailed);
        }
        drop(state);
        reserved
    }

    /// Takes a KEY_UPDATE or CLOSE record of 80 bytes. Anything else, or a wrong tag, ends the session.
    pub fn receive_control(&self, record: &[u8]) -> Result<Control> {
        let record_type =
            self.receive_80(record, |found| matches!(found, RecordType::KeyUpdate | RecordType::Close))?;
        Ok(if record_type == RecordType::Close { Control::Close } else { Control::KeyUpdate })
    }

    /// Tells the session that the transport ended. Fails with [`Error::Truncated`] unless the peer's CLOSE came.
    pub fn transport_ended(&self) -> Result<()> {
        let mut state = self.inner.live()?;
        if state.peer_closed {
            return Ok(());
        }
        let expected = state.receive()?.next;
        state.fail(expected, Error::Truncated);
        Err(Error::Truncated)
    }

    /// M4 of the handshake.
    pub(in crate::channel) fn receive_ready(&self, record: &[u8]) -> Result<()> {
        match self.receive_80(record, |found| found == RecordType::Ready) {
            Err(Error::Record(_) | Error::Decryption | Error::SequenceGap { .. }) => {
                Err(HandshakeFailure::Ready.into())
            }
            other => other.map(drop),
        }
    }

    fn receive_80(&self, record: &[u8], accepts: impl Fn(RecordType) -> bool) -> Result<RecordType> {
        let mut state = self.inner.live()?;
        let expected = state.receive()?.next;
        let received = self.inner.receive_control(&mut state, record, accepts);
        if received.is_err() {
            state.fail(expected, Error::ChannelFailed);
        }
        drop(state);
        received
    }
}

impl Inner {
    fn reserve(self: &Arc<Self>, state: &mut State, header: &[u8], metadata: &[u8]) -> Result<Pending> {
        let bytes: &[u8; HEADER_BYTES] = header.try_into().map_err(|_| Error::Record("a header has 64 bytes"))?;
        let header = self.check_header(state, bytes, |found| found == RecordType::Tensor)?;
        if metadata.len() != header.metadata_bytes as usize {
            return Err(Error::Record("the metadata's length differs from the header's"));
        }
        let aad = record::aad(bytes, metadata);
        let metadata = TensorMetadata::decode(metadata)?;
        if metadata.size_bytes() != header.body_bytes {
            return Err(Error::Record("the body's length is not that of the tensor's shape and type"));
        }
        let half = state.receive()?;
        let chunks = u64::from(chunk_count(header.body_bytes));
        if !half.has_room(chunks, self.max_chunks) {
            return Err(Error::Record("more chunks than one key may carry; the peer had to update its key"));
        }
        half.take(chunks);
        let keys = Arc::clone(&half.keys);
        Ok(Pending {
            inner: Arc::clone(self),
            job: Job { nonce: keys.record_nonce(header.sequence), aad, keys },
            header,
            metadata,
            settled: false,
        })
    }

    fn receive_control(
        &self,
        state: &mut State,
        record: &[u8],
        accepts: impl Fn(RecordType) -> bool,
    ) -> Result<RecordType> {
        let record: &[u8; CONTROL_BYTES] =
            record.try_into().map_err(|_| Error::Record("a control record has 80 bytes"))?;
        let (bytes, tag) = record.split_at(HEADER_BYTES);
        let bytes = bytes.try_into().map_err(|_| Error::Record("a header has 64 bytes"))?;
        let header = self.check_header(state, bytes, accepts)?;
        let half = state.receive()?;
        // CLOSE may take the very last chunk of a key, KEY_UPDATE leaves one for CLOSE.
        let room = if header.record_type == RecordType::Close { 1 } else { 2 };
        if half.chunks + room > self.max_chunks {
            return Err(Error::Record("more chunks than one key may carry"));
        }
        let nonce = half.keys.record_nonce(header.sequence);
        if !half.keys.aead.open(nonce, &record::aad(bytes, &[]), tag, &mut []) {
            return Err(Error::Decryption);
        }
        if header.record_type == RecordType::KeyUpdate && !half.has_next_epoch() {
            return Err(Error::Record("the last epoch cannot be updated"));
        }
        half.take(1);
        state.control(header.sequence);
        match header.record_type {
            RecordType::KeyUpdate => state::advance(&mut state.receive),
            RecordType::Close => {
                state.peer_closed = true;
                state.receive = None;
            }
            RecordType::Ready | RecordType::Tensor => {}
        }
        Ok(header.record_type)
    }

    /// Everything a header can be checked for before a tag.
    fn check_header(
        &self,
        state: &mut State,
        bytes: &[u8; HEADER_BYTES],
        accepts: impl Fn(RecordType) -> bool,
    ) -> Result<RecordHeader> {
        let header = RecordHeader::decode(bytes)?;
        if !accepts(header.record_type) {
            return Err(Error::Record("a record of another type was due"));
        }
        if header.direction != self.local.opposite() {
            return Err(Error::Record("the record was sent in the other direction: it was reflected"));
        }
        if header.session_id != self.session_id {
            return Err(Error::Record("the record belongs to another session"));
        }
        let half = state.receive()?;
        let (expected, received) = (half.next, header.sequence);
        if received < expected {
            return Err(Error::NonceReplay { expected, received });
        }
        if received > expected {
            return Err(Error::SequenceGap { expected, received });
        }
        if header.epoch != half.keys.epoch {
            return Err(Error::Record("the record belongs to another epoch"));
        }
        if received == u64::MAX {
            return Err(Error::Record("the last sequence number is never used"));
        }
        Ok(header)
    }
}

/// A tensor whose header was accepted. Its body is opened by the host or a device, and released in sequence order.
/// Dropped before that, it ends the session.
pub struct Pending {
    inner: Arc<Inner>,
    job: Job,
    header: RecordHeader,
    metadata: TensorMetadata,
    settled: bool,
}

impl Pending {
    /// What the sender says the tensor is. Authenticated only once the tensor is released.
    pub fn metadata(&self) -> &TensorMetadata {
        &self.metadata
    }

    /// Its place in the stream.
    pub fn sequence(&self) -> u64 {
        self.header.sequence
    }

    /// The length of the sealed body to read.
    pub fn body_bytes(&self) -> u64 {
        sealed_bytes(self.header.body_bytes)
    }

    /// Opens the whole body into memory of the host and releases it.
    ///
    /// On any failure no byte of plaintext is left and the session is over.
    pub fn open(mut self, body: &[u8]) -> Result<Vec<u8>> {
        let plaintext_bytes = self.metadata.size_bytes();
        let length =
            usize::try_from(plaintext_bytes).map_err(|_| Error::Usage("too large for this machine's memory"))?;
        if body.len() as u64 != self.body_bytes() {
            return Err(Error::Record("the body's length is not the one announced"));
        }
        let mut plaintext = vec![0; length];
        let opened = self.job.body().open(&ChunkRange::whole(plaintext_bytes), body, &mut plaintext);
        let released = self.commit(if opened { Verdict::Verified } else { Verdict::Failed });
        if released.is_err() {
            plaintext.zeroize();
        }
        released.map(|()| plaintext)
    }

    /// Opens the body piece by piece, for tensors that are not to be held in memory whole.
    pub fn opening(self) -> Opening {
        Opening { rest: ChunkRange::whole(self.header.body_bytes), pending: self }
    }

    pub(crate) fn keys(&self) -> &Arc<EpochKeys> {
        &self.job.keys
    }

    pub(crate) fn nonce(&self) -> &[u8; NONCE_BYTES] {
        &self.job.nonce
    }

    pub(crate) fn aad(&self) -> &[u8; 32] {
        &self.job.aad
    }

    /// Settles the record: in its turn and verified, it is released; else the session ends at it.
    ///
    /// Out of turn it is an error that changes nothing.
    pub(crate) fn commit(&mut self, verdict: Verdict) -> Result<()> {
        let mut state = self.inner.lock();
        let sequence = self.header.sequence;
        let now = self.inner.clock.now();
        state.may_release(sequence)?;
        state.check_time(now, self.inner.policy.ttl_seconds)?;
        if verdict == Verdict::Failed {
            state.fail(sequence, Error::ChannelFailed);
            self.settled = true;
            return Err(Error::Decryption);
        }
        state.release(sequence)?;
        self.settled = true;
        Ok(())
    }
}

/// A record being opened on the host, in order. Unless [`Opening::finish`] succeeds, the session ends.
///
/// Every piece is authenticated when it is handed out, its place in the record included, but the record is not released
/// before [`Opening::finish`]: what was handed out must not be used if that fails or is never reached.
pub struct Opening {
    pending: Pending,
    rest: ChunkRange,
}

impl Opening {
    /// The sealed and the plaintext length of the next `chunks` chunks (or what is left). None when all are opened.
    pub fn next_piece(&self, chunks: u32) -> Option<(u64, u64)> {
        let piece = self.rest.clone().take(chunks);
        let length = |range: core::ops::Range<u64>| range.end - range.start;
        (!piece.is_empty()).then(|| (length(piece.sealed()), length(piece.plaintext())))
    }

    /// Opens the next `chunks` chunks (or what is left) from `sealed` into `plaintext`, whose lengths are those of
    /// [`Opening::next_piece`]. On failure `plaintext` is zeros, and the session ends when this is dropped.
    pub fn open_piece(&mut self, chunks: u32, sealed: &[u8], plaintext: &mut [u8]) -> Result<()> {
        if self.next_piece(chunks) != Some((sealed.len() as u64, plaintext.len() as u64)) {
            return Err(Error::Usage("a piece is opened from and into exactly its own lengths"));
        }
        let piece = self.rest.take(chunks);
        if self.pending.job.body().open(&piece, sealed, plaintext) {
            return Ok(());
        }
        self.pending.commit(Verdict::Failed)
    }

    /// Releases the record in its turn. Fails, and ends the session, where pieces are missing or one failed.
    pub fn finish(mut self) -> Result<TensorMetadata> {
        if !self.rest.is_empty() {
            return Err(Error::Usage("an open ended before every piece of it was opened"));
        }
        self.pending.commit(Verdict::Verified)?;
        Ok(self.pending.metadata.clone())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.settled {
            self.inner.fail_at(self.header.sequence);
        }
    }
}

impl ChannelSession {
    /// Opens what [`ChannelSession::encrypt_tensor`] sealed at the other end, and gives the tensor's bytes.
    ///
    /// Of several threads that deliver at once each is served in turn. On any failure the session ends, except
    /// when tensors reserved apart are still in flight, which is an error that changes nothing.
    pub fn decrypt_tensor(&self, tensor: &super::EncryptedTensor) -> Result<Vec<u8>> {
        let _turn = self.inner.delivery.lock().unwrap_or_else(PoisonError::into_inner);
        if self.inner.live()?.in_flight() {
            return Err(Error::Usage("tensors reserved before are still in flight; settle them first"));
        }
        if let Some(key_update) = tensor.key_update() {
            self.receive_control(key_update)?;
        }
        self.reserve(tensor.header_bytes(), tensor.metadata_bytes())?.open(tensor.body())
    }
}

const _: () = assert!(CONTROL_BYTES == HEADER_BYTES + TAG_BYTES);
