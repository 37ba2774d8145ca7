//! Many tensors in flight, released in order, each by its own verdict; pieces sealed anywhere, each once.

use super::*;
use crate::channel::chunk::{BodyKey, ChunkRange};

/// Opens chunks as a device would, without releasing anything.
fn open_chunks(pending: &Pending, range: &ChunkRange, sealed: &[u8], plaintext: &mut [u8]) -> bool {
    BodyKey { aead: &pending.keys().aead, nonce: *pending.nonce(), aad: pending.aad() }.open(range, sealed, plaintext)
}

/// Opens the body without releasing it.
#[track_caller]
fn open(pending: &Pending, tensor: &EncryptedTensor) -> Vec<u8> {
    let mut plaintext = vec![0; tensor.metadata().size_bytes() as usize];
    assert!(open_chunks(pending, &ChunkRange::whole(plaintext.len() as u64), tensor.body(), &mut plaintext));
    plaintext
}

/// `count` sealed tensors, all reserved at the device.
fn in_flight(ends: &Pair, count: u8) -> (Vec<EncryptedTensor>, Vec<Pending>) {
    let tensors: Vec<_> = (0..count).map(|i| sealed(&ends.host, 100 * usize::from(i), i).unwrap()).collect();
    let pending = tensors.iter().map(|tensor| reserve(&ends.device, tensor).unwrap()).collect();
    (tensors, pending)
}

#[test]
fn many_are_in_flight_and_released_in_order() {
    let ends = pair(8);
    let (tensors, mut pending) = in_flight(&ends, 20);
    for (i, (pending, tensor)) in pending.iter().zip(&tensors).enumerate().rev() {
        assert_eq!(open(pending, tensor), content(100 * i, i as u8));
    }
    // Out of turn nothing happens, however often.
    for i in (1..20).rev() {
        assert!(matches!(pending[i].commit(Verdict::Verified), Err(Error::Usage(_))));
    }
    for pending in &mut pending {
        assert!(ends.device.inner.lock().in_flight());
        assert_eq!(pending.commit(Verdict::Verified), Ok(()));
        assert!(matches!(pending.commit(Verdict::Verified), Err(Error::Usage(_))), "released once only");
    }
    assert!(!ends.device.inner.lock().in_flight());
    drop(pending);
    send(&ends.host, &ends.device, 7, 7);
}

#[test]
fn a_failure_refuses_itself_and_all_later_ones_and_no_earlier_one() {
    for k in 0..6 {
        let ends = pair(64);
        let (_tensors, mut pending) = in_flight(&ends, 6);
        assert_eq!(pending[k].commit(Verdict::Failed), Err(Error::Decryption));
        assert_over(&ends.device, &Error::ChannelFailed);
        for (i, pending) in pending.iter_mut().enumerate() {
            let released = pending.commit(Verdict::Verified);
            assert_eq!(released.is_ok(), i < k, "tensor {i} after a failure at {k}: {released:?}");
        }
        assert!(ends.host.is_valid(), "the peer learns of it by the transport's end alone");
    }
}

#[test]
fn of_two_failures_the_earlier_one_counts() {
    for (first, second) in [(4, 2), (2, 4)] {
        let ends = pair(64);
        let (_tensors, mut pending) = in_flight(&ends, 6);
        assert!(pending[first].commit(Verdict::Failed).is_err());
        assert!(pending[second].commit(Verdict::Failed).is_err());
        for (i, pending) in pending.iter_mut().enumerate() {
            assert_eq!(pending.commit(Verdict::Verified).is_ok(), i < 2);
        }
    }
}

#[test]
fn a_dropped_pending_ends_the_session_at_its_place() {
    for k in 0..4 {
        let ends = pair(64);
        let (_tensors, mut pending) = in_flight(&ends, 4);
        drop(pending.remove(k));
        assert_over(&ends.device, &Error::ChannelFailed);
        for (i, pending) in pending.iter_mut().enumerate() {
            assert_eq!(pending.commit(Verdict::Verified).is_ok(), i < k);
        }
    }
}

#[test]
fn a_refused_header_spares_the_tensors_before_it() {
    let ends = pair(64);
    let (tensors, mut pending) = in_flight(&ends, 3);
    let again = reserve(&ends.device, &tensors[0]).err();
    assert_eq!(again, Some(Error::NonceReplay { expected: 3, received: 0 }));
    assert_over(&ends.device, &Error::ChannelFailed);
    assert!(pending.iter_mut().all(|pending| pending.commit(Verdict::Verified).is_ok()));
}

#[test]
fn a_body_of_another_length_or_out_of_turn_ends_the_session() {
    for change in [-16401i64, -16400, -1, 1, 16, 16400] {
        let ends = pair(64);
        let tensor = sealed(&ends.host, 20000, 0).unwrap();
        let mut body = tensor.body().to_vec();
        body.resize((body.len() as i64 + change) as usize, 0);
        let pending = reserve(&ends.device, &tensor).unwrap();
        assert_eq!(pending.body_bytes(), tensor.body().len() as u64);
        assert!(matches!(pending.open(&body), Err(Error::Record(_))));
        assert_over(&ends.device, &Error::ChannelFailed);
    }
    let ends = pair(64);
    let (tensors, mut pending) = in_flight(&ends, 2);
    assert!(matches!(pending.remove(1).open(tensors[1].body()), Err(Error::Usage(_))));
    assert_eq!(pending.remove(0).open(tensors[0].body()), Ok(content(0, 0)), "the one before it is spared");
    assert_over(&ends.device, &Error::ChannelFailed);
}

#[test]
fn pieces_of_other_lengths_do_not_open() {
    let ends = pair(64);
    let tensor = sealed(&ends.host, 40000, 0).unwrap();
    let mut pending = reserve(&ends.device, &tensor).unwrap();
    let whole = ChunkRange::whole(40000);
    // Plaintext room for fewer chunks than the range has must not leave the others unverified.
    for (from, to) in [(0, 0), (16400, 16384), (16400, 40000), (40048, 0), (40048, 16384), (40049, 40000)] {
        let body = [tensor.body(), &[0]].concat();
        assert!(!open_chunks(&pending, &whole, &body[..from], &mut vec![1; to]), "{from} bytes into {to}");
    }
    assert_eq!(open(&pending, &tensor), content(40000, 0));
    pending.commit(Verdict::Verified).unwrap();
}

#[test]
fn control_records_come_between_tensors_in_flight() {
    let Pair { host, device, .. } = pair(64);
    let first = sealed(&host, 1, 1).unwrap();
    let update = host.update_key().unwrap();
    let second_update = host.update_key().unwrap();
    let second = sealed(&host, 2, 2).unwrap();
    let close = host.close().unwrap();

    let mut one = reserve(&device, &first).unwrap();
    assert_eq!(device.receive_control(&update), Ok(Control::KeyUpdate));
    assert_eq!(device.receive_control(&second_update), Ok(Control::KeyUpdate));
    let mut two = reserve(&device, &second).unwrap();
    assert_eq!(device.receive_control(&close), Ok(Control::Close));
    // Each opens under its own epoch's key, kept for as long as it is in flight.
    assert_eq!((one.keys().epoch, two.keys().epoch), (0, 2));
    assert_eq!((open(&one, &first), open(&two, &second)), (content(1, 1), content(2, 2)));
    assert!(matches!(two.commit(Verdict::Verified), Err(Error::Usage(_))));
    assert_eq!(one.commit(Verdict::Verified), Ok(()));
    assert_eq!(two.commit(Verdict::Verified), Ok(()));
    assert_eq!(device.transport_ended(), Ok(()));
}

#[test]
fn the_simple_way_waits_for_the_reserved_ones() {
    let ends = pair(64);
    let (_tensors, mut pending) = in_flight(&ends, 1);
    let next = sealed(&ends.host, 5, 5).unwrap();
    assert!(matches!(ends.device.decrypt_tensor(&next), Err(Error::Usage(_))));
    assert!(ends.device.is_valid());
    pending[0].commit(Verdict::Verified).unwrap();
    assert_eq!(ends.device.decrypt_tensor(&next), Ok(content(5, 5)));
}

#[test]
fn pieces_are_sealed_on_any_threads_in_any_order() {
    let Pair { host, device, .. } = pair(64);
    let (bytes, plaintext) = (20 * 16384 + 77, content(20 * 16384 + 77, 9));
    let mut sealing = host.seal(&metadata(bytes)).unwrap();
    assert!(sealing.next_piece(0).is_none());
    let mut pieces: Vec<Piece> = (1..).map_while(|count| sealing.next_piece(count)).collect();
    assert!(sealing.next_piece(1).is_none(), "each chunk is handed out once");
    pieces.reverse();
    let body = Mutex::new(vec![0; sealing.body_bytes() as usize]);
    std::thread::scope(|scope| {
        for (i, piece) in pieces.into_iter().enumerate() {
            let (plaintext, body) = (&plaintext, &body);
            scope.spawn(move || {
                let [from, to] = [piece.plaintext(), piece.sealed()].map(|r| r.start as usize..r.end as usize);
                if i % 2 == 0 {
                    let mut out = vec![0; to.len()];
                    piece.seal(&plaintext[from], &mut out).unwrap();
                    body.lock().unwrap()[to].copy_from_slice(&out);
                } else {
                    piece
                        .seal_each(&plaintext[from], |at, chunk| {
                            body.lock().unwrap()[to.start + at as usize..][..chunk.len()].copy_from_slice(chunk);
                        })
                        .unwrap();
                }
            });
        }
    });
    let wire = [sealing.prelude(), &body.into_inner().unwrap()].concat();
    sealing.finish().unwrap();
    assert_eq!(device.decrypt_tensor(&EncryptedTensor::from_bytes(wire).unwrap()), Ok(plaintext));
}

#[test]
fn an_unfinished_seal_ends_the_session() {
    let abandon: [fn(Sealing); 5] = [
        drop,
        |sealing| assert!(sealing.finish().is_err()),
        |mut sealing| {
            drop(sealing.next_piece(1));
            let piece = sealing.next_piece(9).unwrap();
            piece.seal(&content(40000, 0)[16384..], &mut vec![0; 40048 - 16400]).unwrap();
            assert!(matches!(sealing.finish(), Err(Error::Usage(_))), "one piece was dropped");
        },
        |mut sealing| {
            let piece = sealing.next_piece(9).unwrap();
            assert!(matches!(piece.seal(&[0; 39999], &mut [0; 40048]), Err(Error::Usage(_))));
            assert!(sealing.finish().is_err(), "a piece of another length is spent");
        },
        |mut sealing| {
            let piece = sealing.next_piece(9).unwrap();
            assert!(matches!(piece.seal(&[0; 40000], &mut [0; 40047]), Err(Error::Usage(_))));
            assert!(sealing.finish().is_err());
        },
    ];
    for abandon in abandon {
        let ends = pair(64);
        abandon(ends.host.seal(&metadata(40000)).unwrap());
        assert_over(&ends.host, &Error::ChannelFailed);
    }
}

#[test]
fn an_unfinished_seal_spares_what_was_received() {
    for closed in [false, true] {
        let Pair { host, device, .. } = pair(64);
        let tensor = sealed(&device, 9, 9).unwrap();
        let mut pending = reserve(&host, &tensor).unwrap();
        if closed {
            host.receive_control(&device.close().unwrap()).unwrap();
        }
        drop(host.seal(&metadata(1)).unwrap());
        assert_over(&host, &Error::ChannelFailed);
        assert_eq!(open(&pending, &tensor), content(9, 9));
        assert_eq!(pending.commit(Verdict::Verified), Ok(()));
    }
}

#[test]
fn a_seal_does_not_outlive_its_session() {
    let Pair { host, .. } = pair(64);
    let mut sealing = host.seal(&metadata(1)).unwrap();
    sealing.next_piece(1).unwrap().seal(&[0], &mut [0; 17]).unwrap();
    assert!(host.receive_control(&[0; 80]).is_err());
    assert_eq!(sealing.finish(), Err(Error::ChannelFailed));
}

#[test]
fn a_device_gets_all_chunks_or_none() {
    let Pair { host, device, .. } = pair(64);
    let mut sealing = host.seal(&metadata(20000)).unwrap();
    let job = sealing.hand_out_all().unwrap();
    assert!(sealing.hand_out_all().is_none() && sealing.next_piece(1).is_none());
    let mut body = vec![0; sealing.body_bytes() as usize];
    let key = crate::channel::chunk::BodyKey { aead: &job.keys.aead, nonce: job.nonce, aad: &job.aad };
    key.seal(&ChunkRange::whole(20000), &content(20000, 1), &mut body);
    let wire = [sealing.prelude(), &body].concat();
    sealing.sealed_elsewhere(job).unwrap();
    assert_eq!(device.decrypt_tensor(&EncryptedTensor::from_bytes(wire).unwrap()), Ok(content(20000, 1)));

    let mut sealing = host.seal(&metadata(20000)).unwrap();
    let first = sealing.next_piece(1);
    assert!(sealing.hand_out_all().is_none(), "a chunk was given away before");
    assert!(first.is_some() && sealing.next_piece(9).is_some(), "and the rest is still there");

    let Pair { host, .. } = pair(64);
    let (mut one, mut two) = (host.seal(&metadata(5)).unwrap(), host.seal(&metadata(5)).unwrap());
    let [job, _] = [&mut two, &mut one].map(|sealing| sealing.hand_out_all().unwrap());
    assert!(matches!(one.sealed_elsewhere(job), Err(Error::Usage(_))), "another tensor's");
    assert_over(&host, &Error::ChannelFailed);
}

#[test]
fn threads_that_seal_at_once_share_no_number() {
    let Pair { host, .. } = pair(8);
    let host = &host;
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let seal = || (0..200).map(|i| sealed(host, i, 0).unwrap().header().sequence).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(seal)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    // Six tensors an epoch, then a KEY_UPDATE.
    assert_eq!(numbers, (0..800).map(|i| i + i / 6).collect::<Vec<u64>>());
}
