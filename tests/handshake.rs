//! The handshake: what it gives when all is well, and that nothing else than it gives anything.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use common::*;
use pqc_gpu_driver::{
    Error, TensorMetadata,
    channel::{
        DeviceConfig, DeviceHandshake, HostConfig, HostHandshake,
        handshake::AttestationCheck,
        message::{
            HEADER_BYTES, M1_BYTES, MAX_ATTESTATION_BYTES, MAX_M2_BYTES, MAX_M3_BYTES, MessageType, SessionPolicy,
            parse_header,
        },
        record::Direction,
    },
    error::HandshakeFailure,
    identity::TrustPolicy,
};

#[test]
fn both_ends_hold_the_same_session() {
    let policy = SessionPolicy { ttl_seconds: 77, log2_chunks: 23 };
    let host = HostConfig { policy, label: "Gästgeber 🖥".into(), ..host_config() };
    let (host, device) = run(host, device_config()).unwrap();
    assert_eq!(host.session_id(), device.session_id());
    assert_ne!(*host.session_id(), [0; 32]);
    assert_eq!((host.policy(), device.policy()), (policy, policy));
    assert_eq!((host.direction(), device.direction()), (Direction::HostToDevice, Direction::DeviceToHost));
    assert_eq!((host.peer().label(), device.peer().label()), ("device", "Gästgeber 🖥"));
    let [host_identity, device_identity] = identities();
    assert_eq!(host.peer().public_key(), device_identity.public_key());
    assert_eq!(device.peer().key_id(), host_identity.public_key().key_id());
    assert_eq!((host.peer().attestation(), device.peer().attestation()), (&b"attestation"[..], &[][..]));
    assert!(host.is_valid() && device.is_valid());
    for bytes in [0, 1, 16384, 100_000] {
        send(&host, &device, bytes);
        send(&device, &host, bytes);
    }
}

#[test]
fn exported_keying_material_is_the_sessions_own() {
    let export = |session: &pqc_gpu_driver::ChannelSession, label: &str, context: &[u8]| {
        let mut out = [0; 40];
        session.export(label, context, &mut out).unwrap();
        out
    };
    let ((host, device), (other, _)) = (sessions(), sessions());
    let material = export(&host, "a", b"c");
    assert_eq!(material, export(&device, "a", b"c"));
    for different in [export(&host, "b", b"c"), export(&host, "a", b"d"), export(&other, "a", b"c")] {
        assert_ne!(material, different);
    }
    assert_eq!(host.export(&"x".repeat(249), b"", &mut [0; 16_320]), Ok(()));
    assert!(matches!(host.export(&"x".repeat(250), b"", &mut [0; 1]), Err(Error::Usage(_))));
    assert!(matches!(host.export("x", b"", &mut [0; 16_321]), Err(Error::Usage(_))));
    assert!(host.is_valid());
}

#[test]
fn accept_any_is_said_by_name() {
    let host = HostConfig { trust: TrustPolicy::AcceptAny, expected_device: None, ..host_config() };
    let device = DeviceConfig { trust: TrustPolicy::AcceptAny, ..device_config() };
    let (host, device) = run(host, device).unwrap();
    send(&host, &device, 5);
}

#[test]
fn untrusted_peers_are_refused_by_either_role() {
    let [host, device] = identities();
    let stranger = identity(3);
    for trust in [TrustPolicy::Pinned(vec![]), TrustPolicy::pin(stranger.public_key().clone())] {
        let (refusing, m1) = HostHandshake::start(HostConfig { trust: trust.clone(), ..host_config() }).unwrap();
        let (_, m2) = common::device().receive_m1(&m1).unwrap();
        let found = device.public_key().key_id();
        assert_eq!(failure(refusing.receive_m2(&m2)), HandshakeFailure::Untrusted(found));

        let (host_state, m1) = start();
        let device = DeviceHandshake::new(DeviceConfig { trust, ..device_config() }).unwrap();
        let (device, m2) = device.receive_m1(&m1).unwrap();
        let (_, m3) = host_state.receive_m2(&m2).unwrap();
        assert_eq!(failure(device.receive_m3(&m3)), HandshakeFailure::Untrusted(host.public_key().key_id()));
    }
    // One of several pins suffices.
    let pins = [&stranger, device].map(|identity| identity.public_key().clone());
    let host = HostConfig { trust: TrustPolicy::Pinned(pins.to_vec()), ..host_config() };
    assert!(run(host, device_config()).is_ok());
}

#[test]
fn the_expected_device_answers_or_none() {
    let stranger = identity(3).public_key().key_id();
    let found = identities()[1].public_key().key_id();
    let host = HostConfig { expected_device: Some(stranger), ..host_config() };
    let mismatch = HandshakeFailure::WrongPeer { expected: stranger, found };
    assert_eq!(failure(run(host, device_config())), mismatch, "the device refuses");
    // All zeros on the wire mean any device, but not to a host that asked for the key-id of all zeros.
    let zero = format!("did:pqaid:{}", "0".repeat(64)).parse().unwrap();
    let host = HostConfig { expected_device: Some(zero), ..host_config() };
    let mismatch = HandshakeFailure::WrongPeer { expected: zero, found };
    assert_eq!(failure(run(host, device_config())), mismatch, "the host compares");
}

#[test]
fn the_attestation_check_sees_bytes_and_key_and_decides() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let check = |verdict: Result<(), String>| -> Option<Arc<AttestationCheck>> {
        let seen = seen.clone();
        Some(Arc::new(move |bytes, key| {
            seen.lock().unwrap().push((bytes.to_vec(), key.key_id()));
            verdict.clone()
        }))
    };
    run(HostConfig { attestation_check: check(Ok(())), ..host_config() }, device_config()).unwrap();
    let empty = DeviceConfig { attestation: vec![], ..device_config() };
    let refusing = HostConfig { attestation_check: check(Err("no driver".into())), ..host_config() };
    assert_eq!(failure(run(refusing, empty)), HandshakeFailure::Attestation("no driver".into()));
    let key_id = identities()[1].public_key().key_id();
    assert_eq!(*seen.lock().unwrap(), [(b"attestation".to_vec(), key_id), (vec![], key_id)]);
    // It is not even asked about a device that proved nothing.
    let (host, m1) = HostHandshake::start(HostConfig { attestation_check: check(Ok(())), ..host_config() }).unwrap();
    let (_, mut m2) = device().receive_m1(&m1).unwrap();
    m2[2000] ^= 1;
    assert!(host.receive_m2(&m2).is_err());
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[test]
fn labels_and_attestations_have_bounds() {
    let long = "x".repeat(256);
    let host = HostConfig { label: long.clone(), ..host_config() };
    assert!(matches!(HostHandshake::start(host), Err(Error::Usage(_))));
    let device = DeviceConfig { label: long.clone(), ..device_config() };
    assert!(matches!(DeviceHandshake::new(device), Err(Error::Usage(_))));
    let device = DeviceConfig { attestation: vec![0; MAX_ATTESTATION_BYTES + 1], ..device_config() };
    assert!(matches!(DeviceHandshake::new(device), Err(Error::Usage(_))));

    // All at their longest still fit a receiver's buffers, and exactly.
    let (host, m1) = HostHandshake::start(HostConfig { label: long[1..].into(), ..host_config() }).unwrap();
    let attestation = vec![7; MAX_ATTESTATION_BYTES];
    let device = DeviceConfig { label: long[1..].into(), attestation: attestation.clone(), ..device_config() };
    let (device, m2) = DeviceHandshake::new(device).unwrap().receive_m1(&m1).unwrap();
    let (host, m3) = host.receive_m2(&m2).unwrap();
    assert_eq!((m1.len(), m2.len(), m3.len()), (M1_BYTES, MAX_M2_BYTES, MAX_M3_BYTES));
    let (_, ready) = device.receive_m3(&m3).unwrap();
    assert_eq!(host.receive_ready(&ready).unwrap().peer().attestation(), attestation);
    // Empty ones do, too.
    let (host, device) = (HostConfig { label: String::new(), ..host_config() }, device_config());
    assert!(run(host, DeviceConfig { label: String::new(), attestation: vec![], ..device }).is_ok());
}

#[test]
fn policies_are_checked_by_both_roles() {
    let policies = [(0, 24), (0, 23), (60, 22), (60, 25), (60, 0), (60, 255)];
    for (ttl_seconds, log2_chunks) in policies {
        let policy = SessionPolicy { ttl_seconds, log2_chunks };
        let failed = failure(HostHandshake::start(HostConfig { policy, ..host_config() }));
        assert!(matches!(failed, HandshakeFailure::Policy(_)));
        // A host of other making.
        let (_, mut m1) = start();
        m1[44..48].copy_from_slice(&ttl_seconds.to_be_bytes());
        m1[48] = log2_chunks;
        assert!(matches!(failure(device().receive_m1(&m1)), HandshakeFailure::Policy(_)));
    }
    // Flags and reserved bytes.
    for bit in 0..24 {
        let (_, mut m1) = start();
        m1[49 + bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(failure(device().receive_m1(&m1)), HandshakeFailure::Policy(_)));
    }
    for (ttl_seconds, max_ttl_seconds) in [(61, 60), (u32::MAX, u32::MAX - 1), (1, 0)] {
        let policy = SessionPolicy { ttl_seconds, log2_chunks: 24 };
        let failed =
            failure(run(HostConfig { policy, ..host_config() }, DeviceConfig { max_ttl_seconds, ..device_config() }));
        assert!(matches!(failed, HandshakeFailure::Policy(_)), "a longer lifetime than the device allows");
    }
    let policy = SessionPolicy { ttl_seconds: u32::MAX, log2_chunks: 24 };
    let device = DeviceConfig { max_ttl_seconds: u32::MAX, ..device_config() };
    assert!(run(HostConfig { policy, ..host_config() }, device).is_ok());
}

#[test]
fn beyond_encapsulation_key_of_non_canonical_coefficients() {
    // FIPS 203, section 7.2: all of 768 coefficients of 12 bits must be below 3329.
    let with = |coefficient: usize, value: u16| {
        let (_, mut m1) = start();
        let at = 84 + coefficient / 2 * 3;
        if coefficient.is_multiple_of(2) {
            m1[at] = value as u8;
            m1[at + 1] = m1[at + 1] & 0xf0 | (value >> 8) as u8;
        } else {
            m1[at + 1] = m1[at + 1] & 0x0f | (value << 4) as u8;
            m1[at + 2] = (value >> 4) as u8;
        }
        device().receive_m1(&m1)
    };
    in_parallel(&(0..768).collect::<Vec<_>>(), |&coefficient| {
        assert_eq!(failure(with(coefficient, 0xfff)), HandshakeFailure::EncapsulationKey);
        assert_eq!(failure(with(coefficient, 3329)), HandshakeFailure::EncapsulationKey);
    });
    for coefficient in [0, 1, 766, 767] {
        assert!(with(coefficient, 3328).is_ok(), "canonical, though it will agree with nobody");
    }
}

#[test]
fn other_versions_suites_and_types_are_named() {
    let m1 = start().1;
    let header = |at: usize, value: u8| {
        let mut message = m1.clone();
        message[at] = value;
        let from_parse = parse_header(message.first_chunk().unwrap()).unwrap_err();
        assert_eq!(failure(device().receive_m1(&message)), from_parse);
        from_parse
    };
    assert_eq!(parse_header(m1.first_chunk().unwrap()), Ok((MessageType::M1, M1_BYTES - HEADER_BYTES)));
    for suite in [0x00, 0x02, 0x03, 0x81, 0xff] {
        assert_eq!(header(7, suite), HandshakeFailure::Suite(suite));
    }
    assert_eq!(header(5, 2), HandshakeFailure::Version(2));
    assert_eq!(header(5, 0), HandshakeFailure::Version(0));
    assert_eq!(header(4, 1), HandshakeFailure::Version(0x101));
    for at in 0..4 {
        assert!(matches!(header(at, 0), HandshakeFailure::Malformed(_)));
    }
    for kind in [0, 4, 5, 255] {
        assert!(matches!(header(6, kind), HandshakeFailure::Malformed(_)));
    }
    for (at, value) in [(8, 1), (9, 1), (10, 0xff)] {
        assert!(matches!(header(at, value), HandshakeFailure::Malformed(_)), "longer than an M1 can be");
    }
}

#[test]
fn header_lengths_must_be_the_bodys() {
    let lies = |message: &[u8]| {
        let length = (message.len() - HEADER_BYTES) as u32;
        [0, 1, length - 1, length + 1, length / 2, u32::MAX].map(|lie| {
            let mut message = message.to_vec();
            message[8..12].copy_from_slice(&lie.to_be_bytes());
            message
        })
    };
    for lie in lies(&start().1) {
        assert!(matches!(failure(device().receive_m1(&lie)), HandshakeFailure::Malformed(_)));
    }
    for i in 0..6 {
        let (host, _, m2) = up_to_m2();
        assert!(matches!(failure(host.receive_m2(&lies(&m2)[i])), HandshakeFailure::Malformed(_)));
        let (_, device, m3) = up_to_m3();
        assert!(matches!(failure(device.receive_m3(&lies(&m3)[i])), HandshakeFailure::Malformed(_)));
    }
}

#[test]
fn a_handshake_older_than_its_session_gives_none() {
    let clock = TestClock::new();
    let policy = SessionPolicy { ttl_seconds: 60, log2_chunks: 24 };
    let begin = || {
        let host = HostConfig { clock: clock.clone(), policy, ..host_config() };
        let (host, m1) = HostHandshake::start(host).unwrap();
        let device = DeviceConfig { clock: clock.clone(), ..device_config() };
        let (device, m2) = DeviceHandshake::new(device).unwrap().receive_m1(&m1).unwrap();
        let (host, m3) = host.receive_m2(&m2).unwrap();
        (host, device, m3)
    };
    let (_, device, m3) = begin();
    clock.advance(Duration::from_secs(60));
    assert!(matches!(device.receive_m3(&m3), Err(Error::ChannelExpired)));
    let (host, device, m3) = begin();
    let (_, ready) = device.receive_m3(&m3).unwrap();
    clock.advance(Duration::from_secs(60));
    assert!(matches!(host.receive_ready(&ready), Err(Error::ChannelExpired)));
}

#[test]
fn a_device_does_not_send_tensors_before_the_host_took_ready() {
    // The device may seal at once, but READY keeps its place before everything.
    let (host, device, ready) = up_to_ready();
    let tensor = device.encrypt_tensor(b"", &TensorMetadata::new("", "", pqc_gpu_driver::DType::U8, [0]).unwrap());
    assert_eq!(tensor.as_ref().unwrap().header().sequence, 1);
    assert_eq!(failure(host.receive_ready(&tensor.unwrap().as_bytes()[..80])), HandshakeFailure::Ready);
    let (host, device, _) = up_to_ready();
    assert_eq!(failure(host.receive_ready(&device.close().unwrap())), HandshakeFailure::Ready);
    let (host, _, _) = up_to_ready();
    assert_eq!(failure(host.receive_ready(&ready)), HandshakeFailure::Ready, "READY of another session");
}
