//! Handshake and records over streams that give a byte at a time, are interrupted, end anywhere, lie, or make one wait.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "transport/edits.rs"]
mod edits;
#[path = "transport/streams.rs"]
mod streams;

use std::{
    net::{TcpListener, TcpStream},
    thread,
};

use pqc_gpu_driver::{
    ChannelSession, Error, Result, TensorMetadata, block_on,
    device::CpuDevice,
    error::HandshakeFailure,
    transfer::{Destination, Transfer},
    transport::{self, Blocking, Limits, Receiver, Sender},
};

use common::{content, device_config, full, host_config, in_parallel, metadata, sessions};
use streams::{Fault, Faulty, Liar, all, pipe};

/// Sizes of the tensors of [`script`], with a KEY_UPDATE before the second and a CLOSE after the last.
const SIZES: [usize; 3] = [100, 0, 40];

/// What a host sends, byte for byte.
fn script(host: &ChannelSession) -> Vec<u8> {
    let mut sender = Sender::new(host, Blocking(Vec::new()));
    block_on(async {
        for (index, size) in SIZES.into_iter().enumerate() {
            if index == 1 {
                sender.update_key().await?;
            }
            sender.send(&metadata(size), &content(size)).await?;
        }
        sender.close().await
    })
    .unwrap();
    sender.into_inner().0
}

/// Takes everything there is. Gives the tensors and how it ended.
fn take_all<R: futures_io::AsyncRead + Unpin>(receiver: &mut Receiver<'_, R>) -> (Vec<Vec<u8>>, Result<()>) {
    let mut tensors = Vec::new();
    let ended = block_on(async {
        while let Some(incoming) = receiver.next().await? {
            let mut bytes = Vec::new();
            let take = |piece: &[u8]| {
                bytes.extend(piece);
                Ok(())
            };
            let told = incoming.metadata().clone();
            assert_eq!(incoming.open(take).await?, told);
            tensors.push(bytes);
        }
        Ok(())
    });
    (tensors, ended)
}

#[test]
fn streams_that_give_a_byte_at_a_time_and_are_interrupted() {
    for faults in
        [[Fault::Short, Fault::None], [Fault::Interrupted, Fault::Short], [Fault::Interrupted, Fault::Interrupted]]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let device = thread::spawn(move || {
            let stream = listener.accept().unwrap().0;
            block_on(async {
                let session =
                    transport::accept(&mut Blocking(Faulty::new(&stream, faults[0])), device_config()).await?;
                let mut receiver =
                    Receiver::new(&session, Blocking(Faulty::new(&stream, faults[0])), Limits::default());
                let mut sender = Sender::new(&session, Blocking(Faulty::new(&stream, faults[1])));
                let mut transfer = Transfer::new(CpuDevice::default());
                while let Some(incoming) = receiver.next().await? {
                    incoming.open_onto(&mut transfer, Destination::Owned).await?;
                    let tensor = transfer.settle().await.remove(0)?;
                    sender.send_from(&mut transfer, &tensor).await?;
                }
                sender.close().await
            })
        });
        let stream = TcpStream::connect(address).unwrap();
        block_on(async {
            let session =
                transport::connect(&mut Blocking(Faulty::new(&stream, faults[1])), host_config()).await.unwrap();
            let mut sender = Sender::new(&session, Blocking(Faulty::new(&stream, faults[0])));
            let mut receiver = Receiver::new(&session, Blocking(Faulty::new(&stream, faults[1])), Limits::default());
            for size in [0, 1, 16_384, 40_000] {
                sender.send(&metadata(size), &content(size)).await.unwrap();
                let mut back: Vec<u8> = Vec::new();
                let take = |piece: &[u8]| {
                    back.extend(piece);
                    Ok(())
                };
                receiver.next().await.unwrap().unwrap().open(take).await.unwrap();
                assert_eq!(back, content(size));
            }
            sender.close().await.unwrap();
            assert!(receiver.next().await.unwrap().is_none());
            receiver.end().await.unwrap();
        });
        device.join().unwrap().unwrap();
    }
}

#[test]
fn an_end_at_any_place_among_records_is_a_truncation() {
    let length = script(&sessions().0).len();
    let places: Vec<usize> = (0..=length).collect();
    in_parallel(&places, |&end| {
        let (host, device) = sessions();
        let bytes = script(&host);
        let mut receiver = Receiver::new(&device, Blocking(&bytes[..end]), Limits::default());
        let (tensors, ended) = take_all(&mut receiver);
        // Released is what came whole, and nothing else.
        assert!(tensors.iter().zip(SIZES).all(|(tensor, size)| *tensor == content(size)));
        if end == length {
            assert_eq!((tensors.len(), ended), (3, Ok(())));
            assert_eq!(block_on(receiver.end()), Ok(()));
        } else {
            assert_eq!(ended, Err(Error::Truncated), "at {end}");
            assert!(!device.is_valid(), "at {end}");
            assert_eq!(block_on(receiver.next()).err(), Some(Error::ChannelFailed), "at {end}: there is no way on");
        }
    });
}

#[test]
fn an_end_at_any_place_within_the_handshake_is_a_truncation() {
    let step = if full() { 1 } else { 97 };
    let (m1, m3) = (1256, 5343 + 4);
    let to_device: Vec<usize> = (0..m1 + m3).step_by(step).chain([11, 12, 13, m1 - 1, m1, m1 + 12]).collect();
    let to_host: Vec<usize> = (0..6500).step_by(step).chain([11, 12, 13]).collect();
    let cut = |at: usize, of_host: bool| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let device = thread::spawn(move || {
            let stream = listener.accept().unwrap().0;
            let fault = if of_host { Fault::None } else { Fault::EndsAfter(at) };
            block_on(transport::accept(&mut Blocking(Faulty::new(&stream, fault)), device_config())).map(drop)
        });
        let stream = TcpStream::connect(address).unwrap();
        let fault = if of_host { Fault::EndsAfter(at) } else { Fault::None };
        let host = block_on(transport::connect(&mut Blocking(Faulty::new(&stream, fault)), host_config())).map(drop);
        drop(stream);
        let device = device.join().unwrap();
        let truncated = Err(Error::ChannelEstablishment(HandshakeFailure::Truncated));
        assert_eq!(if of_host { &host } else { &device }, &truncated, "cut at {at}, of the host: {of_host}");
    };
    in_parallel(&to_device, |&at| cut(at, false));
    in_parallel(&to_host, |&at| cut(at, true));
}

#[test]
fn a_time_out_is_told_and_between_records_loses_nothing() {
    // In a handshake, and within a record, it is the end.
    let silent = || Blocking(Faulty::new(&[][..], Fault::WouldBlock));
    let mut stream = streams::Halves(silent(), Blocking(Vec::new()));
    assert_eq!(block_on(transport::accept(&mut stream, device_config())).err(), Some(Error::TimedOut));
    let mut stream = streams::Halves(silent(), Blocking(Vec::new()));
    assert_eq!(block_on(transport::connect(&mut stream, host_config())).err(), Some(Error::TimedOut));
    for within in [1, 63, 64, 70, 150] {
        let (host, device) = sessions();
        let bytes = script(&host);
        let stream = Blocking(Faulty::new(&bytes[..], Fault::BlocksOnceAfter(within)));
        let mut receiver = Receiver::new(&device, stream, Limits::default());
        assert_eq!(take_all(&mut receiver), (vec![], Err(Error::TimedOut)), "at {within}");
        assert!(!device.is_valid());
    }
    // Before a record's first byte, the next call waits again.
    let bytes = script(&sessions().0);
    let second = 1 + bytes[1..].windows(4).position(|window| window == b"PQGR").unwrap();
    for (at, before) in [(0, 0), (second, 1), (bytes.len() - 80, 3)] {
        let (host, device) = sessions();
        let bytes = script(&host);
        let stream = Blocking(Faulty::new(&bytes[..], Fault::BlocksOnceAfter(at)));
        let mut receiver = Receiver::new(&device, stream, Limits::default());
        let (tensors, ended) = take_all(&mut receiver);
        assert_eq!((tensors.len(), ended), (before, Err(Error::TimedOut)), "at {at}");
        let (tensors, ended) = take_all(&mut receiver);
        assert_eq!((tensors.len(), ended), (3 - before, Ok(())), "at {at}");
    }
}

#[test]
fn streams_that_claim_more_than_they_did_are_not_believed() {
    let (_host, device) = sessions();
    let mut receiver = Receiver::new(&device, Liar, Limits::default());
    assert!(matches!(block_on(receiver.next()), Err(Error::Transport(_))));
    let (host, _device) = sessions();
    let mut sender = Sender::new(&host, Liar);
    assert!(matches!(block_on(sender.send(&metadata(5), b"hello")), Err(Error::Transport(_))));
    assert!(matches!(block_on(transport::connect(&mut Liar, host_config())), Err(Error::Transport(_))));
}

#[test]
fn limits_are_asked_before_a_byte_of_the_body_is_read() {
    for (limits, passes, why) in [
        (Limits { max_tensor_bytes: 99, ..Limits::default() }, 0, "a tensor is too large"),
        (Limits { max_session_bytes: 139, ..Limits::default() }, 2, "too many bytes in one session"),
        (Limits { max_records: 4, ..Limits::default() }, 3, "too many records in one session"),
        (Limits { max_records: 0, ..Limits::default() }, 0, "too many records in one session"),
    ] {
        let (host, device) = sessions();
        let bytes = script(&host);
        let mut receiver = Receiver::new(&device, Blocking(&bytes[..]), limits);
        let (tensors, ended) = take_all(&mut receiver);
        assert_eq!((tensors.len(), ended), (passes, Err(Error::Limit(why))));
        assert!(!device.is_valid(), "a session over its limits is over");
    }
    let exact = Limits { max_tensor_bytes: 100, max_session_bytes: 140, max_records: 5 };
    let (host, device) = sessions();
    let bytes = script(&host);
    assert_eq!(take_all(&mut Receiver::new(&device, Blocking(&bytes[..]), exact)).0.len(), 3);
}

#[test]
fn the_stream_ends_with_close_and_nothing_else() {
    let (host, device) = sessions();
    let mut bytes = script(&host);
    let mut receiver = Receiver::new(&device, Blocking(&bytes[..]), Limits::default());
    assert!(!receiver.is_ready(), "nothing was read yet");
    assert!(block_on(receiver.next()).unwrap().is_some());
    drop(receiver);
    assert!(!device.is_valid(), "a tensor that nobody took ends the session");

    bytes.push(0);
    let (host, device) = sessions();
    let bytes = [script(&host), vec![0]].concat();
    let mut receiver = Receiver::new(&device, Blocking(&bytes[..]), Limits::default());
    assert_eq!(take_all(&mut receiver).1, Ok(()));
    assert_eq!(receiver.check_nothing_follows(), Err(Error::Record("something follows the CLOSE record")));
    assert_eq!(block_on(receiver.end()), Err(Error::Record("something follows the CLOSE record")));
    let (_host, device) = sessions();
    let receiver = Receiver::new(&device, Blocking(&[][..]), Limits::default());
    assert!(matches!(block_on(receiver.end()), Err(Error::Usage(_))));
}

#[test]
fn what_lies_here_whole_is_known_to() {
    let (host, device) = sessions();
    let bytes = script(&host);
    let mut receiver = Receiver::new(&device, Blocking(&bytes[..]), Limits::default());
    for size in SIZES {
        let incoming = block_on(receiver.next()).unwrap().unwrap();
        block_on(incoming.open(|_| Ok(()))).unwrap();
        assert!(receiver.is_ready(), "after the tensor of {size} bytes another, or CLOSE, is here");
    }
    // Cut within the second tensor, and within the KEY_UPDATE before it.
    for end in [bytes.len() - 80 - 1, 64 + 100 + 60] {
        let (host, device) = sessions();
        let bytes = script(&host);
        let mut receiver = Receiver::new(&device, Blocking(&bytes[..end]), Limits::default());
        let mut seen = 0;
        while let Ok(Some(incoming)) = block_on(receiver.next()) {
            block_on(incoming.open(|_| Ok(()))).unwrap();
            seen += 1;
            if !receiver.is_ready() {
                break;
            }
        }
        assert!(seen == if end > 300 { 2 } else { 1 }, "{end}: {seen}");
    }
}

#[test]
fn a_wrong_length_sends_nothing_and_ends_nothing() {
    let (host, device) = sessions();
    let mut sender = Sender::new(&host, Blocking(Vec::new()));
    assert!(matches!(block_on(sender.send(&metadata(5), b"four")), Err(Error::Usage(_))));
    block_on(sender.send(&metadata(5), b"hello")).unwrap();
    let sent = sender.into_inner().0;
    let mut receiver = Receiver::new(&device, Blocking(&sent[..]), Limits::default());
    assert_eq!(take_all(&mut receiver).0, [b"hello"]);
}

#[test]
fn two_ends_on_one_thread_over_asynchronous_pipes() {
    // 50 bytes fit between the two, so that every end waits for the other all the time.
    let ((host_reads, device_writes), (device_reads, host_writes)) = (pipe(50), pipe(50));
    let sizes = [0, 1, 16_384, 100_000];
    let named = |size: usize| TensorMetadata::new("1", "tensor", pqc_gpu_driver::DType::U8, [size as u64]).unwrap();
    let device = async {
        let mut stream = streams::Halves(device_reads, device_writes);
        let session = transport::accept(&mut stream, device_config()).await?;
        let streams::Halves(reads, writes) = stream;
        let mut receiver = Receiver::new(&session, reads, Limits::default());
        let mut sender = Sender::new(&session, writes);
        let mut transfer = Transfer::new(CpuDevice::default());
        while let Some(incoming) = receiver.next().await? {
            incoming.open_onto(&mut transfer, Destination::Owned).await?;
            let tensor = transfer.settle().await.remove(0)?;
            sender.send_from(&mut transfer, &tensor).await?;
        }
        sender.close().await
    };
    let host = async {
        let mut stream = streams::Halves(host_reads, host_writes);
        let session = transport::connect(&mut stream, host_config()).await?;
        let streams::Halves(reads, writes) = stream;
        let mut receiver = Receiver::new(&session, reads, Limits::default());
        let mut sender = Sender::new(&session, writes);
        let send = async {
            for size in sizes {
                sender.send(&named(size), &content(size)).await?;
                sender.update_key().await?;
            }
            sender.close().await?;
            drop(sender);
            Ok(())
        };
        let receive = async {
            for size in sizes {
                let mut back: Vec<u8> = Vec::new();
                let take = |piece: &[u8]| {
                    back.extend(piece);
                    Ok(())
                };
                receiver.next().await?.unwrap().open(take).await?;
                assert_eq!(back, content(size));
            }
            assert!(receiver.next().await?.is_none());
            receiver.end().await
        };
        all(vec![Box::pin(send), Box::pin(receive)]).await
    };
    block_on(all(vec![Box::pin(host), Box::pin(device)])).unwrap();
}
