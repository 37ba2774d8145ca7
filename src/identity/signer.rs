//! ML-DSA-65 signatures (FIPS 204): by aws-lc-rs natively, by `ml-dsa` on wasm. Both hedge.

#[cfg(not(target_arch = "wasm32"))]
pub(super) use native::{Signer, verifies};
#[cfg(target_arch = "wasm32")]
pub(super) use wasm::{Signer, verifies};

/// A signature with a given rnd, by `ml-dsa` on every target: aws-lc-rs draws rnd itself.
#[cfg(any(test, feature = "conformance"))]
pub(super) fn sign_with_known_rnd(seed: &[u8; 32], message: &[u8], rnd: &[u8; 32]) -> [u8; super::SIGNATURE_BYTES] {
    let key = ml_dsa::SigningKey::<ml_dsa::MlDsa65>::from_seed(&(*seed).into());
    // FIPS 204, algorithm 2, line 10: a zero byte for "pure", the empty context's length, the message.
    let signature = key.expanded_key().sign_internal(&[&[0, 0], message], &(*rnd).into());
    let mut bytes = [0; super::SIGNATURE_BYTES];
    bytes.copy_from_slice(&signature.encode());
    bytes
}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    //! ML-DSA-65 by aws-lc-rs, which always hedges; eight times as fast as `ml-dsa`.

    use aws_lc_rs::signature::{KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey};

    use crate::{
        Error, Result,
        identity::{PublicKey, SIGNATURE_BYTES},
    };

    pub(in crate::identity) struct Signer(PqdsaKeyPair);

    impl Signer {
        pub(in crate::identity) fn from_seed(seed: &[u8; 32]) -> Result<Self> {
            let pair = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, seed);
            pair.map(Signer).map_err(|_| Error::Identity("the ML-DSA-65 seed was refused"))
        }

        pub(in crate::identity) fn public_key(&self) -> Result<PublicKey> {
            PublicKey::from_bytes(self.0.public_key().as_ref())
        }

        pub(in crate::identity) fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES]> {
            let mut signature = [0; SIGNATURE_BYTES];
            self.0.sign(message, &mut signature).map_err(|_| Error::Random)?;
            Ok(signature)
        }
    }

    pub(in crate::identity) fn verifies(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == SIGNATURE_BYTES
            && UnparsedPublicKey::new(&ML_DSA_65, key.as_bytes()).verify(message, signature).is_ok()
    }
}

#[cfg(target_arch = "wasm32")]
mod wasm {
    //! ML-DSA-65 by `ml-dsa`, in its hedged form.

    use ml_dsa::{MlDsa65, Signature, SigningKey, VerifyingKey};

    use crate::{
        Error, Result,
        identity::{PublicKey, SIGNATURE_BYTES},
    };

    pub(in crate::identity) struct Signer(SigningKey<MlDsa65>);

    impl Signer {
        pub(in crate::identity) fn from_seed(seed: &[u8; 32]) -> Result<Self> {
            Ok(Signer(SigningKey::from_seed(&(*seed).into())))
        }

        pub(in crate::identity) fn public_key(&self) -> Result<PublicKey> {
            PublicKey::from_bytes(&self.0.expanded_key().verifying_key().encode())
        }

        pub(in crate::identity) fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES]> {
            let signature = self.0.expanded_key().sign_randomized(message, &[], &mut getrandom::SysRng);
            let mut bytes = [0; SIGNATURE_BYTES];
            bytes.copy_from_slice(&signature.map_err(|_| Error::Random)?.encode());
            Ok(bytes)
        }
    }

    pub(in crate::identity) fn verifies(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let key = VerifyingKey::<MlDsa65>::decode(&(*key.as_bytes()).into());
        Signature::try_from(signature).is_ok_and(|signature| key.verify_with_context(message, &[], &signature))
    }
}
