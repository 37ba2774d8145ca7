//! Two fixed identities and the steps of a handshake between them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, missing_docs)]

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use pqc_gpu_driver::{
    ChannelSession, DType, EncryptedTensor, Error, TensorMetadata,
    channel::{
        Clock, DeviceConfig, DeviceHandshake, HostConfig, HostHandshake, Timestamp,
        handshake::{DeviceAwaitsM3, HostAwaitsReady},
        message::SessionPolicy,
    },
    error::HandshakeFailure,
    identity::{Identity, TrustPolicy},
};

/// Says what it was last told.
pub struct TestClock(pub Mutex<Timestamp>);

impl TestClock {
    pub fn new() -> Arc<Self> {
        let (monotonic, wall) = (Duration::from_secs(10), Duration::from_secs(1_800_000_000));
        Arc::new(TestClock(Mutex::new(Timestamp { monotonic, wall })))
    }

    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        (now.monotonic, now.wall) = (now.monotonic + by, now.wall + by);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub fn identity(seed: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seeds([seed; 32].into(), [seed; 64].into()).unwrap())
}

/// The host's and the device's identity. Expanding a key takes longer than a handshake's other steps.
pub fn identities() -> &'static [Arc<Identity>; 2] {
    static IDENTITIES: OnceLock<[Arc<Identity>; 2]> = OnceLock::new();
    IDENTITIES.get_or_init(|| [identity(1), identity(2)])
}

/// A host that pins the device and asks for it.
pub fn host_config() -> HostConfig {
    let [host, device] = identities();
    HostConfig {
        identity: host.clone(),
        label: "host".into(),
        trust: TrustPolicy::pin(device.public_key().clone()),
        expected_device: Some(device.public_key().key_id()),
        policy: SessionPolicy::default(),
        attestation_check: None,
        clock: TestClock::new(),
    }
}

/// A device that pins the host.
pub fn device_config() -> DeviceConfig {
    let [host, device] = identities();
    DeviceConfig {
        identity: device.clone(),
        label: "device".into(),
        trust: TrustPolicy::pin(host.public_key().clone()),
        max_ttl_seconds: 86_400,
        attestation: b"attestation".to_vec(),
        clock: TestClock::new(),
    }
}

pub fn start() -> (HostHandshake, Vec<u8>) {
    HostHandshake::start(host_config()).unwrap()
}

pub fn device() -> DeviceHandshake {
    DeviceHandshake::new(device_config()).unwrap()
}

/// Both ends after M2 was made.
pub fn up_to_m2() -> (HostHandshake, DeviceAwaitsM3, Vec<u8>) {
    let (host, m1) = start();
    let (device, m2) = device().receive_m1(&m1).unwrap();
    (host, device, m2)
}

/// Both ends after M3 was made.
pub fn up_to_m3() -> (HostAwaitsReady, DeviceAwaitsM3, Vec<u8>) {
    let (host, device, m2) = up_to_m2();
    let (host, m3) = host.receive_m2(&m2).unwrap();
    (host, device, m3)
}

/// The host and the device's session after READY was made.
pub fn up_to_ready() -> (HostAwaitsReady, ChannelSession, Vec<u8>) {
    let (host, device, m3) = up_to_m3();
    let (device, ready) = device.receive_m3(&m3).unwrap();
    (host, device, ready)
}

/// A whole handshake.
pub fn run(host: HostConfig, device: DeviceConfig) -> Result<(ChannelSession, ChannelSession), Error> {
    let (host, m1) = HostHandshake::start(host)?;
    let (device, m2) = DeviceHandshake::new(device)?.receive_m1(&m1)?;
    let (host, m3) = host.receive_m2(&m2)?;
    let (device, ready) = device.receive_m3(&m3)?;
    Ok((host.receive_ready(&ready)?, device))
}

/// The host's session and the device's.
pub fn sessions() -> (ChannelSession, ChannelSession) {
    run(host_config(), device_config()).unwrap()
}

/// Why a handshake step failed. Any other error than a handshake's own fails the test.
#[track_caller]
pub fn failure<T>(result: Result<T, Error>) -> HandshakeFailure {
    match result {
        Ok(_) => panic!("the handshake went on"),
        Err(Error::ChannelEstablishment(failure)) => failure,
        Err(other) => panic!("another error: {other}"),
    }
}

pub fn metadata(bytes: usize) -> TensorMetadata {
    TensorMetadata::new("id", "name", DType::U8, [bytes as u64]).unwrap()
}

pub fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i % 251) as u8 ^ (i / 16384) as u8).collect()
}

pub fn seal(session: &ChannelSession, bytes: usize) -> EncryptedTensor {
    session.encrypt_tensor(&content(bytes), &metadata(bytes)).unwrap()
}

/// Where a record's body begins, and the body, told from its bytes.
pub trait Body {
    fn body_start(&self) -> usize;
    fn body(&self) -> &[u8];
}

impl Body for EncryptedTensor {
    fn body_start(&self) -> usize {
        64 + self.header().metadata_bytes as usize
    }

    fn body(&self) -> &[u8] {
        &self.as_bytes()[self.body_start()..]
    }
}

/// Sends a tensor as bytes.
#[track_caller]
pub fn send(from: &ChannelSession, to: &ChannelSession, bytes: usize) {
    let tensor = EncryptedTensor::from_bytes(seal(from, bytes).as_bytes()).unwrap();
    assert_eq!(to.decrypt_tensor(&tensor).unwrap(), content(bytes));
}

/// Whether the long versions of tests were asked for.
pub fn full() -> bool {
    std::env::var("PQC_GPU_TESTS").is_ok_and(|value| value == "full")
}

/// Runs `work` on each item, on all cores.
pub fn in_parallel<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for part in items.chunks(items.len().div_ceil(threads).max(1)) {
            let work = &work;
            scope.spawn(move || part.iter().for_each(work));
        }
    });
}
