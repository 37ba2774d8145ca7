//! The library, fed from the committed file.

use std::sync::Arc;

use pqc_gpu_driver::{
    ChannelSession, DType, EncryptedTensor, Error, Identity, Result, TensorMetadata, TrustPolicy,
    channel::{
        DeviceConfig, DeviceHandshake, HostConfig, HostHandshake,
        hazmat::{KnownDeviceCoins, KnownHostCoins, receive_m1_with_known_coins, start_with_known_coins},
        message::SessionPolicy,
        session::Control,
    },
    error::HandshakeFailure,
};
use serde_json::Value;

use crate::{common::TestClock, inputs::plaintext, json::from_hex};

/// A case of the file.
#[derive(Clone, Copy)]
pub struct Case<'a>(pub &'a Value);

impl Case<'_> {
    pub fn hex(&self, at: &str) -> Vec<u8> {
        from_hex(self.text(at))
    }

    pub fn array<const N: usize>(&self, at: &str) -> [u8; N] {
        self.hex(at).try_into().unwrap()
    }

    fn text(&self, at: &str) -> &str {
        self.0.pointer(at).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {at}"))
    }

    fn identity(&self, end: &str) -> Arc<Identity> {
        let seed = self.array::<32>(&format!("/inputs/{end}/identity_seed"));
        // The identity's own ML-KEM key is for sealed files, and no part of the channel.
        let identity = Arc::new(Identity::from_seeds(seed.into(), [0; 64].into()).unwrap());
        assert_eq!(identity.public_key().key_id().as_bytes(), &*self.hex(&format!("/inputs/{end}/key_id")));
        identity
    }

    pub fn host(&self) -> HostConfig {
        let device = self.identity("device");
        let number = |at: &str| self.0.pointer(at).and_then(Value::as_u64).unwrap();
        let expected = self.array::<32>("/inputs/host/expected_device");
        HostConfig {
            identity: self.identity("host"),
            label: self.text("/inputs/host/label").into(),
            trust: TrustPolicy::pin(device.public_key().clone()),
            expected_device: (expected != [0; 32]).then(|| device.public_key().key_id()),
            policy: SessionPolicy {
                ttl_seconds: number("/inputs/host/policy/ttl_seconds").try_into().unwrap(),
                log2_chunks: number("/inputs/host/policy/log2_chunks").try_into().unwrap(),
            },
            attestation_check: None,
            clock: TestClock::new(),
        }
    }

    pub fn device(&self) -> DeviceConfig {
        DeviceConfig {
            identity: self.identity("device"),
            label: self.text("/inputs/device/label").into(),
            trust: TrustPolicy::pin(self.identity("host").public_key().clone()),
            max_ttl_seconds: u32::MAX,
            attestation: self.hex("/inputs/device/attestation"),
            clock: TestClock::new(),
        }
    }

    fn host_coins(&self) -> KnownHostCoins {
        KnownHostCoins {
            random: self.array("/inputs/host/random"),
            kem_seed: self.array::<64>("/inputs/host/kem_seed").into(),
            signing_rnd: self.array::<32>("/inputs/host/signing_rnd").into(),
        }
    }

    fn device_coins(&self) -> KnownDeviceCoins {
        KnownDeviceCoins {
            random: self.array("/inputs/device/random"),
            encapsulation: self.array::<32>("/inputs/device/encapsulation_m").into(),
            signing_rnd: self.array::<32>("/inputs/device/signing_rnd").into(),
        }
    }

    /// A whole handshake; `cross` sees every message, and may change it. An error comes with the message refused.
    pub fn run(
        &self,
        host: HostConfig,
        device: DeviceConfig,
        mut cross: impl FnMut(&'static str, Vec<u8>) -> Vec<u8>,
    ) -> Result<[ChannelSession; 2], (&'static str, Error)> {
        let (host, m1) = start_with_known_coins(host, self.host_coins()).unwrap();
        let m1 = cross("m1", m1);
        let device = DeviceHandshake::new(device).unwrap();
        let (device, m2) = receive_m1_with_known_coins(device, &m1, self.device_coins()).map_err(|e| ("m1", e))?;
        let (host, m3) = HostHandshake::receive_m2(host, &cross("m2", m2)).map_err(|e| ("m2", e))?;
        let (device, ready) = device.receive_m3(&cross("m3", m3)).map_err(|e| ("m3", e))?;
        let host = host.receive_ready(&cross("m4", ready)).map_err(|e| ("m4", e))?;
        Ok([host, device])
    }

    /// The sessions after an undisturbed handshake.
    pub fn sessions(&self) -> [ChannelSession; 2] {
        self.run(self.host(), self.device(), |_, message| message).unwrap()
    }

    /// The library seals what the file says that an end sends, READY left out.
    pub fn send(&self, end: &str, session: &ChannelSession) -> Vec<Vec<u8>> {
        let seal = |record: &Value| {
            let text = |name: &str| record[name].as_str().unwrap();
            match text("type") {
                "TENSOR" => {
                    let dtype: DType = text("dtype").parse().unwrap();
                    let shape: Vec<u64> =
                        record["shape"].as_array().unwrap().iter().map(|extent| extent.as_u64().unwrap()).collect();
                    let metadata = TensorMetadata::new(text("id"), text("name"), dtype, shape).unwrap();
                    let bytes = plaintext(record["plaintext_bytes"].as_u64().unwrap() as usize);
                    session.encrypt_tensor(&bytes, &metadata).unwrap().as_bytes().to_vec()
                }
                "KEY_UPDATE" => session.update_key().unwrap(),
                "CLOSE" => session.close().unwrap(),
                other => panic!("{other}"),
            }
        };
        self.records(end).iter().filter(|record| record["type"] != "READY").map(seal).collect()
    }

    pub fn records(&self, end: &str) -> &[Value] {
        self.0["records"][end].as_array().unwrap()
    }
}

/// What a record turned out to be.
#[derive(Debug, PartialEq)]
pub enum Received {
    Tensor(Vec<u8>),
    Control(Control),
}

/// Hands a record to a session, by its type.
pub fn receive(session: &ChannelSession, record: &[u8]) -> Result<Received> {
    if record.get(5) != Some(&2) && record.len() == 80 {
        return session.receive_control(record).map(Received::Control);
    }
    let tensor = EncryptedTensor::from_bytes(record)?;
    session.decrypt_tensor(&tensor).map(Received::Tensor)
}

/// An error by its name in the file.
pub fn reason(error: &Error) -> &'static str {
    match error {
        Error::ChannelEstablishment(failure) => match failure {
            HandshakeFailure::Malformed(_) => "malformed",
            HandshakeFailure::Version(2) => "version",
            HandshakeFailure::Suite(2) => "suite",
            HandshakeFailure::Policy(_) => "policy",
            HandshakeFailure::EncapsulationKey => "encapsulation key",
            HandshakeFailure::Unauthenticated => "unauthenticated",
            HandshakeFailure::Signature => "signature",
            HandshakeFailure::Finished => "finished",
            HandshakeFailure::Untrusted(_) => "untrusted",
            HandshakeFailure::WrongPeer { .. } => "wrong device",
            HandshakeFailure::Attestation(_) => "attestation",
            HandshakeFailure::Ready => "ready",
            other => panic!("{other}"),
        },
        Error::Decryption => "unauthenticated",
        Error::NonceReplay { .. } => "replay",
        Error::SequenceGap { .. } => "gap",
        Error::Record(_) => "record",
        Error::Metadata(_) => "metadata",
        Error::ChannelClosed => "closed",
        other => panic!("{other}"),
    }
}
