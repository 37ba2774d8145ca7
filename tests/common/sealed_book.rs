//! Sealed files by the book: docs/sealed-format.md over aws-lc-rs, with none of the library's code. Only ML-KEM and ML-DSA
//! from given coins are by `ml-kem` and `ml-dsa`, since aws-lc-rs takes none; aws-lc-rs then verifies.
//!
//! Every part can be exchanged before the next is made of it, so that those who lie can be written too.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, missing_docs)]

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA512, KeyType, Prk},
    hmac,
    signature::{KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey},
};
use ml_kem::{kem::KeyExport, ml_kem_768};
use sha3::{Digest, Sha3_256};

/// Everything that a sealing starts from.
#[derive(Clone)]
pub struct Inputs {
    pub publisher_seed: [u8; 32],
    pub signing_rnd: [u8; 32],
    pub file_key: [u8; 32],
    pub model_id: [u8; 32],
    pub release: u64,
    /// In ascending order of their encodings.
    pub metadata: Vec<(String, String)>,
    pub tensors: Vec<Tensor>,
    /// Name, header, number of tensors.
    pub files: Vec<(String, Vec<u8>, u64)>,
    pub index: Vec<u8>,
    /// d ‖ z of the recipient's ML-KEM-768 key, and m of the encapsulation.
    pub recipients: Vec<([u8; 64], [u8; 32])>,
}

#[derive(Clone)]
pub struct Tensor {
    pub id: String,
    pub name: String,
    pub dtype: &'static str,
    pub shape: Vec<u64>,
    pub salt: [u8; 24],
    pub plaintext: Vec<u8>,
}

/// A tensor's line in the manifest; nothing in it need be true.
#[derive(Clone)]
pub struct Line {
    pub index: u64,
    pub metadata: Vec<u8>,
    pub offset: u64,
    pub length: u64,
    pub header: Vec<u8>,
    pub root: Vec<u8>,
}

/// What a tensor's body is made from, and the body.
#[derive(Clone)]
pub struct Body {
    pub context: Vec<u8>,
    pub key: [u8; 32],
    pub base_nonce: [u8; 12],
    pub commitment: [u8; 32],
    pub chunks: Vec<Vec<u8>>,
}

/// All that there is to know about a file.
#[derive(Clone)]
pub struct Sealed {
    pub public_key: Vec<u8>,
    pub recipients_key: [u8; 64],
    pub body_key: [u8; 32],
    pub bodies: Vec<Body>,
    pub lines: Vec<Line>,
    pub manifest: Vec<u8>,
    pub signature: Vec<u8>,
    pub recipients: Vec<u8>,
    pub mac: Vec<u8>,
    pub front: Vec<u8>,
    pub file: Vec<u8>,
}

pub fn seal(inputs: &Inputs) -> Sealed {
    let public_key = public_key(&inputs.publisher_seed);
    let body_key = expand(&inputs.file_key, b"pqgt body v1");
    let body = |(index, tensor): (usize, &Tensor)| body(&body_key, &public_key, &inputs.model_id, index as u64, tensor);
    let bodies: Vec<_> = inputs.tensors.iter().enumerate().map(body).collect();
    let lines = lines(&inputs.tensors, &bodies);
    sign(inputs, bodies, lines)
}

/// From the manifest's lines on.
pub fn sign(inputs: &Inputs, bodies: Vec<Body>, lines: Vec<Line>) -> Sealed {
    let manifest = manifest(inputs, &public_key(&inputs.publisher_seed), &lines);
    let signature = signature(&inputs.publisher_seed, &inputs.signing_rnd, &manifest);
    let recipients = recipients(inputs, &manifest);
    finish(inputs, bodies, lines, manifest, signature, recipients)
}

/// From the recipients on.
pub fn finish(
    inputs: &Inputs,
    bodies: Vec<Body>,
    lines: Vec<Line>,
    manifest: Vec<u8>,
    signature: Vec<u8>,
    recipients: Vec<u8>,
) -> Sealed {
    let public_key = public_key(&inputs.publisher_seed);
    let recipients_key = expand(&inputs.file_key, b"pqgt recipients v1");
    let mac = mac(&recipients_key, &manifest, &recipients);
    let front = front(&manifest, &public_key, &signature, &recipients, &mac);
    let mut file = front.clone();
    for body in &bodies {
        file.resize(file.len().next_multiple_of(4096), 0);
        file.extend(body.chunks.concat());
    }
    let body_key = expand(&inputs.file_key, b"pqgt body v1");
    Sealed { public_key, recipients_key, body_key, bodies, lines, manifest, signature, recipients, mac, front, file }
}

pub fn body(body_key: &[u8; 32], public_key: &[u8], model_id: &[u8; 32], index: u64, tensor: &Tensor) -> Body {
    let context = [head(4, 4), bytes(&sha3(&[public_key])), bytes(model_id), head(0, index), metadata(tensor)].concat();
    let info = [&b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"[..], &tensor.salt, &context].concat();
    let derived: [u8; 76] = expand(body_key, &info);
    let mut body = Body {
        key: derived[..32].try_into().unwrap(),
        base_nonce: derived[32..44].try_into().unwrap(),
        commitment: derived[44..].try_into().unwrap(),
        context,
        chunks: Vec::new(),
    };
    body.chunks = chunks(&body.key, &body.base_nonce, &tensor.plaintext);
    body
}

pub fn chunks(key: &[u8; 32], base_nonce: &[u8; 12], plaintext: &[u8]) -> Vec<Vec<u8>> {
    let chunk = |i: usize| {
        let mut nonce = *base_nonce;
        (0..4).for_each(|at| nonce[8 + at] ^= (i as u32).to_be_bytes()[at]);
        let start = i * 16384;
        aes_seal(key, nonce, &plaintext[start..plaintext.len().min(start + 16384)])
    };
    (0..=plaintext.len() / 16384).map(chunk).collect()
}

pub fn lines(tensors: &[Tensor], bodies: &[Body]) -> Vec<Line> {
    let mut end = 0;
    let line = |(index, (tensor, body)): (usize, (&Tensor, &Body))| {
        let length = body.chunks.iter().map(Vec::len).sum::<usize>() as u64;
        let offset = u64::next_multiple_of(end, 4096);
        end = offset + length;
        let header = [&tensor.salt[..], &body.commitment].concat();
        Line { index: index as u64, metadata: metadata(tensor), offset, length, header, root: root(&body.chunks) }
    };
    tensors.iter().zip(bodies).enumerate().map(line).collect()
}

pub fn leaf(chunk: &[u8]) -> Vec<u8> {
    sha3(&[b"pqgtleaf", chunk])
}

pub fn root(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut level: Vec<_> = chunks.iter().map(|chunk| leaf(chunk)).collect();
    while level.len() > 1 {
        let parent = |pair: &[Vec<u8>]| match pair {
            [left, right] => sha3(&[b"pqgtnode", left, right]),
            [alone] => alone.clone(),
            _ => unreachable!(),
        };
        level = level.chunks(2).map(parent).collect();
    }
    sha3(&[b"pqgtroot", &(chunks.len() as u64).to_be_bytes(), &level[0]])
}

pub fn manifest(inputs: &Inputs, public_key: &[u8], lines: &[Line]) -> Vec<u8> {
    let line = |line: &Line| {
        let Line { index, metadata, offset, length, header, root } = line;
        [head(4, 6), head(0, *index), metadata.clone(), head(0, *offset), head(0, *length), bytes(header), bytes(root)]
            .concat()
    };
    let file = |(name, header, tensors): &(String, Vec<u8>, u64)| {
        [head(4, 3), text(name), bytes(header), head(0, *tensors)].concat()
    };
    [
        vec![0xa8, 1, 1, 2],
        bytes(&inputs.model_id),
        vec![3],
        head(0, inputs.release),
        vec![4],
        bytes(&sha3(&[public_key])),
        vec![5],
        head(5, inputs.metadata.len() as u64),
        inputs.metadata.iter().flat_map(|(key, value)| [text(key), text(value)].concat()).collect(),
        vec![6],
        head(4, lines.len() as u64),
        lines.iter().flat_map(line).collect(),
        vec![7],
        head(4, inputs.files.len() as u64),
        inputs.files.iter().flat_map(file).collect(),
        vec![8],
        bytes(&inputs.index),
    ]
    .concat()
}

pub fn public_key(seed: &[u8; 32]) -> Vec<u8> {
    PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, seed).unwrap().public_key().as_ref().to_vec()
}

pub fn signature(seed: &[u8; 32], rnd: &[u8; 32], manifest: &[u8]) -> Vec<u8> {
    let message = [&[0x20; 64][..], b"PQGT v1 sealed\0", &sha3(&[manifest])].concat();
    let key = ml_dsa::SigningKey::<ml_dsa::MlDsa65>::from_seed(&(*seed).into());
    let signature = key.expanded_key().sign_internal(&[&[0, 0], &message], &(*rnd).into()).encode();
    UnparsedPublicKey::new(&ML_DSA_65, public_key(seed)).verify(&message, &signature).unwrap();
    signature.to_vec()
}

pub fn encapsulation_key(seed: &[u8; 64]) -> Vec<u8> {
    ml_kem_768::DecapsulationKey::from_seed((*seed).into()).encapsulation_key().to_bytes().to_vec()
}

pub fn recipients(inputs: &Inputs, manifest: &[u8]) -> Vec<u8> {
    let entry = |(seed, m): &([u8; 64], [u8; 32])| recipient(&encapsulation_key(seed), m, &inputs.file_key, manifest);
    join(inputs.recipients.iter().map(entry).collect())
}

/// Entries into an array, in order of the key-ids they start with.
pub fn join(mut entries: Vec<Vec<u8>>) -> Vec<u8> {
    entries.sort();
    [head(4, entries.len() as u64), entries.concat()].concat()
}

/// HPKE single-shot seal (RFC 9180, sections 5.1 and 6.1), base mode.
pub fn recipient(encapsulation_key: &[u8], m: &[u8; 32], file_key: &[u8; 32], manifest: &[u8]) -> Vec<u8> {
    let key = ml_kem_768::EncapsulationKey::new(encapsulation_key.try_into().unwrap()).unwrap();
    let (encapsulated, shared) = key.encapsulate_deterministic(&(*m).into());
    let id = sha3(&[encapsulation_key]);
    let info = [b"pqgt sealed v1", &id[..], &sha3(&[manifest])].concat();
    let suite = [&b"HPKE"[..], &[0, 0x41, 0, 3, 0, 2]].concat();
    let extract = |salt: &[u8], label: &str, input: &[u8]| {
        let input = [b"HPKE-v1", &suite[..], label.as_bytes(), input].concat();
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, salt), &input).as_ref().to_vec()
    };
    let context = [vec![0], extract(b"", "psk_id_hash", b""), extract(b"", "info_hash", &info)].concat();
    let secret = extract(&shared, "secret", b"");
    let labeled = |label: &str, length: u16| {
        [&length.to_be_bytes(), &b"HPKE-v1"[..], &suite, label.as_bytes(), &context].concat()
    };
    let aead_key: [u8; 32] = expand(&secret, &labeled("key", 32));
    let base_nonce: [u8; 12] = expand(&secret, &labeled("base_nonce", 12));
    let wrapped = aes_seal(&aead_key, base_nonce, file_key);
    [head(4, 3), bytes(&id), bytes(&encapsulated), bytes(&wrapped)].concat()
}

pub fn mac(recipients_key: &[u8; 64], manifest: &[u8], recipients: &[u8]) -> Vec<u8> {
    let message = [&sha3(&[manifest]), recipients].concat();
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, recipients_key), &message).as_ref().to_vec()
}

pub fn front(manifest: &[u8], public_key: &[u8], signature: &[u8], recipients: &[u8], mac: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| (part.len() as u32).to_be_bytes();
    let prefix = [&b"PQGS\x01\0\0\0"[..], &length(manifest), &length(recipients)].concat();
    let mut front = [&prefix, manifest, public_key, signature, recipients, mac].concat();
    front.resize(front.len().next_multiple_of(4096), 0);
    front
}

pub fn metadata(tensor: &Tensor) -> Vec<u8> {
    let Tensor { id, name, dtype, shape, .. } = tensor;
    let extents = shape.iter().flat_map(|&extent| head(0, extent)).collect();
    let rank = head(4, shape.len() as u64);
    [vec![0xa4, 1], text(id), vec![2], text(name), vec![3], text(dtype), vec![4], rank, extents].concat()
}

/// RFC 8949, section 3: a major type and its argument in the shortest form.
pub fn head(major: u8, argument: u64) -> Vec<u8> {
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

pub fn bytes(bytes: &[u8]) -> Vec<u8> {
    [&head(2, bytes.len() as u64), bytes].concat()
}

pub fn text(text: &str) -> Vec<u8> {
    [&head(3, text.len() as u64), text.as_bytes()].concat()
}

pub fn sha3(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = Sha3_256::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().to_vec()
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

pub fn expand<const N: usize>(secret: &[u8], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    Prk::new_less_safe(HKDF_SHA512, secret).expand(&[info], Length(N)).unwrap().fill(&mut out).unwrap();
    out
}

fn aes_seal(key: &[u8; 32], nonce: [u8; 12], plaintext: &[u8]) -> Vec<u8> {
    let mut out = plaintext.to_vec();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut out).unwrap();
    out
}
