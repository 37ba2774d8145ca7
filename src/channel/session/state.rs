//! The mutable state of a session: two halves, each with its key, sequence number and chunk budget.

use core::time::Duration;
use std::{collections::VecDeque, sync::Arc};

use crate::{
    Error, Result,
    channel::{
        clock::Timestamp,
        record::Direction,
        schedule::{EpochKeys, Secret, Traffic, TrafficSecret},
    },
};

/// How far the wall clock may go back: time servers correct by fractions of a second.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// Chunks kept free under every key for a KEY_UPDATE and a CLOSE.
pub(super) const CONTROL_RESERVE: u64 = 2;

/// Sequence numbers kept free at the end of a direction: KEY_UPDATE, CLOSE, and one so that nothing wraps.
const SEQUENCE_RESERVE: u64 = 3;

pub(super) struct State {
    /// None once CLOSE was sent or the session ended.
    pub(super) send: Option<Half>,
    /// None once CLOSE was received or the session ended.
    pub(super) receive: Option<Half>,
    /// The next sequence number to be released.
    committed: u64,
    /// Verified control records that wait for the tensors before them to be released.
    controls: VecDeque<u64>,
    /// The peer's CLOSE was verified.
    pub(super) peer_closed: bool,
    exporter: Option<Secret<64>>,
    /// Why the session is over, and the first received sequence number that may not be released.
    end: Option<(Error, u64)>,
    started: Timestamp,
    latest_wall: Duration,
}

impl State {
    pub(super) fn new(local: Direction, traffic: Traffic, started: Timestamp) -> Self {
        let (send, receive) = match local {
            Direction::HostToDevice => (traffic.host, traffic.device),
            Direction::DeviceToHost => (traffic.device, traffic.host),
        };
        State {
            send: Some(Half::new(send)),
            receive: Some(Half::new(receive)),
            committed: 0,
            controls: VecDeque::new(),
            peer_closed: false,
            exporter: Some(traffic.exporter),
            end: None,
            started,
            latest_wall: started.wall,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.send.is_some() || self.receive.is_some()
    }

    /// Ends the session when its time is over by either clock, or the wall clock went back.
    pub(super) fn check_alive(&mut self, now: Timestamp, ttl_seconds: u32) -> Result<()> {
        match &self.end {
            Some((why, _)) => Err(why.clone()),
            None => self.check_time(now, ttl_seconds),
        }
    }

    /// The same for tensors that a failure after them left in flight: their time runs on.
    pub(super) fn check_time(&mut self, now: Timestamp, ttl_seconds: u32) -> Result<()> {
        let ttl = Duration::from_secs(ttl_seconds.into());
        let why = if now.wall.saturating_add(CLOCK_TOLERANCE) < self.latest_wall {
            Error::ClockWentBackward
        } else if now.monotonic.saturating_sub(self.started.monotonic) >= ttl
            || now.wall.saturating_sub(self.started.wall) >= ttl
        {
            Error::ChannelExpired
        } else {
            self.latest_wall = self.latest_wall.max(now.wall);
            return Ok(());
        };
        self.fail(self.committed, why.clone());
        Err(why)
    }

    /// Ends the session and erases its keys. Records before `sequence` that are in flight may still be released.
    pub(super) fn fail(&mut self, sequence: u64, why: Error) {
        self.send = None;
        self.receive = None;
        self.exporter = None;
        match &mut self.end {
            Some((_, at)) => *at = sequence.min(*at),
            None => self.end = Some((why, sequence)),
        }
    }

    pub(super) fn exporter(&self) -> Result<&Secret<64>> {
        self.exporter.as_ref().ok_or(Error::ChannelFailed)
    }

    pub(super) fn send(&mut self) -> Result<&mut Half> {
        self.send.as_mut().ok_or(Error::ChannelClosed)
    }

    pub(super) fn receive(&mut self) -> Result<&mut Half> {
        self.receive.as_mut().ok_or(Error::ChannelClosed)
    }

    /// Whether received tensors wait for their verdicts.
    pub(super) fn in_flight(&self) -> bool {
        self.receive.as_ref().is_some_and(|half| half.next != self.committed)
    }

    /// Whether the record may still be released, whatever happened to later ones.
    pub(super) fn may_release(&self, sequence: u64) -> Result<()> {
        match &self.end {
            Some((why, at)) if sequence >= *at => Err(why.clone()),
            _ => Ok(()),
        }
    }

    /// Releases a tensor in its turn.
    pub(super) fn release(&mut self, sequence: u64) -> Result<()> {
        if sequence != self.committed {
            return Err(Error::Usage("records are released in sequence order: settle the earlier ones first"));
        }
        self.committed += 1;
        self.release_controls();
        Ok(())
    }

    /// Notes a verified control record, which is released with the tensor before it.
    pub(super) fn control(&mut self, sequence: u64) {
        self.controls.push_back(sequence);
        self.release_controls();
    }

    fn release_controls(&mut self) {
        while self.controls.front() == Some(&self.committed) {
            self.controls.pop_front();
            self.committed += 1;
        }
    }
}

/// One direction.
pub(super) struct Half {
    secret: TrafficSecret,
    pub(super) keys: Arc<EpochKeys>,
    /// The next sequence number to use or expect.
    pub(super) next: u64,
    /// Chunks sealed or accepted under the present key.
    pub(super) chunks: u64,
}

impl Half {
    fn new(secret: TrafficSecret) -> Self {
        Half { keys: Arc::new(secret.keys()), secret, next: 0, chunks: 0 }
    }

    /// Whether a tensor of `chunks` fits under the present key with room left for control records.
    pub(super) fn has_room(&self, chunks: u64, max_chunks: u64) -> bool {
        self.chunks + chunks + CONTROL_RESERVE <= max_chunks
    }

    /// Takes a sequence number and chunks. Every nonce is used by whoever holds the returned number, once.
    pub(super) fn take(&mut self, chunks: u64) -> u64 {
        let sequence = self.next;
        self.next += 1;
        self.chunks += chunks;
        sequence
    }

    /// Whether enough sequence numbers are left for a tensor and what may have to go with it.
    pub(super) fn has_sequence(&self) -> bool {
        self.next <= u64::MAX - SEQUENCE_RESERVE
    }

    /// Whether this is an epoch after which another can come.
    pub(super) fn has_next_epoch(&self) -> bool {
        self.secret.epoch() < u32::MAX
    }
}

/// Moves a half to its next epoch and erases the old secret; records in flight keep the old key until they end.
pub(super) fn advance(half: &mut Option<Half>) {
    *half = half.take().and_then(|old| {
        let secret = old.secret.next()?;
        Some(Half { keys: Arc::new(secret.keys()), secret, next: old.next, chunks: 0 })
    });
}

#[cfg(test)]
impl State {
    pub(super) fn skip_to_sequence(&mut self, sequence: u64) {
        self.committed = sequence;
        for half in [&mut self.send, &mut self.receive].into_iter().flatten() {
            half.next = sequence;
        }
    }
}
