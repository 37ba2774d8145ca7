//! The wire forms of the handshake messages. Integers are big-endian; unknown flags, nonzero reserved fields
//! and trailing bytes are errors.
//!
//! Header, 12 bytes: magic `PQGT`, version 2, type 1, suite 1, body length 4.

use super::suite::{CIPHERTEXT_BYTES, SUITE, TAG_BYTES};
use crate::{
    error::HandshakeFailure,
    identity::{ENCAPSULATION_KEY_BYTES, KeyId, PUBLIC_KEY_BYTES, SIGNATURE_BYTES},
};

/// Length of the header before every handshake message.
pub const HEADER_BYTES: usize = 12;
/// Length of M1 with its header: random 32, policy 8, expected device key-id 32, encapsulation key 1184.
pub const M1_BYTES: usize = HEADER_BYTES + 32 + POLICY_BYTES + 32 + ENCAPSULATION_KEY_BYTES;
/// The longest label: its length is one byte.
pub const MAX_LABEL_BYTES: usize = 255;
/// The longest driver attestation in M2.
pub const MAX_ATTESTATION_BYTES: usize = 64 << 10;
/// The longest M2, for a receiver's buffer.
pub const MAX_M2_BYTES: usize = HEADER_BYTES
    + M2_CLEAR_BYTES
    + 1
    + MAX_LABEL_BYTES
    + PUBLIC_KEY_BYTES
    + POLICY_BYTES
    + 4
    + MAX_ATTESTATION_BYTES
    + PROOF_BYTES
    + TAG_BYTES;
/// The longest M3, for a receiver's buffer.
pub const MAX_M3_BYTES: usize = HEADER_BYTES + 1 + MAX_LABEL_BYTES + PUBLIC_KEY_BYTES + PROOF_BYTES + TAG_BYTES;

pub(super) const M2_CLEAR_BYTES: usize = 32 + CIPHERTEXT_BYTES;
const MAGIC: &[u8; 4] = b"PQGT";
const VERSION: u16 = 1;
const POLICY_BYTES: usize = 8;
const PROOF_BYTES: usize = SIGNATURE_BYTES + 64;

type Parsed<T> = Result<T, HandshakeFailure>;

/// Which message a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum MessageType {
    /// Host → device.
    M1 = 1,
    /// Device → host.
    M2 = 2,
    /// Host → device.
    M3 = 3,
}

/// Reads a header, for transports that must know how much to read. Gives the type and the body's length, which
/// is within that type's bound; any other suite, version or length is an error.
pub fn parse_header(header: &[u8; HEADER_BYTES]) -> Parsed<(MessageType, usize)> {
    let mut input = Input(header);
    if input.array()? != *MAGIC {
        return Err(HandshakeFailure::Malformed("not a handshake message"));
    }
    match u16::from_be_bytes(input.array()?) {
        VERSION => {}
        other => return Err(HandshakeFailure::Version(other)),
    }
    let [kind, suite] = input.array()?;
    if suite != SUITE {
        return Err(HandshakeFailure::Suite(suite));
    }
    let length = u32::from_be_bytes(input.array()?) as usize;
    let (kind, longest) = match kind {
        1 => (MessageType::M1, M1_BYTES),
        2 => (MessageType::M2, MAX_M2_BYTES),
        3 => (MessageType::M3, MAX_M3_BYTES),
        _ => return Err(HandshakeFailure::Malformed("unknown message type")),
    };
    if length > longest - HEADER_BYTES {
        return Err(HandshakeFailure::Malformed("longer than such a message can be"));
    }
    Ok((kind, length))
}

/// Checks a whole message's header against its length and gives its body.
pub(super) fn body(message: &[u8], expected: MessageType) -> Parsed<&[u8]> {
    let (header, body) = message.split_first_chunk().ok_or(HandshakeFailure::Malformed("shorter than a header"))?;
    let (kind, length) = parse_header(header)?;
    if kind != expected {
        return Err(HandshakeFailure::Malformed("another message was due"));
    }
    if length != body.len() {
        return Err(HandshakeFailure::Malformed("the body's length differs from the header's"));
    }
    Ok(body)
}

pub(super) fn header(kind: MessageType, body_bytes: usize) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(MAGIC);
    header[4..6].copy_from_slice(&VERSION.to_be_bytes());
    header[6] = kind as u8;
    header[7] = SUITE;
    header[8..].copy_from_slice(&(body_bytes as u32).to_be_bytes());
    header
}

/// What the host sets for the session, in M1, echoed in M2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Lifetime in seconds, at least 1.
    pub ttl_seconds: u32,
    /// log2 of the most chunks under one key: 23 or 24 (TLS 1.3's bound for AES-GCM, RFC 8446 section 5.5).
    pub log2_chunks: u8,
}

impl Default for SessionPolicy {
    /// An hour, 2^24 chunks (256 GiB) a key.
    fn default() -> Self {
        SessionPolicy { ttl_seconds: 3600, log2_chunks: 24 }
    }
}

impl SessionPolicy {
    pub(super) fn encode(&self) -> [u8; POLICY_BYTES] {
        let [a, b, c, d] = self.ttl_seconds.to_be_bytes();
        [a, b, c, d, self.log2_chunks, 0, 0, 0]
    }

    pub(super) fn decode([a, b, c, d, log2_chunks, flags, zero @ ..]: [u8; POLICY_BYTES]) -> Parsed<Self> {
        if flags != 0 || zero != [0, 0] {
            return Err(HandshakeFailure::Policy("unknown flags or nonzero reserved bytes"));
        }
        SessionPolicy { ttl_seconds: u32::from_be_bytes([a, b, c, d]), log2_chunks }.checked()
    }

    pub(super) fn checked(self) -> Parsed<Self> {
        if self.ttl_seconds == 0 {
            return Err(HandshakeFailure::Policy("a lifetime of zero seconds"));
        }
        if !(23..=24).contains(&self.log2_chunks) {
            return Err(HandshakeFailure::Policy("log2 of chunks per epoch must be 23 or 24"));
        }
        Ok(self)
    }
}

/// M1, host → device.
pub(super) struct M1 {
    pub(super) random: [u8; 32],
    pub(super) policy: SessionPolicy,
    /// None (zeros on the wire) accepts any device that the trust policy accepts.
    pub(super) expected_device: Option<KeyId>,
    pub(super) encapsulation_key: [u8; ENCAPSULATION_KEY_BYTES],
}

impl M1 {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = header(MessageType::M1, M1_BYTES - HEADER_BYTES).to_vec();
        out.extend(self.random);
        out.extend(self.policy.encode());
        out.extend(self.expected_device.map_or([0; 32], |id| *id.as_bytes()));
        out.extend(self.encapsulation_key);
        out
    }

    pub(super) fn decode(message: &[u8]) -> Parsed<Self> {
        let mut input = Input(body(message, MessageType::M1)?);
        let m1 = M1 {
            random: input.array()?,
            policy: SessionPolicy::decode(input.array()?)?,
            expected_device: Some(input.array()?).filter(|id| *id != [0; 32]).map(KeyId::from_bytes),
            encapsulation_key: input.array()?,
        };
        input.end()?;
        Ok(m1)
    }
}

/// M2's clear part, and its sealed part as it came.
pub(super) fn split_m2(message: &[u8]) -> Parsed<([u8; CIPHERTEXT_BYTES], &[u8])> {
    let mut input = Input(body(message, MessageType::M2)?);
    let _random: [u8; 32] = input.array()?;
    Ok((input.array()?, input.0))
}

/// The sealed part of M2.
pub(super) struct M2Sealed {
    pub(super) label: String,
    pub(super) public_key: [u8; PUBLIC_KEY_BYTES],
    pub(super) policy: [u8; POLICY_BYTES],
    pub(super) attestation: Vec<u8>,
    pub(super) proof: Proof,
}

impl M2Sealed {
    /// What the signature covers of the sealed part.
    pub(super) fn encode_signed(label: &str, public_key: &[u8], policy: &SessionPolicy, attestation: &[u8]) -> Vec<u8> {
        let mut out = encode_label(label);
        out.extend(public_key);
        out.extend(policy.encode());
        out.extend((attestation.len() as u32).to_be_bytes());
        out.extend(attestation);
        out
    }

    /// Also gives the length of what the signature covers.
    pub(super) fn decode(plaintext: &[u8]) -> Parsed<(Self, usize)> {
        let mut input = Input(plaintext);
        let (label, public_key, policy) = (input.label()?, input.array()?, input.array()?);
        let length = u32::from_be_bytes(input.array()?) as usize;
        if length > MAX_ATTESTATION_BYTES {
            return Err(HandshakeFailure::Malformed("the attestation is longer than 64 KiB"));
        }
        let attestation = input.take(length)?.to_vec();
        let signed = plaintext.len() - input.0.len();
        let proof = input.proof()?;
        input.end()?;
        Ok((M2Sealed { label, public_key, policy, attestation, proof }, signed))
    }
}

/// The sealed part of M3.
pub(super) struct M3Sealed {
    pub(super) label: String,
    pub(super) public_key: [u8; PUBLIC_KEY_BYTES],
    pub(super) proof: Proof,
}

impl M3Sealed {
    /// What the signature covers of the sealed part.
    pub(super) fn encode_signed(label: &str, public_key: &[u8]) -> Vec<u8> {
        let mut out = encode_label(label);
        out.extend(public_key);
        out
    }

    /// Also gives the length of what the signature covers.
    pub(super) fn decode(plaintext: &[u8]) -> Parsed<(Self, usize)> {
        let mut input = Input(plaintext);
        let (label, public_key) = (input.label()?, input.array()?);
        let signed = plaintext.len() - input.0.len();
        let proof = input.proof()?;
        input.end()?;
        Ok((M3Sealed { label, public_key, proof }, signed))
    }
}

/// What ends both sealed parts.
pub(super) struct Proof {
    pub(super) signature: [u8; SIGNATURE_BYTES],
    pub(super) finished: [u8; 64],
}

/// Length 1, then UTF-8. Longer labels are refused when a configuration is checked.
fn encode_label(label: &str) -> Vec<u8> {
    let mut out = vec![label.len() as u8];
    out.extend(label.as_bytes());
    out
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Parsed<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(HandshakeFailure::Malformed("too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(HandshakeFailure::Malformed("too short"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn label(&mut self) -> Parsed<String> {
        let [length] = self.array()?;
        let label = core::str::from_utf8(self.take(length.into())?);
        label.map(String::from).map_err(|_| HandshakeFailure::Malformed("a label is not UTF-8"))
    }

    fn proof(&mut self) -> Parsed<Proof> {
        Ok(Proof { signature: self.array()?, finished: self.array()? })
    }

    fn end(&self) -> Parsed<()> {
        if self.0.is_empty() { Ok(()) } else { Err(HandshakeFailure::Malformed("trailing bytes")) }
    }
}
