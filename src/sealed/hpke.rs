//! HPKE (RFC 9180): single-shot base mode with ML-KEM-768 (0x0041), HKDF-SHA-512 (0x0003), AES-256-GCM (0x0002).

use core::convert::Infallible;

use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable,
    aead::AesGcm256,
    kdf::HkdfSha512,
    kem::MlKem768,
    rand_core::{TryCryptoRng, TryRng},
};
use zeroize::Zeroizing;

use crate::{Error, Result, channel::suite::CIPHERTEXT_BYTES, identity::ENCAPSULATION_KEY_BYTES};

/// Length of what wraps 32 bytes: ciphertext and tag.
pub(super) const WRAPPED_BYTES: usize = 48;

/// Seal (RFC 9180 section 6.1) with empty aad. `m` are the 32 random bytes of ML-KEM's encapsulation (FIPS 203, algorithm 20).
pub(super) fn wrap(
    encapsulation_key: &[u8; ENCAPSULATION_KEY_BYTES],
    info: &[u8],
    secret: &[u8; 32],
    m: Zeroizing<[u8; 32]>,
) -> Result<([u8; CIPHERTEXT_BYTES], [u8; WRAPPED_BYTES])> {
    const REFUSED: Error = Error::Identity("the ML-KEM-768 encapsulation key is not canonical");
    let key = <MlKem768 as Kem>::PublicKey::from_bytes(encapsulation_key).map_err(|_| REFUSED)?;
    let (encapsulated, wrapped) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha512, MlKem768>(
        &OpModeS::Base,
        &key,
        info,
        secret,
        &[],
        &mut Coins { bytes: m, used: 0 },
    )
    .map_err(|_| REFUSED)?;
    let mut out = ([0; CIPHERTEXT_BYTES], [0; WRAPPED_BYTES]);
    out.0.copy_from_slice(&encapsulated.to_bytes());
    out.1.copy_from_slice(&wrapped);
    Ok(out)
}

/// Open (RFC 9180 section 6.1) with empty aad. None where it does not authenticate.
pub(super) fn unwrap(
    kem_seed: &Zeroizing<[u8; 64]>,
    info: &[u8],
    encapsulated: &[u8; CIPHERTEXT_BYTES],
    wrapped: &[u8; WRAPPED_BYTES],
) -> Option<Zeroizing<[u8; 32]>> {
    let key = <MlKem768 as Kem>::PrivateKey::from_bytes(&kem_seed[..]).ok()?;
    let encapsulated = <MlKem768 as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
    let secret = hpke::single_shot_open::<AesGcm256, HkdfSha512, MlKem768>(
        &OpModeR::Base,
        &key,
        &encapsulated,
        info,
        wrapped,
        &[],
    );
    let secret = Zeroizing::new(secret.ok()?);
    let mut out = Zeroizing::new([0; 32]);
    if secret.len() != out.len() {
        return None;
    }
    out.copy_from_slice(&secret);
    Some(out)
}

/// Gives the encapsulation exactly the coins that were drawn for it: hpke takes a generator that cannot fail, and the
/// operating system's can.
struct Coins {
    bytes: Zeroizing<[u8; 32]>,
    used: usize,
}

impl TryRng for Coins {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word).map(|()| u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word).map(|()| u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        let end = self.used + into.len();
        into.copy_from_slice(self.bytes.get(self.used..end).expect("an encapsulation takes 32 bytes"));
        self.used = end;
        Ok(())
    }
}

impl TryCryptoRng for Coins {}
