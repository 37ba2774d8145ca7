//! CLOSE ends one direction; a transport that ends without it has cut something off.

use super::*;
use crate::channel::record::{RecordHeader, RecordType};

#[test]
fn each_direction_is_closed_by_itself() {
    let Pair { host, device, .. } = pair(64);
    send(&host, &device, 5, 0);
    assert_eq!(device.receive_control(&host.close().unwrap()), Ok(Control::Close));
    assert!(host.is_valid() && device.is_valid());
    assert_eq!(sealed(&host, 5, 1).unwrap_err(), Error::ChannelClosed);
    assert_eq!(host.update_key().unwrap_err(), Error::ChannelClosed);
    assert_eq!(host.close().unwrap_err(), Error::ChannelClosed);
    for salt in 0..3 {
        send(&device, &host, 5, salt);
    }
    assert_eq!(host.receive_control(&device.close().unwrap()), Ok(Control::Close));
    assert!(!host.is_valid() && !device.is_valid());
    assert_eq!((host.transport_ended(), device.transport_ended()), (Ok(()), Ok(())));
}

#[test]
fn nothing_follows_close() {
    let Pair { host, device, .. } = pair(64);
    let tensor = sealed(&host, 5, 0).unwrap();
    device.decrypt_tensor(&tensor).unwrap();
    let close = host.close().unwrap();
    device.receive_control(&close).unwrap();
    assert_eq!(device.receive_control(&close), Err(Error::ChannelClosed));
    assert_eq!(device.decrypt_tensor(&tensor), Err(Error::ChannelClosed));
    // Not even what the peer's key would seal next.
    let other = pair(64);
    sealed(&other.host, 5, 0).unwrap();
    other.host.update_key().unwrap();
    let next = sealed(&other.host, 5, 0).unwrap();
    assert_eq!(next.header().sequence, 2);
    assert_eq!(device.decrypt_tensor(&next), Err(Error::ChannelClosed));
    send(&device, &host, 5, 1);
}

#[test]
fn a_transport_that_ends_early_is_truncated() {
    let Pair { host, device, .. } = pair(64);
    send(&host, &device, 5, 0);
    let last = sealed(&host, 5, 1).unwrap();
    let mut pending = reserve(&device, &last).unwrap();
    host.close().unwrap();
    assert_eq!(device.transport_ended(), Err(Error::Truncated));
    assert_over(&device, &Error::Truncated);
    assert_eq!(pending.commit(Verdict::Verified), Ok(()), "what came whole before the end is still good");
}

#[test]
fn close_cannot_be_forged_moved_or_exchanged() {
    let forgeries: [fn(&mut Vec<u8>); 6] = [
        |record| record[79] ^= 1,
        |record| record[64..].fill(0),
        |record| record[5] = RecordType::KeyUpdate as u8,
        |record| record[5] = RecordType::Ready as u8,
        |record| record.truncate(79),
        |record| record.push(0),
    ];
    for forge in forgeries {
        let Pair { host, device, .. } = pair(64);
        let mut record = host.close().unwrap();
        forge(&mut record);
        assert!(device.receive_control(&record).is_err());
        assert_over(&device, &Error::ChannelFailed);
    }
    // Its own CLOSE sent back; a KEY_UPDATE made to look like CLOSE.
    let Pair { host, .. } = pair(64);
    assert!(matches!(host.receive_control(&host.close().unwrap()), Err(Error::Record(_))));
    let Pair { host, device, .. } = pair(64);
    let mut record = host.update_key().unwrap();
    record[5] = RecordType::Close as u8;
    assert_eq!(device.receive_control(&record), Err(Error::Decryption));
}

#[test]
fn records_keep_to_their_types() {
    // READY is no control record a session takes, and a tensor is none either.
    let Pair { host, device, .. } = pair(64);
    let ready = device.send_ready().unwrap();
    assert!(matches!(host.receive_control(&ready), Err(Error::Record(_))));
    let Pair { host, device, .. } = pair(64);
    assert_eq!(host.receive_ready(&device.send_ready().unwrap()), Ok(()));
    send(&device, &host, 1, 0);
    let Pair { host, device, .. } = pair(64);
    let close = host.close().unwrap();
    assert!(matches!(device.reserve(&close[..64], &[]), Err(Error::Record(_))));
    assert!(EncryptedTensor::from_bytes(close).is_err());
    // An empty tensor's one tag under the header of a control record.
    let Pair { host, device, .. } = pair(64);
    let tensor = sealed(&host, 0, 0).unwrap();
    let header = RecordHeader { record_type: RecordType::Close, metadata_bytes: 0, ..tensor.header().clone() };
    assert_eq!(device.receive_control(&[&header.encode()[..], tensor.body()].concat()), Err(Error::Decryption));
}

#[test]
fn a_seal_begun_before_close_may_finish_after_it() {
    let Pair { host, device, .. } = pair(64);
    let mut sealing = host.seal(&metadata(1)).unwrap();
    let close = host.close().unwrap();
    let mut body = [0; 17];
    sealing.next_piece(1).unwrap().seal(&[8], &mut body).unwrap();
    let wire = [sealing.prelude(), &body].concat();
    sealing.finish().unwrap();
    assert_eq!(device.decrypt_tensor(&EncryptedTensor::from_bytes(wire).unwrap()), Ok(vec![8]));
    assert_eq!(device.receive_control(&close), Ok(Control::Close));
}
