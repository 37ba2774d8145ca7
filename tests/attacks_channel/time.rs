//! Lifetimes: numbers that the handshake authenticates, on two clocks.

use std::time::Duration;

use pqc_gpu_driver::{
    ChannelSession, Error,
    channel::{DeviceConfig, HostConfig, Timestamp, message::SessionPolicy},
    error::HandshakeFailure,
};

use super::common::*;

fn timed(ttl_seconds: u32) -> (ChannelSession, ChannelSession, std::sync::Arc<TestClock>) {
    let clock = TestClock::new();
    let policy = SessionPolicy { ttl_seconds, log2_chunks: 24 };
    let host = HostConfig { policy, clock: clock.clone(), ..host_config() };
    let device = DeviceConfig { clock: clock.clone(), max_ttl_seconds: u32::MAX, ..device_config() };
    let (host, device) = run(host, device).unwrap();
    (host, device, clock)
}

#[test]
fn attack_c17_expiry_is_an_editable_string() {
    // A number in M1, echoed under the device's signature; the session gives it away by value.
    let (host, mut m1) = start();
    m1[44..48].copy_from_slice(&80_000u32.to_be_bytes());
    let (_, m2) = device().receive_m1(&m1).unwrap();
    assert_eq!(failure(host.receive_m2(&m2)), HandshakeFailure::Unauthenticated);
    let (host, device, clock) = timed(60);
    // A copy is all there is to change.
    let SessionPolicy { ttl_seconds, .. } = &mut host.policy();
    *ttl_seconds = u32::MAX;
    assert_eq!((host.policy().ttl_seconds, device.policy().ttl_seconds), (60, 60));
    clock.advance(Duration::from_secs(60));
    assert_eq!(host.encrypt_tensor(&[], &metadata(0)), Err(Error::ChannelExpired));
    assert!(!host.is_valid() && !device.is_valid());
}

#[test]
fn attack_c18_turning_the_clock_back_revives_a_session() {
    let (host, device, clock) = timed(60);
    let tensor = seal(&host, 10);
    clock.advance(Duration::from_secs(61));
    assert_eq!(device.decrypt_tensor(&tensor), Err(Error::ChannelExpired));
    clock.0.lock().unwrap().wall -= Duration::from_secs(61);
    assert_eq!(device.decrypt_tensor(&tensor), Err(Error::ChannelExpired));
    clock.0.lock().unwrap().monotonic -= Duration::from_secs(61);
    assert_eq!(device.decrypt_tensor(&tensor), Err(Error::ChannelExpired));
    assert!(!device.is_valid());
    // Turned back before it is over: that ends it as well, and turning it forward again does not help.
    let (host, _, clock) = timed(60);
    clock.0.lock().unwrap().wall -= Duration::from_millis(2001);
    assert_eq!(host.encrypt_tensor(&[], &metadata(0)), Err(Error::ClockWentBackward));
    clock.0.lock().unwrap().wall += Duration::from_millis(2001);
    assert_eq!(host.encrypt_tensor(&[], &metadata(0)), Err(Error::ClockWentBackward));
}

#[test]
fn attack_c19_a_date_without_zone_crashes_the_check() {
    // There are no dates: every reading of either clock is answered, the extreme ones too.
    for ttl_seconds in [1, u32::MAX] {
        for wall in [Duration::ZERO, Duration::from_secs(1_800_000_000), Duration::MAX] {
            for monotonic in [Duration::ZERO, Duration::from_secs(10), Duration::MAX] {
                let (host, _, clock) = timed(ttl_seconds);
                let before = std::mem::replace(&mut *clock.0.lock().unwrap(), Timestamp { monotonic, wall });
                let unchanged = wall == before.wall && monotonic <= before.monotonic;
                let answer = host.encrypt_tensor(&[], &metadata(0)).map(drop);
                assert_eq!(answer.is_ok(), unchanged);
                assert!(unchanged || matches!(answer, Err(Error::ChannelExpired | Error::ClockWentBackward)));
            }
        }
    }
}
