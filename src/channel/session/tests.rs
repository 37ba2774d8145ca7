//! Sessions without handshakes, under keys of few chunks and a clock that says what it is told.
#![allow(clippy::unwrap_used, missing_docs)]

mod closing;
mod epochs;
mod lifetime;
mod model;
mod release;
mod tamper;

use core::time::Duration;

use super::*;
use crate::{
    channel::schedule::{self, Traffic},
    tensor::{DType, TensorMetadata},
};

const TTL: u32 = 100;

/// Says what it was last told.
struct TestClock(Mutex<Timestamp>);

impl Default for TestClock {
    /// Neither clock starts at zero, so that differences count and not readings.
    fn default() -> Self {
        let (monotonic, wall) = (Duration::from_secs(5000), Duration::from_secs(1_800_000_000));
        TestClock(Mutex::new(Timestamp { monotonic, wall }))
    }
}

impl TestClock {
    fn advance(&self, by: Duration) {
        self.change(|now| (now.monotonic, now.wall) = (now.monotonic + by, now.wall + by));
    }

    fn change(&self, how: impl FnOnce(&mut Timestamp)) {
        how(&mut self.0.lock().unwrap());
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// One end, keyed by `traffic`.
fn end(local: Direction, traffic: Traffic, max_chunks: u64, clock: &Arc<TestClock>) -> ChannelSession {
    let session_id = traffic.session_id;
    ChannelSession {
        inner: Arc::new(Inner {
            local,
            session_id,
            peer: Peer {
                label: "peer".into(),
                public_key: PublicKey::from_bytes(&[0; 1952]).unwrap(),
                attestation: Vec::new(),
            },
            policy: SessionPolicy { ttl_seconds: TTL, log2_chunks: 24 },
            max_chunks,
            clock: clock.clone(),
            state: Mutex::new(State::new(local, traffic, clock.now())),
            delivery: Mutex::new(()),
        }),
    }
}

struct Pair {
    host: ChannelSession,
    device: ChannelSession,
    clock: Arc<TestClock>,
}

fn pair(max_chunks: u64) -> Pair {
    unequal_pair(max_chunks, max_chunks)
}

/// Ends that disagree on the chunks a key may carry.
fn unequal_pair(host_chunks: u64, device_chunks: u64) -> Pair {
    let clock = Arc::new(TestClock::default());
    Pair {
        host: end(Direction::HostToDevice, schedule::tests::traffic(), host_chunks, &clock),
        device: end(Direction::DeviceToHost, schedule::tests::traffic(), device_chunks, &clock),
        clock,
    }
}

fn metadata(bytes: usize) -> TensorMetadata {
    TensorMetadata::new("id", "name", DType::U8, [bytes as u64]).unwrap()
}

/// Bytes that differ from tensor to tensor.
fn content(bytes: usize, salt: u8) -> Vec<u8> {
    (0..bytes).map(|i| (i % 251) as u8 ^ (i / 16384) as u8 ^ salt).collect()
}

fn sealed(from: &ChannelSession, bytes: usize, salt: u8) -> Result<EncryptedTensor> {
    from.encrypt_tensor(&content(bytes, salt), &metadata(bytes))
}

/// Sends a tensor over a wire of bytes and compares what comes out.
#[track_caller]
fn send(from: &ChannelSession, to: &ChannelSession, bytes: usize, salt: u8) -> EncryptedTensor {
    let tensor = EncryptedTensor::from_bytes(sealed(from, bytes, salt).unwrap().as_bytes()).unwrap();
    assert_eq!(to.decrypt_tensor(&tensor).unwrap(), content(bytes, salt));
    tensor
}

/// Reserves a sealed tensor's place.
fn reserve(at: &ChannelSession, tensor: &EncryptedTensor) -> Result<Pending> {
    if let Some(record) = tensor.key_update() {
        assert_eq!(at.receive_control(record)?, Control::KeyUpdate);
    }
    at.reserve(tensor.header_bytes(), tensor.metadata_bytes())
}

/// Nothing can be done with an ended session, and it holds no key.
#[track_caller]
fn assert_over(session: &ChannelSession, why: &Error) {
    assert!(!session.is_valid());
    assert_eq!(sealed(session, 1, 0).unwrap_err(), *why);
    assert_eq!(session.update_key().unwrap_err(), *why);
    assert_eq!(session.close().unwrap_err(), *why);
    assert_eq!(session.export("label", b"", &mut [0; 32]).unwrap_err(), *why);
    assert_eq!(session.receive_control(&[0; 80]).unwrap_err(), *why);
    assert_eq!(session.reserve(&[0; 64], &[]).err().unwrap(), *why);
    assert_eq!(session.transport_ended().unwrap_err(), *why);
    let state = session.inner.lock();
    assert!(state.send.is_none() && state.receive.is_none() && state.exporter().is_err());
}
