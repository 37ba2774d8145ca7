//! SIGTERM and SIGINT: sessions end with CLOSE.

use std::time::{Duration, Instant};

use pqc_gpu_driver::{
    DType, Error, TensorMetadata, block_on,
    transport::{Blocking, Limits, Receiver, Sender},
};

use super::ends::{Keys, Server, closes, connect, model};

#[test]
fn a_session_that_waits_is_closed_with_close() {
    let keys = Keys::new();
    let server = Server::start(&keys, &["--grace", "4"]);
    let (stream, session) = keys.host(server.address, "alice.pem");
    let session = session.unwrap();
    let mut half_open = connect(server.address);
    block_on(async {
        let mut sender = Sender::new(&session, Blocking(&stream));
        let mut receiver = Receiver::new(&session, Blocking(&stream), Limits::default());
        let metadata = TensorMetadata::new("0", "before", DType::U8, [5]).unwrap();
        sender.send(&metadata, b"hello").await.unwrap();
        let mut back: Vec<u8> = Vec::new();
        let take = |bytes: &[u8]| {
            back.extend(bytes);
            Ok(())
        };
        receiver.next().await.unwrap().unwrap().open(take).await.unwrap();
        assert_eq!(back, b"hello");

        let signalled = Instant::now();
        server.signal("INT");
        assert!(closes(&mut half_open) < Duration::from_millis(3500), "handshakes get no grace");
        // Within the grace the session goes on.
        sender.send(&metadata, b"again").await.unwrap();
        assert!(receiver.next().await.unwrap().unwrap().open(|_| Ok(())).await.is_ok());
        assert!(receiver.next().await.unwrap().is_none(), "CLOSE, authenticated");
        assert!(signalled.elapsed() >= Duration::from_millis(3900), "{:?}", signalled.elapsed());
        receiver.end().await.unwrap();
    });
    let ended = server.end();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("closed from here"), "{ended:?}");
    assert_eq!(ended.json()["failed"], 0);
}

#[test]
fn a_transfer_that_is_interrupted_says_how_far_it_came() {
    let keys = Keys::new();
    let path = keys.path("model.safetensors");
    model(&path, &[500_000; 400]);
    let server = Server::start(&keys, &["--grace", "0"]);
    let sent = std::thread::scope(|scope| {
        let sent = scope.spawn(|| keys.transfer(server.address, &[path.to_str().unwrap(), "--json"]));
        // The signal comes when the session is open: until then the server holds no session's memory.
        let before = server.memory();
        let started = Instant::now();
        while server.memory().zip(before).is_some_and(|(now, before)| now < before + (2 << 20)) {
            assert!(started.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(2));
        }
        server.signal("TERM");
        sent.join().unwrap()
    });
    // The host's operating system may have thrown CLOSE away with the reset that followed; success it is in no case.
    assert!(matches!(sent.code, 1 | 4), "{sent:?}");
    let report = sent.json();
    assert!(report["verified"].as_u64() < Some(400), "{report}");
    let reasons = ["rejection", "failure"].map(|reason| report[reason].is_string());
    assert_eq!(reasons, [sent.code == 1, sent.code == 4], "{report}");
    let ended = server.end();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.json()["tensors"].as_u64() < Some(400), "{ended:?}");
}

#[test]
fn a_peer_in_the_middle_of_a_record_does_not_hold_the_server_up() {
    let keys = Keys::new();
    let server = Server::start(&keys, &["--grace", "0"]);
    let (stream, session) = keys.host(server.address, "alice.pem");
    let session = session.unwrap();
    let sealing = session.seal(&TensorMetadata::new("0", "never", DType::U8, [100_000]).unwrap()).unwrap();
    std::io::Write::write_all(&mut &stream, sealing.prelude()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let started = Instant::now();
    let ended = server.stop();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!((ended.code, &ended.json()["failed"]), (0, &1.into()), "{ended:?}");
    let mut receiver = Receiver::new(&session, Blocking(&stream), Limits::default());
    assert_eq!(block_on(receiver.next()).err(), Some(Error::Truncated), "no CLOSE for what was cut");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let keys = Keys::new();
    let server = Server::start(&keys, &["--grace", "3600"]);
    let (_stream, session) = keys.host(server.address, "alice.pem");
    assert!(session.is_ok());
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(500));
    server.signal("TERM");
    let ended = server.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (4, ""), "{ended:?}");
}
