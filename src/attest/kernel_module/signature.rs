//! The signature that scripts/sign-file appends: CMS, then `struct module_signature`, then a marker.

use super::cms::{self, Signer};
use crate::error::ModuleFailure;

/// The last bytes of a signed module.
const MARKER: &[u8] = b"~Module signature appended~\n";
/// `struct module_signature`: algo, hash, id_type, signer_len, key_id_len, pad[3], sig_len (big-endian u32).
const TRAILER_BYTES: usize = 12;
/// `id_type`: PKEY_ID_PKCS7, the only one since Linux 4.3.
const PKCS7: u8 = 2;
/// The longest CMS message: eight signers by SLH-DSA with their certificates have half of it. What is read of a name takes
/// many times its length.
const MAX_CMS_BYTES: usize = 1 << 20;

/// A signature appended to a module: a CMS SignedData (RFC 5652 section 5.1) without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSignature {
    signers: Vec<Signer>,
    size: usize,
}

impl ModuleSignature {
    pub(super) fn read(der: &[u8]) -> Result<Self, ModuleFailure> {
        if der.len() > MAX_CMS_BYTES {
            return Err(ModuleFailure::Signature("longer than 1 MiB"));
        }
        let signers = cms::read(der).map_err(ModuleFailure::Signature)?;
        Ok(ModuleSignature { signers, size: der.len() })
    }

    /// Who signed, as the signature says: one, or up to eight.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// The CMS message's length in bytes.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Splits a module from its appended signature: the length of what is signed, and the CMS message if there is one.
///
/// The checks are those of mod_check_sig() in kernel/module_signature.c.
pub(super) fn split(image: &[u8]) -> Result<(usize, Option<&[u8]>), ModuleFailure> {
    let Some(signed) = image.strip_suffix(MARKER) else { return Ok((image.len(), None)) };
    let short = ModuleFailure::Signature("the file ends before the signature does");
    let Some((rest, trailer)) = signed.split_last_chunk::<TRAILER_BYTES>() else { return Err(short) };
    let [algorithm, hash, id_type, signer_length, key_id_length, pad @ .., a, b, c, d] = *trailer;
    let length = u32::from_be_bytes([a, b, c, d]);
    if id_type != PKCS7 {
        return Err(ModuleFailure::Signature("it is not of the kind PKCS#7, the only one since Linux 4.3"));
    }
    if [algorithm, hash, signer_length, key_id_length] != [0; 4] || pad != [0; 3] {
        return Err(ModuleFailure::Signature("a field of the trailer that must be zero is not"));
    }
    let at = usize::try_from(length).ok().and_then(|length| rest.len().checked_sub(length)).filter(|&at| at > 0);
    let Some(at) = at else { return Err(short) };
    Ok((at, Some(&rest[at..])))
}
