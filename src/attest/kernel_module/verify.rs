//! Verifying a module's signature with a certificate's key.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::asn1::ObjectIdentifier;

use super::{Certificate, DigestAlgorithm, KernelModule, SignatureAlgorithm, Signer};
use crate::{Result, error::ModuleFailure};

/// A certificate's key, of an algorithm that can be verified with here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    kind: KeyKind,
    /// As within the BIT STRING: ML-DSA's pkEncode, RSAPublicKey in DER, or a point (SEC 1 section 2.3.3).
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    MlDsa44,
    MlDsa65,
    MlDsa87,
    Rsa,
    P256,
    P384,
    P521,
}

impl PublicKey {
    pub(super) fn new(
        algorithm: ObjectIdentifier,
        curve: Option<ObjectIdentifier>,
        parameters: bool,
        bytes: &[u8],
    ) -> Result<Self, ModuleFailure> {
        use KeyKind::*;
        let kind = match (algorithm.to_string().as_str(), curve.map(|curve| curve.to_string()).as_deref()) {
            ("2.16.840.1.101.3.4.3.17", _) => MlDsa44,
            ("2.16.840.1.101.3.4.3.18", _) => MlDsa65,
            ("2.16.840.1.101.3.4.3.19", _) => MlDsa87,
            ("1.2.840.113549.1.1.1", _) => Rsa,
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => P256,
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => P384,
            ("1.2.840.10045.2.1", Some("1.3.132.0.35")) => P521,
            _ => return Err(ModuleFailure::Certificate("its key is of an algorithm that is not verified with here")),
        };
        // FIPS 204 table 2; RFC 9881 section 2: parameters are absent.
        let length = match kind {
            MlDsa44 => Some(1312),
            MlDsa65 => Some(1952),
            MlDsa87 => Some(2592),
            _ => None,
        };
        if length.is_some_and(|length| parameters || bytes.len() != length) {
            return Err(ModuleFailure::Certificate("its ML-DSA key is malformed"));
        }
        Ok(PublicKey { kind, bytes: bytes.to_vec() })
    }

    /// How a signature of this algorithm is verified with this key; None if it cannot be one of this key.
    fn algorithm(&self, signer: &Signer) -> Option<&'static dyn VerificationAlgorithm> {
        use DigestAlgorithm::*;
        Some(match (self.kind, signer.algorithm(), signer.digest()) {
            (KeyKind::MlDsa44, SignatureAlgorithm::MlDsa44, _) => &signature::ML_DSA_44,
            (KeyKind::MlDsa65, SignatureAlgorithm::MlDsa65, _) => &signature::ML_DSA_65,
            (KeyKind::MlDsa87, SignatureAlgorithm::MlDsa87, _) => &signature::ML_DSA_87,
            (KeyKind::Rsa, SignatureAlgorithm::Rsa, Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::Rsa, SignatureAlgorithm::Rsa, Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa, SignatureAlgorithm::Rsa, Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (KeyKind::P256, SignatureAlgorithm::Ecdsa, Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (KeyKind::P256, SignatureAlgorithm::Ecdsa, Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
            (KeyKind::P256, SignatureAlgorithm::Ecdsa, Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
            (KeyKind::P384, SignatureAlgorithm::Ecdsa, Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
            (KeyKind::P384, SignatureAlgorithm::Ecdsa, Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (KeyKind::P384, SignatureAlgorithm::Ecdsa, Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
            (KeyKind::P384, SignatureAlgorithm::Ecdsa, Sha3_384) => &signature::ECDSA_P384_SHA3_384_ASN1,
            (KeyKind::P521, SignatureAlgorithm::Ecdsa, Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
            (KeyKind::P521, SignatureAlgorithm::Ecdsa, Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
            (KeyKind::P521, SignatureAlgorithm::Ecdsa, Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
            (KeyKind::P521, SignatureAlgorithm::Ecdsa, Sha3_512) => &signature::ECDSA_P521_SHA3_512_ASN1,
            _ => return None,
        })
    }

    fn name(&self) -> &'static str {
        match self.kind {
            KeyKind::MlDsa44 => "ML-DSA-44",
            KeyKind::MlDsa65 => "ML-DSA-65",
            KeyKind::MlDsa87 => "ML-DSA-87",
            KeyKind::Rsa => "RSA",
            KeyKind::P256 => "ECDSA over P-256",
            KeyKind::P384 => "ECDSA over P-384",
            KeyKind::P521 => "ECDSA over P-521",
        }
    }
}

impl KernelModule<'_> {
    /// Verifies the appended signature with a certificate's key, and returns the signer that the certificate is of.
    /// That the certificate is to be trusted is the caller's word.
    ///
    /// ML-DSA is pure with empty context (RFC 9882); RSA is PKCS#1 v1.5 with 2048 to 8192 bits. Signed attributes are
    /// held against the content first (RFC 5652 section 5.6). Fails with
    /// [`ModuleFailure::NotVerified`] if the module is not signed, not by this certificate, by an algorithm that is
    /// not verified here (SHA-1, RSASSA-PSS, EdDSA, SLH-DSA and those unknown), or wrongly.
    pub fn verify(&self, certificate: &Certificate) -> Result<&Signer> {
        let not_verified = |reason: String| ModuleFailure::NotVerified(reason);
        let Some(signature) = self.signature() else {
            return Err(not_verified("the module is not signed".into()).into());
        };
        // Of several signers under one name, one that verifies is enough; each names what it fails at.
        let mut reason = format!("no signer is the certificate's ({}); give the signer's own", certificate.subject());
        for signer in signature.signers().iter().filter(|signer| certificate.is(signer.id())) {
            match signer.verify(&certificate.key, self.signed_content()) {
                Ok(()) => return Ok(signer),
                Err(why) => reason = why,
            }
        }
        Err(not_verified(reason).into())
    }
}

impl Signer {
    fn verify(&self, key: &PublicKey, content: &[u8]) -> Result<(), String> {
        let Some(algorithm) = key.algorithm(self) else {
            let (algorithm, digest, key) = (self.algorithm(), self.digest(), key.name());
            return Err(format!("{algorithm} with {digest} is not verified here with a key for {key}"));
        };
        let signed = match self.attributes() {
            None => content,
            Some(attributes) => {
                let digest = self.digest();
                let Some(found) = digest.digest(content) else {
                    return Err(format!("the signed digest is {digest}, which is not verified here"));
                };
                if found != attributes.message_digest {
                    return Err("the module is not the one whose digest was signed: it was altered".into());
                }
                &attributes.der
            }
        };
        let verified = UnparsedPublicKey::new(algorithm, &key.bytes).verify(signed, self.signature());
        verified.map_err(|_| "the signature is wrong: the module was altered, or another key signed it".into())
    }
}
