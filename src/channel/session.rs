//! Sessions: what both ends hold after the handshake. Sequence numbers, epochs, lifetime, release.
//!
//! **Sending.** [`ChannelSession::seal`] consumes a sequence number before the first keystream block and
//! hands out every chunk once, to any number of threads; a seal that is not finished ends the session.
//! A KEY_UPDATE is put in front of a tensor by itself when the key's chunks run out.
//!
//! **Receiving.** [`ChannelSession::reserve`] checks a header and gives a [`Pending`]; many may be in flight. They are
//! released in sequence order, each by its own verdict. The first failure — a header that cannot come now, a
//! failed tag, a Pending dropped — ends the session: every later Pending is refused, those before it are not.
//!
//! Errors tell the local caller what was wrong. The peer must see only that the transport closes.

mod receive;
mod seal;
mod state;
mod tensor;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub(crate) use receive::Verdict;
pub use receive::{Control, Opening, Pending};
pub use seal::{CONTROL_BYTES, Piece, Sealing};
pub use tensor::EncryptedTensor;

use super::{
    clock::{Clock, Timestamp},
    message::SessionPolicy,
    record::Direction,
    schedule::Traffic,
};
use crate::{
    Error, Result,
    identity::{KeyId, PublicKey},
};
use state::State;

/// Who is at the other end, as proven in the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub(super) label: String,
    pub(super) public_key: PublicKey,
    pub(super) attestation: Vec<u8>,
}

impl Peer {
    /// The name it gave itself. It proves nothing.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The key it proved.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The key's id.
    pub fn key_id(&self) -> KeyId {
        self.public_key.key_id()
    }

    /// The driver attestation a device sent, maybe empty. Without a check in the host's configuration it is
    /// nothing but bytes.
    pub fn attestation(&self) -> &[u8] {
        &self.attestation
    }
}

/// One end of an established channel.
///
/// Shared by reference among threads. It can be neither cloned nor serialised, and printing it shows no key:
/// two copies would seal different tensors under one nonce.
pub struct ChannelSession {
    inner: Arc<Inner>,
}

struct Inner {
    local: Direction,
    session_id: [u8; 32],
    peer: Peer,
    policy: SessionPolicy,
    /// The most chunks under one key.
    max_chunks: u64,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held through a whole [`ChannelSession::decrypt_tensor`], so that threads deliver one after the other.
    delivery: Mutex<()>,
}

/// What a handshake hands over.
pub(super) struct Setup {
    pub(super) local: Direction,
    pub(super) traffic: Traffic,
    pub(super) policy: SessionPolicy,
    pub(super) peer: Peer,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started: Timestamp,
}

impl ChannelSession {
    pub(super) fn new(setup: Setup) -> Self {
        let Setup { local, traffic, policy, peer, clock, started } = setup;
        let session_id = traffic.session_id;
        ChannelSession {
            inner: Arc::new(Inner {
                local,
                session_id,
                peer,
                policy,
                max_chunks: 1 << policy.log2_chunks,
                clock,
                state: Mutex::new(State::new(local, traffic, started)),
                delivery: Mutex::new(()),
            }),
        }
    }

    /// Whether tensors may still cross: the lifetime is not over, nothing failed, not both directions are closed.
    pub fn is_valid(&self) -> bool {
        self.inner.live().is_ok_and(|state| state.is_open())
    }

    /// The session's public identifier, the same at both ends.
    pub fn session_id(&self) -> &[u8; 32] {
        &self.inner.session_id
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.inner.peer
    }

    /// The direction in which this end sends.
    pub fn direction(&self) -> Direction {
        self.inner.local
    }

    /// Lifetime and epoch size.
    pub fn policy(&self) -> SessionPolicy {
        self.inner.policy
    }

    /// Keying material for a protocol above, bound to this session (RFC 8446 section 7.5). `out` has at most 16,320
    /// bytes, `label` at most 249.
    pub fn export(&self, label: &str, context: &[u8], out: &mut [u8]) -> Result<()> {
        let state = self.inner.live()?;
        if state.exporter()?.export(label, context, out) {
            Ok(())
        } else {
            Err(Error::Usage("exported keying material: label at most 249 bytes, output at most 16,320"))
        }
    }
}

impl fmt::Debug for ChannelSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelSession")
            .field("direction", &self.inner.local)
            .field("peer", &self.inner.peer.key_id())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked while holding the lock left a consistent state: every step is all or nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if the session has neither failed nor outlived its time.
    fn live(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.check_alive(self.clock.now(), self.policy.ttl_seconds)?;
        Ok(state)
    }

    fn fail_at(&self, sequence: u64) {
        self.lock().fail(sequence, Error::ChannelFailed);
    }
}

#[cfg(test)]
mod tests;
