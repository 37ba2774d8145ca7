//! Records dropped, repeated, reordered, delivered by many threads.

use std::sync::{
    Barrier,
    atomic::{AtomicUsize, Ordering},
};

use pqc_gpu_driver::{EncryptedTensor, Error, channel::session::Control};

use super::common::*;

#[test]
fn attack_c07_gaps_accepted() {
    let (host, device) = sessions();
    let [_, second] = [seal(&host, 1), seal(&host, 2)];
    assert_eq!(device.decrypt_tensor(&second), Err(Error::SequenceGap { expected: 0, received: 1 }));
    assert!(!device.is_valid(), "deleted records end the session");
    let (host, device) = sessions();
    let [first, second, third] = [seal(&host, 1), seal(&host, 2), seal(&host, 3)];
    device.decrypt_tensor(&first).unwrap();
    assert_eq!(device.decrypt_tensor(&third), Err(Error::SequenceGap { expected: 1, received: 2 }));
    assert_eq!(device.decrypt_tensor(&second), Err(Error::ChannelFailed), "nor does the right one help later");
}

#[test]
fn attack_c08_truncation_invisible() {
    let (host, device) = sessions();
    send(&host, &device, 100);
    let _lost = seal(&host, 200);
    assert_eq!(device.transport_ended(), Err(Error::Truncated));
    assert_eq!(device.transport_ended(), Err(Error::Truncated));
    assert!(!device.is_valid());

    let (host, device) = sessions();
    send(&host, &device, 100);
    assert_eq!(device.receive_control(&host.close().unwrap()), Ok(Control::Close));
    assert_eq!(device.transport_ended(), Ok(()));
    // CLOSE after a lost record shows the loss.
    let (host, device) = sessions();
    let _lost = seal(&host, 200);
    let gap = Error::SequenceGap { expected: 0, received: 1 };
    assert_eq!(device.receive_control(&host.close().unwrap()), Err(gap));
}

#[test]
fn attack_c09_no_cap_on_sequence_numbers() {
    for sequence in [1, 1 << 32, 1 << 63, u64::MAX - 1, u64::MAX] {
        let (host, device) = sessions();
        let mut wire = seal(&host, 10).as_bytes().to_vec();
        wire[48..56].copy_from_slice(&sequence.to_be_bytes());
        let forged = EncryptedTensor::from_bytes(wire).unwrap();
        let gap = Error::SequenceGap { expected: 0, received: sequence };
        assert_eq!(device.decrypt_tensor(&forged), Err(gap), "no record moves the counter forward");
        assert!(!device.is_valid());
    }
}

#[test]
fn attack_c13_replay_in_another_textual_form() {
    // Nothing on the wire has two forms, so whatever bytes are delivered again are the same record.
    let (host, device) = sessions();
    let tensor = seal(&host, 100);
    device.decrypt_tensor(&tensor).unwrap();
    for form in [tensor.clone(), EncryptedTensor::from_bytes(tensor.as_bytes()).unwrap()] {
        assert_eq!(form, tensor);
        let error = device.decrypt_tensor(&form).unwrap_err();
        assert!(matches!(error, Error::NonceReplay { expected: 1, received: 0 } | Error::ChannelFailed));
    }
    // And those that differ in any byte do not open (`records.rs`, and every bit in the session's own tests).
    let (host, device) = sessions();
    let mut wire = seal(&host, 100).as_bytes().to_vec();
    wire[7] = b' ';
    assert!(EncryptedTensor::from_bytes(&*wire).is_err());
    assert!(device.reserve(&wire[..64], &wire[64..]).is_err());
}

#[test]
fn attack_c14_the_replay_memory_forgets() {
    // There is no memory that could fill: the next number is the only one accepted.
    let (host, device) = sessions();
    let first = seal(&host, 100);
    device.decrypt_tensor(&first).unwrap();
    for _ in 0..20_000 {
        device.decrypt_tensor(&seal(&host, 0)).unwrap();
    }
    assert_eq!(device.decrypt_tensor(&first), Err(Error::NonceReplay { expected: 20_001, received: 0 }));
    assert!(!device.is_valid());
}

#[test]
fn attack_c22_two_threads_both_accept_a_record() {
    const THREADS: usize = 4;
    for _ in 0..50 {
        let (host, device) = sessions();
        let tensor = seal(&host, 20_000);
        let (start, accepted) = (Barrier::new(THREADS), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..5 {
                        match device.decrypt_tensor(&tensor) {
                            Ok(plaintext) => {
                                assert_eq!(plaintext, content(20_000));
                                accepted.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(Error::NonceReplay { expected: 1, received: 0 } | Error::ChannelFailed) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                });
            }
        });
        assert_eq!(accepted.into_inner(), 1);
    }
    // Reserved by hand, without the lock that serves whole deliveries in turn.
    for _ in 0..50 {
        let (host, device) = sessions();
        let tensor = seal(&host, 100);
        let (head, body) = tensor.as_bytes().split_at(tensor.body_start());
        let (start, accepted) = (Barrier::new(THREADS), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    if let Ok(pending) = device.reserve(&head[..64], &head[64..]) {
                        // Another thread's replay has ended the session by now, but not before this record.
                        assert_eq!(pending.open(body).unwrap(), content(100));
                        accepted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(accepted.into_inner(), 1);
    }
}

#[test]
fn attack_c24_a_copy_reuses_sequence_numbers() {
    // A session cannot be copied (`src/attacks.rs`); shared among threads it hands out each number once.
    let (host, _) = sessions();
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let seal = || (0..500).map(|_| seal(&host, 1).header().sequence).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(seal)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (0..2000).collect::<Vec<u64>>());
}

#[test]
fn attack_c25_no_rekey() {
    // When asked here; by itself when a key's chunks run out in the session's own tests, with keys of few chunks.
    let (host, device) = sessions();
    let before = seal(&host, 100);
    device.decrypt_tensor(&before).unwrap();
    assert_eq!(device.receive_control(&host.update_key().unwrap()), Ok(Control::KeyUpdate));
    let after = seal(&host, 100);
    assert_eq!((before.header().epoch, after.header().epoch), (0, 1));
    assert_eq!(device.decrypt_tensor(&after).unwrap(), content(100));
    // A record cannot be dated back into the epoch whose key is gone.
    let mut wire = seal(&host, 100).as_bytes().to_vec();
    wire[40..44].copy_from_slice(&[0; 4]);
    let dated = EncryptedTensor::from_bytes(wire).unwrap();
    assert!(matches!(device.decrypt_tensor(&dated), Err(Error::Record("the record belongs to another epoch"))));
}

#[test]
fn attack_c30_copies_share_the_replay_list() {
    // Copies of a record are only bytes; state is in the one session, and both ends have their own.
    let ((host, device), (other_host, other_device)) = (sessions(), sessions());
    let tensor = seal(&host, 100);
    device.decrypt_tensor(&tensor.clone()).unwrap();
    assert_eq!(device.decrypt_tensor(&tensor), Err(Error::NonceReplay { expected: 1, received: 0 }));
    send(&other_host, &other_device, 100);
    assert!(host.is_valid() && other_device.is_valid());
}

#[test]
fn attack_c31_state_revealed_before_any_tag_check() {
    // Numbers too low, too high and right with a wrong tag: the caller learns which, the peer nothing. The session makes
    // no bytes to send in any case, and is over in the same way in each.
    let mut after = Vec::new();
    for sequence in [0u64, 1, 2, u64::MAX] {
        let (host, device) = sessions();
        send(&host, &device, 10);
        let mut wire = seal(&host, 10).as_bytes().to_vec();
        wire[48..56].copy_from_slice(&sequence.to_be_bytes());
        let last = wire.len() - 1;
        wire[last] ^= 1;
        let local = device.decrypt_tensor(&EncryptedTensor::from_bytes(wire).unwrap()).unwrap_err();
        match sequence {
            0 => assert_eq!(local, Error::NonceReplay { expected: 1, received: 0 }),
            1 => assert_eq!(local, Error::Decryption),
            _ => assert_eq!(local, Error::SequenceGap { expected: 1, received: sequence }),
        }
        let state = (
            device.is_valid(),
            device.close().unwrap_err(),
            device.update_key().unwrap_err(),
            device.encrypt_tensor(&content(1), &metadata(1)).unwrap_err(),
            device.receive_control(&[0; 80]).unwrap_err(),
        );
        after.push(state);
    }
    assert!(after.iter().all(|state| *state == after[0]), "{after:?}");
}
