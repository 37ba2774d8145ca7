//! AES-256-GCM with a nonce of 96 bits and a tag of 128 bits (NIST SP 800-38D, Section 7).
//!
//! The standard's limits on lengths (Section 5.2.1.1: 2^36 - 32 bytes of plaintext) are left to
//! the caller.

use super::aes::{self, RoundKeys};
use super::ghash;

/// The bytes of a nonce; the standard calls the nonce "IV".
pub const NONCE_BYTES: usize = 12;

/// The bytes of a tag.
pub const TAG_BYTES: usize = 16;

/// GCM-AE (SP 800-38D, Section 7.1, Algorithm 4): the ciphertext, as long as `plaintext`, and the
/// tag.
#[must_use]
pub fn seal(key: &[u8; 32], nonce: &[u8; NONCE_BYTES], aad: &[u8], plaintext: &[u8]) -> (Vec<u8>, [u8; TAG_BYTES]) {
    let keys = aes::expand_key(key);
    let ciphertext = gctr(&keys, nonce, 2, plaintext);
    let tag = tag(&keys, nonce, aad, &ciphertext);
    (ciphertext, tag)
}

/// GCM-AD (SP 800-38D, Section 7.2, Algorithm 5): the plaintext, or `None`, the standard's FAIL,
/// when `tag` is not the tag of the nonce, the aad and the ciphertext.
#[must_use]
pub fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8; TAG_BYTES],
) -> Option<Vec<u8>> {
    let keys = aes::expand_key(key);
    let expected = self::tag(&keys, nonce, aad, ciphertext);
    (expected == *tag).then(|| gctr(&keys, nonce, 2, ciphertext))
}

/// The hash subkey H, the encryption of the zero block (SP 800-38D, Section 7.1, Algorithm 4,
/// step 1).
#[must_use]
pub fn hash_subkey(keys: &RoundKeys) -> u128 {
    u128::from_be_bytes(aes::encrypt_block(keys, &[0; 16]))
}

/// The tag of a ciphertext (SP 800-38D, Section 7.1, Algorithm 4, steps 4 to 6).
fn tag(keys: &RoundKeys, nonce: &[u8; NONCE_BYTES], aad: &[u8], ciphertext: &[u8]) -> [u8; TAG_BYTES] {
    let hash = ghash::ghash(hash_subkey(keys), &ghash::padded_blocks(aad, ciphertext));
    let mask = u128::from_be_bytes(aes::encrypt_block(keys, &counter_block(nonce, 1)));
    (hash ^ mask).to_be_bytes()
}

/// GCTR (SP 800-38D, Section 6.5, Algorithm 3) from the counter block of `nonce` and `counter`.
fn gctr(keys: &RoundKeys, nonce: &[u8; NONCE_BYTES], counter: u32, input: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len());
    let mut counter = counter;
    for bytes in input.chunks(16) {
        let mask = aes::encrypt_block(keys, &counter_block(nonce, counter));
        // The last block may be short; it takes the mask's leading bytes.
        output.extend(bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        // inc_32 of Section 6.2 wraps and leaves the nonce alone.
        counter = counter.wrapping_add(1);
    }
    output
}

/// The nonce followed by the 32-bit counter: with 1, the pre-counter block J0 of a 96-bit nonce
/// (SP 800-38D, Section 7.1, Algorithm 4, step 2), which masks the tag; the data starts at 2.
fn counter_block(nonce: &[u8; NONCE_BYTES], counter: u32) -> [u8; 16] {
    let mut block = [0; 16];
    block[..NONCE_BYTES].copy_from_slice(nonce);
    block[NONCE_BYTES..].copy_from_slice(&counter.to_be_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::super::from_hex;
    use super::*;

    const KEY: &str = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    const NONCE: &str = "cafebabefacedbaddecaf888";
    const PLAINTEXT: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    const CIPHERTEXT: &str = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                              8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";

    /// A test case of the GCM specification (Appendix B), both ways.
    fn check(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], plaintext: &[u8], sealed: (&[u8], [u8; 16])) {
        let (ciphertext, tag) = sealed;
        assert_eq!(seal(key, nonce, aad, plaintext), (ciphertext.to_vec(), tag));
        assert_eq!(open(key, nonce, aad, ciphertext, &tag).as_deref(), Some(plaintext));
    }

    #[test]
    fn test_case_13() {
        let tag = from_hex("530f8afbc74536b9a963b4f1c4cb738b");
        check(&[0; 32], &[0; 12], &[], &[], (&[], tag));
        let h = hash_subkey(&aes::expand_key(&[0; 32]));
        assert_eq!(h, 0xdc95_c078_a240_8989_ad48_a214_9284_2087);
    }

    #[test]
    fn test_case_14() {
        let ciphertext: [u8; 16] = from_hex("cea7403d4d606b6e074ec5d3baf39d18");
        let tag = from_hex("d0d1c8a799996bf0265b98b5d48ab919");
        check(&[0; 32], &[0; 12], &[], &[0; 16], (&ciphertext, tag));
    }

    #[test]
    fn test_case_15() {
        let plaintext: [u8; 64] = from_hex(PLAINTEXT);
        let ciphertext: [u8; 64] = from_hex(CIPHERTEXT);
        let tag = from_hex("b094dac5d93471bdec1a502270e3cc6c");
        check(&from_hex(KEY), &from_hex(NONCE), &[], &plaintext, (&ciphertext, tag));
    }

    #[test]
    fn test_case_16() {
        let plaintext: [u8; 64] = from_hex(PLAINTEXT);
        let ciphertext: [u8; 64] = from_hex(CIPHERTEXT);
        let aad: [u8; 20] = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let tag = from_hex("76fc6ece0f4e1768cddf8853bb2d551b");
        check(&from_hex(KEY), &from_hex(NONCE), &aad, &plaintext[..60], (&ciphertext[..60], tag));
    }

    #[test]
    fn open_refuses_every_changed_bit() {
        let (key, nonce, aad) = ([7; 32], [9; 12], [1, 2, 3]);
        let (ciphertext, tag) = seal(&key, &nonce, &aad, b"seventeen bytes!!");
        for bit in 0..8 * TAG_BYTES {
            let mut changed = tag;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, &nonce, &aad, &ciphertext, &changed), None);
        }
        for bit in 0..8 * ciphertext.len() {
            let mut changed = ciphertext.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, &nonce, &aad, &changed, &tag), None);
        }
        assert_eq!(open(&key, &nonce, &aad[..2], &ciphertext, &tag), None);
        assert_eq!(open(&key, &[8; 12], &aad, &ciphertext, &tag), None);
    }
}
