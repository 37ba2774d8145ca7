//! Many at once: honest ones, and a flood that never says anything.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::ends::{Keys, Server, closes, connect, model};

#[test]
fn many_clients_share_one_device() {
    let keys = Keys::new();
    let path = keys.path("model.safetensors");
    model(&path, &[3_000_000, 100, 0, 70_000]);
    let server = Server::start(&keys, &[]);
    let path = path.to_str().unwrap();
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..12).map(|_| scope.spawn(|| keys.transfer(server.address, &[path, "--json"]))).collect();
        for client in clients {
            let sent = client.join().unwrap();
            assert_eq!(sent.code, 0, "{sent:?}");
            assert_eq!(sent.json()["verified"], 4);
        }
    });
    let report = server.stop().json();
    assert_eq!([&report["clients"], &report["failed"], &report["tensors"]], [12, 0, 48], "{report}");
}

#[test]
fn clients_beyond_the_limit_are_refused_and_those_within_it_served() {
    let keys = Keys::new();
    let server = Server::start(&keys, &["--max-clients", "2"]);
    let (first, second) = (keys.host(server.address, "alice.pem"), keys.host(server.address, "alice.pem"));
    assert!(first.1.is_ok() && second.1.is_ok());
    let third = keys.transfer(server.address, &[]);
    third.fails_with(1);
    drop(first);
    // The place is free once the server has seen it.
    let started = Instant::now();
    while keys.transfer(server.address, &["--json"]).code != 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", server.told());
    }
    drop(second);
    assert!(server.stop().json()["refused"].as_u64() >= Some(1));
}

#[test]
fn a_flood_of_silent_connections_keeps_nobody_out() {
    let keys = Keys::new();
    let server = Server::start(&keys, &["--max-half-open", "8", "--handshake-timeout", "600"]);
    // All of one address's places, for ten minutes, and many more that want one.
    let mut silent: Vec<_> = (0..40).map(|_| connect(server.address)).collect();
    let sent = keys.transfer(server.address, &["--json", "--timeout", "50"]);
    assert_eq!(sent.code, 0, "{sent:?}\n{}", server.told());
    // Those that were first made way; an address has half of the places.
    for stream in &mut silent[..30] {
        closes(stream);
    }
    drop(silent);
    let started = Instant::now();
    assert_eq!(keys.transfer(server.address, &["--json"]).code, 0);
    assert!(started.elapsed() < Duration::from_secs(20));
    let ended = server.stop();
    assert_eq!((ended.code, &ended.json()["clients"]), (0, &2.into()), "{ended:?}");
    assert!(ended.stderr.lines().count() < 40, "a flood of connections is no flood of lines: {ended:?}");
}

#[test]
fn slow_peers_do_not_hold_others_up() {
    let keys = Keys::new();
    let server = Server::start(&keys, &["--idle-timeout", "600"]);
    // More of them than the device has staging slots, each in the middle of a record's body.
    let metadata = pqc_gpu_driver::TensorMetadata::new("0", "stuck", pqc_gpu_driver::DType::U8, [10_000_000]).unwrap();
    let stuck: Vec<_> = (0..8)
        .map(|_| {
            let (mut stream, session) = keys.host(server.address, "alice.pem");
            let session = session.unwrap();
            let sealing = session.seal(&metadata).unwrap();
            std::io::Write::write_all(&mut stream, &[sealing.prelude(), &[1; 3_000_000]].concat()).unwrap();
            stream
        })
        .collect();
    let started = Instant::now();
    let sent = keys.transfer(server.address, &["--json"]);
    assert_eq!(sent.code, 0, "{sent:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
    drop(stuck);
    assert_eq!(server.stop().code, 0);
}

#[test]
fn clients_share_so_much_memory_and_no_more() {
    let keys = Keys::new();
    let path = keys.path("model.safetensors");
    model(&path, &[3_000_000, 10, 3_000_000]);
    let (path, most) = (path.to_str().unwrap(), "3000000");
    // Room for one tensor at a time: 3,000,000 bytes in 184 chunks with their tags, three times.
    let memory = (3 * (3_000_000 + 184 * 16)).to_string();
    let limits = ["--max-tensor", most, "--max-memory", &memory];
    let server = Server::start(&keys, &limits);
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..6).map(|_| scope.spawn(|| keys.transfer(server.address, &[path, "--json"]))).collect();
        for client in clients {
            let sent = client.join().unwrap();
            assert_eq!((sent.code, &sent.json()["verified"]), (0, &3.into()), "{sent:?}");
        }
    });
    assert_eq!(server.stop().json()["failed"], 0);

    // One that has all of it and sends no more keeps others from large tensors for a while, and from nothing else.
    let server = Server::start(&keys, &[&limits[..], &["--idle-timeout", "2"]].concat());
    let metadata = pqc_gpu_driver::TensorMetadata::new("0", "stuck", pqc_gpu_driver::DType::U8, [3_000_000]).unwrap();
    let (mut stuck, session) = keys.host(server.address, "alice.pem");
    let sealing = session.as_ref().unwrap().seal(&metadata).unwrap();
    std::io::Write::write_all(&mut stuck, &[sealing.prelude(), &[1; 100_000]].concat()).unwrap();
    thread::sleep(Duration::from_millis(500));
    let waited = keys.transfer(server.address, &[path, "--json"]);
    assert_eq!((waited.code, &waited.json()["verified"]), (1, &0.into()), "{waited:?}");
    server.tells("the memory for all clients' tensors is taken");
    assert_eq!(keys.transfer(server.address, &["--json"]).code, 0, "small tensors need none of it");
    drop(stuck);
    let started = Instant::now();
    while keys.transfer(server.address, &[path, "--json"]).code != 0 {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "what the client held was not given back: {}",
            server.told()
        );
    }
    assert_eq!(server.stop().json()["failed"].as_u64().map(|failed| failed >= 2), Some(true));

    let wrong = [&limits[..3], &["9000000"]].concat();
    let (gpu, alice) = (keys.text("gpu.pem"), keys.text("alice.pub.pem"));
    let serve = ["serve", "--identity", &gpu, "--trust", &alice, "--device", "cpu", "--listen", "127.0.0.1:0"];
    assert!(
        crate::support::run(&[&serve[..], &wrong].concat()).fails_with(2).contains("raise the one or lower the other")
    );
}
