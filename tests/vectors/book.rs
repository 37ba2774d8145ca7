//! Both ends by the book: docs/protocol.md over aws-lc-rs, with none of the library's code. Only ML-KEM and ML-DSA from
//! given coins are by `ml-kem` and `ml-dsa`, since aws-lc-rs takes none; aws-lc-rs then decapsulates and verifies.
// Expanded ML-KEM keys are deprecated in favour of seeds; aws-lc-rs reads nothing else.
#![allow(deprecated)]

use aws_lc_rs::{
    kem,
    signature::{KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey},
};
use getrandom::rand_core::{TryCryptoRng, TryRng};
use ml_kem::{ExpandedKeyEncoding, kem::KeyExport, ml_kem_768};
use sha3::{Digest, Sha3_256};

use crate::{
    independent::{Half, aad, aes_seal, expand_label, extract, finished, hash, role_keys, signed_bytes},
    inputs::{End, Inputs, Item, plaintext},
};

/// A role's secret and what comes of it.
pub struct Role {
    pub secret: [u8; 64],
    pub key: [u8; 32],
    pub iv: [u8; 12],
    pub finished: [u8; 64],
}

/// Everything there is to know about a handshake.
pub struct Handshake {
    pub host_key: Vec<u8>,
    pub device_key: Vec<u8>,
    pub m1: Vec<u8>,
    pub m2: Vec<u8>,
    pub m3: Vec<u8>,
    /// The sealed parts of M2 and M3, opened.
    pub opened: [Vec<u8>; 2],
    pub shared_secret: Vec<u8>,
    pub es: Vec<u8>,
    pub roles: [Role; 2],
    /// TH at each point named.
    pub hashes: Vec<(&'static str, Vec<u8>)>,
    pub derived: [u8; 64],
    pub ms: Vec<u8>,
    pub session_id: [u8; 32],
    pub exporter: [u8; 64],
    pub traffic: [[u8; 64]; 2],
}

fn message(kind: u8, body: usize) -> Vec<u8> {
    [&b"PQGT\0\x01"[..], &[kind, 1], &(body as u32).to_be_bytes()].concat()
}

fn label(label: &str) -> Vec<u8> {
    [&[label.len() as u8], label.as_bytes()].concat()
}

/// Hands out rnd once.
struct Once(Option<[u8; 32]>);

impl TryRng for Once {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        panic!("rnd is 32 bytes, drawn at once")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        panic!("rnd is 32 bytes, drawn at once")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.copy_from_slice(&self.0.take().unwrap());
        Ok(())
    }
}

impl TryCryptoRng for Once {}

fn sign(end: &End, role: &str, transcript: &[u8], public: &[u8]) -> Vec<u8> {
    let message = signed_bytes(role, transcript);
    let key = ml_dsa::SigningKey::<ml_dsa::MlDsa65>::from_seed(&end.seed.into());
    let signature =
        key.expanded_key().sign_randomized(&message, &[], &mut Once(Some(end.signing_rnd))).unwrap().encode();
    UnparsedPublicKey::new(&ML_DSA_65, public).verify(&message, &signature).unwrap();
    signature.to_vec()
}

pub fn public_key(end: &End) -> Vec<u8> {
    PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &end.seed).unwrap().public_key().as_ref().to_vec()
}

pub fn handshake(inputs: &Inputs) -> Handshake {
    let (host_key, device_key) = (public_key(&inputs.host), public_key(&inputs.device));
    let decapsulation = ml_kem_768::DecapsulationKey::from_seed(inputs.kem_seed.into());
    let theirs = kem::DecapsulationKey::new(&kem::ML_KEM_768, &decapsulation.to_expanded_bytes()).unwrap();
    let expected = if inputs.expects_device { Sha3_256::digest(&device_key).to_vec() } else { vec![0; 32] };
    let policy = [&inputs.ttl_seconds.to_be_bytes()[..], &[inputs.log2_chunks, 0, 0, 0]].concat();
    let m1 =
        [&message(1, 1256)[..], &inputs.host.random, &policy, &expected, &decapsulation.encapsulation_key().to_bytes()]
            .concat();

    let (ciphertext, secret) =
        decapsulation.encapsulation_key().encapsulate_deterministic(&inputs.encapsulation.into());
    let shared_secret = theirs.decapsulate(ciphertext.as_slice().into()).unwrap().as_ref().to_vec();
    assert_eq!(secret.as_slice(), shared_secret, "aws-lc-rs decapsulates the same");
    let es = extract(&[0; 64], &shared_secret);

    let length = inputs.attestation.len() as u32;
    let signed =
        [&label(&inputs.device.label)[..], &device_key, &policy, &length.to_be_bytes(), &inputs.attestation].concat();
    let header = message(2, 32 + 1088 + signed.len() + 3309 + 64 + 16);
    let clear_part = [&header[..], &inputs.device.random, &ciphertext].concat();
    let clear = [&m1[..], &clear_part].concat();
    let roles = ["host", "device"].map(|role| {
        let (key, iv, finished) = role_keys(&es, role, &clear);
        Role { secret: expand_label(&es, role, &hash(&clear)), key, iv, finished }
    });
    let mut hashes = vec![("m2_clear", hash(&clear))];

    // Signs, proves and seals `signed`. Gives the opened part; the transcript gains it.
    let mut prove = |transcript: &mut Vec<u8>, signed: &[u8], end: &End, role: usize, public: &[u8], at: [_; 3]| {
        let name = ["host", "device"][role];
        let before = transcript.clone();
        transcript.extend(signed);
        hashes.push((at[0], hash(transcript)));
        let signature = sign(end, name, transcript, public);
        transcript.extend(signature);
        hashes.push((at[1], hash(transcript)));
        transcript.extend(finished(&roles[role].finished, transcript));
        hashes.push((at[2], hash(transcript)));
        let opened = transcript[before.len()..].to_vec();
        let sealed = aes_seal(&roles[role].key, roles[role].iv, &before, &opened);
        (opened, sealed)
    };
    let mut transcript = clear;
    let at = ["m2_signed", "m2_finished", "m2"];
    let (opened_m2, sealed) = prove(&mut transcript, &signed, &inputs.device, 1, &device_key, at);
    let m2 = [clear_part, sealed].concat();

    let signed = [label(&inputs.host.label), host_key.clone()].concat();
    let header = message(3, signed.len() + 3309 + 64 + 16);
    transcript.extend(&header);
    let at = ["m3_signed", "m3_finished", "m3"];
    let (opened_m3, sealed) = prove(&mut transcript, &signed, &inputs.host, 0, &host_key, at);
    let m3 = [header, sealed].concat();

    let whole = hash(&transcript);
    let derived: [u8; 64] = expand_label(&es, "derived", &hash(b""));
    let ms = extract(&derived, &[0; 64]);
    Handshake {
        session_id: expand_label(&ms, "session id", &whole),
        exporter: expand_label(&ms, "exporter", &whole),
        traffic: ["host traffic", "device traffic"].map(|label| expand_label(&ms, label, &whole)),
        opened: [opened_m2, opened_m3],
        hashes,
        roles,
        host_key,
        device_key,
        m1,
        m2,
        m3,
        shared_secret,
        es,
        derived,
        ms,
    }
}

/// A record and what it was made of.
pub struct Record {
    pub kind: u8,
    pub epoch: u32,
    pub sequence: u64,
    pub metadata: Vec<u8>,
    pub aad: Vec<u8>,
    pub nonce: [u8; 12],
    pub tags: Vec<Vec<u8>>,
    pub wire: Vec<u8>,
}

/// All that one end sends.
pub fn records(handshake: &Handshake, direction: usize, items: &[Item]) -> Vec<Record> {
    let mut half = Half { secret: handshake.traffic[direction], epoch: 0, next: 0 };
    let mut record = |kind: u8, metadata: Vec<u8>, plaintext: Vec<u8>| {
        let (epoch, sequence) = (half.epoch, half.next);
        half.next += 1;
        let header = [
            &b"PQGR\x01"[..],
            &[kind, direction as u8, 0],
            &handshake.session_id,
            &epoch.to_be_bytes(),
            &(metadata.len() as u32).to_be_bytes(),
            &sequence.to_be_bytes(),
            &(plaintext.len() as u64).to_be_bytes(),
        ]
        .concat();
        let aad = aad(&header, &metadata);
        let (mut wire, mut tags) = ([&header[..], &metadata].concat(), Vec::new());
        for chunk in 0..=plaintext.len() / 16384 {
            let part = &plaintext[chunk * 16384..plaintext.len().min((chunk + 1) * 16384)];
            let sealed = aes_seal(&half.key(), half.nonce(sequence, chunk as u32), &aad, part);
            tags.push(sealed[part.len()..].to_vec());
            wire.extend(sealed);
        }
        let nonce = half.nonce(sequence, 0);
        if kind == 3 {
            half.update();
        }
        Record { kind, epoch, sequence, metadata, aad, nonce, tags, wire }
    };
    let ready = (direction == 1).then(|| record(1, vec![], vec![]));
    let sent = items.iter().map(|item| match item {
        Item::Tensor { id, name, dtype, shape, bytes } => {
            record(2, metadata(id, name, dtype, shape), plaintext(*bytes))
        }
        Item::KeyUpdate => record(3, vec![], vec![]),
        Item::Close => record(4, vec![], vec![]),
    });
    ready.into_iter().chain(sent).collect()
}

/// RFC 8949, section 3: a major type and its argument in the shortest form.
fn head(major: u8, argument: u64) -> Vec<u8> {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => vec![major | argument as u8],
        24..=0xff => vec![major | 24, bytes[7]],
        0x100..=0xffff => [&[major | 25], &bytes[6..]].concat(),
        0x1_0000..=0xffff_ffff => [&[major | 26], &bytes[4..]].concat(),
        _ => [&[major | 27], &bytes[..]].concat(),
    }
}

fn metadata(id: &str, name: &str, dtype: &str, shape: &[u64]) -> Vec<u8> {
    let text = |text: &str| [head(3, text.len() as u64), text.into()].concat();
    let extents = shape.iter().flat_map(|&extent| head(0, extent)).collect();
    let rank = head(4, shape.len() as u64);
    [vec![0xa4, 1], text(id), vec![2], text(name), vec![3], text(dtype), vec![4], rank, extents].concat()
}
