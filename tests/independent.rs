//! The library's host against a device written from the specification alone.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "common/independent.rs"]
mod independent;

use common::*;
use pqc_gpu_driver::{ChannelSession, EncryptedTensor, channel::session::Control};

fn both_ends() -> (ChannelSession, independent::Device) {
    let (host, m1) = start();
    let (device, m2) = independent::answer(&m1, &[2; 32], "by the book");
    let (host, m3) = host.receive_m2(&m2).unwrap();
    let (device, ready) = device.receive_m3(&m3);
    (host.receive_ready(&ready).unwrap(), device)
}

#[test]
fn handshake_and_secrets_agree() {
    let (host, device) = both_ends();
    assert_eq!(*host.session_id(), device.session_id);
    assert_eq!(host.peer().label(), "by the book");
    let mut exported = [0; 48];
    host.export("label", b"context", &mut exported).unwrap();
    let context = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, b"context");
    assert_eq!(exported, independent::expand_label(&device.exporter, "label", context.as_ref()));
}

#[test]
fn records_agree_in_both_directions_through_epochs() {
    let (host, mut device) = both_ends();
    for bytes in [0, 1, 16383, 16384, 16385, 40_000, 600_000] {
        let tensor = seal(&host, bytes);
        assert_eq!(device.open(tensor.as_bytes()), Some(content(bytes)), "{bytes} bytes from the host");
        let wire = device.seal(&metadata(bytes).encode(), &content(bytes));
        assert_eq!(host.decrypt_tensor(&EncryptedTensor::from_bytes(wire).unwrap()).unwrap(), content(bytes));
        assert_eq!(device.open(&host.update_key().unwrap()), Some(vec![]));
        assert_eq!(host.receive_control(&device.control(3)), Ok(Control::KeyUpdate));
    }
    assert_eq!(device.open(&host.close().unwrap()), Some(vec![]));
    assert_eq!(host.receive_control(&device.control(4)), Ok(Control::Close));
    assert_eq!(host.transport_ended(), Ok(()));
}
