//! Suite 0x01, the only one: ML-KEM-768, ML-DSA-65 (in [`crate::identity`]), AES-256-GCM, HKDF-SHA-512.
//!
//! Suites are fixed, never negotiated. 0x02 (X25519 + ML-KEM-768) and 0x03 (ML-KEM-1024 + ML-DSA-87) are kept free.

use ml_kem::{
    kem::{Decapsulate, KeyExport},
    ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey},
};
use zeroize::Zeroizing;

use crate::{Result, error::HandshakeFailure, identity::ENCAPSULATION_KEY_BYTES};

/// The suite byte in every handshake message.
pub const SUITE: u8 = 0x01;
/// The suite's name, as the program prints it.
pub const SUITE_NAME: &str = "ML-KEM-768+ML-DSA-65+AES-256-GCM+HKDF-SHA-512";
/// Length of an ML-KEM-768 ciphertext (FIPS 203, table 3).
pub const CIPHERTEXT_BYTES: usize = 1088;
/// Length of an AES-256 key.
pub const KEY_BYTES: usize = 32;
/// Length of an AES-GCM nonce.
pub const NONCE_BYTES: usize = 12;
/// Length of an AES-GCM tag.
pub const TAG_BYTES: usize = 16;

/// A single-use ML-KEM-768 key pair; the secret half is erased when dropped.
pub(super) struct EphemeralKem(DecapsulationKey);

impl EphemeralKem {
    /// FIPS 203, algorithm 16. The seed, d ‖ z, is fresh.
    pub(super) fn from_seed(seed: &Zeroizing<[u8; 64]>) -> Self {
        EphemeralKem(DecapsulationKey::from_seed((**seed).into()))
    }

    pub(super) fn encapsulation_key(&self) -> [u8; ENCAPSULATION_KEY_BYTES] {
        self.0.encapsulation_key().to_bytes().into()
    }

    /// FIPS 203, algorithm 21. A wrong ciphertext gives an unrelated secret (implicit rejection), so it is
    /// the first sealed message that fails.
    pub(super) fn decapsulate(self, ciphertext: &[u8; CIPHERTEXT_BYTES]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.decapsulate(&Ciphertext::from(*ciphertext)).into())
    }
}

/// FIPS 203, algorithm 17, with the modulus check of section 7.2 on the peer's key. `m` is fresh.
pub(super) fn encapsulate(
    key: &[u8; ENCAPSULATION_KEY_BYTES],
    m: &Zeroizing<[u8; 32]>,
) -> Result<([u8; CIPHERTEXT_BYTES], Zeroizing<[u8; 32]>)> {
    let key = EncapsulationKey::new(&(*key).into()).map_err(|_| HandshakeFailure::EncapsulationKey)?;
    let (ciphertext, secret) = key.encapsulate_deterministic(&(**m).into());
    Ok((ciphertext.into(), Zeroizing::new(secret.into())))
}

pub(crate) use aead::AeadKey;

#[cfg(not(target_arch = "wasm32"))]
mod aead {
    //! AES-256-GCM by aws-lc-rs: out of place in both directions, so that bytes are moved once.

    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

    use super::{KEY_BYTES, NONCE_BYTES, TAG_BYTES};

    /// An expanded key; aws-lc erases it when it is freed.
    pub(crate) struct AeadKey(LessSafeKey);

    impl AeadKey {
        pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
            let key = UnboundKey::new(&AES_256_GCM, key).expect("AES-256-GCM takes every 32-byte key");
            AeadKey(LessSafeKey::new(key))
        }

        /// Seals `plaintext` into `out`, ciphertext then tag. `out` is 16 bytes longer.
        pub(crate) fn seal(&self, nonce: [u8; NONCE_BYTES], aad: &[u8], plaintext: &[u8], out: &mut [u8]) {
            let (ciphertext, tag) = out.split_at_mut(plaintext.len());
            let nonce = Nonce::assume_unique_for_key(nonce);
            self.0
                .seal_out_of_place_scatter(nonce, Aad::from(aad), plaintext, ciphertext, &[], tag)
                .expect("lengths agree and are within GCM's bound");
        }

        /// Opens `sealed`, ciphertext then tag, into `out`, 16 bytes shorter. On failure `out` is all zeros.
        #[must_use]
        pub(crate) fn open(&self, nonce: [u8; NONCE_BYTES], aad: &[u8], sealed: &[u8], out: &mut [u8]) -> bool {
            let Some(split) = sealed.len().checked_sub(TAG_BYTES) else { return false };
            let (ciphertext, tag) = sealed.split_at(split);
            let nonce = Nonce::assume_unique_for_key(nonce);
            let opened = self.0.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, out).is_ok();
            if !opened {
                out.fill(0);
            }
            opened
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod aead {
    //! AES-256-GCM by `aes-gcm`, which builds for wasm.

    use aes_gcm::{
        Aes256Gcm, KeyInit,
        aead::{AeadInOut, inout::InOutBuf},
    };

    use super::{KEY_BYTES, NONCE_BYTES, TAG_BYTES};

    /// An expanded key, erased when dropped.
    pub(crate) struct AeadKey(Box<Aes256Gcm>);

    impl AeadKey {
        pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
            AeadKey(Box::new(Aes256Gcm::new(&(*key).into())))
        }

        /// Seals `plaintext` into `out`, ciphertext then tag. `out` is 16 bytes longer.
        pub(crate) fn seal(&self, nonce: [u8; NONCE_BYTES], aad: &[u8], plaintext: &[u8], out: &mut [u8]) {
            let (ciphertext, tag_out) = out.split_at_mut(plaintext.len());
            let buffer = InOutBuf::new(plaintext, ciphertext).expect("equal lengths");
            let tag =
                self.0.encrypt_inout_detached(&nonce.into(), aad, buffer).expect("lengths are within GCM's bound");
            tag_out.copy_from_slice(&tag);
        }

        /// Opens `sealed`, ciphertext then tag, into `out`, 16 bytes shorter. On failure `out` is all zeros.
        #[must_use]
        pub(crate) fn open(&self, nonce: [u8; NONCE_BYTES], aad: &[u8], sealed: &[u8], out: &mut [u8]) -> bool {
            let Some(split) = sealed.len().checked_sub(TAG_BYTES) else { return false };
            let (ciphertext, tag) = sealed.split_at(split);
            let Ok(tag) = <[u8; TAG_BYTES]>::try_from(tag) else { return false };
            let Ok(buffer) = InOutBuf::new(ciphertext, &mut *out) else { return false };
            let opened = self.0.decrypt_inout_detached(&nonce.into(), aad, buffer, &tag.into()).is_ok();
            if !opened {
                out.fill(0);
            }
            opened
        }
    }
}
