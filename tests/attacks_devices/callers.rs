//! Several callers of one device, and what each must not get of another.

use std::thread;

use pqc_gpu_driver::{
    EncryptedTensor, Error, block_on, conformance::noise, device::CpuDevice, establish_channel, transfer::Transfer,
};

use super::{deliver, seal};

/// Many threads over one device, each with its own session, half of them under attack: nobody's tensor reaches another,
/// nobody's failure is another's.
#[test]
fn beyond_parallel_callers() {
    let device = CpuDevice::default();
    thread::scope(|scope| {
        for caller in 0..6u64 {
            let device = &device;
            scope.spawn(move || {
                let (host, guest) = establish_channel("host", "device").unwrap();
                let mut transfer = Transfer::new(device);
                for i in 0..10 {
                    let plaintext = noise(caller * 100 + i, 100_000);
                    let (pending, mut body) = deliver(&host, &guest, &plaintext);
                    if caller % 2 == 0 && i == 9 {
                        body[50_000] ^= 1;
                        assert_eq!(block_on(transfer.open(pending, &body)).err(), Some(Error::Decryption));
                        return;
                    }
                    let tensor = block_on(transfer.open(pending, &body)).unwrap();
                    tensor.buffer().with_bytes(|bytes| assert!(bytes[..100_000] == plaintext));
                    let mut wire = Vec::new();
                    let sink = |part: &[u8]| {
                        wire.extend(part);
                        Ok(())
                    };
                    block_on(transfer.seal(&guest, &tensor, sink)).unwrap();
                    assert!(host.decrypt_tensor(&EncryptedTensor::from_bytes(wire).unwrap()).unwrap() == plaintext);
                }
                assert!(guest.is_valid());
            });
        }
    });
}

/// One record delivered by many threads at once, each to a transfer of its own: one opens it, and the others' attempt is
/// a replay that ends the session without a second copy of the tensor.
#[test]
fn beyond_one_record_to_many_transfers() {
    let device = CpuDevice::default();
    let (host, guest) = establish_channel("host", "device").unwrap();
    let sealed = seal(&host, &noise(1, 20_000));
    let (header, rest) = sealed.as_bytes().split_at(64);
    let (encoded, body) = rest.split_at(sealed.metadata().encode().len());
    let opened: usize = thread::scope(|scope| {
        let one = || match guest.reserve(header, encoded) {
            Ok(pending) => block_on(Transfer::new(&device).open(pending, body)).is_ok() as usize,
            Err(error) => {
                assert!(matches!(error, Error::NonceReplay { .. } | Error::ChannelFailed), "{error}");
                0
            }
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(opened <= 1 && !guest.is_valid());
}

/// Two sessions share a transfer: a record of one, delivered to the other, is refused, and the first is none the worse.
#[test]
fn beyond_bodies_exchanged_between_sessions() {
    let device = CpuDevice::default();
    let mut transfer = Transfer::new(&device);
    let (host_a, guest_a) = establish_channel("host", "device").unwrap();
    let (host_b, guest_b) = establish_channel("host", "device").unwrap();
    let (pending_a, body_a) = deliver(&host_a, &guest_a, &noise(1, 40_000));
    let (pending_b, body_b) = deliver(&host_b, &guest_b, &noise(1, 40_000));
    // The headers are right, the bodies exchanged: same length, same metadata, same sequence number.
    block_on(transfer.begin_open_bytes(pending_a, &body_b)).unwrap();
    block_on(transfer.begin_open_bytes(pending_b, &body_b)).unwrap();
    let results = block_on(transfer.settle());
    assert_eq!(results[0].as_ref().err(), Some(&Error::Decryption));
    assert!(results[1].is_ok() && guest_b.is_valid() && !guest_a.is_valid());
    drop(body_a);
}
