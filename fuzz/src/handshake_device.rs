//! The device's machine: any M1, any M3, and what a host in possession of the session's secrets may put into M3.

use pqc_gpu_driver::{ChannelSession, Result};

use crate::honest::{self, MAX_TTL_SECONDS, transcript};

/// The first byte chooses: an M1; an M3; M3's sealed part; the fields in it, proven by the host's own key.
pub fn check(data: &[u8]) -> bool {
    let Some((kind, data)) = data.split_first() else { return false };
    let honest = transcript();
    match kind {
        0 => m1(data),
        1 => exactly(receive_m3(data), data == honest.m3),
        2 => exactly(receive_m3(&honest.seal_m3(data)), data == honest.opened[1]),
        _ => exactly(receive_m3(&honest.seal_m3(&honest.prove_m3(data))), fields_are_good(data)),
    }
}

fn receive_m3(m3: &[u8]) -> Result<(ChannelSession, Vec<u8>)> {
    let (device, m2) = honest::answer(&transcript().m1).expect("M1 is good");
    assert_eq!(m2, transcript().m2);
    let received = device.receive_m3(m3);
    if m3 == transcript().m3 {
        assert_eq!(received.as_ref().map(|(_, ready)| ready).ok(), Some(&transcript().ready));
    }
    received
}

#[track_caller]
fn exactly<T>(received: Result<T>, expected: bool) -> bool {
    assert_eq!(received.is_ok(), expected);
    expected
}

/// Anybody may send an M1, and is answered if it is one. Who changed it on the way gets no session of it.
fn m1(m1: &[u8]) -> bool {
    let answered = honest::answer(m1);
    assert_eq!(answered.is_ok(), m1_is_good(m1));
    let Ok((device, m2)) = answered else { return false };
    let honest = transcript();
    if m1 == honest.m1 {
        assert_eq!(m2, honest.m2);
    } else {
        let (host, _) = honest::start(0);
        assert!(host.receive_m2(&m2).is_err(), "the host goes on with an M1 that it did not send");
        assert!(device.receive_m3(&honest.m3).is_err(), "an M3 of another handshake");
    }
    true
}

/// docs/protocol.md: random 32; policy 8; expected key-id 32 or zeros; encapsulation key 1184 after FIPS 203, section 7.2.
fn m1_is_good(m1: &[u8]) -> bool {
    if m1.len() != 1268 || m1[..12] != *b"PQGT\0\x01\x01\x01\0\0\x04\xe8" {
        return false;
    }
    let (policy, expected, key) = (&m1[44..52], &m1[52..84], &m1[84..]);
    let ttl = policy[..4].iter().fold(0u32, |ttl, &byte| ttl << 8 | u32::from(byte));
    let coefficients = key[..1152].chunks_exact(3).flat_map(|three| {
        let [low, middle, high] = [three[0], three[1], three[2]].map(u16::from);
        [low | (middle & 15) << 8, middle >> 4 | high << 4]
    });
    (1..=MAX_TTL_SECONDS).contains(&ttl)
        && (23..=24).contains(&policy[4])
        && policy[5..] == [0; 3]
        && (expected == [0; 32] || expected == honest::identities()[1].public_key().key_id().as_bytes())
        && coefficients.into_iter().all(|coefficient| coefficient < 3329)
}

/// docs/protocol.md: label (length 1, UTF-8) and the pinned key.
fn fields_are_good(fields: &[u8]) -> bool {
    let Some((&length, rest)) = fields.split_first() else { return false };
    let Some((label, key)) = rest.split_at_checked(length.into()) else { return false };
    core::str::from_utf8(label).is_ok() && key == honest::identities()[0].public_key().as_bytes()
}
