//! One handshake from known coins, the same in every run, and what a peer who took part in it knows.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_lc_rs::signature::{ML_DSA_65_SIGNING, PqdsaKeyPair};
use ml_kem::{kem::Decapsulate, ml_kem_768};
use pqc_gpu_driver::{
    ChannelSession, Identity, Result, TrustPolicy,
    channel::{
        Clock, DeviceConfig, DeviceHandshake, HostConfig, HostHandshake, Timestamp,
        handshake::DeviceAwaitsM3,
        hazmat::{KnownDeviceCoins, KnownHostCoins, receive_m1_with_known_coins, start_with_known_coins},
        message::SessionPolicy,
    },
};

use crate::by_the_book::{aes_open, aes_seal, extract, finished, role_keys, signed_bytes};

/// The longest lifetime that the device grants.
pub const MAX_TTL_SECONDS: u32 = 86_400;
/// M2's header, random and KEM ciphertext.
const M2_CLEAR: usize = 12 + 32 + 1088;

/// The host's and the device's identity.
pub fn identities() -> &'static [Arc<Identity>; 2] {
    static IDENTITIES: OnceLock<[Arc<Identity>; 2]> = OnceLock::new();
    let identity = |seed| Identity::from_seeds([seed; 32].into(), [seed; 64].into()).expect("seeds");
    IDENTITIES.get_or_init(|| [1, 2].map(|seed| Arc::new(identity(seed))))
}

/// Their signing keys in another implementation.
pub fn signers() -> &'static [PqdsaKeyPair; 2] {
    static SIGNERS: OnceLock<[PqdsaKeyPair; 2]> = OnceLock::new();
    SIGNERS.get_or_init(|| [1, 2].map(|seed| PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &[seed; 32]).expect("a seed")))
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp { monotonic: Duration::from_secs(10), wall: Duration::from_secs(1_800_000_000) }
    }
}

/// What the host asks for.
pub fn host_config() -> HostConfig {
    let [host, device] = identities();
    HostConfig {
        identity: host.clone(),
        label: "host".into(),
        trust: TrustPolicy::pin(device.public_key().clone()),
        expected_device: Some(device.public_key().key_id()),
        policy: SessionPolicy::default(),
        attestation_check: None,
        clock: Arc::new(Noon),
    }
}

/// What the device allows.
pub fn device_config() -> DeviceConfig {
    let [host, device] = identities();
    DeviceConfig {
        identity: device.clone(),
        label: "device".into(),
        trust: TrustPolicy::pin(host.public_key().clone()),
        max_ttl_seconds: MAX_TTL_SECONDS,
        attestation: b"attestation".to_vec(),
        clock: Arc::new(Noon),
    }
}

/// The host, from coins that `variant` changes.
pub fn start(variant: u8) -> (HostHandshake, Vec<u8>) {
    let known = KnownHostCoins { random: [3; 32], kem_seed: [4 ^ variant; 64].into(), signing_rnd: [5; 32].into() };
    start_with_known_coins(host_config(), known).expect("starts")
}

/// The device's answer to this M1.
pub fn answer(m1: &[u8]) -> Result<(DeviceAwaitsM3, Vec<u8>)> {
    let known = KnownDeviceCoins { random: [6; 32], encapsulation: [7; 32].into(), signing_rnd: [8; 32].into() };
    receive_m1_with_known_coins(DeviceHandshake::new(device_config())?, m1, known)
}

/// The two sessions of a handshake.
pub fn sessions(variant: u8) -> [ChannelSession; 2] {
    let (host, m1) = start(variant);
    let (device, m2) = answer(&m1).expect("an answer");
    let (host, m3) = host.receive_m2(&m2).expect("M2 is good");
    let (device, ready) = device.receive_m3(&m3).expect("M3 is good");
    [host.receive_ready(&ready).expect("READY is good"), device]
}

/// The honest messages, and what seals them.
pub struct Transcript {
    pub m1: Vec<u8>,
    pub m2: Vec<u8>,
    pub m3: Vec<u8>,
    pub ready: Vec<u8>,
    /// M2's and M3's sealed parts, opened.
    pub opened: [Vec<u8>; 2],
    /// The early secret.
    es: Vec<u8>,
}

/// The honest handshake.
pub fn transcript() -> &'static Transcript {
    static TRANSCRIPT: OnceLock<Transcript> = OnceLock::new();
    TRANSCRIPT.get_or_init(|| {
        let (host, m1) = start(0);
        let (device, m2) = answer(&m1).expect("an answer");
        let (_, m3) = host.receive_m2(&m2).expect("M2 is good");
        let (_, ready) = device.receive_m3(&m3).expect("M3 is good");
        let key = ml_kem_768::DecapsulationKey::from_seed([4; 64].into());
        let ciphertext: [u8; 1088] = m2[44..M2_CLEAR].try_into().expect("1088 bytes");
        let es = extract(&[0; 64], &key.decapsulate(&ciphertext.into()));
        let clear = [&m1, &m2[..M2_CLEAR]].concat();
        let open = |role, aad: &[u8], sealed: &[u8]| {
            let (key, iv, _) = role_keys(&es, role, &clear);
            aes_open(&key, iv, aad, sealed).expect("the book opens what the library sealed")
        };
        let m2_opened = open("device", &clear, &m2[M2_CLEAR..]);
        let m3_opened = open("host", &[&clear, &m2_opened, &m3[..12]].concat(), &m3[12..]);
        Transcript { m1, m2, m3, ready, opened: [m2_opened, m3_opened], es }
    })
}

impl Transcript {
    /// An M2 whose sealed part is this, sealed as the book says.
    pub fn seal_m2(&self, opened: &[u8]) -> Vec<u8> {
        let (before, (key, iv, _)) = self.before_m2(opened.len());
        let sealed = aes_seal(&key, iv, &before, opened);
        [&before[self.m1.len()..], &sealed].concat()
    }

    /// What a device that holds its key makes of these fields: with signature and Finished.
    pub fn prove_m2(&self, fields: &[u8]) -> Vec<u8> {
        let (before, (_, _, key)) = self.before_m2(fields.len() + PROOF);
        prove(before, fields, "device", &signers()[1], &key)
    }

    /// An M3 whose sealed part is this.
    pub fn seal_m3(&self, opened: &[u8]) -> Vec<u8> {
        let (before, (key, iv, _)) = self.before_m3(opened.len());
        let sealed = aes_seal(&key, iv, &before, opened);
        [&before[before.len() - 12..], &sealed].concat()
    }

    /// What a host that holds its key makes of these fields.
    pub fn prove_m3(&self, fields: &[u8]) -> Vec<u8> {
        let (before, (_, _, key)) = self.before_m3(fields.len() + PROOF);
        prove(before, fields, "host", &signers()[0], &key)
    }

    fn before_m2(&self, opened: usize) -> (Vec<u8>, Keys) {
        let clear = [&self.m1, &header(2, 32 + 1088 + opened + 16)[..], &self.m2[12..M2_CLEAR]].concat();
        let keys = role_keys(&self.es, "device", &clear);
        (clear, keys)
    }

    fn before_m3(&self, opened: usize) -> (Vec<u8>, Keys) {
        let clear = [&self.m1, &self.m2[..M2_CLEAR]].concat();
        let keys = role_keys(&self.es, "host", &clear);
        ([&clear[..], &self.opened[0], &header(3, opened + 16)].concat(), keys)
    }
}

/// Key, iv, Finished key.
type Keys = ([u8; 32], [u8; 12], [u8; 64]);

/// Signature and Finished.
pub const PROOF: usize = 3309 + 64;

fn header(kind: u8, body: usize) -> Vec<u8> {
    [&b"PQGT\0\x01"[..], &[kind, 1], &(body as u32).to_be_bytes()].concat()
}

fn prove(before: Vec<u8>, fields: &[u8], role: &str, signer: &PqdsaKeyPair, key: &[u8; 64]) -> Vec<u8> {
    let start = before.len();
    let mut transcript = [&before[..], fields].concat();
    let mut signature = vec![0; 3309];
    signer.sign(&signed_bytes(role, &transcript), &mut signature).expect("signs");
    transcript.extend(signature);
    transcript.extend(finished(key, &transcript));
    transcript.split_off(start)
}
