//! The front: everything before the bodies, in the order in which it may be believed.
//!
//! [`Front`] was read and nothing in it is verified; [`VerifiedFront`] is the publisher's; an opener's holds the file
//! key, and its recipients' MAC was checked. No other order exists.

use sha3::{Digest, Sha3_256};

use super::{
    file_key::{FileKey, MAC_BYTES},
    manifest::{ALIGNMENT, MAX_MANIFEST_BYTES, Manifest},
    recipients::{MAX_RECIPIENTS_BYTES, RecipientId, Recipients},
    source::Source,
};
use crate::{
    Result,
    error::SealedFailure,
    identity::{Identity, KeyId, PUBLIC_KEY_BYTES, PublicKey, SIGNATURE_BYTES, TrustPolicy},
};

/// Length of the prefix: magic, version, zeros, two lengths.
pub const PREFIX_BYTES: usize = 16;

const MAGIC: &[u8; 4] = b"PQGS";
const VERSION: u8 = 1;
const FIXED_BYTES: usize = PREFIX_BYTES + PUBLIC_KEY_BYTES + SIGNATURE_BYTES + MAC_BYTES;
const SIGNATURE_LABEL: &[u8] = b"PQGT v1 sealed\0";

/// A front that was read: its form and the file's length are right, and nothing in it is verified.
#[derive(Debug)]
pub struct Front(Parts);

#[derive(Debug)]
struct Parts {
    manifest: Manifest,
    manifest_digest: [u8; 32],
    publisher: PublicKey,
    signature: Box<[u8; SIGNATURE_BYTES]>,
    recipients: Recipients,
    mac: [u8; MAC_BYTES],
    bodies_start: u64,
}

impl Front {
    /// Reads a file's front.
    ///
    /// Lengths are compared with their limits and the file's before anything is allocated for them. Fails with
    /// [`crate::Error::SealedFile`].
    pub async fn read<S: Source + ?Sized>(source: &S) -> Result<Self> {
        let size = source.size();
        if size < FIXED_BYTES as u64 {
            return Err(SealedFailure::Malformed("too short for a sealed file").into());
        }
        let mut prefix = [0; PREFIX_BYTES];
        source.read_at(0, &mut prefix).await?;
        let layout = Layout::read(&prefix)?;
        if layout.bodies_start() > size {
            return Err(SealedFailure::Malformed("the file ends within its front").into());
        }
        let mut rest = vec![0; layout.bodies_start() as usize - PREFIX_BYTES];
        source.read_at(PREFIX_BYTES as u64, &mut rest).await?;
        Ok(Front(Parts::read(layout, &rest, size)?))
    }

    /// What the file says of itself. Anybody may have written it.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// For whom the file says to be sealed; only the holder of one of their keys can tell whether that is so.
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = RecipientId> {
        self.0.recipients.ids()
    }

    /// Verifies the publisher's signature, then whether `trust` accepts the publisher, then the release.
    pub fn verify(self, trust: &TrustPolicy, minimum_release: u64) -> Result<VerifiedFront> {
        let Parts { manifest, manifest_digest, publisher, signature, .. } = &self.0;
        if !publisher.verifies(&signed(manifest_digest), &signature[..]) {
            return Err(SealedFailure::Signature.into());
        }
        if !trust.accepts(publisher) {
            return Err(SealedFailure::Untrusted(publisher.key_id()).into());
        }
        if manifest.release < minimum_release {
            return Err(SealedFailure::Release { found: manifest.release, minimum: minimum_release }.into());
        }
        let pinned = matches!(trust, TrustPolicy::Pinned(_));
        Ok(VerifiedFront { parts: self.0, pinned })
    }
}

/// A front whose manifest the publisher signed. The recipients are not verified: that takes the file key.
#[derive(Debug)]
pub struct VerifiedFront {
    parts: Parts,
    pinned: bool,
}

impl VerifiedFront {
    /// What the publisher signed.
    pub fn manifest(&self) -> &Manifest {
        &self.parts.manifest
    }

    /// Who signed it.
    pub fn publisher(&self) -> &PublicKey {
        &self.parts.publisher
    }

    /// Whether the publisher's key was pinned. If not, anybody may be the publisher.
    pub fn publisher_is_pinned(&self) -> bool {
        self.pinned
    }

    /// For whom the file says to be sealed; see [`Front::recipients`].
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = RecipientId> {
        self.parts.recipients.ids()
    }

    /// Where the bodies start in the file, in bytes.
    pub fn bodies_start(&self) -> u64 {
        self.parts.bodies_start
    }

    /// Unwraps the file key, then checks the recipients' MAC with it.
    pub(super) fn unwrap(self, identity: &Identity) -> Result<UnwrappedFront> {
        let Parts { manifest_digest, recipients, mac, .. } = &self.parts;
        let file_key = recipients.unwrap(identity, manifest_digest)?;
        if !file_key.recipients_mac_holds(manifest_digest, &recipients.encode(), mac) {
            return Err(SealedFailure::Recipients.into());
        }
        Ok(UnwrappedFront { front: self, file_key })
    }
}

/// A front of which everything is verified, and the key to what follows it.
pub(super) struct UnwrappedFront {
    pub(super) front: VerifiedFront,
    pub(super) file_key: FileKey,
}

impl UnwrappedFront {
    pub(super) fn manifest_digest(&self) -> &[u8; 32] {
        &self.front.parts.manifest_digest
    }

    /// The same front for other recipients.
    pub(super) fn with_recipients(&self, recipients: &Recipients) -> Vec<u8> {
        let Parts { manifest, manifest_digest, publisher, signature, .. } = &self.front.parts;
        write(&manifest.encode(), manifest_digest, publisher, signature, recipients, &self.file_key)
    }

    pub(super) fn recipients(&self) -> &Recipients {
        &self.front.parts.recipients
    }
}

/// Writes a front, with the zeros up to the bodies' start.
pub(super) fn write(
    manifest: &[u8],
    manifest_digest: &[u8; 32],
    publisher: &PublicKey,
    signature: &[u8; SIGNATURE_BYTES],
    recipients: &Recipients,
    file_key: &FileKey,
) -> Vec<u8> {
    let recipients = recipients.encode();
    let layout = Layout { manifest: manifest.len(), recipients: recipients.len() };
    let mut front = Vec::with_capacity(layout.bodies_start() as usize);
    front.extend_from_slice(MAGIC);
    front.extend_from_slice(&[VERSION, 0, 0, 0]);
    front.extend_from_slice(&(layout.manifest as u32).to_be_bytes());
    front.extend_from_slice(&(layout.recipients as u32).to_be_bytes());
    front.extend_from_slice(manifest);
    front.extend_from_slice(publisher.as_bytes());
    front.extend_from_slice(signature);
    front.extend_from_slice(&recipients);
    front.extend_from_slice(&file_key.recipients_mac(manifest_digest, &recipients));
    front.resize(layout.bodies_start() as usize, 0);
    front
}

/// What the publisher signs.
pub(super) fn signed(manifest_digest: &[u8; 32]) -> Vec<u8> {
    [&[0x20; 64][..], SIGNATURE_LABEL, manifest_digest].concat()
}

/// The lengths of the two parts of a front that have no fixed one.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) manifest: usize,
    pub(super) recipients: usize,
}

impl Layout {
    fn read(prefix: &[u8; PREFIX_BYTES]) -> Result<Self, SealedFailure> {
        use SealedFailure::Malformed;
        let word =
            |at: usize| u32::from_be_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]) as usize;
        if &prefix[..4] != MAGIC {
            return Err(Malformed("not a sealed file: it does not start with PQGS"));
        }
        if prefix[4] != VERSION {
            return Err(SealedFailure::Version(prefix[4]));
        }
        if prefix[5..8] != [0; 3] {
            return Err(Malformed("bytes 5 to 7 are not zero"));
        }
        let layout = Layout { manifest: word(8), recipients: word(12) };
        if !(1..=MAX_MANIFEST_BYTES).contains(&layout.manifest) {
            return Err(Malformed("the manifest's length is not from 1 to 67,108,864"));
        }
        if !(1..=MAX_RECIPIENTS_BYTES).contains(&layout.recipients) {
            return Err(Malformed("the recipients' length is not from 1 to 1,048,576"));
        }
        Ok(layout)
    }

    pub(super) fn bodies_start(&self) -> u64 {
        ((FIXED_BYTES + self.manifest + self.recipients) as u64).next_multiple_of(ALIGNMENT)
    }
}

impl Parts {
    /// `rest` is the front after its prefix, `size` the file's.
    fn read(layout: Layout, rest: &[u8], size: u64) -> Result<Self, SealedFailure> {
        let (manifest, rest) = rest.split_at(layout.manifest);
        let (publisher, rest) = rest.split_at(PUBLIC_KEY_BYTES);
        let (signature, rest) = rest.split_at(SIGNATURE_BYTES);
        let (recipients, rest) = rest.split_at(layout.recipients);
        let (mac, zeros) = rest.split_at(MAC_BYTES);
        check_zeros(zeros, layout.bodies_start() - zeros.len() as u64)?;
        let manifest_digest = Sha3_256::digest(manifest).into();
        let manifest = Manifest::decode(manifest)?;
        let expected = layout.bodies_start() + manifest.bodies_bytes();
        if size != expected {
            return Err(SealedFailure::Length { expected, found: size });
        }
        let publisher = PublicKey::from_bytes(publisher).expect("was cut to its length");
        if publisher.key_id() != manifest.publisher {
            return Err(SealedFailure::Malformed("the publisher's key is not the one that the manifest names"));
        }
        Ok(Parts {
            publisher,
            recipients: Recipients::decode(recipients)?,
            signature: Box::new(signature.try_into().expect("was cut to its length")),
            mac: mac.try_into().expect("was cut to its length"),
            bodies_start: layout.bodies_start(),
            manifest,
            manifest_digest,
        })
    }
}

/// Fails where one of the bytes, which start at `offset` in the file, is not zero.
pub(super) fn check_zeros(bytes: &[u8], offset: u64) -> Result<(), SealedFailure> {
    match bytes.iter().position(|&byte| byte != 0) {
        Some(at) => Err(SealedFailure::Padding(offset + at as u64)),
        None => Ok(()),
    }
}

impl VerifiedFront {
    /// The publisher's key-id.
    pub fn publisher_id(&self) -> KeyId {
        self.parts.manifest.publisher
    }
}
