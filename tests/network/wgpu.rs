//! A server whose tensors are opened by wgpu's shaders.

use std::thread;

use super::ends::{Keys, Server, model};
use crate::support::software_adapter;

#[test]
fn several_hosts_share_a_wgpu_device() {
    let Some(adapter) = software_adapter() else { return };
    let keys = Keys::new();
    let (identity, trust) = (keys.text("gpu.pem"), keys.text("alice.pub.pem"));
    let server = Server::start_with(&["--identity", &identity, "--trust", &trust, "--device", adapter, "--json"]);
    let file = keys.path("model.safetensors");
    model(&file, &[70_000, 0, 1, 16_384, 300_001]);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let run = keys.transfer(server.address, &[file.to_str().unwrap(), "--json"]);
                assert_eq!((run.code, &run.json()["verified"]), (0, &5.into()), "{run:?}");
            });
        }
    });
    let end = server.stop();
    assert_eq!(end.code, 0, "{end:?}");
    let report = end.json();
    assert_eq!((&report["device"], &report["clients"], &report["tensors"]), (&adapter.into(), &3.into(), &15.into()));
    assert_eq!((&report["failed"], &report["refused"]), (&0.into(), &0.into()));
}
