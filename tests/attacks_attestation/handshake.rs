//! The attestation where a channel asks for it: in M2.

#[path = "../common/mod.rs"]
mod common;

use std::sync::Arc;

use pqc_gpu_driver::{
    attest::{DriverAttestationVerifier, DriverModule},
    channel::{DeviceConfig, DeviceHandshake, HostConfig, HostHandshake},
    error::HandshakeFailure,
};

use super::forge::*;
use common::{device_config, failure, host_config};

#[test]
fn a_host_takes_only_devices_with_the_expected_driver() {
    let expecting = |module: &[u8], now: u64| {
        let check = DriverAttestationVerifier::new(policy()).into_check(module, move || now);
        HostConfig { attestation_check: Some(Arc::new(check)), ..host_config() }
    };
    let presenting = |attestation: &[u8]| DeviceConfig { attestation: attestation.to_vec(), ..device_config() };
    let run = |host: HostConfig, device: DeviceConfig| {
        let (host, m1) = HostHandshake::start(host).unwrap();
        let (_, m2) = DeviceHandshake::new(device).unwrap().receive_m1(&m1).unwrap();
        host.receive_m2(&m2).map(drop)
    };
    let good = honest(7);
    run(expecting(MODULE, NOW), presenting(good.as_bytes())).unwrap();
    for (host, device, says) in [
        (expecting(b"another", NOW), presenting(good.as_bytes()), "digest"),
        (expecting(MODULE, NOW + 101), presenting(good.as_bytes()), "expired"),
        (expecting(MODULE, NOW), presenting(b""), "none"),
        (expecting(MODULE, NOW), presenting(b"attestation"), "form"),
        (expecting(MODULE, NOW), presenting(&Forge::new(OTHER).finish()), "signer trusted"),
    ] {
        match failure(run(host, device)) {
            HandshakeFailure::Attestation(text) => assert!(text.contains(says), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn attack_a21_bad_configuration_keeps_empty_keys() {
    // A policy that was left empty, or lost its keys, lets no device in. (The program's: `tests/program/driver.rs`.)
    let check = DriverAttestationVerifier::new(Default::default()).into_check(MODULE, || NOW);
    let device = identity(OTHER);
    assert!(check(honest(7).as_bytes(), device.public_key()).unwrap_err().contains("not among the trusted signers"));
    assert_ne!(DriverModule::hash_module_bytes(b""), DriverModule::hash_module_bytes(MODULE));
}
