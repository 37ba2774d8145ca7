//! The handshake: four messages, always mutual, as states that consume themselves.
//!
//! ```text
//! host                                           device
//! HostHandshake::start      ── M1 ──▶  DeviceHandshake::receive_m1
//! HostHandshake::receive_m2 ◀── M2 ──
//!                           ── M3 ──▶  DeviceAwaitsM3::receive_m3
//! HostAwaitsReady::receive  ◀── M4 (READY record) ──
//! ```
//!
//! A failed call leaves nothing: the state is gone, its secrets are erased, and a new handshake is needed.

mod proof;

use std::sync::Arc;

use super::{
    clock::{Clock, Timestamp},
    coins::{DeviceCoins, Hedge, HostCoins},
    message::{
        M1, M2_CLEAR_BYTES, M2Sealed, M3Sealed, MAX_ATTESTATION_BYTES, MAX_LABEL_BYTES, MessageType, SessionPolicy,
        header, split_m2,
    },
    record::Direction,
    schedule::{HandshakeSecret, RoleKeys},
    session::{ChannelSession, Peer, Setup},
    suite::{EphemeralKem, encapsulate},
    transcript::Transcript,
};
use crate::{
    Error, Result,
    error::HandshakeFailure,
    identity::{Identity, KeyId, PublicKey, TrustPolicy},
};
use proof::{body_bytes, check_proven, open_sealed, seal_proven};

/// Decides on a device's driver attestation: the bytes it sent (maybe none) and the key it proved.
/// An error's text ends up in [`HandshakeFailure::Attestation`].
pub type AttestationCheck = dyn Fn(&[u8], &PublicKey) -> Result<(), String> + Send + Sync;

/// What a host brings to a handshake.
#[derive(Clone)]
pub struct HostConfig {
    /// Whom this end is.
    pub identity: Arc<Identity>,
    /// A name for the peer's logs, at most 255 bytes. It proves nothing.
    pub label: String,
    /// Which devices are accepted.
    pub trust: TrustPolicy,
    /// The one device that shall answer; others refuse, and are refused.
    pub expected_device: Option<KeyId>,
    /// The session's lifetime and epoch size.
    pub policy: SessionPolicy,
    /// Judges the attestation in M2. Without one it is carried but not believed: see [`Peer::attestation`].
    pub attestation_check: Option<Arc<AttestationCheck>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What a device brings to a handshake.
#[derive(Clone)]
pub struct DeviceConfig {
    /// Whom this end is.
    pub identity: Arc<Identity>,
    /// A name for the peer's logs, at most 255 bytes. It proves nothing.
    pub label: String,
    /// Which hosts are accepted.
    pub trust: TrustPolicy,
    /// The longest lifetime a host may ask for, in seconds.
    pub max_ttl_seconds: u32,
    /// The driver attestation to present; may be empty, at most 64 KiB.
    pub attestation: Vec<u8>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The host, waiting for M2.
pub struct HostHandshake {
    config: HostConfig,
    started: Timestamp,
    kem: EphemeralKem,
    hedge: Hedge,
    transcript: Transcript,
}

impl HostHandshake {
    /// Starts a handshake with a fresh, single-use ML-KEM-768 key. Gives M1 to send.
    pub fn start(config: HostConfig) -> Result<(Self, Vec<u8>)> {
        Self::start_from(config, HostCoins::draw()?)
    }

    pub(super) fn start_from(config: HostConfig, coins: HostCoins) -> Result<(Self, Vec<u8>)> {
        check_label(&config.label)?;
        config.policy.checked()?;
        let HostCoins { random, kem_seed, hedge } = coins;
        let kem = EphemeralKem::from_seed(&kem_seed);
        let m1 = M1 {
            random,
            policy: config.policy,
            expected_device: config.expected_device,
            encapsulation_key: kem.encapsulation_key(),
        }
        .encode();
        let mut transcript = Transcript::default();
        transcript.add(&m1);
        let started = config.clock.now();
        Ok((HostHandshake { config, started, kem, hedge, transcript }, m1))
    }

    /// Checks all of M2, trust and attestation included, and only then makes M3.
    pub fn receive_m2(self, m2: &[u8]) -> Result<(HostAwaitsReady, Vec<u8>)> {
        let HostHandshake { config, started, kem, hedge, mut transcript } = self;
        let (ciphertext, sealed) = split_m2(m2)?;
        transcript.add(&m2[..m2.len() - sealed.len()]);
        let secret = HandshakeSecret::new(kem.decapsulate(&ciphertext));
        let clear = transcript.hash();

        let device_keys = secret.role(Direction::DeviceToHost, &clear);
        let plaintext = open_sealed(&device_keys, &transcript, sealed)?;
        let (m2, signed) = M2Sealed::decode(&plaintext)?;
        let device = PublicKey::from_bytes(&m2.public_key)?;
        let signed = &plaintext[..signed];
        check_proven(signed, &m2.proof, Direction::DeviceToHost, &device, &device_keys, &mut transcript)?;
        if m2.policy != config.policy.encode() {
            return Err(HandshakeFailure::Policy("the device echoed another policy").into());
        }
        check_peer(&device, &config.identity, &config.trust)?;
        if let Some(expected) = config.expected_device
            && expected != device.key_id()
        {
            return Err(HandshakeFailure::WrongPeer { expected, found: device.key_id() }.into());
        }
        if let Some(check) = &config.attestation_check {
            check(&m2.attestation, &device).map_err(HandshakeFailure::Attestation)?;
        }

        let host_keys = secret.role(Direction::HostToDevice, &clear);
        let signed = M3Sealed::encode_signed(&config.label, config.identity.public_key().as_bytes());
        let m3 = seal_proven(
            MessageType::M3,
            &[],
            signed,
            Direction::HostToDevice,
            (&config.identity, &hedge),
            &host_keys,
            &mut transcript,
        )?;
        let session = ChannelSession::new(Setup {
            local: Direction::HostToDevice,
            traffic: secret.master().traffic(&transcript.hash()),
            policy: config.policy,
            peer: Peer { label: m2.label, public_key: device, attestation: m2.attestation },
            clock: config.clock,
            started,
        });
        Ok((HostAwaitsReady { session }, m3))
    }
}

/// The host, waiting for the device's READY record. No session is to be had before it verifies.
pub struct HostAwaitsReady {
    session: ChannelSession,
}

impl HostAwaitsReady {
    /// Verifies M4, the device's record of type READY and sequence 0.
    pub fn receive_ready(self, ready: &[u8]) -> Result<ChannelSession> {
        self.session.receive_ready(ready)?;
        Ok(self.session)
    }
}

/// The device, waiting for M1.
pub struct DeviceHandshake {
    config: DeviceConfig,
}

impl DeviceHandshake {
    /// Checks the configuration.
    pub fn new(config: DeviceConfig) -> Result<Self> {
        check_label(&config.label)?;
        if config.attestation.len() > MAX_ATTESTATION_BYTES {
            return Err(Error::Usage("a driver attestation has at most 64 KiB"));
        }
        Ok(DeviceHandshake { config })
    }

    /// Checks M1 and answers with M2.
    pub fn receive_m1(self, message: &[u8]) -> Result<(DeviceAwaitsM3, Vec<u8>)> {
        self.answer(message, DeviceCoins::draw()?)
    }

    pub(super) fn answer(self, message: &[u8], coins: DeviceCoins) -> Result<(DeviceAwaitsM3, Vec<u8>)> {
        let config = self.config;
        let m1 = M1::decode(message)?;
        if m1.policy.ttl_seconds > config.max_ttl_seconds {
            return Err(HandshakeFailure::Policy("a longer lifetime than this device allows").into());
        }
        if let Some(expected) = m1.expected_device {
            let found = config.identity.public_key().key_id();
            if expected != found {
                return Err(HandshakeFailure::WrongPeer { expected, found }.into());
            }
        }
        let started = config.clock.now();
        let (ciphertext, shared_secret) = encapsulate(&m1.encapsulation_key, &coins.encapsulation)?;
        let mut clear = [0; M2_CLEAR_BYTES];
        clear[..32].copy_from_slice(&coins.random);
        clear[32..].copy_from_slice(&ciphertext);

        let mut transcript = Transcript::default();
        transcript.add(message);
        let secret = HandshakeSecret::new(shared_secret);
        let signed = M2Sealed::encode_signed(
            &config.label,
            config.identity.public_key().as_bytes(),
            &m1.policy,
            &config.attestation,
        );
        let (keys, m2) = {
            // The role keys hang on TH(M1‖M2 clear), whose header needs M2's length.
            let mut ahead = Transcript::default();
            ahead.add(message);
            ahead.add(&header(MessageType::M2, body_bytes(clear.len(), signed.len())));
            ahead.add(&clear);
            let clear_hash = ahead.hash();
            let device_keys = secret.role(Direction::DeviceToHost, &clear_hash);
            let m2 = seal_proven(
                MessageType::M2,
                &clear,
                signed,
                Direction::DeviceToHost,
                (&config.identity, &coins.hedge),
                &device_keys,
                &mut transcript,
            )?;
            (secret.role(Direction::HostToDevice, &clear_hash), m2)
        };
        Ok((DeviceAwaitsM3 { config, started, policy: m1.policy, secret, host_keys: keys, transcript }, m2))
    }
}

/// The device, waiting for M3. No traffic key exists before all of M3 is checked.
pub struct DeviceAwaitsM3 {
    config: DeviceConfig,
    started: Timestamp,
    policy: SessionPolicy,
    secret: HandshakeSecret,
    host_keys: RoleKeys,
    transcript: Transcript,
}

impl DeviceAwaitsM3 {
    /// Checks all of M3, and only then makes the session and its READY record to send.
    pub fn receive_m3(self, message: &[u8]) -> Result<(ChannelSession, Vec<u8>)> {
        let DeviceAwaitsM3 { config, started, policy, secret, host_keys, mut transcript } = self;
        let sealed = super::message::body(message, MessageType::M3)?;
        transcript.add(&message[..message.len() - sealed.len()]);
        let plaintext = open_sealed(&host_keys, &transcript, sealed)?;
        let (m3, signed) = M3Sealed::decode(&plaintext)?;
        let host = PublicKey::from_bytes(&m3.public_key)?;
        check_proven(&plaintext[..signed], &m3.proof, Direction::HostToDevice, &host, &host_keys, &mut transcript)?;
        check_peer(&host, &config.identity, &config.trust)?;

        let session = ChannelSession::new(Setup {
            local: Direction::DeviceToHost,
            traffic: secret.master().traffic(&transcript.hash()),
            policy,
            peer: Peer { label: m3.label, public_key: host, attestation: Vec::new() },
            clock: config.clock,
            started,
        });
        let ready = session.send_ready()?;
        Ok((session, ready))
    }
}

fn check_label(label: &str) -> Result<()> {
    if label.len() > MAX_LABEL_BYTES { Err(Error::Usage("a label has at most 255 bytes")) } else { Ok(()) }
}

fn check_peer(peer: &PublicKey, own: &Identity, trust: &TrustPolicy) -> Result<(), HandshakeFailure> {
    if peer == own.public_key() {
        return Err(HandshakeFailure::OwnKey);
    }
    if !trust.accepts(peer) {
        return Err(HandshakeFailure::Untrusted(peer.key_id()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
