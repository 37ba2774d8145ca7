//! Every byte of every handshake message altered, cut, stretched, replayed, reordered, reflected: no session.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::*;
use pqc_gpu_driver::{
    channel::{HostConfig, HostHandshake},
    error::HandshakeFailure,
    identity::TrustPolicy,
};

/// All bits at full length, else one in each byte, another one from byte to byte.
fn bits(bytes: usize) -> Vec<usize> {
    if full() { (0..bytes * 8).collect() } else { (0..bytes).map(|at| at * 8 + at % 8).collect() }
}

fn flip(message: &mut [u8], bit: usize) {
    message[bit / 8] ^= 1 << (bit % 8);
}

#[test]
fn beyond_every_bit_of_m1() {
    in_parallel(&bits(start().1.len()), |&bit| {
        let (host, mut m1) = start();
        flip(&mut m1, bit);
        // The device may answer: it cannot know what the host sent. The host then finds another transcript.
        match device().receive_m1(&m1) {
            Ok((_, m2)) => assert_eq!(failure(host.receive_m2(&m2)), HandshakeFailure::Unauthenticated, "bit {bit}"),
            refused => drop(failure(refused)),
        }
    });
}

#[test]
fn beyond_every_bit_of_m2() {
    in_parallel(&bits(up_to_m2().2.len()), |&bit| {
        let (host, device, mut m2) = up_to_m2();
        flip(&mut m2, bit);
        let failed = failure(host.receive_m2(&m2));
        // Behind the header there is nothing that could fail in another way.
        assert!(bit < 96 || failed == HandshakeFailure::Unauthenticated, "bit {bit}: {failed}");
        drop(device);
    });
}

#[test]
fn beyond_every_bit_of_m3() {
    in_parallel(&bits(up_to_m3().2.len()), |&bit| {
        let (_, device, mut m3) = up_to_m3();
        flip(&mut m3, bit);
        let failed = failure(device.receive_m3(&m3));
        assert!(bit < 96 || failed == HandshakeFailure::Unauthenticated, "bit {bit}: {failed}");
    });
}

#[test]
fn beyond_every_bit_of_ready() {
    // All of them always: READY is short.
    in_parallel(&(0..80 * 8).collect::<Vec<_>>(), |&bit| {
        let (host, _, mut ready) = up_to_ready();
        assert_eq!(ready.len(), 80);
        flip(&mut ready, bit);
        assert_eq!(failure(host.receive_ready(&ready)), HandshakeFailure::Ready, "bit {bit}");
    });
}

/// Lengths to cut at: all of the first ones and the last ones, a sample between.
fn cuts(bytes: usize) -> Vec<usize> {
    let step = if full() { 1 } else { 61 };
    (0..40).chain((40..bytes - 40).step_by(step)).chain(bytes - 40..bytes).collect()
}

/// As cut by a network, and with a header that agrees.
fn both(message: &[u8]) -> [Vec<u8>; 2] {
    let mut agreeing = message.to_vec();
    if let Some(length) = message.len().checked_sub(12) {
        agreeing[8..12].copy_from_slice(&(length as u32).to_be_bytes());
    }
    [message.to_vec(), agreeing]
}

#[test]
fn beyond_messages_cut() {
    in_parallel(&cuts(start().1.len()), |&length| {
        for m1 in both(&start().1[..length]) {
            assert!(matches!(failure(device().receive_m1(&m1)), HandshakeFailure::Malformed(_)), "M1 of {length}");
        }
    });
    in_parallel(&cuts(up_to_m2().2.len()), |&length| {
        for i in 0..2 {
            let (host, _, m2) = up_to_m2();
            drop(failure(host.receive_m2(&both(&m2[..length])[i])));
        }
    });
    in_parallel(&cuts(up_to_m3().2.len()), |&length| {
        for i in 0..2 {
            let (_, device, m3) = up_to_m3();
            drop(failure(device.receive_m3(&both(&m3[..length])[i])));
        }
    });
    in_parallel(&(0..80).collect::<Vec<_>>(), |&length| {
        let (host, _, ready) = up_to_ready();
        assert_eq!(failure(host.receive_ready(&ready[..length])), HandshakeFailure::Ready);
    });
}

#[test]
fn beyond_messages_extended() {
    for extra in [1, 15, 16, 17, 64, 70_000] {
        let longer = |message: Vec<u8>| both(&[message, vec![0; extra]].concat());
        for i in 0..2 {
            let (host, m1) = start();
            assert!(matches!(failure(device().receive_m1(&longer(m1)[i])), HandshakeFailure::Malformed(_)));
            drop(host);
            let (host, _, m2) = up_to_m2();
            drop(failure(host.receive_m2(&longer(m2)[i])));
            let (_, device, m3) = up_to_m3();
            drop(failure(device.receive_m3(&longer(m3)[i])));
            let (host, _, ready) = up_to_ready();
            drop(failure(host.receive_ready(&[ready, vec![0; extra]].concat())));
        }
    }
}

#[test]
fn beyond_messages_of_another_handshake() {
    // M2, M3 and READY are bound to the very messages before them; identities and policies are the same here.
    let (host, device, _) = up_to_m2();
    let (_, _, other_m2) = up_to_m2();
    assert_eq!(failure(host.receive_m2(&other_m2)), HandshakeFailure::Unauthenticated);
    let (_, _, other_m3) = up_to_m3();
    assert_eq!(failure(device.receive_m3(&other_m3)), HandshakeFailure::Unauthenticated);
    let ((host, _, _), (_, _, other_ready)) = (up_to_ready(), up_to_ready());
    assert_eq!(failure(host.receive_ready(&other_ready)), HandshakeFailure::Ready);
}

#[test]
fn beyond_m1_repeated() {
    let (host, m1) = start();
    let (first, m2) = device().receive_m1(&m1).unwrap();
    let (second, other_m2) = device().receive_m1(&m1).unwrap();
    assert_ne!(m2, other_m2);
    let (_, m3) = host.receive_m2(&m2).unwrap();
    assert_eq!(failure(second.receive_m3(&m3)), HandshakeFailure::Unauthenticated);
    assert!(first.receive_m3(&m3).is_ok());
}

#[test]
fn beyond_messages_out_of_order() {
    let is_malformed = |failed| assert!(matches!(failed, HandshakeFailure::Malformed(_)), "{failed}");
    let messages = || {
        let (host, m1) = start();
        let (device, m2) = device().receive_m1(&m1).unwrap();
        let (_, m3) = host.receive_m2(&m2).unwrap();
        let (_, ready) = device.receive_m3(&m3).unwrap();
        [m1, m2, m3, ready]
    };
    for i in [1, 2, 3] {
        is_malformed(failure(device().receive_m1(&messages()[i])));
    }
    for i in [0, 2, 3] {
        is_malformed(failure(start().0.receive_m2(&messages()[i])));
    }
    for i in [0, 1, 3] {
        is_malformed(failure(up_to_m2().1.receive_m3(&messages()[i])));
    }
    for i in [0, 1, 2] {
        let (host, ..) = up_to_ready();
        assert_eq!(failure(host.receive_ready(&messages()[i])), HandshakeFailure::Ready);
    }
    // A type byte changed on the way makes no other message of it.
    let (_, device, mut m2) = up_to_m2();
    m2[6] = 3;
    drop(failure(device.receive_m3(&m2)));
    let ((host, ..), (_, _, mut m3)) = (up_to_m2(), up_to_m3());
    m3[6] = 2;
    drop(failure(host.receive_m2(&m3)));
}

#[test]
fn beyond_handshakes_reflected() {
    // A host's own messages come back to it.
    let (host, m1) = start();
    assert!(matches!(failure(host.receive_m2(&m1)), HandshakeFailure::Malformed(_)));
    let (host, _, m3) = up_to_m3();
    assert_eq!(failure(host.receive_ready(&m3)), HandshakeFailure::Ready);
    // The other end has this end's key, under every trust policy that would let it pass.
    let [identity, _] = identities();
    let mut device = device_config();
    device.identity = identity.clone();
    for trust in [TrustPolicy::AcceptAny, TrustPolicy::pin(identity.public_key().clone())] {
        for expected_device in [None, Some(identity.public_key().key_id())] {
            let config = HostConfig { trust: trust.clone(), expected_device, ..host_config() };
            assert_eq!(failure(run(config, device.clone())), HandshakeFailure::OwnKey);
        }
    }
    // A device's M2 goes back to it as M3.
    let (_, device, m2) = up_to_m2();
    drop(failure(device.receive_m3(&m2)));
}

#[test]
fn beyond_a_peer_in_the_middle() {
    // Someone trusted by the device puts his own handshake between: the host sees whom it talks to.
    let (host, m1) = start();
    let mut middle = device_config();
    middle.identity = identity(9);
    let refused = pqc_gpu_driver::channel::DeviceHandshake::new(middle.clone()).unwrap().receive_m1(&m1);
    assert!(matches!(failure(refused), HandshakeFailure::WrongPeer { .. }), "not the device asked for");
    // He drops the expectation from M1.
    let mut m1_any = m1.clone();
    m1_any[52..84].fill(0);
    let (_, m2) = pqc_gpu_driver::channel::DeviceHandshake::new(middle.clone()).unwrap().receive_m1(&m1_any).unwrap();
    assert_eq!(failure(host.receive_m2(&m2)), HandshakeFailure::Unauthenticated);
    // The host had no expectation, only pins.
    let (host, m1) = HostHandshake::start(HostConfig { expected_device: None, ..host_config() }).unwrap();
    let (_, m2) = pqc_gpu_driver::channel::DeviceHandshake::new(middle.clone()).unwrap().receive_m1(&m1).unwrap();
    let key_id = middle.identity.public_key().key_id();
    assert_eq!(failure(host.receive_m2(&m2)), HandshakeFailure::Untrusted(key_id));
}
