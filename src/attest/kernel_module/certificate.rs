//! The certificate to verify a module's signature with: X.509 (RFC 5280), DER or PEM.

use der::{Decode, Encode, asn1::ObjectIdentifier, oid::AssociatedOid};
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use super::{cms::SignerId, verify::PublicKey};
use crate::{Result, error::ModuleFailure};

/// Kernels' signing certificates have 1 to 10 kB.
const MAX_CERTIFICATE_BYTES: usize = 64 << 10;

/// A certificate that the caller trusts, as the kernel trusts those in its keyrings: its own signature, its validity
/// and its uses are not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    subject: String,
    issuer: String,
    issuer_der: Vec<u8>,
    serial: Vec<u8>,
    key_id: Option<Vec<u8>>,
    pub(super) key: PublicKey,
}

impl Certificate {
    /// Reads one certificate, DER (as `certs/signing_key.x509`) or PEM (a file with exactly one).
    ///
    /// Fails with [`Error::KernelModule`](crate::Error::KernelModule) if it is none, or if its key is of an algorithm
    /// that nothing is verified with here: ML-DSA-44, -65, -87 (RFC 9881), RSA, and ECDSA over P-256, P-384, P-521 are.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        const MALFORMED: ModuleFailure = ModuleFailure::Certificate("not an X.509 certificate in DER or PEM");
        if bytes.len() > MAX_CERTIFICATE_BYTES {
            return Err(ModuleFailure::Certificate("longer than 64 KiB").into());
        }
        let certificate = if bytes.first() == Some(&0x30) {
            x509_cert::Certificate::from_der(bytes).map_err(|_| MALFORMED)?
        } else {
            let mut chain = x509_cert::Certificate::load_pem_chain(bytes).map_err(|_| MALFORMED)?;
            match (chain.pop(), chain.is_empty()) {
                (Some(certificate), true) => certificate,
                (Some(_), false) => {
                    return Err(ModuleFailure::Certificate("the file holds several; give the signer's alone").into());
                }
                (None, _) => return Err(MALFORMED.into()),
            }
        };
        let tbs = certificate.tbs_certificate();
        // A second one, or one that is malformed, makes the certificate ambiguous.
        let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        let mut key_ids = extensions.iter().filter(|extension| extension.extn_id == SubjectKeyIdentifier::OID);
        let key_id = key_ids.next().map(|extension| SubjectKeyIdentifier::from_der(extension.extn_value.as_bytes()));
        let key_id = key_id.transpose().map_err(|_| MALFORMED)?.map(|id| id.0.as_bytes().to_vec());
        if key_ids.next().is_some() {
            return Err(MALFORMED.into());
        }
        let spki = tbs.subject_public_key_info();
        let key = spki.subject_public_key.as_bytes().ok_or(MALFORMED)?;
        let parameters = spki.algorithm.parameters.as_ref();
        let curve = parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
        let key = PublicKey::new(spki.algorithm.oid, curve, parameters.is_some(), key)?;
        Ok(Certificate {
            subject: tbs.subject().to_string(),
            issuer: tbs.issuer().to_string(),
            issuer_der: tbs.issuer().to_der().map_err(|_| MALFORMED)?,
            serial: tbs.serial_number().as_bytes().to_vec(),
            key_id,
            key,
        })
    }

    /// Whose it is, in RFC 4514's form.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who issued it, in RFC 4514's form.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its serial number, big-endian, without leading zeros.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Whether a signer's identifier names this certificate, byte for byte.
    pub(super) fn is(&self, id: &SignerId) -> bool {
        match id {
            SignerId::IssuerAndSerial { issuer_der, serial, .. } => {
                (issuer_der, serial) == (&self.issuer_der, &self.serial)
            }
            SignerId::KeyId(id) => self.key_id.as_ref() == Some(id),
        }
    }
}
