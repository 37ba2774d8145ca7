//! A signer that signs whatever it is told to, written from docs/attestation.md, and not with the library's code.

use aws_lc_rs::signature::{KeyPair, ML_DSA_65_SIGNING, PqdsaKeyPair};
use minicbor::{Encoder, data::Tag};
use pqc_gpu_driver::{
    Identity,
    attest::{
        Check, DriverAttestation, DriverAttestationVerifier, DriverAttester, DriverModule, Outcome, Policy, Validity,
        VerificationResult,
    },
};
use sha3::{Digest, Sha3_256};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const MODULE: &[u8] = b"the driver's bytes";
pub(crate) const AAD: &[u8] = b"pqgt driver v1";
/// The vendor, whom the policy trusts, and somebody else.
pub(crate) const VENDOR: u8 = 5;
pub(crate) const OTHER: u8 = 6;

pub(crate) fn identity(seed: u8) -> Identity {
    Identity::from_seeds([seed; 32].into(), [seed; 64].into()).unwrap()
}

pub(crate) fn policy() -> Policy {
    Policy { trusted_signers: vec![identity(VENDOR).public_key().clone()], ..Policy::default() }
}

pub(crate) fn module(version: &str, target: &str, security_version: u64) -> DriverModule {
    DriverModule::new("nvidia.ko", version, target, MODULE, security_version).unwrap()
}

/// What the library signs: valid for a hundred seconds from now.
pub(crate) fn honest(security_version: u64) -> DriverAttestation {
    let validity = Validity { not_before: NOW, not_after: NOW + 100 };
    let module = module("550", "linux-x86_64", security_version);
    DriverAttester::new(&identity(VENDOR)).attest(&module, validity, NOW).unwrap()
}

pub(crate) fn verify_with(policy: Policy, attestation: &[u8]) -> VerificationResult {
    DriverAttestationVerifier::new(policy).verify(attestation, MODULE, NOW)
}

pub(crate) fn verify(attestation: &[u8]) -> VerificationResult {
    verify_with(policy(), attestation)
}

/// Asserts that a check failed, and that nothing came of the attestation.
#[track_caller]
pub(crate) fn refused_at(result: &VerificationResult, check: Check) {
    assert!(matches!(result.outcome(check), Outcome::Failed(_)), "{result:?}");
    assert!(!result.passed() && result.attestation().is_none());
}

/// CBOR written as the closure says.
pub(crate) fn cbor(write: impl FnOnce(&mut Encoder<Vec<u8>>)) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    write(&mut out);
    out.into_writer()
}

/// Everything that goes into an attestation, to be bent.
pub(crate) struct Forge {
    pub signer: PqdsaKeyPair,
    pub protected: Vec<u8>,
    pub unprotected: Vec<u8>,
    pub payload: Vec<u8>,
    pub aad: Vec<u8>,
}

impl Forge {
    /// An honest statement by the holder of this seed.
    pub(crate) fn new(seed: u8) -> Self {
        let signer = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &[seed; 32]).unwrap();
        let id = Sha3_256::digest(signer.public_key().as_ref());
        let protected = cbor(|out| drop(out.map(2).unwrap().u8(1).unwrap().i8(-49).unwrap().u8(4).unwrap().bytes(&id)));
        Forge {
            signer,
            protected,
            unprotected: vec![0xa0],
            payload: payload([7, NOW, NOW + 100, NOW]),
            aad: AAD.into(),
        }
    }

    /// The bytes to sign (RFC 9052 section 4.4).
    pub(crate) fn signed_bytes(&self) -> Vec<u8> {
        cbor(|out| {
            out.array(4).unwrap().str("Signature1").unwrap().bytes(&self.protected).unwrap();
            out.bytes(&self.aad).unwrap().bytes(&self.payload).unwrap();
        })
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; 3309];
        self.signer.sign(message, &mut signature).unwrap();
        signature
    }

    pub(crate) fn finish(&self) -> Vec<u8> {
        self.with_signature(&self.sign(&self.signed_bytes()))
    }

    pub(crate) fn with_signature(&self, signature: &[u8]) -> Vec<u8> {
        let mut bytes = cbor(|out| drop(out.tag(Tag::new(18)).unwrap().array(4).unwrap().bytes(&self.protected)));
        bytes.extend(&self.unprotected);
        bytes.extend(cbor(|out| drop(out.bytes(&self.payload).unwrap().bytes(signature))));
        bytes
    }
}

/// The payload with these numbers: security version, not-before, not-after, signing time.
pub(crate) fn payload(numbers: [u64; 4]) -> Vec<u8> {
    cbor(|out| {
        out.map(9).unwrap().u8(1).unwrap().str("nvidia.ko").unwrap().u8(2).unwrap().str("550").unwrap();
        out.u8(3).unwrap().str("linux-x86_64").unwrap().u8(4).unwrap().bytes(&Sha3_256::digest(MODULE)).unwrap();
        out.u8(5).unwrap().u64(MODULE.len() as u64).unwrap();
        for (key, number) in (6..).zip(numbers) {
            out.u8(key).unwrap().u64(number).unwrap();
        }
    })
}
