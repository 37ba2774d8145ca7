//! One error for the whole library.
//!
//! A variant says what happened and its text what to do about it. Peer misbehaviour, misuse of the
//! interface and missing resources are kept apart, because only the first is evidence of an attack.

use crate::key_id::KeyId;

/// The result of every fallible call of this library.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Everything that can go wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The handshake ended without a channel. Nothing of it can be used again; start a new one.
    #[error("no channel was established: {0}")]
    ChannelEstablishment(#[from] HandshakeFailure),

    /// The session's lifetime is over: its keys are erased. Establish a new channel.
    #[error("the session's time to live is over; establish a new channel")]
    ChannelExpired,

    /// The wall clock went back by more than two seconds, so the lifetime can no longer be told.
    #[error("the wall clock went backward during the session, so it was ended; establish a new channel")]
    ClockWentBackward,

    /// This direction was closed by a CLOSE record; nothing may follow.
    #[error("the channel is closed; establish a new one")]
    ChannelClosed,

    /// An earlier record failed, or a seal was abandoned: the session is over, its keys are erased.
    #[error("the session ended at an earlier failure; establish a new channel")]
    ChannelFailed,

    /// The transport ended before an authenticated CLOSE: records may be missing at the end.
    #[error("the transport ended without a CLOSE record: the stream was truncated")]
    Truncated,

    /// The transport failed for another reason than that it ended. Nothing that was on its way was released.
    #[error("the transport failed: {0}")]
    Transport(String),

    /// The transport gave or took nothing within the time it was allowed.
    #[error("the peer was too slow or is gone: the transport timed out")]
    TimedOut,

    /// The peer announced more than this end allows. Nothing was allocated for it.
    #[error("the peer went over a limit of this end: {0}")]
    Limit(&'static str),

    /// A record came again, or one with an earlier sequence number than expected.
    #[error("replay: record {received} was seen already (next is {expected})")]
    NonceReplay {
        /// The sequence number that had to come next.
        expected: u64,
        /// The sequence number in the record's header.
        received: u64,
    },

    /// A record is missing before this one.
    #[error("gap: record {received} came where {expected} had to come; records were dropped or reordered")]
    SequenceGap {
        /// The sequence number that had to come next.
        expected: u64,
        /// The sequence number in the record's header.
        received: u64,
    },

    /// A record's header, metadata or length cannot be what the peer may send now.
    #[error("record refused: {0}")]
    Record(&'static str),

    /// Authentication failed: ciphertext, tag, metadata or header were altered, or the keys differ.
    #[error("authentication failed: the record was altered on the way or sealed under another key")]
    Decryption,

    /// Tensor metadata that is not canonical or does not describe a possible tensor.
    #[error("bad tensor metadata: {0}")]
    Metadata(&'static str),

    /// A driver attestation that is malformed or that the policy refuses. Do not load the module.
    #[error("driver attestation: {0}")]
    DriverAttestation(#[from] AttestationFailure),

    /// A kernel module that cannot be read, or whose signature does not verify.
    #[error("kernel module: {0}")]
    KernelModule(#[from] ModuleFailure),

    /// A sealed file that cannot be read, is not believed, or cannot be made. Nothing of what failed was released.
    #[error("sealed file: {0}")]
    SealedFile(#[from] SealedFailure),

    /// A key file, identity or key that cannot be used.
    #[error("bad identity: {0}")]
    Identity(&'static str),

    /// The call cannot be made like this. State is unchanged unless the call's documentation says otherwise.
    #[error("{0}")]
    Usage(&'static str),

    /// The device that was asked for is not on this machine or not in this build.
    #[error("device {device} is not available: {remedy}")]
    DeviceUnavailable {
        /// The name asked for.
        device: String,
        /// What to install or choose instead.
        remedy: String,
    },

    /// A device call failed: lost, out of memory, short transfer, a limit exceeded. Nothing was released.
    #[error("device failure: {0}")]
    Backend(String),

    /// The operating system gave no randomness. Nothing was sent.
    #[error("the operating system's random generator failed")]
    Random,
}

/// Why a handshake ended without a channel.
///
/// The peer is told none of this: it sees the connection close.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// A message that does not have the fixed form of docs/protocol.md.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
    /// A protocol version other than 1.
    #[error("protocol version {0} is not spoken here (only 1 is)")]
    Version(u16),
    /// A suite other than the one fixed for this channel; suites are never negotiated.
    #[error(
        "cipher suite 0x{0:02x} is not accepted here (only 0x01 is: ML-KEM-768, ML-DSA-65, AES-256-GCM, HKDF-SHA-512)"
    )]
    Suite(u8),
    /// The host's policy cannot be accepted: unknown flags, zero or too long a lifetime, epoch size out of range.
    #[error("session policy refused: {0}")]
    Policy(&'static str),
    /// The encapsulation key failed FIPS 203's modulus check (section 7.2).
    #[error("the encapsulation key is not a canonical ML-KEM-768 key")]
    EncapsulationKey,
    /// A sealed part did not authenticate: altered on the way, or the two ends hold different transcripts.
    #[error("a sealed handshake message did not authenticate")]
    Unauthenticated,
    /// The peer's signature over the transcript does not verify under the key it presented.
    #[error("the peer's ML-DSA-65 signature over the transcript is wrong")]
    Signature,
    /// The peer's Finished value does not match the transcript.
    #[error("the peer's Finished value does not match the transcript")]
    Finished,
    /// The peer proved its key, but the trust policy does not accept that key.
    #[error("peer {0} is not trusted; pin its public key if it should be")]
    Untrusted(KeyId),
    /// The peer is not the device that was asked for by key-id.
    #[error("the peer is {found}, not the expected device {expected}")]
    WrongPeer {
        /// Asked for in M1.
        expected: KeyId,
        /// Recomputed from the key presented.
        found: KeyId,
    },
    /// The peer presented our own key: a reflected handshake.
    #[error("the peer presented this end's own key: the handshake was reflected")]
    OwnKey,
    /// The driver attestation was refused by the host's policy.
    #[error("the device's driver attestation was refused: {0}")]
    Attestation(String),
    /// The transport ended before the handshake did: cut, or closed by a peer that refuses.
    #[error(
        "the connection ended during the handshake; a peer that refuses (an untrusted key, a full server) does not say why"
    )]
    Truncated,
    /// The device's READY record did not verify.
    #[error("the device's READY record did not verify")]
    Ready,
}

/// Why a driver attestation is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationFailure {
    /// Not the one encoding of docs/attestation.md.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A check of the verifier's policy failed, or could not be made.
    #[error("refused: {check}: {reason}")]
    Refused {
        /// The first check that did not pass.
        check: &'static str,
        /// What was found, and what would pass.
        reason: String,
    },
}

/// Why a kernel module, or its signature, is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleFailure {
    /// Not a kernel module in one of the forms that Linux loads, or one cut short.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Longer than the limit, as it is or decompressed. Nothing of it is kept.
    #[error("longer than {limit} bytes, as it is or decompressed")]
    TooLong {
        /// The most bytes that were allowed.
        limit: u64,
    },
    /// Compressed data that cannot be decompressed.
    #[error("cannot be decompressed as {format}: {reason}")]
    Compression {
        /// gzip, xz or zstd.
        format: &'static str,
        /// The decoder's words.
        reason: String,
    },
    /// The appended signature does not have the form of docs/attestation.md: a trailer and a CMS SignedData in DER.
    #[error("malformed signature: {0}")]
    Signature(&'static str),
    /// The certificate to verify with cannot be used.
    #[error("bad certificate: {0}")]
    Certificate(&'static str),
    /// The module's signature is not shown to be by the certificate's key. Do not load the module.
    #[error("not verified: {0}")]
    NotVerified(String),
}

/// Why a sealed model file (docs/sealed-format.md) cannot be read, is not believed, or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealedFailure {
    /// Not the one form of docs/sealed-format.md.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A version of the format other than 1.
    #[error("version {0} of the format is not read here (only 1 is)")]
    Version(u8),
    /// Longer or shorter than its manifest says: cut off, or something was appended.
    #[error("the file has {found} bytes where its manifest says {expected}; fetch it again")]
    Length {
        /// What follows from the manifest.
        expected: u64,
        /// What the source has.
        found: u64,
    },
    /// The publisher's signature over the manifest does not verify.
    #[error("the publisher's ML-DSA-65 signature over the manifest is wrong; do not use the file")]
    Signature,
    /// The manifest is signed, but by a publisher whom the trust policy does not accept.
    #[error("publisher {0} is not trusted; pin the publisher's public key if it should be")]
    Untrusted(KeyId),
    /// The publisher's release is below the minimum that was asked for.
    #[error("release {found} is older than the minimum {minimum}; fetch the current release")]
    Release {
        /// The manifest's.
        found: u64,
        /// What the opener demanded.
        minimum: u64,
    },
    /// The identity's key is not among the recipients.
    #[error("the file is not sealed for recipient {0}; ask the publisher or a recipient to add it (rewrap)")]
    NotARecipient(String),
    /// The file key wrapped for this identity does not open: altered, or for another manifest.
    #[error("the file key wrapped for this identity does not open; the recipients' part was altered")]
    Unwrap,
    /// The recipients' MAC does not verify: recipients were added, removed or exchanged by somebody without the file key.
    #[error("the recipients' MAC is wrong: recipients were altered by somebody without the file key")]
    Recipients,
    /// A tensor's commitment is not that of the key it has to be sealed under.
    #[error("tensor {0} is not sealed under this file's key: its commitment is wrong")]
    Commitment(u32),
    /// A tensor's ciphertext is not what was sealed: a chunk's tag is wrong.
    #[error("tensor {0} was altered: a chunk's tag is wrong")]
    Ciphertext(u32),
    /// A tensor's ciphertext is not what the publisher signed, whether or not its tags verify.
    #[error("tensor {0} is not what the publisher signed: its root is wrong; do not use the file")]
    Root(u32),
    /// Bytes between the parts of the file that are not zero.
    #[error("bytes that must be zero at offset {0} are not")]
    Padding(u64),
    /// The source of the file's bytes failed. What was read and verified before stays good; try again from there.
    #[error("cannot be read: {0}")]
    Read(String),
    /// What is in storage under the file's name is not what was there when it was opened.
    #[error("it was replaced while it was read; open it again")]
    Changed,
    /// The output failed.
    #[error("cannot be written: {0}")]
    Write(String),
    /// The model to seal is not one that can be.
    #[error("cannot be sealed: {0}")]
    Model(String),
}
