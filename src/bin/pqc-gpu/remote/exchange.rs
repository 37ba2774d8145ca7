//! Both directions of a session at once, and which failure of theirs is the cause.

use std::{
    net::Shutdown,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use pqc_gpu_driver::{
    ChannelSession, Error, block_on,
    transport::{Blocking, Limits, Receiver, Sender},
};

use crate::{
    failure::Failure,
    model::{Model, Tensor},
    output::Progress,
    timed::Timed,
};

/// A model on its way there and back.
pub(super) struct Exchange<'a> {
    pub(super) session: &'a ChannelSession,
    pub(super) model: &'a Model,
    pub(super) stream: Timed,
    pub(super) update_key_every: Option<u64>,
}

impl Exchange<'_> {
    /// Sends and receives at once: two ends that only write wait for each other for ever. Counts the tensors that came back as they
    /// went, and gives how long sealing took.
    pub(super) fn run(&self, verified: &mut usize) -> Result<Duration, Failure> {
        let cause = Mutex::new(None);
        let failed = |end: End| {
            // What waits for the other direction ends too; but what the peer said before it went must still be read.
            let half = if end.weight == Weight::Cause { Shutdown::Both } else { Shutdown::Write };
            End::weigh(&mut cause.lock().unwrap_or_else(PoisonError::into_inner), end);
            self.stream.shutdown(half);
        };
        let (sent, received) = thread::scope(|scope| {
            let sending =
                scope.spawn(|| block_on(self.send()).map_err(|error| failed(End::of(error, Failure::from))).ok());
            let received = block_on(self.receive(verified)).map_err(|end| {
                failed(end);
                self.stream.shutdown(Shutdown::Both);
            });
            (sending.join().ok().flatten(), received)
        });
        match (sent, received) {
            (Some(sealing), Ok(())) => Ok(sealing),
            _ => {
                let cause = cause.into_inner().unwrap_or_else(PoisonError::into_inner);
                let cause = cause.map(|end: End| end.failure);
                Err(cause.unwrap_or_else(|| Failure::other("a direction of the exchange ended for no reason")))
            }
        }
    }

    async fn send(&self) -> Result<Duration, Error> {
        let mut sender = Sender::new(self.session, Blocking(self.stream.clone()));
        let mut sealing = Duration::ZERO;
        for (number, Tensor { metadata, bytes }) in (0u64..).zip(self.model.tensors()) {
            if self.update_key_every.is_some_and(|every| number > 0 && number.is_multiple_of(every)) {
                sender.update_key().await?;
            }
            let (started, written) = (Instant::now(), sender.stream().0.writing);
            sender.send(metadata, bytes).await?;
            sealing += started.elapsed().saturating_sub(sender.stream().0.writing - written);
        }
        sender.close().await?;
        Ok(sealing)
    }

    async fn receive(&self, verified: &mut usize) -> Result<(), End> {
        let from_peer = |error| End::of(error, Failure::from_peer);
        let mut progress = Progress::bytes(self.model.tensor_bytes());
        let mut receiver = Receiver::new(self.session, Blocking(self.stream.clone()), Limits::default());
        let total = self.model.tensors().len();
        for Tensor { metadata, bytes } in self.model.tensors() {
            let Some(incoming) = receiver.next().await.map_err(from_peer)? else {
                let why = format!("the device end closed the session after {verified} of {total} tensors");
                return Err(Failure::other(why).into());
            };
            if incoming.metadata() != metadata {
                return Err(Failure::rejected(format!("another tensor than {} came back", metadata.name())).into());
            }
            // Compared as it comes: digests of a large tensor beforehand would keep the other end waiting for longer than it does.
            let (mut at, mut same) = (0, true);
            let take = |plaintext: &[u8]| {
                same &= bytes.get(at..at + plaintext.len()) == Some(plaintext);
                at += plaintext.len();
                progress.advance(plaintext.len() as u64);
                Ok(())
            };
            incoming.open(take).await.map_err(from_peer)?;
            if !same || at != bytes.len() {
                return Err(Failure::rejected(format!("tensor {} came back altered", metadata.name())).into());
            }
            *verified += 1;
        }
        if receiver.next().await.map_err(from_peer)?.is_some() {
            return Err(Failure::rejected("more tensors came back than were sent").into());
        }
        receiver.end().await.map_err(from_peer)
    }
}

/// Why a direction ended.
struct End {
    weight: Weight,
    failure: Failure,
}

/// How much an end explains. A direction mostly ends because the other one has: it finds the session over, or the connection gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    SessionOver,
    ConnectionGone,
    Cause,
}

impl End {
    fn of(error: Error, told: fn(Error) -> Failure) -> Self {
        let weight = match error {
            Error::ChannelFailed => Weight::SessionOver,
            Error::Truncated => Weight::ConnectionGone,
            _ => Weight::Cause,
        };
        End { weight, failure: told(error) }
    }

    /// Keeps the one that explains more, of equals the first.
    fn weigh(kept: &mut Option<End>, other: End) {
        if kept.as_ref().is_none_or(|kept| kept.weight < other.weight) {
            *kept = Some(other);
        }
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        End { weight: Weight::Cause, failure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_told_in_whatever_order_the_directions_end() {
        let end = |error: &Error| End::of(error.clone(), Failure::from_peer);
        let closed = || End::from(Failure::other("the device end closed the session"));
        for (consequence, cause) in [
            (Error::ChannelFailed, Error::Decryption),
            (Error::Truncated, Error::TimedOut),
            (Error::ChannelFailed, Error::Truncated),
        ] {
            for (first, second) in [(&consequence, &cause), (&cause, &consequence)] {
                let mut kept = None;
                End::weigh(&mut kept, end(first));
                End::weigh(&mut kept, end(second));
                assert_eq!(kept.map(|end| end.failure.to_string()), Some(cause.to_string()));
            }
        }
        let mut kept = None;
        for end in [end(&Error::Truncated), closed(), end(&Error::TimedOut)] {
            End::weigh(&mut kept, end);
        }
        assert_eq!(kept.map(|end| end.failure.to_string()), Some(closed().failure.to_string()));
    }
}
