//! Single bodies: the kernels against published answers and the twins.

use super::noise;
use crate::{
    device::Device,
    kernel::{CHUNK_BYTES, TAG_BYTES, twin},
    transfer::hazmat::{BodyParams, open_body, seal_body},
};

const CHUNK: u32 = CHUNK_BYTES as u32;
/// Around blocks, chunks and several chunks, and ragged ends.
const LENGTHS: [usize; 14] = [0, 1, 15, 16, 17, 31, 33, 16383, 16384, 16385, 32768, 49_151, 50_001, 81_920];

/// AES-256 cases 13 to 16 of the GCM specification (McGrew and Viega, 2005, appendix B).
pub async fn known_answers<D: Device>(device: &D) {
    let key = unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    let nonce = "cafebabefacedbaddecaf888";
    let text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    let sealed = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
    let aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    let (zero_key, zero_nonce) = ([0; 32], "000000000000000000000000");
    let cases = [
        (zero_key.to_vec(), zero_nonce, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        (
            zero_key.to_vec(),
            zero_nonce,
            "",
            "00000000000000000000000000000000",
            "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (key.clone(), nonce, "", text, sealed, "b094dac5d93471bdec1a502270e3cc6c"),
        (key, nonce, aad, &text[..120], &sealed[..120], "76fc6ece0f4e1768cddf8853bb2d551b"),
    ];
    for (key, nonce, aad, plaintext, ciphertext, tag) in cases {
        let (aad, plaintext) = (unhex(aad), unhex(plaintext));
        let params = BodyParams {
            key: key.first_chunk().expect("32 bytes"),
            nonce: *unhex(nonce).first_chunk().expect("12 bytes"),
            aad: &aad,
            chunk_bytes: CHUNK,
        };
        let body = [unhex(ciphertext), unhex(tag)].concat();
        assert_eq!(open_body(device, params, &body).await, Ok(Some(plaintext.clone())));
        assert_eq!(seal_body(device, params, &plaintext).await, Ok(body));
    }
}

/// Every length around the boundaries, both ways, against the twin.
pub async fn boundary_lengths<D: Device>(device: &D) {
    for (i, length) in LENGTHS.into_iter().enumerate() {
        agrees(device, i as u64, length, 32, CHUNK).await;
    }
}

/// AAD of any length.
pub async fn any_aad_length<D: Device>(device: &D) {
    for (i, aad) in [0, 1, 12, 15, 16, 17, 31, 32, 33, 48, 255, 4096, 16384, 20_001].into_iter().enumerate() {
        agrees(device, 100 + i as u64, 40, aad, CHUNK).await;
    }
}

/// Chunks of other sizes: many small ones, and one that holds more than a record's ever does.
pub async fn any_chunk_size<D: Device>(device: &D) {
    for (i, (chunk, length)) in
        [(16, 0), (16, 16), (16, 1000), (32, 4095), (48, 4800), (1024, 5000), (65_536, 40_000), (131_072, 131_073)]
            .into_iter()
            .enumerate()
    {
        agrees(device, 200 + i as u64, length, i * 7, chunk).await;
    }
}

/// A tag is compared whole: each of its 128 bits matters.
pub async fn every_tag_bit<D: Device>(device: &D) {
    let material = Material::new(300, 20, 32);
    let mut body = material.sealed_by_twin(CHUNK);
    let tag = body.len() - TAG_BYTES;
    for bit in 0..128 {
        body[tag + bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open_body(device, material.params(CHUNK), &body).await, Ok(None), "bit {bit}");
        body[tag + bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(open_body(device, material.params(CHUNK), &body).await, Ok(Some(material.plaintext)));
}

/// Whatever is altered, nothing comes out: `open_body` itself checks that the output is all zeros.
pub async fn altered_bodies<D: Device>(device: &D) {
    let material = Material::new(400, 3 * 1024 + 100, 33);
    let chunk = 1024;
    let body = material.sealed_by_twin(chunk);
    let refused = async |params: BodyParams<'_>, body: &[u8], what: &str| {
        assert_eq!(open_body(device, params, body).await, Ok(None), "{what}");
    };
    let good = material.params(chunk);
    for at in [0, 5, 1023, 1024, 1039, 1040, 2500, body.len() - 17, body.len() - 16, body.len() - 1] {
        let mut altered = body.clone();
        altered[at] ^= 0x10;
        refused(good, &altered, "a flipped bit").await;
    }
    let stride = chunk as usize + TAG_BYTES;
    let part = |i: usize| &body[i * stride..body.len().min((i + 1) * stride)];
    refused(good, &[part(1), part(0), part(2), part(3)].concat(), "swapped chunks").await;
    refused(good, &[part(0), part(2), part(3)].concat(), "a dropped chunk").await;
    refused(good, &[part(0), part(0), part(1), part(2), part(3)].concat(), "a repeated chunk").await;
    refused(good, &[part(0), part(1), part(2)].concat(), "a truncated body").await;
    refused(good, part(3), "only the last chunk").await;
    refused(good, &[&body, part(3)].concat(), "an extended body").await;
    refused(good, &[], "an empty body").await;
    refused(good, &body[..15], "less than a tag").await;
    let mut other = material.nonce;
    other[3] ^= 1;
    refused(BodyParams { nonce: other, ..good }, &body, "another nonce").await;
    refused(BodyParams { aad: &material.aad[..32], ..good }, &body, "a shorter AAD").await;
    refused(BodyParams { aad: &[], ..good }, &body, "no AAD").await;
    refused(BodyParams { key: &[9; 32], ..good }, &body, "another key").await;
    assert_eq!(open_body(device, good, &body).await, Ok(Some(material.plaintext.clone())));
}

/// A failure leaves nothing behind that would spoil the next open, or help it.
pub async fn reuse_after_failure<D: Device>(device: &D) {
    for round in 0..3 {
        let material = Material::new(500 + round, 20_000, 32);
        let good = material.sealed_by_twin(CHUNK);
        let mut bad = good.clone();
        bad[17_000] ^= 1;
        assert_eq!(open_body(device, material.params(CHUNK), &bad).await, Ok(None));
        assert_eq!(open_body(device, material.params(CHUNK), &good).await, Ok(Some(material.plaintext.clone())));
    }
}

/// Random keys, nonces, AADs and lengths against the twin.
pub async fn differential<D: Device>(device: &D) {
    for case in 0..48u64 {
        let random = noise(600 + case, 8);
        let length = usize::from(u16::from_le_bytes([random[0], random[1]])) % 3000;
        let aad = usize::from(random[2]) % 80;
        let chunk = 16 * (1 + u32::from(random[3]) % 40);
        agrees(device, 700 + case, length, aad, chunk).await;
    }
}

struct Material {
    key: [u8; 32],
    nonce: [u8; 12],
    aad: Vec<u8>,
    plaintext: Vec<u8>,
}

impl Material {
    fn new(seed: u64, length: usize, aad: usize) -> Self {
        let secret = noise(seed, 44);
        Material {
            key: *secret.first_chunk().expect("44 bytes"),
            nonce: *secret.last_chunk().expect("44 bytes"),
            aad: noise(seed ^ 0xaad0, aad),
            plaintext: noise(seed ^ 0x7e87, length),
        }
    }

    fn params(&self, chunk_bytes: u32) -> BodyParams<'_> {
        BodyParams { key: &self.key, nonce: self.nonce, aad: &self.aad, chunk_bytes }
    }

    fn sealed_by_twin(&self, chunk: u32) -> Vec<u8> {
        twin::chunked::seal_body(&self.key, &self.nonce, &self.aad, &self.plaintext, chunk as usize)
    }
}

async fn agrees<D: Device>(device: &D, seed: u64, length: usize, aad: usize, chunk: u32) {
    let material = Material::new(seed, length, aad);
    let body = material.sealed_by_twin(chunk);
    let what = format!("{length} bytes, {aad} of AAD, chunks of {chunk}");
    assert!(seal_body(device, material.params(chunk), &material.plaintext).await == Ok(body.clone()), "sealing {what}");
    let opened = open_body(device, material.params(chunk), &body).await;
    assert!(opened == Ok(Some(material.plaintext)), "opening {what}");
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).expect("a hex digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
