//! Peers that announce too much, say too little, or say nothing that means anything. The server outlives them.

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use pqc_gpu_driver::{
    ChannelSession, DType, Error, TensorMetadata, block_on,
    channel::{HostConfig, HostHandshake, message::SessionPolicy},
    transport::{Blocking, Limits, Receiver, Sender},
};

use super::ends::{Keys, Server, closes, connect, model};

const HUGE: u64 = 64 << 30;

fn announce(session: &ChannelSession, mut stream: &TcpStream, bytes: u64) {
    let sealing = session.seal(&TensorMetadata::new("0", "announced", DType::U8, [bytes]).unwrap()).unwrap();
    stream.write_all(sealing.prelude()).unwrap();
}

/// The server is alive, serves alice, and ends as it should.
#[track_caller]
fn serves_on(keys: &Keys, server: Server) -> serde_json::Value {
    let sent = keys.transfer(server.address, &["--json"]);
    assert_eq!(sent.code, 0, "{sent:?}\n{}", server.told());
    let ended = server.stop();
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json()
}

#[test]
fn sixty_four_announced_gibibytes_take_no_memory() {
    let keys = Keys::new();
    // Over the limit it is refused; within it, memory is taken as bytes arrive.
    for (limit, refused) in [(None, true), (Some(HUGE.to_string()), false)] {
        let more = limit.as_deref().map_or(vec![], |limit| vec!["--max-tensor", limit]);
        let server = Server::start(&keys, &[&more[..], &["--idle-timeout", "3600"]].concat());
        let (mut stream, session) = keys.host(server.address, "alice.pem");
        let session = session.unwrap();
        let before = server.memory();
        announce(&session, &stream, HUGE);
        if refused {
            closes(&mut stream);
        } else {
            stream.write_all(&[7; 100_000]).unwrap();
            std::thread::sleep(Duration::from_millis(500));
        }
        match before.zip(server.memory()) {
            None => println!("skipped: this system does not tell how much memory a process takes"),
            Some((before, after)) => assert!(after < before + (32 << 20), "{before} became {after}"),
        }
        if refused {
            server.tells("a tensor is too large");
        }
        drop(stream);
        assert_eq!(serves_on(&keys, server)["failed"], 1);
    }
}

#[test]
fn sessions_keep_within_their_limits() {
    let keys = Keys::new();
    let path = keys.path("model.safetensors");
    model(&path, &[1000; 10]);
    for (limit, least, told) in [
        ("--max-tensor", 1000, "a tensor is too large"),
        ("--max-session", 10_000, "too many bytes"),
        ("--max-records", 11, "too many records"),
    ] {
        for allowed in [least - 1, least] {
            let server = Server::start(&keys, &[limit, &allowed.to_string()]);
            let sent = keys.transfer(server.address, &[path.to_str().unwrap()]);
            let report = server.stop();
            if allowed == least {
                assert_eq!(sent.code, 0, "{limit} {allowed}: {sent:?}");
            } else {
                sent.fails_with(1);
                assert!(report.stderr.contains(told), "{limit}: {report:?}");
                assert_eq!(report.json()["failed"], 1);
            }
        }
    }
}

#[test]
fn a_host_that_never_finishes_is_cut_off() {
    let keys = Keys::new();
    let server = Server::start(&keys, &["--handshake-timeout", "1", "--idle-timeout", "1"]);
    let soon = Duration::from_millis(900)..Duration::from_secs(12);
    let config = || HostConfig {
        identity: keys.identity("alice.pem").into(),
        label: "slow".into(),
        trust: pqc_gpu_driver::TrustPolicy::AcceptAny,
        expected_device: None,
        policy: SessionPolicy::default(),
        attestation_check: None,
        clock: std::sync::Arc::new(pqc_gpu_driver::SystemClock::default()),
    };
    std::thread::scope(|scope| {
        // Says nothing.
        scope.spawn(|| assert!(soon.contains(&closes(&mut connect(server.address)))));
        // Sends M1 and never M3.
        scope.spawn(|| {
            let mut stream = connect(server.address);
            stream.write_all(&HostHandshake::start(config()).unwrap().1).unwrap();
            assert!(soon.contains(&closes(&mut stream)));
        });
        // Sends M1 a byte at a time: the deadline is over all of the handshake.
        scope.spawn(|| {
            let (stream, m1) = (connect(server.address), HostHandshake::start(config()).unwrap().1);
            let started = Instant::now();
            let cut = m1.iter().position(|&byte| {
                std::thread::sleep(Duration::from_millis(100));
                (&stream).write_all(&[byte]).is_err()
            });
            assert!(cut.is_some() && soon.contains(&started.elapsed()), "{cut:?} {:?}", started.elapsed());
        });
        // Has a session and sends nothing; half a header; a header and half a body, at a trickle.
        for sent in ["nothing", "half a header", "a trickle"] {
            let (keys, server, soon) = (&keys, &server, &soon);
            scope.spawn(move || {
                let (mut stream, session) = keys.host(server.address, "alice.pem");
                let session = session.unwrap();
                let metadata = TensorMetadata::new("0", "never", DType::U8, [100_000]).unwrap();
                let prelude = session.seal(&metadata).unwrap().prelude().to_vec();
                let started = Instant::now();
                match sent {
                    "nothing" => {}
                    "half a header" => stream.write_all(&prelude[..32]).unwrap(),
                    _ => {
                        stream.write_all(&prelude).unwrap();
                        // A server that waited for each byte anew would wait for hours.
                        while stream.write_all(&[0]).is_ok() && started.elapsed() < Duration::from_secs(30) {
                            std::thread::sleep(Duration::from_millis(100));
                        }
                    }
                }
                closes(&mut stream);
                assert!(soon.contains(&started.elapsed()), "{sent}: {:?}", started.elapsed());
            });
        }
        // Sends, and never takes what comes back.
        scope.spawn(|| {
            let (stream, session) = keys.host(server.address, "alice.pem");
            let session = session.unwrap();
            let mut sender = Sender::new(&session, Blocking(&stream));
            let metadata = TensorMetadata::new("0", "unread", DType::U8, [1 << 20]).unwrap();
            let (bytes, started) = (vec![1; 1 << 20], Instant::now());
            let stuck = (0..200).find_map(|_| block_on(sender.send(&metadata, &bytes)).err());
            assert!(matches!(stuck, Some(Error::Truncated | Error::Transport(_))), "{stuck:?}");
            // The buffers fill, then a MiB may take its 16 seconds and one.
            assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
        });
    });
    let report = serves_on(&keys, server);
    assert_eq!([&report["clients"], &report["failed"], &report["refused"]], [5, 4, 3], "{report}");
}

#[test]
fn what_means_nothing_is_refused() {
    let keys = Keys::new();
    let server = Server::start(&keys, &[]);
    let header = |kind: u8, length: u32| [b"PQGT\0\x01", &[kind, 1][..], &length.to_be_bytes()].concat();
    for garbage in [
        b"GET / HTTP/1.1\r\nHost: gpu\r\n\r\n".to_vec(),
        vec![0; 100_000],
        vec![0xff; 12],
        b"PQGR\x01\x02\0\0".repeat(100),
        header(1, u32::MAX),
        header(2, 60_000),
        header(3, 5000),
        [header(1, 1244), vec![0xff; 1244]].concat(),
        header(1, 1243),
    ] {
        let mut stream = connect(server.address);
        // The server may have closed before all of it was written.
        let _ = stream.write_all(&garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
        assert!(answer.is_empty(), "it is told nothing");
    }
    // The same from a peer that is known, in place of a record.
    for garbage in [&b"PQGT"[..], &[0; 64], &[0xff; 64], &[0; 1]] {
        let (mut stream, session) = keys.host(server.address, "alice.pem");
        let session = session.unwrap();
        stream.write_all(garbage).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut receiver = Receiver::new(&session, Blocking(&stream), Limits::default());
        assert_eq!(block_on(receiver.next()).err(), Some(Error::Truncated));
    }
    let report = serves_on(&keys, server);
    assert_eq!([&report["clients"], &report["failed"], &report["refused"]], [5, 4, 9], "{report}");
}
