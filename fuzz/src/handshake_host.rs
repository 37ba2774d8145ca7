//! The host's machine: any M2, any READY, and what a device in possession of the session's secrets may put into M2.

use pqc_gpu_driver::channel::handshake::HostAwaitsReady;

use crate::honest::{self, transcript};

/// The first byte chooses: an M2; a READY; M2's sealed part; the fields in it, proven by the device's own key.
pub fn check(data: &[u8]) -> bool {
    let Some((kind, data)) = data.split_first() else { return false };
    let honest = transcript();
    match kind {
        0 => exactly(receive_m2(data).is_some(), data == honest.m2),
        1 => {
            let waiting = receive_m2(&honest.m2).expect("M2 is good");
            exactly(waiting.receive_ready(data).is_ok(), data == honest.ready)
        }
        2 => exactly(receive_m2(&honest.seal_m2(data)).is_some(), data == honest.opened[0]),
        _ => {
            let m2 = honest.seal_m2(&honest.prove_m2(data));
            exactly(receive_m2(&m2).is_some(), fields_are_good(data))
        }
    }
}

/// M3 exists if and only if M2 was accepted.
fn receive_m2(m2: &[u8]) -> Option<HostAwaitsReady> {
    let (host, m1) = honest::start(0);
    assert_eq!(m1, transcript().m1);
    let (waiting, m3) = host.receive_m2(m2).ok()?;
    assert!(m2 != transcript().m2 || m3 == transcript().m3);
    Some(waiting)
}

#[track_caller]
fn exactly(accepted: bool, expected: bool) -> bool {
    assert_eq!(accepted, expected);
    accepted
}

/// docs/protocol.md: label (length 1, UTF-8), the pinned key, the policy of M1, attestation (length 4, at most 64 KiB).
fn fields_are_good(fields: &[u8]) -> bool {
    let Some((&length, rest)) = fields.split_first() else { return false };
    let Some((label, rest)) = rest.split_at_checked(length.into()) else { return false };
    let Some((key, rest)) = rest.split_at_checked(1952) else { return false };
    let Some((policy, rest)) = rest.split_at_checked(8) else { return false };
    let Some((length, attestation)) = rest.split_at_checked(4) else { return false };
    core::str::from_utf8(label).is_ok()
        && key == honest::identities()[1].public_key().as_bytes()
        && policy == &transcript().m1[44..52]
        && length == (attestation.len() as u32).to_be_bytes()
        && attestation.len() <= 64 << 10
}
