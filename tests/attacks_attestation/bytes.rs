//! What an attestation may be made of.

use pqc_gpu_driver::{
    Error,
    attest::{Check, DriverAttestation, MAX_ATTESTATION_BYTES},
    error::AttestationFailure,
};
use proptest::prelude::*;

use super::forge::*;

#[track_caller]
fn malformed(bytes: &[u8]) {
    let failure = DriverAttestation::decode(bytes).unwrap_err();
    assert!(matches!(failure, Error::DriverAttestation(AttestationFailure::Malformed(_))), "{failure:?}");
    refused_at(&verify(bytes), Check::Form);
}

/// A protected header under which everything is signed as it should be.
fn with_protected(protected: Vec<u8>) -> Vec<u8> {
    Forge { protected, ..Forge::new(VENDOR) }.finish()
}

fn with_payload(payload: Vec<u8>) -> Vec<u8> {
    Forge { payload, ..Forge::new(VENDOR) }.finish()
}

#[test]
fn no_bit_can_be_flipped() {
    let good = honest(7).as_bytes().to_vec();
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(!verify(&bytes).passed(), "bit {bit}");
    }
}

#[test]
fn attack_a04_algorithm_not_signed() {
    let id = *identity(VENDOR).public_key().key_id().as_bytes();
    let header = |algorithm: i64| {
        cbor(|out| drop(out.map(2).unwrap().u8(1).unwrap().i64(algorithm).unwrap().u8(4).unwrap().bytes(&id)))
    };
    assert!(verify(&with_protected(header(-49))).passed());
    // ML-DSA-44 and -87, EdDSA, ES256, none: refused though all of it is signed by the vendor.
    for algorithm in [-48, -50, -8, -7, 0, 1, 49, i64::MIN, i64::MAX] {
        malformed(&with_protected(header(algorithm)));
    }
    // The algorithm where it is not signed; and not at all; and twice; and one header more; and no key-id.
    let only_kid = cbor(|out| drop(out.map(1).unwrap().u8(4).unwrap().bytes(&id)));
    let mut moved = Forge { protected: only_kid.clone(), ..Forge::new(VENDOR) };
    moved.unprotected = cbor(|out| drop(out.map(1).unwrap().u8(1).unwrap().i8(-49)));
    malformed(&moved.finish());
    malformed(&with_protected(only_kid));
    let mut doubled = Forge::new(VENDOR);
    doubled.unprotected = moved.unprotected.clone();
    malformed(&doubled.finish());
    malformed(&with_protected([&[0xa3][..], &header(-49)[1..], &[5, 0]].concat()));
    malformed(&with_protected([&[0xa3][..], &header(-49)[1..], &[1, 0x38, 48]].concat()));
    malformed(&with_protected(vec![0xa1, 1, 0x38, 48]));
    malformed(&with_protected(vec![]));
    malformed(&with_protected(cbor(|out| {
        drop(out.map(2).unwrap().u8(4).unwrap().bytes(&id).unwrap().u8(1).unwrap().i8(-49))
    })));
    malformed(&with_protected(cbor(|out| {
        drop(out.map(2).unwrap().u8(1).unwrap().i8(-49).unwrap().u8(4).unwrap().bytes(&id[1..]))
    })));
}

#[test]
fn attack_a12_no_domain_separation() {
    // The vendor's signature over the same payload for another purpose: another context, and each part of ours bare.
    for aad in [&b""[..], b"pqgt driver v2", b"pqgt driver v", b"pqgt sealed v1"] {
        refused_at(&verify(&Forge { aad: aad.into(), ..Forge::new(VENDOR) }.finish()), Check::Signature);
    }
    let forge = Forge::new(VENDOR);
    let handshake = [&[0x20; 64][..], b"pqgt channel v1 device", &[0], &forge.payload].concat();
    for message in [&forge.payload, &forge.protected, &handshake] {
        refused_at(&verify(&forge.with_signature(&forge.sign(message))), Check::Signature);
    }
    // A signature of COSE_Sign's kind over the same parts.
    let signed = forge.signed_bytes();
    let other = [&[signed[0], 0x69], &b"Signature"[..], &signed[12..]].concat();
    assert_eq!(&signed[1..12], b"\x6aSignature1");
    refused_at(&verify(&forge.with_signature(&forge.sign(&other))), Check::Signature);
}

#[test]
fn attack_a14_hostile_input_crashes_verify() {
    let good = honest(7).as_bytes().to_vec();
    for cut in (0..good.len()).step_by(if std::env::var_os("PQC_GPU_TESTS").is_some() { 1 } else { 7 }) {
        malformed(&good[..cut]);
    }
    malformed(&[&good[..], &[0]].concat());
    malformed(&vec![0; MAX_ATTESTATION_BYTES + 1]);
    malformed(&vec![0xd2; MAX_ATTESTATION_BYTES]);
    // Deep nesting, lengths that lie, the tag missing, twice, another's.
    malformed(&[0x81; 60_000]);
    malformed(&[0xd2, 0x84, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    malformed(&[0xd2, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    malformed(&good[1..]);
    malformed(&[&[0xd2][..], &good].concat());
    malformed(&[&[0xd1][..], &good[1..]].concat());
    malformed(&[&[0xd8, 18][..], &good[1..]].concat());
    // Indefinite lengths, of the array and of its payload.
    malformed(&[&[0xd2, 0x9f][..], &good[2..], &[0xff]].concat());
    let body = payload([7, NOW, NOW + 100, NOW]);
    malformed(&with_payload([&[0xbf][..], &body[1..], &[0xff]].concat()));
    malformed(&with_payload([&body[..], &[0]].concat()));
    malformed(&with_payload([&[0xaa][..], &body[1..], &[10, 0]].concat()));
    malformed(&with_payload([&[0xa8][..], &body[1..body.len() - 6]].concat()));
    malformed(&with_payload(vec![]));
    // A text that is none, and one that would drive a terminal.
    let at = body.windows(9).position(|window| window == b"nvidia.ko").unwrap();
    for byte in [0xff, 0x1b, 0] {
        let mut bent = body.clone();
        bent[at] = byte;
        malformed(&with_payload(bent));
    }
}

#[test]
fn attack_a20_lax_integers() {
    let good = payload([7, NOW, NOW + 100, NOW]);
    assert!(verify(&with_payload(good.clone())).passed());
    // 6: 7 as two bytes, as three, as a big integer, negative, a float, true, null, text.
    let at = good.windows(2).position(|window| window == [6, 7]).unwrap() + 1;
    for other in [
        &[0x18, 7][..],
        &[0x19, 0, 7],
        &[0x1b, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0xc2, 0x41, 7],
        &[0x26],
        &[0xf9, 0x47, 0],
        &[0xf5],
        &[0xf6],
        &[0x61, b'7'],
    ] {
        malformed(&with_payload([&good[..at], other, &good[at + 1..]].concat()));
    }
    // All of u64 is there, and no order of times but one.
    let largest = [u64::MAX, NOW, u64::MAX, 0];
    assert_eq!(verify(&with_payload(payload(largest))).attestation().unwrap().module().security_version(), u64::MAX);
    for times in [[NOW, NOW - 1, NOW - 2], [NOW, NOW + 100, NOW + 1], [0, u64::MAX, u64::MAX]] {
        malformed(&with_payload(payload([7, times[0], times[1], times[2]])));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!verify(&bytes).passed());
        let inner = Forge { payload: bytes.clone(), ..Forge::new(VENDOR) }.with_signature(&[0; 3309]);
        prop_assert!(!verify(&inner).passed());
        let header = Forge { protected: bytes, ..Forge::new(VENDOR) }.with_signature(&[0; 3309]);
        prop_assert!(!verify(&header).passed());
    }
}
