//! Both ends of a channel in one process.

use std::sync::Arc;

use crate::{
    Result, SystemClock,
    channel::{ChannelSession, DeviceConfig, DeviceHandshake, HostConfig, HostHandshake, message::SessionPolicy},
    identity::{Identity, TrustPolicy},
};

/// Establishes a channel between two fresh identities that pin each other, in this process.
///
/// The same four messages run as between machines. Gives the host's session and the device's.
pub fn establish_channel(host_label: &str, device_label: &str) -> Result<(ChannelSession, ChannelSession)> {
    establish_channel_with(host_label, device_label, SessionPolicy::default())
}

/// [`establish_channel`] with another lifetime or epoch size.
pub fn establish_channel_with(
    host_label: &str,
    device_label: &str,
    policy: SessionPolicy,
) -> Result<(ChannelSession, ChannelSession)> {
    let (host, device) = (Arc::new(Identity::generate()?), Arc::new(Identity::generate()?));
    let clock = Arc::new(SystemClock::default());
    let (awaits_m2, m1) = HostHandshake::start(HostConfig {
        label: host_label.into(),
        trust: TrustPolicy::pin(device.public_key().clone()),
        expected_device: Some(device.public_key().key_id()),
        policy,
        attestation_check: None,
        clock: clock.clone(),
        identity: host.clone(),
    })?;
    let (awaits_m3, m2) = DeviceHandshake::new(DeviceConfig {
        label: device_label.into(),
        trust: TrustPolicy::pin(host.public_key().clone()),
        max_ttl_seconds: policy.ttl_seconds,
        attestation: Vec::new(),
        clock,
        identity: device,
    })?
    .receive_m1(&m1)?;
    let (awaits_ready, m3) = awaits_m2.receive_m2(&m2)?;
    let (device, ready) = awaits_m3.receive_m3(&m3)?;
    Ok((awaits_ready.receive_ready(&ready)?, device))
}
