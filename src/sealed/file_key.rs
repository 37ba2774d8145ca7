//! The file key, and what follows from it.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use zeroize::Zeroizing;

use super::{
    cobblestone::{self, Derived, SALT_BYTES},
    manifest::Manifest,
};
use crate::tensor::TensorMetadata;

/// Length of the recipients' MAC: HMAC-SHA-512's.
pub const MAC_BYTES: usize = 64;

/// 32 random bytes, fresh for every sealing, that open everything in a file. No Clone, no Debug, erased when dropped.
// Boxed: moving the bytes would leave copies behind that nothing erases.
pub(super) struct FileKey(Box<Zeroizing<[u8; 32]>>);

impl FileKey {
    pub(super) fn new(bytes: &Zeroizing<[u8; 32]>) -> Self {
        FileKey(Box::new(bytes.clone()))
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA-512(Expand(file key, "pqgt recipients v1", 64), SHA3-256(manifest) ‖ recipients).
    pub(super) fn recipients_mac(&self, manifest_digest: &[u8; 32], recipients: &[u8]) -> [u8; MAC_BYTES] {
        self.mac(manifest_digest, recipients).finalize().into_bytes().into()
    }

    /// Compares that MAC in constant time.
    pub(super) fn recipients_mac_holds(&self, manifest_digest: &[u8; 32], recipients: &[u8], mac: &[u8]) -> bool {
        self.mac(manifest_digest, recipients).verify_slice(mac).is_ok()
    }

    /// Expand(file key, "pqgt recipients v1", 64).
    pub(super) fn recipients_key(&self) -> Zeroizing<[u8; MAC_BYTES]> {
        self.expand(b"pqgt recipients v1")
    }

    fn mac(&self, manifest_digest: &[u8; 32], recipients: &[u8]) -> Hmac<Sha512> {
        let mac = Hmac::<Sha512>::new_from_slice(&self.recipients_key()[..]).expect("HMAC takes keys of any length");
        mac.chain_update(manifest_digest).chain_update(recipients)
    }

    /// Expand(file key, "pqgt body v1", 32): the input key of every body.
    pub(super) fn body_key(&self) -> Zeroizing<[u8; 32]> {
        self.expand(b"pqgt body v1")
    }

    /// HKDF-Expand with SHA-512 (RFC 5869 section 2.3).
    fn expand<const N: usize>(&self, info: &[u8]) -> Zeroizing<[u8; N]> {
        // Padded with zeros to the hash's length, which the hkdf crate wants and HMAC does in any case
        // (RFC 2104 section 2).
        let mut key = Zeroizing::new([0; 64]);
        key[..32].copy_from_slice(&self.0[..]);
        let mut out = Zeroizing::new([0; N]);
        let hkdf = Hkdf::<Sha512>::from_prk(&key[..]).expect("64 bytes are SHA-512's length");
        hkdf.expand(info, &mut out[..]).expect("64 bytes are one block of 255");
        out
    }
}

/// What the chunks of a tensor are sealed under: Cobblestone-256's derivation from the body key and the context,
/// the CBOR array \[publisher, model id, index, metadata\].
pub(super) fn derive_body(
    body_key: &[u8; 32],
    manifest: &Manifest,
    index: u32,
    metadata: &TensorMetadata,
    salt: &[u8; SALT_BYTES],
) -> Derived {
    cobblestone::derive(body_key, salt, &context(manifest, index, metadata))
}

pub(super) fn context(manifest: &Manifest, index: u32, metadata: &TensorMetadata) -> Vec<u8> {
    let mut out = minicbor::Encoder::new(Vec::with_capacity(256));
    let written = (|| {
        out.array(4)?.bytes(manifest.publisher.as_bytes())?.bytes(&manifest.model_id)?.u32(index)?;
        out.writer_mut().extend(metadata.encode());
        Ok::<_, minicbor::encode::Error<core::convert::Infallible>>(())
    })();
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
    out.into_writer()
}
