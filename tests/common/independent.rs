//! A device written from the specification alone, over aws-lc-rs: none of the library's code runs in it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, missing_docs)]

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest::{SHA512, digest},
    hkdf::{HKDF_SHA512, KeyType, Prk},
    hmac, kem,
    signature::{KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey},
};
use sha3::{Digest, Sha3_256};

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand(secret, length 2 ‖ (1+) "pqgt1 " + label ‖ (1+) context, length).
pub fn expand_label<const N: usize>(secret: &[u8], label: &str, context: &[u8]) -> [u8; N] {
    let label = format!("pqgt1 {label}");
    let length = (N as u16).to_be_bytes();
    let info: [&[u8]; 5] = [&length, &[label.len() as u8], label.as_bytes(), &[context.len() as u8], context];
    let mut out = [0; N];
    Prk::new_less_safe(HKDF_SHA512, secret).expand(&info, Length(N)).unwrap().fill(&mut out).unwrap();
    out
}

/// HKDF-Extract is HMAC(salt, input).
pub fn extract(salt: &[u8], input: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, salt), input).as_ref().to_vec()
}

pub fn hash(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA512, bytes).as_ref().to_vec()
}

pub fn aes_seal(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut out = plaintext.to_vec();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut out).unwrap();
    out
}

pub fn aes_open(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let mut out = sealed.to_vec();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let plaintext = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut out).ok()?;
    Some(plaintext.to_vec())
}

pub fn signed_bytes(role: &str, transcript: &[u8]) -> Vec<u8> {
    [&[0x20; 64], format!("PQGT v1 {role}").as_bytes(), &[0], &hash(transcript)].concat()
}

/// A role's handshake key, iv and Finished key.
pub fn role_keys(es: &[u8], role: &str, clear: &[u8]) -> ([u8; 32], [u8; 12], [u8; 64]) {
    let secret: [u8; 64] = expand_label(es, role, &hash(clear));
    (expand_label(&secret, "key", b""), expand_label(&secret, "iv", b""), expand_label(&secret, "finished", b""))
}

pub fn finished(key: &[u8; 64], transcript: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, key), &hash(transcript)).as_ref().to_vec()
}

/// Between M2 and M3.
pub struct AwaitsM3 {
    es: Vec<u8>,
    /// M1 ‖ M2's header and clear part.
    clear: Vec<u8>,
    transcript: Vec<u8>,
}

/// Answers M1 with M2, as the device with this seed and label.
pub fn answer(m1: &[u8], seed: &[u8; 32], label: &str) -> (AwaitsM3, Vec<u8>) {
    assert_eq!((m1.len(), &m1[..12]), (1268, &b"PQGT\0\x01\x01\x01\0\0\x04\xe8"[..]));
    let key = kem::EncapsulationKey::new(&kem::ML_KEM_768, &m1[84..]).unwrap();
    let (ciphertext, secret) = key.encapsulate().unwrap();
    let signer = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, seed).unwrap();

    let signed =
        [&[label.len() as u8], label.as_bytes(), signer.public_key().as_ref(), &m1[44..52], &0u32.to_be_bytes()]
            .concat();
    let length = 32 + 1088 + signed.len() + 3309 + 64 + 16;
    let header = [&b"PQGT\0\x01\x02\x01"[..], &(length as u32).to_be_bytes()].concat();
    let clear_part = [&header[..], &[0x5a; 32], ciphertext.as_ref()].concat();

    let clear = [m1, &clear_part].concat();
    let es = extract(&[0; 64], secret.as_ref());
    let (key, iv, finished_key) = role_keys(&es, "device", &clear);
    let mut transcript = [&clear[..], &signed].concat();
    let mut signature = vec![0; 3309];
    signer.sign(&signed_bytes("device", &transcript), &mut signature).unwrap();
    transcript.extend(&signature);
    transcript.extend(finished(&finished_key, &transcript));
    let sealed = aes_seal(&key, iv, &clear, &transcript[clear.len()..]);
    (AwaitsM3 { es, clear, transcript }, [clear_part, sealed].concat())
}

impl AwaitsM3 {
    /// Checks M3 and gives the session with its READY record.
    pub fn receive_m3(self, m3: &[u8]) -> (Device, Vec<u8>) {
        let AwaitsM3 { es, clear, mut transcript } = self;
        let (key, iv, finished_key) = role_keys(&es, "host", &clear);
        transcript.extend(&m3[..12]);
        let plaintext = aes_open(&key, iv, &transcript, &m3[12..]).unwrap();
        let (rest, fin) = plaintext.split_at(plaintext.len() - 64);
        let (signed, signature) = rest.split_at(rest.len() - 3309);
        transcript.extend(signed);
        let public = &signed[1 + signed[0] as usize..];
        UnparsedPublicKey::new(&ML_DSA_65, public).verify(&signed_bytes("host", &transcript), signature).unwrap();
        transcript.extend(signature);
        assert_eq!(finished(&finished_key, &transcript), fin);
        transcript.extend(fin);

        let derived: [u8; 64] = expand_label(&es, "derived", &hash(b""));
        let ms = extract(&derived, &[0; 64]);
        let th = hash(&transcript);
        let mut device = Device {
            host: Half { secret: expand_label(&ms, "host traffic", &th), epoch: 0, next: 0 },
            device: Half { secret: expand_label(&ms, "device traffic", &th), epoch: 0, next: 0 },
            session_id: expand_label(&ms, "session id", &th),
            exporter: expand_label(&ms, "exporter", &th),
        };
        let ready = device.control(1);
        (device, ready)
    }
}

/// One direction.
pub struct Half {
    pub secret: [u8; 64],
    pub epoch: u32,
    pub next: u64,
}

impl Half {
    pub fn key(&self) -> [u8; 32] {
        expand_label(&self.secret, "key", b"")
    }

    /// Base nonce XOR (sequence 8 ‖ chunk 4).
    pub fn nonce(&self, sequence: u64, chunk: u32) -> [u8; 12] {
        let base: [u8; 12] = expand_label(&self.secret, "iv", b"");
        let number = [&sequence.to_be_bytes()[..], &chunk.to_be_bytes()].concat();
        core::array::from_fn(|i| base[i] ^ number[i])
    }

    pub fn update(&mut self) {
        self.epoch += 1;
        self.secret = expand_label(&self.secret, "epoch", &self.epoch.to_be_bytes());
    }
}

/// The session at the independent device.
pub struct Device {
    pub host: Half,
    pub device: Half,
    pub session_id: [u8; 32],
    pub exporter: [u8; 64],
}

pub fn aad(header: &[u8], metadata: &[u8]) -> Vec<u8> {
    Sha3_256::digest([header, metadata].concat()).to_vec()
}

impl Device {
    fn header(&mut self, record_type: u8, metadata: usize, body: usize) -> (Vec<u8>, u64) {
        let sequence = self.device.next;
        self.device.next += 1;
        let header = [
            &b"PQGR\x01"[..],
            &[record_type, 1, 0],
            &self.session_id,
            &self.device.epoch.to_be_bytes(),
            &(metadata as u32).to_be_bytes(),
            &sequence.to_be_bytes(),
            &(body as u64).to_be_bytes(),
        ]
        .concat();
        (header, sequence)
    }

    /// READY 1, KEY_UPDATE 3 or CLOSE 4.
    pub fn control(&mut self, record_type: u8) -> Vec<u8> {
        let (header, sequence) = self.header(record_type, 0, 0);
        let tag = aes_seal(&self.device.key(), self.device.nonce(sequence, 0), &aad(&header, b""), b"");
        if record_type == 3 {
            self.device.update();
        }
        [header, tag].concat()
    }

    /// Chunks of 16 KiB, the last always shorter.
    pub fn seal(&mut self, metadata: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let (header, sequence) = self.header(2, metadata.len(), plaintext.len());
        let aad = aad(&header, metadata);
        let mut wire = [&header[..], metadata].concat();
        for chunk in 0..=plaintext.len() / 16384 {
            let part = &plaintext[chunk * 16384..plaintext.len().min((chunk + 1) * 16384)];
            wire.extend(aes_seal(&self.device.key(), self.device.nonce(sequence, chunk as u32), &aad, part));
        }
        wire
    }

    /// Opens the host's next record, a tensor or (with nothing in it) a control record.
    pub fn open(&mut self, wire: &[u8]) -> Option<Vec<u8>> {
        let word = |at: usize| u32::from_be_bytes(wire[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_be_bytes(wire[at..at + 8].try_into().unwrap());
        assert_eq!((&wire[..5], &wire[6..8], &wire[8..40]), (&b"PQGR\x01"[..], &[0, 0][..], &self.session_id[..]));
        let (epoch, metadata, sequence, body) = (word(40), word(44) as usize, long(48), long(56) as usize);
        assert_eq!((epoch, sequence), (self.host.epoch, self.host.next));
        self.host.next += 1;
        let aad = aad(&wire[..64], &wire[64..64 + metadata]);
        let mut plaintext = Vec::new();
        for (chunk, part) in wire[64 + metadata..].chunks(16384 + 16).enumerate() {
            plaintext.extend(aes_open(&self.host.key(), self.host.nonce(sequence, chunk as u32), &aad, part)?);
        }
        assert_eq!(plaintext.len(), body);
        if wire[5] == 3 {
            self.host.update();
        }
        Some(plaintext)
    }
}
