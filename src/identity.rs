//! Identities: an ML-DSA-65 signing key (FIPS 204) and an ML-KEM-768 key (FIPS 203) for sealed files,
//! named by a key-id and a DID that are always recomputed from the public key, never believed.

mod pem;
mod signer;

use core::fmt;

use sha3::{Digest, Sha3_256};
use zeroize::Zeroizing;

pub use crate::key_id::KeyId;
use crate::{Error, Result};

/// Length of an ML-DSA-65 public key (FIPS 204, table 2).
pub const PUBLIC_KEY_BYTES: usize = 1952;
/// Length of an ML-DSA-65 signature (FIPS 204, table 2).
pub const SIGNATURE_BYTES: usize = 3309;
/// Length of an ML-KEM-768 encapsulation key (FIPS 203, table 3).
pub const ENCAPSULATION_KEY_BYTES: usize = 1184;

/// A pair of secret keys, kept as their seeds: ML-DSA-65 to sign, ML-KEM-768 to receive sealed files.
///
/// Neither printable nor cloneable; the seeds are erased when it is dropped.
pub struct Identity {
    signing_seed: Zeroizing<[u8; 32]>,
    kem_seed: Zeroizing<[u8; 64]>,
    signer: signer::Signer,
    public: PublicIdentity,
}

impl Identity {
    /// Makes a fresh identity from the operating system's randomness.
    pub fn generate() -> Result<Self> {
        let mut signing_seed = Zeroizing::new([0; 32]);
        let mut kem_seed = Zeroizing::new([0; 64]);
        getrandom::fill(&mut signing_seed[..]).map_err(|_| Error::Random)?;
        getrandom::fill(&mut kem_seed[..]).map_err(|_| Error::Random)?;
        Self::from_seeds(signing_seed, kem_seed)
    }

    /// Expands an identity from its seeds: ML-DSA-65's ξ (32 bytes) and ML-KEM-768's d ‖ z (64 bytes).
    pub fn from_seeds(signing_seed: Zeroizing<[u8; 32]>, kem_seed: Zeroizing<[u8; 64]>) -> Result<Self> {
        let signer = signer::Signer::from_seed(&signing_seed)?;
        let kem = ml_kem::ml_kem_768::DecapsulationKey::from_seed((*kem_seed).into());
        let mut encapsulation_key = Box::new([0; ENCAPSULATION_KEY_BYTES]);
        encapsulation_key.copy_from_slice(&ml_kem::kem::KeyExport::to_bytes(kem.encapsulation_key()));
        let public = PublicIdentity { signing_key: signer.public_key()?, encapsulation_key };
        Ok(Identity { signing_seed, kem_seed, signer, public })
    }

    /// The public half.
    pub fn public(&self) -> &PublicIdentity {
        &self.public
    }

    /// The public signing key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public.signing_key
    }

    /// d ‖ z of the ML-KEM-768 key, for HPKE, which takes no other form of it.
    pub(crate) fn kem_seed(&self) -> &Zeroizing<[u8; 64]> {
        &self.kem_seed
    }

    /// Signs with pure ML-DSA-65, hedged, empty context (FIPS 204, algorithm 2).
    ///
    /// Callers separate domains within `message`.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES]> {
        self.signer.sign(message)
    }

    /// Signs as [`Identity::sign`] does, but with a given rnd.
    #[cfg(any(test, feature = "conformance"))]
    pub(crate) fn sign_with_known_rnd(&self, message: &[u8], rnd: &[u8; 32]) -> [u8; SIGNATURE_BYTES] {
        signer::sign_with_known_rnd(&self.signing_seed, message, rnd)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.public_key().key_id())
    }
}

/// The public half of an [`Identity`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicIdentity {
    signing_key: PublicKey,
    encapsulation_key: Box<[u8; ENCAPSULATION_KEY_BYTES]>,
}

impl PublicIdentity {
    /// The ML-DSA-65 public key.
    pub fn signing_key(&self) -> &PublicKey {
        &self.signing_key
    }

    /// The ML-KEM-768 encapsulation key, for sealed files.
    pub fn encapsulation_key(&self) -> &[u8; ENCAPSULATION_KEY_BYTES] {
        &self.encapsulation_key
    }
}

/// An ML-DSA-65 public key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey(Box<[u8; PUBLIC_KEY_BYTES]>);

impl PublicKey {
    /// Takes the 1952 bytes of FIPS 204's pkEncode. Every such string is a key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut key = Box::new([0; PUBLIC_KEY_BYTES]);
        if bytes.len() != PUBLIC_KEY_BYTES {
            return Err(Error::Identity("an ML-DSA-65 public key has 1952 bytes"));
        }
        key.copy_from_slice(bytes);
        Ok(PublicKey(key))
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        &self.0
    }

    /// SHA3-256 of the key's bytes.
    pub fn key_id(&self) -> KeyId {
        KeyId::from_bytes(Sha3_256::digest(self.0.as_slice()).into())
    }

    /// Verifies a pure ML-DSA-65 signature with empty context (FIPS 204, algorithm 3).
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signer::verifies(self, message, signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_id())
    }
}

/// Which peers an end accepts.
#[derive(Debug, Clone)]
pub enum TrustPolicy {
    /// Only the holders of these public keys.
    Pinned(Vec<PublicKey>),
    /// Anyone who proves any key: no promise holds against an active attacker.
    AcceptAny,
}

impl TrustPolicy {
    /// Accepts one key.
    pub fn pin(key: PublicKey) -> Self {
        TrustPolicy::Pinned(vec![key])
    }

    pub(crate) fn accepts(&self, key: &PublicKey) -> bool {
        match self {
            TrustPolicy::Pinned(keys) => keys.contains(key),
            TrustPolicy::AcceptAny => true,
        }
    }
}

/// Reads an ML-KEM-768 encapsulation key with FIPS 203's checks (section 7.2: length and modulus).
pub(crate) fn encapsulation_key(bytes: &[u8]) -> Result<ml_kem::ml_kem_768::EncapsulationKey> {
    let bytes = bytes.try_into().map_err(|_| Error::Identity("an ML-KEM-768 encapsulation key has 1184 bytes"))?;
    ml_kem::ml_kem_768::EncapsulationKey::new(bytes)
        .map_err(|_| Error::Identity("the ML-KEM-768 encapsulation key is not canonical"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::from_seeds(Zeroizing::new([1; 32]), Zeroizing::new([2; 64])).expect("seeds")
    }

    #[test]
    fn signatures_verify_and_are_hedged() {
        let identity = identity();
        let (first, second) = (identity.sign(b"m").expect("signs"), identity.sign(b"m").expect("signs"));
        assert_ne!(first, second, "hedged signatures differ");
        assert!(identity.public_key().verifies(b"m", &first));
        assert!(!identity.public_key().verifies(b"n", &first));
        assert!(!identity.public_key().verifies(b"m", &first[1..]));
    }

    #[test]
    fn nothing_prints_a_seed() {
        let printed = format!("{:?}", identity());
        assert!(printed.starts_with("Identity(did:pqaid:"));
        assert!(!printed.contains("01, 01") && !printed.contains("0101"));
    }
}
