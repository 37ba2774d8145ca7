//! How keys come about and what they are good for.

use pqc_gpu_driver::{
    EncryptedTensor, Error,
    channel::message::{M1_BYTES, parse_header},
    channel::suite::{SUITE, SUITE_NAME},
    error::HandshakeFailure,
    identity::ENCAPSULATION_KEY_BYTES,
};

use super::{common::*, independent};

#[test]
fn attack_c01_key_known_to_one_party_alone() {
    // The same M1, answered twice by the same device: both halves of the secret count.
    let (host, m1) = start();
    let (first, m2) = device().receive_m1(&m1).unwrap();
    let (second, other_m2) = device().receive_m1(&m1).unwrap();
    // Who has the device's identity and both messages, but not what was encapsulated, cannot go on.
    let (waiting, m3) = host.receive_m2(&m2).unwrap();
    assert_eq!(failure(second.receive_m3(&m3)), HandshakeFailure::Unauthenticated);
    let (device_session, ready) = first.receive_m3(&m3).unwrap();
    let host_session = waiting.receive_ready(&ready).unwrap();
    assert_eq!(host_session.session_id(), device_session.session_id());
    // Who has the host's identity and both messages, but not the decapsulation key, neither.
    let (impostor, _) = start();
    assert_eq!(failure(impostor.receive_m2(&other_m2)), HandshakeFailure::Unauthenticated);
    // The same two identities again: another session under other keys.
    let (again, _) = sessions();
    assert_ne!(again.session_id(), host_session.session_id());
    assert_ne!(seal(&again, 100).body(), seal(&host_session, 100).body());
}

#[test]
fn attack_c02_random_bytes_labelled_ml_kem() {
    // The key in M1 is one that another implementation of FIPS 203 takes, checks and encapsulates to, and the channel
    // that results works. (`second_opinion.rs` and `wycheproof.rs` hold the KEM itself to the standard.)
    let (host, m1) = start();
    let (device, m2) = independent::answer(&m1, &[2; 32], "device");
    let (host, m3) = host.receive_m2(&m2).unwrap();
    let (mut device, ready) = device.receive_m3(&m3);
    let host = host.receive_ready(&ready).unwrap();
    assert_eq!(device.open(seal(&host, 20_000).as_bytes()), Some(content(20_000)));
    // Random bytes are refused as a key: of 768 random coefficients some are past the modulus.
    let (_, mut m1) = start();
    m1[84..].iter_mut().enumerate().for_each(|(i, byte)| *byte = (i * 167 + 91) as u8);
    assert_eq!(failure(super::common::device().receive_m1(&m1)), HandshakeFailure::EncapsulationKey);
    // And every handshake has a key of its own.
    assert_ne!(start().1[84..], start().1[84..]);
}

#[test]
fn attack_c03_one_key_for_both_directions() {
    let (host, device) = sessions();
    send(&host, &device, 1);
    // Same session, epoch, sequence number, metadata and plaintext: nothing but the direction differs.
    let (from_host, from_device) = (seal(&host, 5000), seal(&device, 5000));
    assert_eq!(from_host.header().sequence, from_device.header().sequence);
    assert_ne!(from_host.body(), from_device.body());
    let mut relabelled = from_device.as_bytes().to_vec();
    relabelled[6] = from_host.as_bytes()[6];
    assert_eq!(relabelled[..from_host.body_start()], from_host.as_bytes()[..from_host.body_start()]);
    let relabelled = EncryptedTensor::from_bytes(relabelled).unwrap();
    assert_eq!(device.decrypt_tensor(&relabelled), Err(Error::Decryption));
}

#[test]
fn attack_c16_a_16_byte_key_gives_aes_128() {
    // There is no function that takes key bytes. What a peer written from the specification derives is 32 bytes,
    // and those alone open the record; their first 16 under AES-128 do not.
    let (host, m1) = start();
    let (device, m2) = independent::answer(&m1, &[2; 32], "device");
    let (host, m3) = host.receive_m2(&m2).unwrap();
    let (device, ready) = device.receive_m3(&m3);
    let host = host.receive_ready(&ready).unwrap();
    let tensor = seal(&host, 100);
    let (start, key): (usize, [u8; 32]) = (tensor.body_start(), device.host.key());
    let (head, body) = tensor.as_bytes().split_at(start);
    let aad = <sha3::Sha3_256 as sha3::Digest>::digest(head);
    let nonce = device.host.nonce(0, 0);
    assert_eq!(independent::aes_open(&key, nonce, &aad, body), Some(content(100)));
    use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let short = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key[..16]).unwrap());
    let mut body = body.to_vec();
    assert!(short.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(&aad), &mut body).is_err());
}

#[test]
fn attack_c26_downgrade_of_algorithms() {
    assert_eq!((SUITE, SUITE_NAME), (1, "ML-KEM-768+ML-DSA-65+AES-256-GCM+HKDF-SHA-512"));
    // No other suite is taken, by either role, in any message.
    for suite in (0..=255).filter(|&suite| suite != SUITE) {
        let (host, mut m1) = start();
        m1[7] = suite;
        assert_eq!(parse_header(m1.first_chunk().unwrap()), Err(HandshakeFailure::Suite(suite)));
        assert_eq!(failure(device().receive_m1(&m1)), HandshakeFailure::Suite(suite));
        drop(host);
    }
    let (host, _, mut m2) = up_to_m2();
    m2[7] = 3;
    assert_eq!(failure(host.receive_m2(&m2)), HandshakeFailure::Suite(3));
    let (_, device_state, mut m3) = up_to_m3();
    m3[7] = 2;
    assert_eq!(failure(device_state.receive_m3(&m3)), HandshakeFailure::Suite(2));
    // Keys of ML-KEM-512 (800 bytes) and ML-KEM-1024 (1568) do not pass for this suite's.
    assert_eq!((M1_BYTES, ENCAPSULATION_KEY_BYTES), (84 + 1184, 1184));
    for key_bytes in [800, 1568] {
        let (_, mut m1) = start();
        m1.resize(84 + key_bytes, 0);
        m1[8..12].copy_from_slice(&(72 + key_bytes as u32).to_be_bytes());
        assert!(matches!(failure(device().receive_m1(&m1)), HandshakeFailure::Malformed(_)));
    }
}

#[test]
fn attack_c27_one_record_opens_under_two_keys() {
    // A record names its session, and a session's one key is the only one that is tried: no list of keys to go
    // through, no second session it could open in.
    let ((host, device), (_, other)) = (sessions(), sessions());
    let tensor = seal(&host, 100);
    assert!(matches!(other.decrypt_tensor(&tensor), Err(Error::Record(_))));
    assert!(!other.is_valid());
    assert_eq!(device.decrypt_tensor(&tensor).unwrap(), content(100));
}

#[test]
fn attack_c23_printing_shows_no_key() {
    let (host, _) = sessions();
    let peer = identities()[1].public_key().key_id();
    for printed in [format!("{host:?}"), format!("{host:#?}").split_whitespace().collect::<Vec<_>>().join(" ")] {
        let expected = format!("ChannelSession {{ direction: HostToDevice, peer: {peer}, .. }}");
        assert_eq!(printed.replace(", }", " }"), expected);
    }
    assert_eq!(format!("{:?}", identities()[0]), format!("Identity({})", identities()[0].public_key().key_id()));
    let tensor = seal(&host, 3);
    let printed = format!("{tensor:?}");
    assert!(printed.starts_with("EncryptedTensor { metadata: TensorMetadata {") && printed.ends_with(", .. }"));
}
