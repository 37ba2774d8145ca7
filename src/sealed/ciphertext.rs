//! Bodies as they lie in the file: read in file order, several reads under way, resumable from the first chunk not given.

use core::{future::poll_fn, ops::Range, pin::Pin, task::Poll};
use std::collections::VecDeque;

use super::{front::check_zeros, manifest::Manifest, source::Source};
use crate::{
    channel::chunk::{ChunkRange, SEALED_CHUNK_BYTES},
    error::SealedFailure,
};

/// Chunks of one read at most: some 8 MiB.
pub(super) const PIECE_CHUNKS: u32 = 512;
const PIECE_BYTES: u64 = PIECE_CHUNKS as u64 * SEALED_CHUNK_BYTES;

/// Sealed chunks of one tensor. They follow those that were given before.
#[derive(Debug)]
pub struct SealedPiece<'a> {
    /// The tensor's number.
    pub tensor: u32,
    /// The number of the piece's first chunk in its tensor.
    pub first_chunk: u32,
    /// Whole chunks: a multiple of 16,400 bytes, except for the last piece.
    pub bytes: &'a [u8],
    /// Whether the tensor's body ends here.
    pub last: bool,
}

/// Reads the bodies of consecutive tensors, and checks that what lies between them is zero. Nothing else is verified here.
///
/// Memory is a few pieces of 8 MiB at most, whatever the tensors' sizes. After a failed read, the next call goes on
/// where it failed; what was given before stays good.
pub struct Ciphertexts<'a, S: Source + ?Sized> {
    source: &'a S,
    bodies_start: u64,
    plan: Plan<'a>,
    reads: VecDeque<Read<'a>>,
    /// The read whose parts are being given.
    current: Option<(Planned, Vec<u8>)>,
    /// Buffers of reads whose parts were given.
    spare: Vec<Vec<u8>>,
}

#[cfg(not(target_arch = "wasm32"))]
type Reading<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, SealedFailure>> + Send + 'a>>;
#[cfg(target_arch = "wasm32")]
type Reading<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, SealedFailure>> + 'a>>;

/// A read under way, or to be started (again).
struct Read<'a> {
    planned: Planned,
    state: State<'a>,
}

enum State<'a> {
    Waiting,
    Reading(Reading<'a>),
    Done(Result<Vec<u8>, SealedFailure>),
}

impl<'a, S: Source + ?Sized> Ciphertexts<'a, S> {
    /// The bodies of `tensors`, which the manifest must have.
    pub(super) fn new(source: &'a S, bodies_start: u64, manifest: &'a Manifest, tensors: Range<u32>) -> Self {
        let plan = Plan::new(manifest, tensors);
        Ciphertexts { source, bodies_start, plan, reads: VecDeque::new(), current: None, spare: Vec::new() }
    }

    /// The next piece, or None after the last tensor's last.
    ///
    /// Fails with [`SealedFailure::Read`] where the source does, and may then be called again; with
    /// [`SealedFailure::Padding`] where bytes between bodies are not zero.
    pub async fn next(&mut self) -> Result<Option<SealedPiece<'_>>, SealedFailure> {
        if self.current.as_ref().is_none_or(|(planned, _)| planned.parts.is_empty()) {
            self.spare.extend(self.current.take().map(|(_, bytes)| bytes));
            let Some(planned) = self.next_read().await? else { return Ok(None) };
            self.current = Some(planned);
        }
        let Some((planned, bytes)) = &mut self.current else { return Ok(None) };
        let Some(part) = planned.parts.pop_front() else { return Ok(None) };
        let within = |range: &Range<u64>| {
            (range.start - planned.range.start) as usize..(range.end - planned.range.start) as usize
        };
        check_zeros(&bytes[within(&part.zeros)], self.bodies_start + part.zeros.start)?;
        Ok(Some(SealedPiece {
            tensor: part.tensor,
            first_chunk: part.chunks.first,
            bytes: &bytes[within(&part.sealed)],
            last: part.last,
        }))
    }

    /// Waits for the read that comes next, with those after it under way.
    async fn next_read(&mut self) -> Result<Option<(Planned, Vec<u8>)>, SealedFailure> {
        while self.reads.len() < self.source.reads_in_flight().max(1) {
            let Some(planned) = self.plan.next() else { break };
            self.reads.push_back(Read { planned, state: State::Waiting });
        }
        if self.reads.is_empty() {
            return Ok(None);
        }
        let (source, bodies_start, spare) = (self.source, self.bodies_start, &mut self.spare);
        let first = poll_fn(|context| {
            for read in &mut self.reads {
                if let State::Waiting = read.state {
                    let buffer = spare.pop().unwrap_or_default();
                    read.state = State::Reading(start(source, bodies_start, &read.planned.range, buffer));
                }
                if let State::Reading(reading) = &mut read.state
                    && let Poll::Ready(result) = reading.as_mut().poll(context)
                {
                    read.state = State::Done(result);
                }
            }
            match self.reads.front().map(|read| &read.state) {
                Some(State::Done(_)) => Poll::Ready(self.reads.pop_front()),
                _ => Poll::Pending,
            }
        });
        match first.await {
            Some(Read { planned, state: State::Done(Ok(bytes)) }) => Ok(Some((planned, bytes))),
            Some(Read { planned, state: State::Done(Err(failure)) }) => {
                self.reads.push_front(Read { planned, state: State::Waiting });
                Err(failure)
            }
            _ => Ok(None),
        }
    }
}

fn start<'a, S: Source + ?Sized>(
    source: &'a S,
    bodies_start: u64,
    range: &Range<u64>,
    mut into: Vec<u8>,
) -> Reading<'a> {
    let (offset, bytes) = (bodies_start + range.start, (range.end - range.start) as usize);
    Box::pin(async move {
        into.resize(bytes, 0);
        source.read_at(offset, &mut into).await?;
        Ok(into)
    })
}

/// One read: chunks of one tensor, or several small tensors together.
#[derive(Debug)]
struct Planned {
    /// From the bodies' start.
    range: Range<u64>,
    parts: VecDeque<Part>,
}

#[derive(Debug)]
struct Part {
    tensor: u32,
    chunks: ChunkRange,
    /// From the bodies' start, like `zeros`.
    sealed: Range<u64>,
    /// After the body; read with its end.
    zeros: Range<u64>,
    last: bool,
}

/// Cuts bodies into reads.
struct Plan<'a> {
    manifest: &'a Manifest,
    tensors: Range<u32>,
    /// What is left of the first of `tensors`.
    rest: ChunkRange,
}

impl<'a> Plan<'a> {
    fn new(manifest: &'a Manifest, tensors: Range<u32>) -> Self {
        let mut plan = Plan { manifest, tensors, rest: ChunkRange::whole(0) };
        plan.start_tensor();
        plan
    }

    fn start_tensor(&mut self) {
        if let Some(tensor) = self.manifest.tensors.get(self.tensors.start as usize) {
            self.rest = ChunkRange::whole(tensor.metadata.size_bytes());
        }
    }

    /// The next chunks, at most so many bytes of them, but at least one.
    fn part(&mut self, bytes: u64) -> Part {
        let tensor = self.tensors.start;
        let offset = self.manifest.tensors[tensor as usize].offset;
        let chunks = self.rest.take((bytes / SEALED_CHUNK_BYTES).clamp(1, PIECE_CHUNKS.into()) as u32);
        let sealed = chunks.sealed();
        let sealed = offset + sealed.start..offset + sealed.end;
        let last = self.rest.is_empty();
        let mut zeros = sealed.end..sealed.end;
        if last {
            // What lies after the last of the tensors that were asked for belongs to its body too.
            zeros = self.manifest.padding_after(tensor);
            self.tensors.start += 1;
            self.start_tensor();
        }
        Part { tensor, chunks, sealed, zeros, last }
    }
}

impl Iterator for Plan<'_> {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        if self.tensors.is_empty() {
            return None;
        }
        let first = self.part(PIECE_BYTES);
        let mut planned = Planned { range: first.sealed.start..first.zeros.end, parts: VecDeque::from([first]) };
        // A tensor that fits whole into what is left of the read comes with it.
        while let Some(next) =
            self.manifest.tensors.get(self.tensors.start as usize).filter(|_| !self.tensors.is_empty())
            && planned.parts.back().is_some_and(|part| part.last)
            && self.manifest.padding_after(self.tensors.start).end.max(next.body().end) - planned.range.start
                <= PIECE_BYTES
        {
            let part = self.part(PIECE_BYTES);
            planned.range.end = part.zeros.end;
            planned.parts.push_back(part);
        }
        Some(planned)
    }
}
