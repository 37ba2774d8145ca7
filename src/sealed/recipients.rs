//! The recipients: who can unwrap the file key (docs/sealed-format.md, "Recipients").

use core::fmt;

use minicbor::Decoder;
use sha3::{Digest, Sha3_256};
use zeroize::Zeroizing;

use super::{file_key::FileKey, hpke};
use crate::{
    Result,
    channel::suite::CIPHERTEXT_BYTES,
    error::SealedFailure,
    identity::{ENCAPSULATION_KEY_BYTES, Identity, PublicIdentity, encapsulation_key},
};

/// The longest encoded recipients: 1 MiB, some 880 of them.
pub const MAX_RECIPIENTS_BYTES: usize = 1 << 20;

const INFO_PREFIX: &[u8] = b"pqgt sealed v1";

/// A recipient's ML-KEM-768 encapsulation key, checked.
#[derive(Clone, PartialEq, Eq)]
pub struct RecipientKey(Box<[u8; ENCAPSULATION_KEY_BYTES]>);

impl RecipientKey {
    /// Takes the 1184 bytes of an encapsulation key with FIPS 203's checks (section 7.2: length and modulus).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        encapsulation_key(bytes)?;
        let mut key = Box::new([0; ENCAPSULATION_KEY_BYTES]);
        key.copy_from_slice(bytes);
        Ok(RecipientKey(key))
    }

    /// Reads the ML-KEM-768 SPKI block of a .pub.pem file (RFC 9935); one of ML-DSA-65 beside it is passed over.
    pub fn from_pem(text: &str) -> Result<Self> {
        Self::from_bytes(&PublicIdentity::encapsulation_key_from_pem(text)?[..])
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8; ENCAPSULATION_KEY_BYTES] {
        &self.0
    }

    /// SHA3-256 of the key's bytes.
    pub fn id(&self) -> RecipientId {
        RecipientId(Sha3_256::digest(&self.0[..]).into())
    }
}

impl From<&PublicIdentity> for RecipientKey {
    fn from(identity: &PublicIdentity) -> Self {
        // A public identity's key was checked when it was read.
        RecipientKey(Box::new(*identity.encapsulation_key()))
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecipientKey({})", self.id())
    }
}

/// The name of a recipient: SHA3-256 of the encapsulation key. Shown as lower-case hex; it is no DID, which names
/// a signing key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecipientId([u8; 32]);

impl RecipientId {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for RecipientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RecipientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The recipients' part of a file, in ascending order of ids, none twice, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipients(Vec<Recipient>);

/// The file key, wrapped for one recipient.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Recipient {
    id: RecipientId,
    encapsulated: Box<[u8; CIPHERTEXT_BYTES]>,
    wrapped: [u8; hpke::WRAPPED_BYTES],
}

impl Recipient {
    pub(super) fn id(&self) -> RecipientId {
        self.id
    }

    /// Wraps the file key. `m` is fresh for each wrapping.
    pub(super) fn wrap(
        key: &RecipientKey,
        file_key: &FileKey,
        manifest_digest: &[u8; 32],
        m: Zeroizing<[u8; 32]>,
    ) -> Result<Self> {
        let id = key.id();
        let (encapsulated, wrapped) = hpke::wrap(&key.0, &info(&id, manifest_digest), file_key.as_bytes(), m)?;
        Ok(Recipient { id, encapsulated: Box::new(encapsulated), wrapped })
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.id)
    }
}

impl Recipients {
    /// Puts them into order. Fails where one stands there twice, where there is none, or where they do not fit.
    pub(super) fn new(mut recipients: Vec<Recipient>) -> Result<Self, SealedFailure> {
        recipients.sort_unstable_by_key(|recipient| recipient.id);
        let recipients = Recipients(recipients);
        check(&recipients.ids().collect::<Vec<_>>())?;
        Ok(recipients)
    }

    /// What [`Recipients::new`] checks, before anything is wrapped.
    pub(super) fn check_keys(keys: &[RecipientKey]) -> Result<(), SealedFailure> {
        let mut ids: Vec<_> = keys.iter().map(RecipientKey::id).collect();
        ids.sort_unstable();
        check(&ids)
    }

    /// The length of the encoding of so many.
    pub(super) fn encoded_bytes(recipients: usize) -> usize {
        let head = match recipients {
            0..24 => 1,
            24..256 => 2,
            256..65_536 => 3,
            _ => 5,
        };
        // An array of 3, and three byte strings with heads of 2, 3 and 2 bytes.
        head + recipients * (1 + 2 + 32 + 3 + CIPHERTEXT_BYTES + 2 + hpke::WRAPPED_BYTES)
    }

    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = RecipientId> {
        self.0.iter().map(|recipient| recipient.id)
    }

    /// These and some more, or without some.
    pub(super) fn into_vec(self) -> Vec<Recipient> {
        self.0
    }

    /// The one encoding: deterministic CBOR (RFC 8949 section 4.2.1).
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = minicbor::Encoder::new(Vec::with_capacity(Self::encoded_bytes(self.0.len())));
        let written = (|| {
            out.array(self.0.len() as u64)?;
            for Recipient { id, encapsulated, wrapped } in &self.0 {
                out.array(3)?.bytes(&id.0)?.bytes(&encapsulated[..])?.bytes(wrapped)?;
            }
            Ok::<_, minicbor::encode::Error<core::convert::Infallible>>(())
        })();
        debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
        out.into_writer()
    }

    /// Reads the one encoding, and nothing but it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, SealedFailure> {
        if bytes.is_empty() || bytes.len() > MAX_RECIPIENTS_BYTES {
            return Err(SealedFailure::Malformed("the recipients' length is not from 1 to 1,048,576"));
        }
        let recipients = read(&mut Decoder::new(bytes));
        let recipients = recipients
            .ok_or(SealedFailure::Malformed("the recipients do not have the form of docs/sealed-format.md"))?;
        check(&recipients.ids().collect::<Vec<_>>())?;
        if recipients.encode() != bytes {
            return Err(SealedFailure::Malformed("the recipients are not in canonical form"));
        }
        Ok(recipients)
    }

    /// Unwraps the file key with the identity's ML-KEM-768 key. What it gives is not believed before the MAC.
    pub(super) fn unwrap(&self, identity: &Identity, manifest_digest: &[u8; 32]) -> Result<FileKey, SealedFailure> {
        let id = RecipientKey::from(identity.public()).id();
        let at = self.0.binary_search_by_key(&id, |recipient| recipient.id);
        let own = &self.0[at.map_err(|_| SealedFailure::NotARecipient(id.to_string()))?];
        hpke::unwrap(identity.kem_seed(), &info(&id, manifest_digest), &own.encapsulated, &own.wrapped)
            .map(|key| FileKey::new(&key))
            .ok_or(SealedFailure::Unwrap)
    }
}

fn check(ids: &[RecipientId]) -> Result<(), SealedFailure> {
    if ids.is_empty() {
        return Err(SealedFailure::Malformed("there is no recipient"));
    }
    if ids.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(SealedFailure::Malformed("a recipient stands there twice, or out of order"));
    }
    if Recipients::encoded_bytes(ids.len()) > MAX_RECIPIENTS_BYTES {
        return Err(SealedFailure::Malformed("more recipients than fit into 1,048,576 bytes"));
    }
    Ok(())
}

fn read(input: &mut Decoder<'_>) -> Option<Recipients> {
    let count = input.array().ok()??;
    let recipient = |_| {
        if input.array().ok()? != Some(3) {
            return None;
        }
        let id = RecipientId(input.bytes().ok()?.try_into().ok()?);
        let encapsulated = Box::new(input.bytes().ok()?.try_into().ok()?);
        Some(Recipient { id, encapsulated, wrapped: input.bytes().ok()?.try_into().ok()? })
    };
    (0..count).map(recipient).collect::<Option<_>>().map(Recipients)
}

/// "pqgt sealed v1" ‖ recipient key-id ‖ SHA3-256(manifest).
fn info(id: &RecipientId, manifest_digest: &[u8; 32]) -> Vec<u8> {
    [INFO_PREFIX, &id.0, manifest_digest].concat()
}
