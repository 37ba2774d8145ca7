//! The algorithms of CMS signatures, by their object identifiers, and whether a quantum computer breaks them.

use std::fmt;

use der::asn1::ObjectIdentifier;
use sha2::{Digest, Sha256, Sha384, Sha512};
use sha3::{Sha3_256, Sha3_384, Sha3_512};

/// Whether a signature algorithm withstands a quantum computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// ML-DSA or SLH-DSA.
    PostQuantum,
    /// RSA or elliptic curves: Shor's algorithm forges them.
    Classical,
    /// Not known here, so nothing is said of it.
    Unknown,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::PostQuantum => "post-quantum",
            Kind::Classical => "classical: not post-quantum",
            Kind::Unknown => "unknown: nothing can be said of it",
        })
    }
}

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// ML-DSA-44 (FIPS 204; RFC 9882).
    MlDsa44,
    /// ML-DSA-65 (FIPS 204; RFC 9882).
    MlDsa65,
    /// ML-DSA-87 (FIPS 204; RFC 9882).
    MlDsa87,
    /// SLH-DSA of any parameter set (FIPS 205; RFC 9814).
    SlhDsa,
    /// RSASSA-PKCS1-v1_5 (RFC 8017).
    Rsa,
    /// RSASSA-PSS (RFC 8017).
    RsaPss,
    /// ECDSA (FIPS 186-5).
    Ecdsa,
    /// Ed25519 or Ed448 (RFC 8032).
    EdDsa,
    /// Another, by its object identifier.
    Other(ObjectIdentifier),
}

impl SignatureAlgorithm {
    /// Reads a CMS signature algorithm, and the digest algorithm that its identifier fixes, if it does.
    pub(super) fn of(oid: ObjectIdentifier) -> (Self, Option<DigestAlgorithm>) {
        use DigestAlgorithm::*;
        match oid.to_string().as_str() {
            "2.16.840.1.101.3.4.3.17" => (Self::MlDsa44, None),
            "2.16.840.1.101.3.4.3.18" => (Self::MlDsa65, None),
            "2.16.840.1.101.3.4.3.19" => (Self::MlDsa87, None),
            "1.2.840.113549.1.1.1" => (Self::Rsa, None),
            "1.2.840.113549.1.1.5" => (Self::Rsa, Some(Sha1)),
            "1.2.840.113549.1.1.11" => (Self::Rsa, Some(Sha256)),
            "1.2.840.113549.1.1.12" => (Self::Rsa, Some(Sha384)),
            "1.2.840.113549.1.1.13" => (Self::Rsa, Some(Sha512)),
            "1.2.840.113549.1.1.10" => (Self::RsaPss, None),
            "1.2.840.10045.4.1" => (Self::Ecdsa, Some(Sha1)),
            "1.2.840.10045.4.3.2" => (Self::Ecdsa, Some(Sha256)),
            "1.2.840.10045.4.3.3" => (Self::Ecdsa, Some(Sha384)),
            "1.2.840.10045.4.3.4" => (Self::Ecdsa, Some(Sha512)),
            "2.16.840.1.101.3.4.3.10" => (Self::Ecdsa, Some(Sha3_256)),
            "2.16.840.1.101.3.4.3.11" => (Self::Ecdsa, Some(Sha3_384)),
            "2.16.840.1.101.3.4.3.12" => (Self::Ecdsa, Some(Sha3_512)),
            "1.3.101.112" | "1.3.101.113" => (Self::EdDsa, None),
            text => match text.strip_prefix("2.16.840.1.101.3.4.3.").and_then(|last| last.parse().ok()) {
                Some(20..=31) => (Self::SlhDsa, None),
                _ => (Self::Other(oid), None),
            },
        }
    }

    /// Whether a quantum computer breaks it.
    pub fn kind(self) -> Kind {
        match self {
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 | Self::SlhDsa => Kind::PostQuantum,
            Self::Rsa | Self::RsaPss | Self::Ecdsa | Self::EdDsa => Kind::Classical,
            Self::Other(_) => Kind::Unknown,
        }
    }

    /// The one length of its signatures in bytes, if it has one (FIPS 204 table 2).
    pub(super) fn signature_bytes(self) -> Option<usize> {
        match self {
            Self::MlDsa44 => Some(2420),
            Self::MlDsa65 => Some(3309),
            Self::MlDsa87 => Some(4627),
            _ => None,
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
            Self::SlhDsa => "SLH-DSA",
            Self::Rsa => "RSA",
            Self::RsaPss => "RSASSA-PSS",
            Self::Ecdsa => "ECDSA",
            Self::EdDsa => "EdDSA",
            Self::Other(oid) => return oid.fmt(f),
        })
    }
}

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// SHA-1: broken, and never verified with here.
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-384 (FIPS 180-4).
    Sha384,
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// SHA3-256 (FIPS 202).
    Sha3_256,
    /// SHA3-384 (FIPS 202).
    Sha3_384,
    /// SHA3-512 (FIPS 202).
    Sha3_512,
    /// Another, by its object identifier.
    Other(ObjectIdentifier),
}

impl DigestAlgorithm {
    pub(super) fn of(oid: ObjectIdentifier) -> Self {
        match oid.to_string().as_str() {
            "1.3.14.3.2.26" => Self::Sha1,
            "2.16.840.1.101.3.4.2.1" => Self::Sha256,
            "2.16.840.1.101.3.4.2.2" => Self::Sha384,
            "2.16.840.1.101.3.4.2.3" => Self::Sha512,
            "2.16.840.1.101.3.4.2.8" => Self::Sha3_256,
            "2.16.840.1.101.3.4.2.9" => Self::Sha3_384,
            "2.16.840.1.101.3.4.2.10" => Self::Sha3_512,
            _ => Self::Other(oid),
        }
    }

    /// The digest; None for an algorithm that is broken or not known here.
    pub(super) fn digest(self, content: &[u8]) -> Option<Vec<u8>> {
        Some(match self {
            Self::Sha256 => Sha256::digest(content).to_vec(),
            Self::Sha384 => Sha384::digest(content).to_vec(),
            Self::Sha512 => Sha512::digest(content).to_vec(),
            Self::Sha3_256 => Sha3_256::digest(content).to_vec(),
            Self::Sha3_384 => Sha3_384::digest(content).to_vec(),
            Self::Sha3_512 => Sha3_512::digest(content).to_vec(),
            Self::Sha1 | Self::Other(_) => return None,
        })
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Sha3_256 => "SHA3-256",
            Self::Sha3_384 => "SHA3-384",
            Self::Sha3_512 => "SHA3-512",
            Self::Other(oid) => return oid.fmt(f),
        })
    }
}
