//! Peers that hold the right secrets and lie inside the sealed parts, which no network can do.
#![allow(clippy::unwrap_used, missing_docs)]

use super::{
    proof::{PROOF_BYTES, signed_bytes},
    *,
};
use crate::{
    SystemClock,
    channel::{
        message::{M2Sealed, M3Sealed},
        suite::TAG_BYTES,
    },
};

fn identity(seed: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seeds([seed; 32].into(), [seed; 64].into()).unwrap())
}

fn host_config(trust: &Identity) -> HostConfig {
    HostConfig {
        identity: identity(1),
        label: "host".into(),
        trust: TrustPolicy::pin(trust.public_key().clone()),
        expected_device: None,
        policy: SessionPolicy::default(),
        attestation_check: None,
        clock: Arc::new(SystemClock::default()),
    }
}

fn device_config(trust: &Identity) -> DeviceConfig {
    DeviceConfig {
        identity: identity(2),
        label: "device".into(),
        trust: TrustPolicy::pin(trust.public_key().clone()),
        max_ttl_seconds: 3600,
        attestation: Vec::new(),
        clock: Arc::new(SystemClock::default()),
    }
}

/// What a lying peer puts into its sealed part.
struct Lie {
    signed: Vec<u8>,
    signer: Arc<Identity>,
    /// The role in the signature's context.
    role: Direction,
    alter: fn(&mut Vec<u8>),
    /// Finished over another transcript, or under another role's key.
    finished: Finished,
}

enum Finished {
    Right,
    OfEarlierTranscript,
    OfOtherRole,
}

/// [`seal_proven`], but with a lie in it.
fn seal_lie(
    kind: MessageType,
    clear: &[u8],
    lie: Lie,
    [keys, other_keys]: [&RoleKeys; 2],
    transcript: &mut Transcript,
) -> Vec<u8> {
    let before = transcript.hash();
    let mut plaintext = lie.signed;
    // An alteration may change the length, which the header, and so every hash, must tell.
    let length = {
        let mut trial = [&plaintext[..], &[0; PROOF_BYTES]].concat();
        (lie.alter)(&mut trial);
        trial.len()
    };
    let mut message = header(kind, clear.len() + length + TAG_BYTES).to_vec();
    message.extend(clear);
    transcript.add(&message);
    let aad = transcript.bytes().to_vec();
    transcript.add(&plaintext);
    let signature = lie.signer.sign(&signed_bytes(lie.role, &transcript.hash())).unwrap();
    transcript.add(&signature);
    let finished = match lie.finished {
        Finished::Right => keys.finished(&transcript.hash()),
        Finished::OfEarlierTranscript => keys.finished(&before),
        Finished::OfOtherRole => other_keys.finished(&transcript.hash()),
    };
    plaintext.extend(signature);
    plaintext.extend(finished);
    (lie.alter)(&mut plaintext);
    let start = message.len();
    message.resize(start + plaintext.len() + TAG_BYTES, 0);
    keys.key.seal(keys.iv(), &aad, &plaintext, &mut message[start..]);
    message
}

/// What the host says to a device that lies.
fn host_hears(lie: Lie) -> HandshakeFailure {
    let (host, m1) = HostHandshake::start(host_config(&identity(2))).unwrap();
    let (ciphertext, shared_secret) = encapsulate(&host.kem.encapsulation_key(), &[8; 32].into()).unwrap();
    let clear = [&[9; 32][..], &ciphertext].concat();
    let length = {
        let mut trial = [&lie.signed[..], &[0; PROOF_BYTES]].concat();
        (lie.alter)(&mut trial);
        trial.len()
    };
    let mut transcript = Transcript::default();
    transcript.add(&m1);
    let mut ahead = Transcript::default();
    ahead.add(&m1);
    ahead.add(&header(MessageType::M2, clear.len() + length + TAG_BYTES));
    ahead.add(&clear);
    let secret = HandshakeSecret::new(shared_secret);
    let [device, host_keys] =
        [Direction::DeviceToHost, Direction::HostToDevice].map(|role| secret.role(role, &ahead.hash()));
    let m2 = seal_lie(MessageType::M2, &clear, lie, [&device, &host_keys], &mut transcript);
    match host.receive_m2(&m2) {
        Err(Error::ChannelEstablishment(failure)) => failure,
        Err(other) => panic!("{other}"),
        // So that a lie that is none can be told.
        Ok(_) => HandshakeFailure::Ready,
    }
}

/// What the device says to a host that lies.
fn device_hears(lie: Lie) -> HandshakeFailure {
    let (host, m1) = HostHandshake::start(host_config(&identity(2))).unwrap();
    let (device, m2) = DeviceHandshake::new(device_config(&identity(1))).unwrap().receive_m1(&m1).unwrap();
    let HostHandshake { kem, mut transcript, .. } = host;
    let (ciphertext, sealed) = split_m2(&m2).unwrap();
    transcript.add(&m2[..m2.len() - sealed.len()]);
    let secret = HandshakeSecret::new(kem.decapsulate(&ciphertext));
    let clear = transcript.hash();
    let [device_keys, host_keys] =
        [Direction::DeviceToHost, Direction::HostToDevice].map(|role| secret.role(role, &clear));
    let plaintext = open_sealed(&device_keys, &transcript, sealed).unwrap();
    transcript.add(&plaintext);
    let m3 = seal_lie(MessageType::M3, &[], lie, [&host_keys, &device_keys], &mut transcript);
    match device.receive_m3(&m3) {
        Err(Error::ChannelEstablishment(failure)) => failure,
        Err(other) => panic!("{other}"),
        Ok(_) => HandshakeFailure::Ready,
    }
}

fn device_truth() -> Lie {
    let signer = identity(2);
    let key = signer.public_key().as_bytes().as_slice();
    let signed = M2Sealed::encode_signed("device", key, &SessionPolicy::default(), b"attestation");
    Lie { signed, signer, role: Direction::DeviceToHost, alter: |_| {}, finished: Finished::Right }
}

fn host_truth() -> Lie {
    let signer = identity(1);
    let signed = M3Sealed::encode_signed("host", signer.public_key().as_bytes());
    Lie { signed, signer, role: Direction::HostToDevice, alter: |_| {}, finished: Finished::Right }
}

type Hears = fn(Lie) -> HandshakeFailure;

/// Both roles, each with its honest message and whoever hears it.
const ROLES: [(fn() -> Lie, Hears); 2] = [(device_truth, host_hears), (host_truth, device_hears)];

#[test]
fn the_truth_is_believed() {
    for (truth, hears) in ROLES {
        assert_eq!(hears(truth()), HandshakeFailure::Ready, "the handshake goes on");
    }
}

#[test]
fn signatures_are_the_presented_keys_own_over_this_transcript_in_this_role() {
    for (truth, hears) in ROLES {
        assert_eq!(hears(Lie { signer: identity(3), ..truth() }), HandshakeFailure::Signature);
        let role = truth().role.opposite();
        assert_eq!(hears(Lie { role, ..truth() }), HandshakeFailure::Signature);
        // The signature's last bytes stand before the 64 of Finished.
        let alter: fn(&mut Vec<u8>) = |plaintext| {
            let at = plaintext.len() - 64 - 1000;
            plaintext[at] ^= 4;
        };
        assert_eq!(hears(Lie { alter, ..truth() }), HandshakeFailure::Signature);
        let zeros: fn(&mut Vec<u8>) = |plaintext| {
            let end = plaintext.len() - 64;
            plaintext[end - 3309..end].fill(0);
        };
        assert_eq!(hears(Lie { alter: zeros, ..truth() }), HandshakeFailure::Signature);
    }
}

/// The signer itself writes its hint otherwise (FIPS 204, algorithm 21): ω = 55 indices, then a count a polynomial.
#[test]
fn beyond_a_hint_in_another_encoding() {
    fn hint(plaintext: &mut [u8]) -> &mut [u8] {
        let end = plaintext.len() - 64;
        &mut plaintext[end - 61..end]
    }
    let alterations: [fn(&mut Vec<u8>); 3] = [
        |plaintext| {
            // Two neighbours of one polynomial change places; zeros stand for a signature when lengths are tried out.
            let hint = hint(plaintext);
            let starts = [0, hint[55], hint[56], hint[57], hint[58], hint[59]];
            let pair = starts.iter().zip(&hint[55..]).find(|(start, end)| **end >= **start + 2);
            if let Some((&start, _)) = pair {
                hint.swap(start.into(), usize::from(start) + 1);
            }
        },
        |plaintext| hint(plaintext)[54] ^= 1,
        |plaintext| hint(plaintext)[60] = 56,
    ];
    for (truth, hears) in ROLES {
        for alter in alterations {
            assert_eq!(hears(Lie { alter, ..truth() }), HandshakeFailure::Signature);
        }
    }
}

#[test]
fn finished_is_under_this_roles_key_over_this_transcript() {
    for (truth, hears) in ROLES {
        assert_eq!(hears(Lie { finished: Finished::OfEarlierTranscript, ..truth() }), HandshakeFailure::Finished);
        assert_eq!(hears(Lie { finished: Finished::OfOtherRole, ..truth() }), HandshakeFailure::Finished);
        let alter: fn(&mut Vec<u8>) = |plaintext| *plaintext.last_mut().unwrap() ^= 0x80;
        assert_eq!(hears(Lie { alter, ..truth() }), HandshakeFailure::Finished);
    }
}

#[test]
fn sealed_parts_have_one_form() {
    let malformed = |hears: Hears, lie| {
        let failure = hears(lie);
        assert!(matches!(failure, HandshakeFailure::Malformed(_)), "{failure}");
    };
    let alterations: [fn(&mut Vec<u8>); 7] = [
        |plaintext| plaintext.push(0),
        |plaintext| plaintext.truncate(plaintext.len() - 1),
        |plaintext| plaintext.clear(),
        |plaintext| plaintext.truncate(1),
        |plaintext| plaintext[0] += 1,
        |plaintext| plaintext[0] = 255,
        // Not UTF-8.
        |plaintext| plaintext[1] = 0xff,
    ];
    for (truth, hears) in ROLES {
        for alter in alterations {
            malformed(hears, Lie { alter, ..truth() });
        }
    }
    // An attestation too long by a byte, in a message that is not, its label being short.
    let longest = MAX_ATTESTATION_BYTES;
    for (bytes, accepted) in [(longest, true), (longest + 1, false)] {
        let key = *identity(2).public_key().as_bytes();
        let signed = M2Sealed::encode_signed("", &key, &SessionPolicy::default(), &vec![7; bytes]);
        let failure = host_hears(Lie { signed, ..device_truth() });
        assert_eq!(failure == HandshakeFailure::Ready, accepted, "{failure}");
        assert!(accepted || matches!(failure, HandshakeFailure::Malformed(_)));
    }
    // The attestation's length: 1 + "device" + key + policy before it.
    let alterations: [fn(&mut Vec<u8>); 4] = [
        |plaintext| plaintext[7 + 1952 + 8 + 3] += 1,
        |plaintext| plaintext[7 + 1952 + 8 + 3] -= 1,
        |plaintext| plaintext[7 + 1952 + 8] = 0xff,
        |plaintext| plaintext[7 + 1952 + 8 + 1] = 2,
    ];
    for alter in alterations {
        malformed(host_hears, Lie { alter, ..device_truth() });
    }
}

#[test]
fn the_policy_echo_is_the_policy() {
    for (at, value) in [(0, 1), (3, 0x11), (4, 23), (5, 1), (7, 1)] {
        let mut lie = device_truth();
        lie.signed[7 + 1952 + at] = value;
        assert!(matches!(host_hears(lie), HandshakeFailure::Policy(_)));
    }
}

#[test]
fn peers_are_judged_by_the_key_they_prove() {
    // A key that proves itself, under another one's label and DID: trust goes by the key.
    let stranger = identity(3);
    let key_id = stranger.public_key().key_id();
    let key = stranger.public_key().as_bytes().as_slice();
    let signed = M2Sealed::encode_signed("device", key, &SessionPolicy::default(), b"");
    assert_eq!(
        host_hears(Lie { signed, signer: stranger.clone(), ..device_truth() }),
        HandshakeFailure::Untrusted(key_id)
    );
    let signed = M3Sealed::encode_signed("host", key);
    assert_eq!(device_hears(Lie { signed, signer: stranger, ..host_truth() }), HandshakeFailure::Untrusted(key_id));
    // The pinned key beside a signature by another one.
    for (truth, hears) in ROLES {
        assert_eq!(hears(Lie { signer: identity(3), ..truth() }), HandshakeFailure::Signature);
    }
    // The hearer's own key, proven: no trust policy helps.
    let signed = M2Sealed::encode_signed("device", identity(1).public_key().as_bytes(), &SessionPolicy::default(), b"");
    assert_eq!(host_hears(Lie { signed, signer: identity(1), ..device_truth() }), HandshakeFailure::OwnKey);
    let signed = M3Sealed::encode_signed("host", identity(2).public_key().as_bytes());
    assert_eq!(device_hears(Lie { signed, signer: identity(2), ..host_truth() }), HandshakeFailure::OwnKey);
}
