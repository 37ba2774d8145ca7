//! Records as they come off a stream.

use futures_io::AsyncRead;
use zeroize::Zeroizing;

use super::{Limits, PIECE_BYTES, PIECE_CHUNKS, limits::Usage, stream::read_some};
use crate::{
    Error, Result,
    channel::{
        ChannelSession,
        chunk::sealed_bytes,
        record::{HEADER_BYTES, RecordHeader, RecordType},
        session::{CONTROL_BYTES, Control, Pending},
    },
    device::Device,
    tensor::TensorMetadata,
    transfer::{Destination, Transfer},
};

/// Takes a session's records off a stream. It holds at most about 1 MiB of what came.
pub struct Receiver<'s, R> {
    session: &'s ChannelSession,
    stream: R,
    limits: Limits,
    used: Usage,
    buffer: Buffer,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The peer's CLOSE was verified.
    Closed,
    /// A limit was exceeded, a time-out passed, or what came was refused: the rest of the stream means nothing.
    Failed,
}

impl<'s, R: AsyncRead + Unpin> Receiver<'s, R> {
    /// Over the stream on which the handshake has just ended.
    pub fn new(session: &'s ChannelSession, stream: R, limits: Limits) -> Self {
        Receiver { session, stream, limits, used: Usage::default(), buffer: Buffer::default(), state: State::Open }
    }

    /// The next tensor, of which header and metadata have come; None after the peer's CLOSE. KEY_UPDATE records before it
    /// take effect by themselves.
    ///
    /// Dropped while it waits it loses nothing. On error the session is over, except on [`Error::TimedOut`] before the first byte of a
    /// record: the next call waits again.
    pub async fn next(&mut self) -> Result<Option<Incoming<'_, 's, R>>> {
        match self.reserve().await {
            Ok(Some(pending)) => Ok(Some(Incoming { receiver: self, pending })),
            Ok(None) => Ok(None),
            Err(Error::TimedOut) if self.buffer.held().is_empty() => Err(Error::TimedOut),
            Err(error) => {
                self.fail();
                Err(error)
            }
        }
    }

    /// Whether the next tensor, or the CLOSE, lies here whole already, so that taking it will not wait for the peer.
    pub fn is_ready(&self) -> bool {
        let mut held = self.buffer.held();
        while let Some(Ok(header)) = held.first_chunk().map(RecordHeader::decode) {
            let length = record_bytes(&header);
            if header.record_type != RecordType::KeyUpdate || held.len() as u64 <= length {
                return held.len() as u64 >= length;
            }
            held = &held[length as usize..];
        }
        false
    }

    /// After the peer's CLOSE: waits for the transport's end. A byte more is an error.
    pub async fn end(mut self) -> Result<()> {
        if self.state != State::Closed {
            return Err(Error::Usage("the stream's end is due after the peer's CLOSE"));
        }
        if self.buffer.held().is_empty() && read_some(&mut self.stream, &mut [0]).await? == 0 {
            return self.session.transport_ended();
        }
        Err(AFTER_CLOSE)
    }

    /// Whether more than the peer's CLOSE has come already.
    pub fn check_nothing_follows(&self) -> Result<()> {
        if self.buffer.held().is_empty() { Ok(()) } else { Err(AFTER_CLOSE) }
    }

    async fn reserve(&mut self) -> Result<Option<Pending>> {
        loop {
            match self.state {
                State::Open => {}
                State::Closed => return Ok(None),
                State::Failed => return Err(Error::ChannelFailed),
            }
            self.fill(HEADER_BYTES).await?;
            let header = match self.buffer.held().first_chunk().map(RecordHeader::decode) {
                Some(Ok(header)) => header,
                _ => {
                    // The session is told of whatever this is, and ends at it.
                    let refused = self.session.reserve(&self.buffer.held()[..HEADER_BYTES], &[]);
                    return Err(refused.err().unwrap_or(Error::Record("not a record")));
                }
            };
            let used = self.used.with(&self.limits, &header)?;
            if header.record_type == RecordType::Tensor {
                let length = HEADER_BYTES + header.metadata_bytes as usize;
                self.fill(length).await?;
                let (header, metadata) = self.buffer.held()[..length].split_at(HEADER_BYTES);
                let pending = self.session.reserve(header, metadata)?;
                self.buffer.consume(length);
                self.used = used;
                return Ok(Some(pending));
            }
            self.fill(CONTROL_BYTES).await?;
            let control = self.session.receive_control(&self.buffer.held()[..CONTROL_BYTES])?;
            self.buffer.consume(CONTROL_BYTES);
            self.used = used;
            if control == Control::Close {
                self.state = State::Closed;
            }
        }
    }

    /// Waits until at least `want` bytes are here.
    async fn fill(&mut self, want: usize) -> Result<()> {
        while self.buffer.held().len() < want {
            if read_some(&mut self.stream, self.buffer.room(want)).await.map(|read| self.buffer.add(read))? == 0 {
                return Err(Error::Truncated);
            }
        }
        Ok(())
    }

    fn fail(&mut self) {
        self.state = State::Failed;
        // Nothing more is taken off the transport, which ends the session; its earlier tensors may still be released.
        let _ = self.session.transport_ended();
    }
}

/// A tensor whose header and metadata were accepted and whose body is still to come. Dropped, it ends the session.
pub struct Incoming<'r, 's, R> {
    receiver: &'r mut Receiver<'s, R>,
    pending: Pending,
}

impl<R: AsyncRead + Unpin> Incoming<'_, '_, R> {
    /// What the sender says it is; authenticated once the tensor is released.
    pub fn metadata(&self) -> &TensorMetadata {
        self.pending.metadata()
    }

    /// Length of the sealed body.
    pub fn body_bytes(&self) -> u64 {
        self.pending.body_bytes()
    }

    /// Brings the body to a device, piece by piece, and queues its opening there; [`Transfer::settle`] gives the tensor or its
    /// error. No staging slot is held while the stream is waited for.
    pub async fn open_onto<D: Device>(self, transfer: &mut Transfer<D>, destination: Destination<'_, D>) -> Result<()> {
        let Incoming { receiver, pending } = self;
        let opened = async {
            let mut arrival = transfer.arrival(pending, destination).await?;
            while arrival.missing_bytes() > 0 {
                let piece = arrival.missing_bytes().min(PIECE_BYTES as u64) as usize;
                receiver.fill(piece).await?;
                arrival.push(&receiver.buffer.held()[..piece]).await?;
                receiver.buffer.consume(piece);
            }
            arrival.finish()
        };
        let opened = opened.await;
        if opened.is_err() {
            receiver.fail();
        }
        opened
    }

    /// Opens the body in this process and gives the plaintext in pieces. Every piece is authenticated, its place included, but the
    /// tensor counts only if this succeeds: what `take` got must not be used before.
    pub async fn open(self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<TensorMetadata> {
        let Incoming { receiver, pending } = self;
        let opened = async {
            let (mut opening, mut plaintext) = (pending.opening(), Zeroizing::new(Vec::new()));
            while let Some((sealed, length)) = opening.next_piece(PIECE_CHUNKS) {
                receiver.fill(sealed as usize).await?;
                // The first piece is the longest, so that nothing is left behind by growing.
                plaintext.resize(length as usize, 0);
                opening.open_piece(PIECE_CHUNKS, &receiver.buffer.held()[..sealed as usize], &mut plaintext)?;
                receiver.buffer.consume(sealed as usize);
                take(&plaintext)?;
            }
            opening.finish()
        };
        let opened = opened.await;
        if opened.is_err() {
            receiver.fail();
        }
        opened
    }
}

const AFTER_CLOSE: Error = Error::Record("something follows the CLOSE record");

fn record_bytes(header: &RecordHeader) -> u64 {
    HEADER_BYTES as u64 + u64::from(header.metadata_bytes) + sealed_bytes(header.body_bytes)
}

/// What was read and not yet used. It takes memory when it is first needed, which is after the peer was authenticated.
#[derive(Default)]
struct Buffer {
    memory: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn held(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// Room to read into, so much that `want` bytes fit in all.
    fn room(&mut self, want: usize) -> &mut [u8] {
        self.memory.resize(self.memory.len().max(PIECE_BYTES).max(want), 0);
        if self.start + want > self.memory.len() || self.start == self.end {
            self.memory.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.memory[self.end..]
    }

    fn add(&mut self, read: usize) -> usize {
        self.end += read;
        read
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
    }
}
