//! Every field of every type of record, and chunks that change places among tensors and sessions.

use pqc_gpu_driver::{
    ChannelSession, EncryptedTensor, Error, block_on,
    conformance::read,
    device::{CpuDevice, Device, Slot, SlotWriter},
    transfer::{Destination, Transfer},
};

use super::common::*;

/// Every bit of header, metadata and tag: none can be another.
#[test]
fn beyond_every_record_field() {
    let (host, _) = sessions();
    let bytes = seal(&host, 0).as_bytes().len();
    // READY has its test among the handshake's messages.
    in_parallel(&(0..bytes * 8).collect::<Vec<_>>(), |&bit| {
        let (host, device) = sessions();
        let mut wire = seal(&host, 0).as_bytes().to_vec();
        wire[bit / 8] ^= 1 << (bit % 8);
        // As a whole, where the lengths still fit; and as the parts that a transport reads.
        if let Ok(tensor) = EncryptedTensor::from_bytes(&*wire) {
            assert!(device.decrypt_tensor(&tensor).is_err(), "bit {bit} of a tensor's record");
            assert!(!device.is_valid());
        }
        let (_, other) = sessions();
        let (device, head) = (if device.is_valid() { &device } else { &other }, wire.len() - 16);
        let opened = device.reserve(&wire[..64], &wire[64..head]).and_then(|pending| pending.open(&wire[head..]));
        assert!(opened.is_err() && !device.is_valid(), "bit {bit} of a tensor's record");
    });
    in_parallel(&(0..80 * 8).collect::<Vec<_>>(), |&bit| {
        for make in [ChannelSession::update_key, ChannelSession::close] {
            let (host, device) = sessions();
            let mut record = make(&host).unwrap();
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(device.receive_control(&record).is_err() && !device.is_valid(), "bit {bit} of a control record");
        }
    });
}

const BYTES: usize = 40_000;
const CHUNK: usize = 16_400;

/// Three chunks of each of: a tensor, the one after it, one of another session at the same place; all of one size and
/// with one plaintext.
fn sources() -> (ChannelSession, EncryptedTensor, Vec<Vec<Vec<u8>>>) {
    let ((host, device), (other, _)) = (sessions(), sessions());
    let (good, second, foreign) = (seal(&host, BYTES), seal(&host, BYTES), seal(&other, BYTES));
    let chunks = |tensor: &EncryptedTensor| tensor.body().chunks(CHUNK).map(<[u8]>::to_vec).collect();
    let all = [&good, &second, &foreign].map(chunks).to_vec();
    (device, good, all)
}

/// Which chunk of which source stands at each place: all one-chunk replacements, and whole bodies.
fn arrangements() -> Vec<Vec<(usize, usize)>> {
    let own: Vec<_> = (0..3).map(|chunk| (0, chunk)).collect();
    let mut all = Vec::new();
    for place in 0..3 {
        for source in 0..3 {
            for chunk in 0..3 {
                if (source, chunk) == (0, place) {
                    continue;
                }
                let mut replaced = own.clone();
                replaced[place] = (source, chunk);
                all.push(replaced);
                // Extended by it, in front of that place.
                let mut extended = own.clone();
                extended.insert(place, (source, chunk));
                all.push(extended);
            }
        }
        let mut dropped = own.clone();
        dropped.remove(place);
        all.push(dropped);
        all.push((0..3).map(|chunk| (usize::from(chunk >= place), chunk)).collect());
        let mut repeated = own.clone();
        repeated.insert(place, own[place]);
        all.push(repeated);
    }
    all.retain(|arrangement| *arrangement != own);
    all.push((0..3).map(|chunk| (2, chunk)).collect());
    all
}

#[test]
fn beyond_chunks_across_tensors_and_sessions() {
    let arrangements = arrangements();
    assert!(arrangements.len() > 50);
    in_parallel(&arrangements, |arrangement| {
        let (device, good, sources) = sources();
        let body: Vec<u8> = arrangement.iter().flat_map(|&(source, chunk)| sources[source][chunk].clone()).collect();
        let wire = good.as_bytes();
        let opened = device.reserve(&wire[..64], &wire[64..good.body_start()]).unwrap().open(&body);
        let refused = opened.map(drop);
        assert!(matches!(refused, Err(Error::Decryption | Error::Record(_))), "{arrangement:?}: {refused:?}");
        assert!(!device.is_valid() && device.decrypt_tensor(&good).is_err(), "{arrangement:?}");
    });
    let (device, good, _) = sources();
    assert_eq!(device.decrypt_tensor(&good).unwrap(), content(BYTES), "the good arrangement opens");
}

/// The same on a device, which sees the bodies alone: what it writes is zeros.
#[test]
fn beyond_chunks_across_tensors_and_sessions_on_a_device() {
    let gpu = CpuDevice::default();
    let all = arrangements();
    let same_length = all.iter().filter(|arrangement| arrangement.len() == 3 && arrangement[2].1 == 2);
    let own = vec![(0, 0), (0, 1), (0, 2)];
    for arrangement in same_length.chain([&own]) {
        let (device, good, sources) = sources();
        let mut body: Vec<u8> = arrangement.iter().flat_map(|&(from, chunk)| sources[from][chunk].clone()).collect();
        body.resize(good.body().len(), 0);
        let buffer = gpu.alloc(BYTES as u64).unwrap();
        let mut transfer = Transfer::new(&gpu);
        let wire = good.as_bytes();
        let pending = device.reserve(&wire[..64], &wire[64..good.body_start()]).unwrap();
        let source = |range: std::ops::Range<u64>, slot: &mut <CpuDevice as Device>::Slot| {
            let bytes = &body[range.start as usize..range.end as usize];
            slot.writers(&[bytes.len() as u64])?[0].write(0, bytes)
        };
        block_on(transfer.begin_open(pending, Destination::Buffer(&buffer, 0), source)).unwrap();
        let opened = block_on(transfer.settle()).remove(0);
        let seen = block_on(read(&gpu, &buffer, 0..BYTES as u64));
        if *arrangement == own {
            assert!(opened.is_ok() && seen == content(BYTES));
        } else {
            assert_eq!(opened.err(), Some(Error::Decryption), "{arrangement:?}");
            assert!(seen.iter().all(|&byte| byte == 0), "{arrangement:?}: plaintext came out");
        }
    }
}
