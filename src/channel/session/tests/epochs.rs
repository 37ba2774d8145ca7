//! Keys change before their chunks run out, in each direction by itself, and no number ever wraps.

use super::*;
use crate::channel::record::{HEADER_BYTES, RecordHeader, RecordType};

fn numbers(tensor: &EncryptedTensor) -> (u32, u64) {
    (tensor.header().epoch, tensor.header().sequence)
}

/// (epoch, next sequence number, chunks under the key) of the sending half.
fn sending(session: &ChannelSession) -> (u32, u64, u64) {
    let state = session.inner.lock();
    let half = state.send.as_ref().unwrap();
    (half.keys.epoch, half.next, half.chunks)
}

fn receiving(session: &ChannelSession) -> (u32, u64, u64) {
    let state = session.inner.lock();
    let half = state.receive.as_ref().unwrap();
    (half.keys.epoch, half.next, half.chunks)
}

#[test]
fn keys_change_by_themselves_and_each_direction_alone() {
    let Pair { host, device, .. } = pair(8);
    for i in 0..40 {
        // Of 8 chunks two are kept for KEY_UPDATE and CLOSE.
        let (epoch, sequence) = (i / 6, u64::from(i) + u64::from(i / 6));
        let tensor = send(&host, &device, 10, i as u8);
        assert_eq!(numbers(&tensor), (epoch, sequence), "sequence numbers go on through the epochs");
        assert_eq!(tensor.key_update().is_some(), i > 0 && i % 6 == 0);
        assert_eq!(sending(&host), receiving(&device));
        if i % 10 == 0 {
            assert_eq!(numbers(&send(&device, &host, 16384, i as u8)), (i / 30, u64::from(i / 10 + i / 30)));
        }
    }
    // Four tensors of two chunks: three filled the device's first key.
    assert_eq!(sending(&device), (1, 5, 2));
    assert_eq!(sending(&device), receiving(&host));
}

#[test]
fn a_tensor_that_does_not_fit_the_rest_of_a_key_takes_the_next_one() {
    let Pair { host, device, .. } = pair(8);
    assert_eq!(numbers(&send(&host, &device, 4 * 16384 + 5, 0)), (0, 0));
    assert_eq!(numbers(&send(&host, &device, 16384 - 1, 1)), (0, 1));
    assert_eq!(numbers(&send(&host, &device, 0, 2)), (1, 3), "no record straddles");
    assert_eq!(numbers(&send(&host, &device, 5 * 16384 + 9, 3)), (2, 5), "six chunks fill a key by themselves");
}

#[test]
fn a_tensor_larger_than_an_epoch_is_refused_and_consumes_nothing() {
    let Pair { host, device, .. } = pair(8);
    send(&host, &device, 1, 0);
    let before = sending(&host);
    for bytes in [6 * 16384, 7 * 16384 + 1, 100 * 16384] {
        assert!(matches!(sealed(&host, bytes, 0), Err(Error::Usage(_))), "{bytes}");
    }
    assert!(matches!(host.encrypt_tensor(&[0; 9], &metadata(10)), Err(Error::Usage(_))));
    assert_eq!(sending(&host), before);
    assert!(host.is_valid());
    send(&host, &device, 5, 1);
}

#[test]
fn the_receiver_holds_a_sender_to_the_budget() {
    let Pair { host, device, .. } = unequal_pair(64, 8);
    for salt in 0..6 {
        send(&host, &device, 3, salt);
    }
    let seventh = sealed(&host, 3, 6).unwrap();
    assert!(matches!(device.decrypt_tensor(&seventh), Err(Error::Record(_))));
    assert_over(&device, &Error::ChannelFailed);

    let Pair { host, device, .. } = unequal_pair(64, 8);
    let larger_than_a_key = sealed(&host, 6 * 16384, 0).unwrap();
    assert!(matches!(device.decrypt_tensor(&larger_than_a_key), Err(Error::Record(_))));
    assert_over(&device, &Error::ChannelFailed);
}

#[test]
fn control_records_count_too() {
    let at = |chunks: u64, record: fn(&ChannelSession) -> Vec<u8>| {
        let Pair { host, device, .. } = unequal_pair(64, 8);
        device.inner.lock().receive.as_mut().unwrap().chunks = chunks;
        device.receive_control(&record(&host))
    };
    assert_eq!(at(6, |host| host.update_key().unwrap()), Ok(Control::KeyUpdate));
    assert!(matches!(at(7, |host| host.update_key().unwrap()), Err(Error::Record(_))), "one is kept for CLOSE");
    assert_eq!(at(7, |host| host.close().unwrap()), Ok(Control::Close));
    assert!(matches!(at(8, |host| host.close().unwrap()), Err(Error::Record(_))));
}

#[test]
fn keys_change_when_asked() {
    let Pair { host, device, .. } = pair(8);
    let first = send(&host, &device, 9, 0);
    for epoch in 1..=9 {
        let record = host.update_key().unwrap();
        assert_eq!(record.len(), 80);
        assert_eq!(device.receive_control(&record), Ok(Control::KeyUpdate));
        assert_eq!(sending(&host), (epoch, u64::from(epoch) + 1, 0));
        assert_eq!(receiving(&device), sending(&host));
    }
    let later = send(&host, &device, 9, 0);
    assert_ne!(first.body(), later.body());
    assert_eq!(sending(&device), (0, 0, 0), "the other direction is as it was");
    send(&device, &host, 9, 0);
}

#[test]
fn a_record_of_another_epoch_is_refused() {
    for by in [1, u32::MAX] {
        let Pair { host, device, .. } = pair(8);
        device.receive_control(&host.update_key().unwrap()).unwrap();
        let tensor = sealed(&host, 3, 0).unwrap();
        let header = RecordHeader { epoch: tensor.header().epoch.wrapping_add(by), ..tensor.header().clone() };
        assert!(matches!(device.reserve(&header.encode(), tensor.metadata_bytes()), Err(Error::Record(_))));
        assert_over(&device, &Error::ChannelFailed);
    }
}

#[test]
fn a_key_update_cannot_be_withheld() {
    let Pair { host, device, .. } = pair(8);
    host.update_key().unwrap();
    let tensor = sealed(&host, 3, 0).unwrap();
    assert_eq!(device.decrypt_tensor(&tensor), Err(Error::SequenceGap { expected: 0, received: 1 }));
    assert_over(&device, &Error::ChannelFailed);
}

#[test]
fn sequence_numbers_end_without_wrapping() {
    let at = |sequence| {
        let ends = pair(8);
        for session in [&ends.host, &ends.device] {
            session.inner.lock().skip_to_sequence(sequence);
        }
        ends
    };
    let is_spent = |session: &ChannelSession| {
        assert!(matches!(sealed(session, 1, 0), Err(Error::Usage(_))));
        assert!(matches!(session.update_key(), Err(Error::Usage(_))));
    };
    // A tensor with room under its key, then CLOSE.
    let Pair { host, device, .. } = at(u64::MAX - 3);
    assert_eq!(numbers(&send(&host, &device, 5, 0)), (0, u64::MAX - 3));
    is_spent(&host);
    assert_eq!(device.receive_control(&host.close().unwrap()), Ok(Control::Close));
    assert_eq!(device.transport_ended(), Ok(()));
    // A tensor that needs KEY_UPDATE before it, then CLOSE: the most there can be.
    let Pair { host, device, .. } = at(u64::MAX - 3);
    for session in [&host, &device] {
        let mut state = session.inner.lock();
        state.send.as_mut().unwrap().chunks = 6;
        state.receive.as_mut().unwrap().chunks = 6;
    }
    assert_eq!(numbers(&send(&host, &device, 5, 0)), (1, u64::MAX - 2));
    is_spent(&host);
    assert_eq!(device.receive_control(&host.close().unwrap()), Ok(Control::Close));
    // One further on nothing but CLOSE fits.
    let Pair { host, device, .. } = at(u64::MAX - 2);
    is_spent(&host);
    assert_eq!(device.receive_control(&host.close().unwrap()), Ok(Control::Close));
}

#[test]
fn the_last_sequence_number_is_never_accepted() {
    for record_type in [RecordType::Tensor, RecordType::KeyUpdate, RecordType::Close] {
        let Pair { host, device, .. } = pair(8);
        for session in [&host, &device] {
            session.inner.lock().skip_to_sequence(u64::MAX);
        }
        let tensor = metadata(0).encode();
        let header = RecordHeader {
            record_type,
            direction: Direction::HostToDevice,
            session_id: [3; 32],
            epoch: 0,
            metadata_bytes: if record_type == RecordType::Tensor { tensor.len() as u32 } else { 0 },
            sequence: u64::MAX,
            body_bytes: 0,
        };
        let error = match record_type {
            RecordType::Tensor => device.reserve(&header.encode(), &tensor).err(),
            _ => device.receive_control(&[&header.encode()[..], &[0; 16]].concat()).err(),
        };
        assert_eq!(error, Some(Error::Record("the last sequence number is never used")));
    }
}

#[test]
fn epochs_end_without_wrapping() {
    let clock = Arc::new(TestClock::default());
    let at_last = |local| end(local, schedule::tests::traffic_at(u32::MAX), 8, &clock);
    let (host, device) = (at_last(Direction::HostToDevice), at_last(Direction::DeviceToHost));
    for salt in 0..6 {
        assert_eq!(send(&host, &device, 1, salt).header().epoch, u32::MAX);
    }
    let before = sending(&host);
    assert!(matches!(host.update_key(), Err(Error::Usage(_))));
    assert!(matches!(sealed(&host, 1, 0), Err(Error::Usage(_))), "the key's chunks are used up and no key follows");
    assert_eq!(sending(&host), before, "nothing was consumed");
    assert_eq!(device.receive_control(&host.close().unwrap()), Ok(Control::Close));

    // A peer that does it all the same.
    let (host, device) = (at_last(Direction::HostToDevice), at_last(Direction::DeviceToHost));
    let record = host.inner.seal_control(&mut host.inner.lock(), RecordType::KeyUpdate).unwrap();
    assert_eq!(record.len(), HEADER_BYTES + 16);
    assert!(matches!(device.receive_control(&record), Err(Error::Record(_))));
    assert_over(&device, &Error::ChannelFailed);
}
