//! What M2 and M3 have in common: a sealed part that ends with a signature over the transcript and a Finished value.

use zeroize::Zeroizing;

use crate::{
    Result,
    channel::{
        coins::Hedge,
        message::{MessageType, Proof, header},
        record::Direction,
        schedule::RoleKeys,
        suite::TAG_BYTES,
        transcript::{Transcript, TranscriptHash},
    },
    error::HandshakeFailure,
    identity::{Identity, PublicKey, SIGNATURE_BYTES},
};

/// 64 spaces, the role's context string, a zero byte, the transcript hash (RFC 8446 section 4.4.3).
pub(super) fn signed_bytes(role: Direction, transcript: &TranscriptHash) -> Vec<u8> {
    let context: &[u8] = match role {
        Direction::HostToDevice => b"PQGT v1 host",
        Direction::DeviceToHost => b"PQGT v1 device",
    };
    [&[0x20; 64], context, &[0], transcript].concat()
}

/// Signature and Finished.
pub(super) const PROOF_BYTES: usize = SIGNATURE_BYTES + 64;

/// Length of a message's body by its clear part and what is signed of its sealed part.
pub(super) const fn body_bytes(clear: usize, signed: usize) -> usize {
    clear + signed + PROOF_BYTES + TAG_BYTES
}

/// Makes a message: its clear part, then `signed`, signature and Finished under the role's key. The
/// transcript gains the message with its sealed part as plaintext.
pub(super) fn seal_proven(
    kind: MessageType,
    clear: &[u8],
    signed: Vec<u8>,
    role: Direction,
    (identity, hedge): (&Identity, &Hedge),
    keys: &RoleKeys,
    transcript: &mut Transcript,
) -> Result<Vec<u8>> {
    let mut message = header(kind, body_bytes(clear.len(), signed.len())).to_vec();
    message.extend(clear);
    transcript.add(&message);
    let aad = transcript.bytes().to_vec();

    let mut plaintext = signed;
    transcript.add(&plaintext);
    let signature = hedge.sign(identity, &signed_bytes(role, &transcript.hash()))?;
    transcript.add(&signature);
    let finished = keys.finished(&transcript.hash());
    transcript.add(&finished);
    plaintext.extend(signature);
    plaintext.extend(finished);

    let start = message.len();
    message.resize(start + plaintext.len() + TAG_BYTES, 0);
    keys.key.seal(keys.iv(), &aad, &plaintext, &mut message[start..]);
    Ok(message)
}

/// Opens a message's sealed part; its AAD is everything before it.
pub(super) fn open_sealed(
    keys: &RoleKeys,
    transcript: &Transcript,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, HandshakeFailure> {
    let length = sealed.len().checked_sub(TAG_BYTES).ok_or(HandshakeFailure::Malformed("too short"))?;
    let mut plaintext = Zeroizing::new(vec![0; length]);
    if !keys.key.open(keys.iv(), transcript.bytes(), sealed, &mut plaintext) {
        return Err(HandshakeFailure::Unauthenticated);
    }
    Ok(plaintext)
}

/// Checks that the peer holds the key it presented and the same secrets, over what it signed of its sealed part. The transcript gains
/// all of that part.
pub(super) fn check_proven(
    signed: &[u8],
    proof: &Proof,
    role: Direction,
    peer: &PublicKey,
    keys: &RoleKeys,
    transcript: &mut Transcript,
) -> Result<(), HandshakeFailure> {
    transcript.add(signed);
    if !peer.verifies(&signed_bytes(role, &transcript.hash()), &proof.signature) {
        return Err(HandshakeFailure::Signature);
    }
    transcript.add(&proof.signature);
    if !keys.is_finished(&transcript.hash(), &proof.finished) {
        return Err(HandshakeFailure::Finished);
    }
    transcript.add(&proof.finished);
    Ok(())
}
