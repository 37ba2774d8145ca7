//! The chunked body (C2SP `chunked-encryption`) and Cobblestone-256 on top of it.
//!
//! The C2SP specification has chunks of 16384 bytes and no aad. Here the size of a chunk is a
//! parameter, so that tests reach every edge with few bytes, and an aad may be given, the same for
//! each chunk. The limit of 2^38 chunks is left to the caller.

use hkdf::HmacImpl;
use hkdf::hmac::Hmac;
use sha2::Sha512;

use super::gcm::{self, NONCE_BYTES, TAG_BYTES};

/// The plaintext bytes of every Cobblestone chunk but the last ("Message chunking").
pub const COBBLESTONE_CHUNK_BYTES: usize = 16384;

/// The bytes of a Cobblestone salt.
pub const SALT_BYTES: usize = 24;

/// The bytes of a Cobblestone commitment.
pub const COMMITMENT_BYTES: usize = 32;

/// Seals `plaintext` as a body: its chunks in order, each followed by its tag ("AEAD usage").
///
/// The last chunk is always shorter than `chunk_bytes` and may be empty. Chunks of 0 bytes cannot
/// be cut: with `chunk_bytes` of 0 the result is empty, which no body is.
#[must_use]
pub fn seal_body(
    key: &[u8; 32],
    base_nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    plaintext: &[u8],
    chunk_bytes: usize,
) -> Vec<u8> {
    if chunk_bytes == 0 {
        return Vec::new();
    }
    let full_chunks = plaintext.chunks_exact(chunk_bytes);
    let last_chunk = full_chunks.remainder();
    let mut body = Vec::new();
    for (chunk, number) in full_chunks.chain([last_chunk]).zip(0..) {
        let (ciphertext, tag) = gcm::seal(key, &chunk_nonce(base_nonce, number), aad, chunk);
        body.extend(ciphertext);
        body.extend(tag);
    }
    body
}

/// Opens a body of exactly `plaintext_bytes`; `None` unless the length of `body` is the one of
/// [`body_bytes`] and every chunk verifies.
#[must_use]
pub fn open_body(
    key: &[u8; 32],
    base_nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    body: &[u8],
    chunk_bytes: usize,
    plaintext_bytes: usize,
) -> Option<Vec<u8>> {
    if body.len() != body_bytes(plaintext_bytes, chunk_bytes)? {
        return None;
    }
    let mut plaintext = Vec::new();
    let sealed_chunks = body.chunks(chunk_bytes.checked_add(TAG_BYTES)?);
    for (sealed_chunk, number) in sealed_chunks.zip(0..) {
        let (ciphertext, tag) = sealed_chunk.split_last_chunk::<TAG_BYTES>()?;
        let nonce = chunk_nonce(base_nonce, number);
        plaintext.extend(gcm::open(key, &nonce, aad, ciphertext, tag)?);
    }
    Some(plaintext)
}

/// The length of the body of a plaintext, which has `plaintext_bytes / chunk_bytes + 1` tags;
/// `None` for chunks of 0 bytes or when the length is no `usize`.
#[must_use]
pub fn body_bytes(plaintext_bytes: usize, chunk_bytes: usize) -> Option<usize> {
    let chunks = plaintext_bytes.checked_div(chunk_bytes)?.checked_add(1)?;
    plaintext_bytes.checked_add(chunks.checked_mul(TAG_BYTES)?)
}

/// The length of the plaintext of a body, the inverse of [`body_bytes`]; `None` for a length that
/// no body has ("Implementation notes").
#[must_use]
pub fn plaintext_bytes(body_bytes: usize, chunk_bytes: usize) -> Option<usize> {
    let sealed_chunk_bytes = chunk_bytes.checked_add(TAG_BYTES)?;
    let full_chunks = body_bytes / sealed_chunk_bytes;
    let last_chunk_bytes = (body_bytes % sealed_chunk_bytes).checked_sub(TAG_BYTES)?;
    Some(full_chunks * chunk_bytes + last_chunk_bytes)
}

/// The nonce of a chunk: the base nonce XOR the chunk's number, counted from 0, as a big-endian
/// integer as wide as the nonce ("AEAD usage"). Up to 2^32 chunks this changes the last 4 bytes
/// only.
#[must_use]
pub fn chunk_nonce(base_nonce: &[u8; NONCE_BYTES], number: u64) -> [u8; NONCE_BYTES] {
    let mut nonce = *base_nonce;
    let number_bytes = number.to_be_bytes();
    for (byte, number_byte) in nonce.iter_mut().rev().zip(number_bytes.iter().rev()) {
        *byte ^= number_byte;
    }
    nonce
}

/// The key, base nonce and commitment of a Cobblestone-256 message ("Key derivation").
///
/// HKDF-Expand is written out from RFC 5869, Section 2.3, over the HMAC of crate `hkdf`: the
/// crate's own expansion refuses a key shorter than the hash, as `input_key` is.
#[must_use]
pub fn cobblestone_derive(
    input_key: &[u8; 32],
    salt: &[u8; SALT_BYTES],
    context: &[u8],
) -> ([u8; 32], [u8; NONCE_BYTES], [u8; COMMITMENT_BYTES]) {
    let prefix = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
    let info = [&prefix[..], salt, context].concat();
    let t1 = hmac_sha512(input_key, &[&info, &[1]]);
    let t2 = hmac_sha512(input_key, &[&t1, &info, &[2]]);
    let output: [u8; 128] = std::array::from_fn(|i| if i < 64 { t1[i] } else { t2[i - 64] });
    (
        std::array::from_fn(|i| output[i]),
        std::array::from_fn(|i| output[32 + i]),
        std::array::from_fn(|i| output[32 + NONCE_BYTES + i]),
    )
}

/// Seals a Cobblestone-256 message: the salt, the commitment and the body.
#[must_use]
pub fn cobblestone_seal(input_key: &[u8; 32], salt: &[u8; SALT_BYTES], context: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let (key, base_nonce, commitment) = cobblestone_derive(input_key, salt, context);
    let body = seal_body(&key, &base_nonce, &[], plaintext, COBBLESTONE_CHUNK_BYTES);
    [&salt[..], &commitment, &body].concat()
}

/// Opens a Cobblestone-256 message; `None` unless its length is a possible one, its commitment is
/// the derived one and every chunk verifies.
#[must_use]
pub fn cobblestone_open(input_key: &[u8; 32], context: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let (salt, rest) = message.split_first_chunk::<SALT_BYTES>()?;
    let (commitment, body) = rest.split_first_chunk::<COMMITMENT_BYTES>()?;
    let (key, base_nonce, expected) = cobblestone_derive(input_key, salt, context);
    // "MUST check the commitment matches the derived value before continuing"
    if expected != *commitment {
        return None;
    }
    let chunk_bytes = COBBLESTONE_CHUNK_BYTES;
    let plaintext_bytes = plaintext_bytes(body.len(), chunk_bytes)?;
    open_body(&key, &base_nonce, &[], body, chunk_bytes, plaintext_bytes)
}

/// HMAC-SHA-512 of the concatenated `parts`.
fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> [u8; 64] {
    let mut hmac = <Hmac<Sha512> as HmacImpl>::new_from_slice(key);
    for part in parts {
        HmacImpl::update(&mut hmac, part);
    }
    HmacImpl::finalize(hmac).into()
}

#[cfg(test)]
mod tests {
    use super::super::from_hex;
    use super::*;

    const KEY: [u8; 32] = [1; 32];
    const NONCE: [u8; 12] = [0xf0; 12];
    const CHUNK_BYTES: usize = 32;

    /// The input key of Wycheproof's set `c2sp_chunked_encryption_aes_256_gcm`.
    const INPUT_KEY: &[u8; 32] = b"YELLOW SUBMARINE YELLOW SUBMARIN";

    /// The empty message of the same set, its test 1.
    const EMPTY_MESSAGE: &str = "43a2e39431cbae0389d3fc86adf46f7c3a24de88d9311617\
                                 e53f3164cc1d5dc738a66b97f0bf786565c31799c2f463d50a7e10046011dc6f\
                                 c3c939e3a5db7affb6191551669554fb";

    fn open(body: &[u8], plaintext_bytes: usize) -> Option<Vec<u8>> {
        open_body(&KEY, &NONCE, b"aad", body, CHUNK_BYTES, plaintext_bytes)
    }

    #[test]
    fn bodies_open_again_and_end_in_a_short_chunk() {
        let plaintext: Vec<u8> = (0..100).collect();
        for (n, chunks) in [(0, 1), (1, 1), (31, 1), (32, 2), (33, 2), (64, 3), (100, 4)] {
            let body = seal_body(&KEY, &NONCE, b"aad", &plaintext[..n], CHUNK_BYTES);
            assert_eq!(body.len(), n + 16 * chunks);
            assert_eq!(body_bytes(n, CHUNK_BYTES), Some(body.len()));
            assert_eq!(plaintext_bytes(body.len(), CHUNK_BYTES), Some(n));
            assert_eq!(open(&body, n).as_deref(), Some(&plaintext[..n]));
            assert_eq!(open(&body, n + 1), None);
            assert_eq!(open(&body[1..], n), None);
        }
    }

    #[test]
    fn chunks_are_bound_to_their_place() {
        let body = seal_body(&KEY, &NONCE, b"aad", &[0; 64], CHUNK_BYTES);
        let swapped = [&body[48..96], &body[..48], &body[96..]].concat();
        assert_eq!(open(&swapped, 64), None);
        // Without its last chunk the body has no possible length, for no plaintext.
        assert_eq!(plaintext_bytes(96, CHUNK_BYTES), None);
        for i in 0..body.len() {
            let mut changed = body.clone();
            changed[i] ^= 0x80;
            assert_eq!(open(&changed, 64), None);
        }
    }

    #[test]
    fn chunk_nonces_count_from_the_end() {
        let last_bytes = |number| chunk_nonce(&NONCE, number)[6..].to_vec();
        assert_eq!(chunk_nonce(&NONCE, 0), NONCE);
        assert_eq!(last_bytes(0x0102_0304), from_hex::<6>("f0f0f1f2f3f4"));
        assert_eq!(last_bytes(1 << 32), from_hex::<6>("f0f1f0f0f0f0"));
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert!(seal_body(&KEY, &NONCE, &[], b"text", 0).is_empty());
        assert_eq!(open_body(&KEY, &NONCE, &[], &[], 0, 0), None);
        assert_eq!(open_body(&KEY, &NONCE, &[], &[0; 16], usize::MAX, 0), None);
        assert_eq!(body_bytes(usize::MAX, 1), None);
        assert_eq!((0..=16).find_map(|n| plaintext_bytes(n, 0)), None);
    }

    #[test]
    fn cobblestone_has_the_bytes_of_wycheproof() {
        let message: [u8; 72] = from_hex(EMPTY_MESSAGE);
        let salt = from_hex(&EMPTY_MESSAGE[..48]);
        let (key, base_nonce, commitment) = cobblestone_derive(INPUT_KEY, &salt, &[]);
        let expected_key = "781b72bce3c966fffb09e5d596e1d21b029b21a9599852fb9b9f644e23b86ae8";
        assert_eq!(key, from_hex(expected_key));
        assert_eq!(base_nonce, from_hex("f206a92ac0ba380c8e9e3843"));
        assert_eq!(commitment, message[24..56]);
        assert_eq!(cobblestone_seal(INPUT_KEY, &salt, &[], &[]), message);
        assert_eq!(cobblestone_open(INPUT_KEY, &[], &message), Some(Vec::new()));
        assert_eq!(cobblestone_open(INPUT_KEY, b"other", &message), None);
        for n in 0..message.len() {
            assert_eq!(cobblestone_open(INPUT_KEY, &[], &message[..n]), None);
        }
    }
}
