//! A device that is lost, out of memory or given a short upload, at every call that can fail: nothing is released after
//! it, the session is over, nothing panics.
#![allow(missing_docs, clippy::unwrap_used)]

use pqc_gpu_driver::{
    Backend, ChannelSession, DType, EncryptedTensor, Error, TensorMetadata, block_on,
    channel::session::Pending,
    conformance::{Awkward, noise},
    device::{CpuDevice, Device},
    establish_channel, ops,
    transfer::{Destination, Transfer},
};

#[test]
fn beyond_device_lost_at_each_call() {
    for arrives in [false, true] {
        lost_at_any_call(arrives);
    }
}

fn lost_at_any_call(arrives: bool) {
    let mut calls = 0;
    loop {
        let device = Awkward::lost_at(calls);
        let (host, guest) = establish_channel("host", "device").unwrap();
        let released = block_on(open_some(&device, &host, &guest, arrives));
        if released == 6 {
            break;
        }
        assert!(!guest.is_valid(), "lost at call {calls}: the session goes on");
        assert!(guest.encrypt_tensor(&[0; 16], &metadata(16)).is_err());
        calls += 1;
        assert!(calls < 1000, "a device that was never lost does not open everything");
    }
    assert!(calls > 10, "the scenario has few calls that can fail: {calls}");
}

/// Opens six tensors, one of them larger than a slot, whole or as they arrive; gives how many were released.
async fn open_some(device: &Awkward, host: &ChannelSession, guest: &ChannelSession, arrives: bool) -> usize {
    let mut transfer = Transfer::new(device);
    for i in 0..6 {
        let length = if i == 3 { 100_000 } else { 20_000 };
        let (pending, body) = match deliver(host, guest, &noise(i, length)) {
            Ok(delivered) => delivered,
            Err(error) => {
                assert_eq!(error, Error::ChannelFailed, "records after the loss are refused");
                break;
            }
        };
        let begun = match arrives {
            true => arrive(&mut transfer, pending, &body).await,
            false => transfer.begin_open_bytes(pending, &body).await,
        };
        if let Err(error) = begun {
            assert!(matches!(error, Error::Backend(_)), "{error}");
        }
    }
    let results = transfer.settle().await;
    let released = results.iter().take_while(|result| result.is_ok()).count();
    assert!(results[released..].iter().all(Result::is_err), "a tensor was released after one that failed");
    released
}

/// Goes on after every error that lets it; what failed must not be taken for an attack, nor opened.
async fn arrive(transfer: &mut Transfer<&Awkward>, pending: Pending, body: &[u8]) -> Result<(), Error> {
    let mut arrival = transfer.arrival(pending, Destination::Owned).await?;
    let mut failure = None;
    for piece in body.chunks(16_400) {
        failure = failure.or(arrival.push(piece).await.err());
    }
    let finished = arrival.finish();
    assert!(failure.is_none() || finished.is_err(), "a piece is missing and the record is opened");
    failure.map_or(finished, Err)
}

#[test]
fn beyond_device_lost_while_sealing() {
    let (mut failed, mut call) = (0, 0);
    loop {
        let (host, guest) = establish_channel("host", "device").unwrap();
        let device = Awkward::lost_at(call);
        call += 1;
        let mut transfer = Transfer::new(&device);
        let (pending, body) = deliver(&host, &guest, &noise(call, 100_000)).unwrap();
        // Lost while opening is another test's matter.
        let Ok(tensor) = block_on(transfer.open(pending, &body)) else { continue };
        let sealed = block_on(transfer.seal(&guest, &tensor, |_| Ok(())));
        assert_eq!(sealed.is_ok(), guest.is_valid(), "a seal that failed ends the session");
        if sealed.is_ok() {
            break;
        }
        failed += 1;
    }
    assert!(failed >= 5, "only {failed} of a seal's calls failed");
}

/// A tensor is handled again and again, with every call of the device failing once: there is an error or the whole result, and
/// what it was made of stays.
#[test]
fn a_device_that_fails_while_a_tensor_is_handled_gives_no_handle() {
    let (host, guest) = establish_channel("host", "device").unwrap();
    let device = Awkward::new();
    let mut transfer = Transfer::new(&device);
    let plaintext = noise(1, 300_000);
    let (pending, body) = deliver(&host, &guest, &plaintext).unwrap();
    let tensor = block_on(transfer.open(pending, &body)).unwrap();
    let mut failed = 0;
    for call in 0.. {
        device.fail_once_after(call);
        let cast = block_on(ops::cast(&&device, &tensor, DType::BF16));
        if !device.has_failed() {
            assert_eq!(cast.unwrap().metadata().size_bytes(), 600_000);
            break;
        }
        assert!(matches!(cast, Err(Error::Backend(_))), "call {call}: {cast:?}");
        failed += 1;
    }
    assert!(failed >= 3, "only {failed} calls can fail");
    let mut wire = Vec::new();
    let sink = |part: &[u8]| {
        wire.extend(part);
        Ok(())
    };
    block_on(transfer.seal(&guest, &tensor, sink)).unwrap();
    assert!(host.decrypt_tensor(&EncryptedTensor::from_bytes(wire).unwrap()).unwrap() == plaintext);
}

#[test]
fn beyond_short_upload() {
    let (host, guest) = establish_channel("host", "device").unwrap();
    let device = CpuDevice::default();
    let mut transfer = Transfer::new(&device);
    let (pending, _) = deliver(&host, &guest, &noise(1, 100_000)).unwrap();
    let source = |_: core::ops::Range<u64>, _: &mut _| Err(Error::Truncated);
    let opened = block_on(transfer.begin_open(pending, Destination::Owned, source));
    assert_eq!(opened, Err(Error::Truncated));
    assert!(!guest.is_valid());

    let (host, guest) = establish_channel("host", "device").unwrap();
    let (pending, body) = deliver(&host, &guest, &noise(1, 100_000)).unwrap();
    let opened = block_on(transfer.begin_open_bytes(pending, &body[..body.len() - 1]));
    assert!(matches!(opened, Err(Error::Record(_))));
    assert!(!guest.is_valid());
}

#[test]
fn beyond_more_memory_than_there_is() {
    let device = CpuDevice::default();
    assert!(matches!(device.alloc(u64::MAX), Err(Error::Backend(_))));
    assert!(matches!(device.alloc(1 << 62), Err(Error::Backend(_))));
}

#[test]
fn beyond_backend_on_a_lost_device() {
    let (host, _) = establish_channel("host", "device").unwrap();
    let sealed = host.encrypt_tensor(&noise(1, 50_000), &metadata(50_000)).unwrap();
    let (mut pulled_back, mut failed) = (0, 0);
    for call in 0..20 {
        let device = Awkward::lost_at(call);
        let backend = Backend::new(&device);
        let Ok(handle) = block_on(backend.upload(&sealed)) else { continue };
        match block_on(backend.download(handle)) {
            Ok(pulled) => {
                assert!(pulled == sealed);
                pulled_back += 1;
            }
            Err(error) => {
                assert!(matches!(error, Error::Backend(_)));
                failed += 1;
            }
        }
    }
    assert!(pulled_back > 0 && failed > 0, "{pulled_back} came back, {failed} failed");
}

fn metadata(bytes: usize) -> TensorMetadata {
    TensorMetadata::new("id", "name", DType::U8, [bytes as u64]).unwrap()
}

fn deliver(host: &ChannelSession, guest: &ChannelSession, plaintext: &[u8]) -> Result<(Pending, Vec<u8>), Error> {
    let metadata = metadata(plaintext.len());
    let sealed = host.encrypt_tensor(plaintext, &metadata).unwrap();
    let (header, rest) = sealed.as_bytes().split_at(64);
    let (encoded, body) = rest.split_at(metadata.encode().len());
    Ok((guest.reserve(header, encoded)?, body.to_vec()))
}
