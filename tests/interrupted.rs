//! Calls that fail once while the device goes on, futures dropped in the middle, panics in a source, and callers that
//! share a device: what was not released is zeros, every queued tensor has its result, nothing hangs.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    future::Future,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
};

use pqc_gpu_driver::{
    Backend, ChannelSession, DType, EncryptedTensor, Error, TensorMetadata, block_on,
    channel::session::Pending,
    conformance::{Awkward, noise, read},
    device::{CpuBuffer, CpuDevice, Device, Slot, SlotWriter},
    establish_channel,
    transfer::{Destination, DeviceTensor, Transfer},
};

/// Lengths of the tensors: one of them needs more slots than the ring has.
const LENGTHS: [usize; 5] = [20_000, 1000, 200_000, 40_000, 3];
const STRIDE: u64 = 200_192;

/// Queues all tensors into one buffer, until an error.
async fn queue_all(
    transfer: &mut Transfer<&Awkward>,
    host: &ChannelSession,
    guest: &ChannelSession,
    buffer: &CpuBuffer,
) -> usize {
    for (i, length) in LENGTHS.into_iter().enumerate() {
        let Ok((pending, body)) = deliver(host, guest, &noise(i as u64, length)) else { return i };
        let destination = Destination::Buffer(buffer, i as u64 * STRIDE);
        if transfer.begin_open(pending, destination, source(&body)).await.is_err() {
            return i;
        }
    }
    LENGTHS.len()
}

/// What was released is there, what was not is zeros.
async fn check_buffer(device: &Awkward, buffer: &CpuBuffer, released: &[bool], what: &str) {
    for (i, length) in LENGTHS.into_iter().enumerate() {
        let start = i as u64 * STRIDE;
        let seen = read(device, buffer, start..start + length as u64).await;
        if released.get(i) == Some(&true) {
            assert!(seen == noise(i as u64, length), "{what}: tensor {i} was released and is not there");
        } else {
            assert!(seen.iter().all(|&byte| byte == 0), "{what}: tensor {i} was not released and can be read");
        }
    }
}

/// What the device did is not taken for an attack.
fn check_errors(results: &[Result<DeviceTensor<&Awkward>, Error>], what: &str) {
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        let is_device = matches!(error, Error::Backend(_) | Error::ChannelFailed);
        assert!(is_device, "{what}: a device's failure passes for an attack: {error}");
    }
}

fn opened(results: &[Result<DeviceTensor<&Awkward>, Error>]) -> Vec<bool> {
    results.iter().map(Result::is_ok).collect()
}

#[test]
fn a_call_that_fails_once_loses_no_result_and_leaves_no_plaintext() {
    for call in 0..1000 {
        let device = Awkward::fails_once_at(call);
        let (host, guest) = establish_channel("host", "device").unwrap();
        let done = block_on(async {
            let Ok(buffer) = device.alloc(STRIDE * LENGTHS.len() as u64) else { return false };
            let mut transfer = Transfer::new(&device);
            let queued = queue_all(&mut transfer, &host, &guest, &buffer).await;
            let results = transfer.settle().await;
            let what = format!("failed once at call {call}");
            assert_eq!(results.len(), queued, "{what}: results");
            check_errors(&results, &what);
            let released = opened(&results);
            assert!(released.is_sorted_by(|a, b| a >= b), "{what}: released after a failure");
            let complete = released.iter().filter(|&&ok| ok).count() == LENGTHS.len();
            assert_eq!(guest.is_valid(), complete, "{what}");
            drop(transfer);
            let done = !device.has_failed();
            check_buffer(&device, &buffer, &released, &what).await;
            done
        });
        if done {
            assert!(call > 20, "the scenario has few calls that can fail: {call}");
            return;
        }
    }
    panic!("the scenario does not end");
}

#[test]
fn a_settle_dropped_at_any_point_releases_nothing_unseen() {
    for polls in 0..1000 {
        let device = Awkward::new();
        let (host, guest) = establish_channel("host", "device").unwrap();
        let done = block_on(async {
            let buffer = device.alloc(STRIDE * LENGTHS.len() as u64).unwrap();
            let mut transfer = Transfer::new(&device);
            let queued = queue_all(&mut transfer, &host, &guest, &buffer).await;
            assert_eq!(queued, LENGTHS.len());
            if poll_some(transfer.settle(), polls).is_some() {
                return true;
            }
            let what = format!("dropped after {polls} polls");
            let results = if polls % 2 == 0 { transfer.settle().await } else { Vec::new() };
            if polls % 2 == 0 {
                assert_eq!(results.len(), queued, "{what}: results");
                check_errors(&results, &what);
            }
            drop(transfer);
            check_buffer(&device, &buffer, &opened(&results), &what).await;
            false
        });
        if done {
            assert!(polls > 5, "the scenario waits rarely: {polls}");
            return;
        }
    }
    panic!("the scenario does not end");
}

#[test]
fn a_begin_open_dropped_at_any_point_ends_the_session_and_spares_what_came_before() {
    for polls in 0..1000 {
        let device = Awkward::new();
        let (host, guest) = establish_channel("host", "device").unwrap();
        let done = block_on(async {
            let mut transfer = Transfer::new(&device);
            let (first, first_body) = deliver(&host, &guest, &noise(0, 50_000)).unwrap();
            let (second, second_body) = deliver(&host, &guest, &noise(1, 200_000)).unwrap();
            transfer.begin_open_bytes(first, &first_body).await.unwrap();
            if poll_some(transfer.begin_open_bytes(second, &second_body), polls).is_some() {
                return true;
            }
            assert!(!guest.is_valid());
            let results = transfer.settle().await;
            assert_eq!(opened(&results), [true], "dropped after {polls} polls");
            // Another session goes on over the same transfer.
            let (host, guest) = establish_channel("host", "device").unwrap();
            let (pending, body) = deliver(&host, &guest, &noise(2, 50_000)).unwrap();
            transfer.open(pending, &body).await.unwrap();
            false
        });
        if done {
            assert!(polls > 5, "the scenario waits rarely: {polls}");
            return;
        }
    }
    panic!("the scenario does not end");
}

#[test]
fn a_seal_between_opens_hides_no_failure_of_theirs() {
    for call in 0..1000 {
        let device = Awkward::new();
        let (host, guest) = establish_channel("host", "device").unwrap();
        let done = block_on(async {
            let buffer = device.alloc(STRIDE * LENGTHS.len() as u64).unwrap();
            let mut transfer = Transfer::new(&device);
            let (host2, guest2) = establish_channel("host", "device").unwrap();
            let (pending, body) = deliver(&host2, &guest2, &noise(9, 100_000)).unwrap();
            let held = transfer.open(pending, &body).await.unwrap();
            let queued = queue_all(&mut transfer, &host, &guest, &buffer).await;
            device.fail_once_after(call);
            let sealed = transfer.seal(&guest2, &held, |_| Ok(())).await;
            let results = transfer.settle().await;
            let what = format!("failed once at call {call}");
            assert_eq!(results.len(), queued, "{what}: results");
            check_errors(&results, &what);
            let complete = opened(&results).iter().all(|&ok| ok);
            assert_eq!(guest.is_valid(), complete, "{what}");
            let failed = device.has_failed();
            assert!(!failed || sealed.is_err() || !complete, "{what}: the failure was swallowed");
            drop(transfer);
            check_buffer(&device, &buffer, &opened(&results), &what).await;
            !failed
        });
        if done {
            assert!(call > 5, "the scenario has few calls that can fail: {call}");
            return;
        }
    }
    panic!("the scenario does not end");
}

#[test]
fn a_panicking_source_ends_its_session_alone() {
    let device = CpuDevice::default();
    let mut transfer = Transfer::new(&device);
    let (host, guest) = establish_channel("host", "device").unwrap();
    let (pending, _) = deliver(&host, &guest, &noise(0, 50_000)).unwrap();
    let source = |_: Range<u64>, _: &mut _| panic!("a source panics");
    let opened = catch_unwind(AssertUnwindSafe(|| block_on(transfer.begin_open(pending, Destination::Owned, source))));
    assert!(opened.is_err() && !guest.is_valid());
    let (host, guest) = establish_channel("host", "device").unwrap();
    for i in 0..6 {
        let (pending, body) = deliver(&host, &guest, &noise(i, 50_000)).unwrap();
        block_on(transfer.begin_open_bytes(pending, &body)).unwrap();
    }
    assert!(block_on(transfer.settle()).iter().all(Result::is_ok));
}

#[test]
fn a_destination_beyond_its_buffer_spoils_no_clearing_but_its_own() {
    let device = CpuDevice::default();
    let (host, guest) = establish_channel("host", "device").unwrap();
    let buffer = device.alloc(1 << 20).unwrap();
    let mut transfer = Transfer::new(&device);
    block_on(async {
        for (i, offset) in [1 << 30, 0, 65_536, 131_072].into_iter().enumerate() {
            let (pending, body) = deliver(&host, &guest, &noise(i as u64, 50_000)).unwrap();
            transfer.begin_open(pending, Destination::Buffer(&buffer, offset), source(&body)).await.unwrap();
        }
        let results = transfer.settle().await;
        assert_eq!(results.len(), 4);
        assert!(results.iter().all(Result::is_err));
    });
    buffer.with_bytes(|bytes| assert!(bytes.iter().all(|&byte| byte == 0), "unreleased plaintext can be read"));

    let (host, guest) = establish_channel("host", "device").unwrap();
    let (pending, body) = deliver(&host, &guest, &noise(0, 50_000)).unwrap();
    let destination = Destination::Buffer(&buffer, u64::MAX - 15);
    let refused = block_on(transfer.begin_open(pending, destination, source(&body)));
    assert!(matches!(refused, Err(Error::Usage(_))));
}

#[test]
fn transfers_take_turns_on_one_device() {
    fn take_turns<D: Device>(device: &D) {
        let mut transfers: Vec<_> =
            (0..3).map(|_| (Transfer::new(device), establish_channel("a", "b").unwrap())).collect();
        block_on(async {
            for round in 0..3 {
                for (i, (transfer, (host, guest))) in transfers.iter_mut().enumerate() {
                    let (pending, body) = deliver(host, guest, &noise(round * 3 + i as u64, 50_000)).unwrap();
                    transfer.begin_open_bytes(pending, &body).await.unwrap();
                }
            }
            for (transfer, _) in &mut transfers {
                let results = transfer.settle().await;
                assert_eq!(results.len(), 3);
                assert!(results.iter().all(Result::is_ok));
            }
        });
    }
    take_turns(&CpuDevice::default());
    take_turns(&Awkward::new());
}

#[test]
fn parallel_callers_wait_for_slots_rather_than_fail() {
    let (host, guest) = establish_channel("host", "device").unwrap();
    let plaintext = noise(1, 18_000_000);
    let sealed = host.encrypt_tensor(&plaintext, &metadata(plaintext.len())).unwrap();
    let backend = Backend::new(CpuDevice::default());
    std::thread::scope(|scope| {
        let one = || {
            for _ in 0..2 {
                let handle = block_on(backend.upload(&sealed)).unwrap();
                assert!(block_on(backend.download(handle)).unwrap() == sealed);
                block_on(backend.free(handle)).unwrap();
            }
        };
        let threads: Vec<_> = (0..5).map(|_| scope.spawn(one)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert!(guest.decrypt_tensor(&EncryptedTensor::from_bytes(sealed.as_bytes()).unwrap()).unwrap() == plaintext);
}

/// A forged header announces the largest tensor; no body follows. Its memory is neither filled nor erased.
#[test]
fn an_announced_tensor_that_does_not_come_takes_no_memory() {
    let device = CpuDevice::default();
    // As much as a machine of any size lends without giving.
    let bytes = 1 << 31;
    let started = std::time::Instant::now();
    for _ in 0..64 {
        let Ok(buffer) = device.alloc(bytes) else { return };
        drop(buffer);
    }
    // To erase 128 GiB takes many times as long.
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
}

/// Polls a future some times and drops it.
fn poll_some<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
    }
    None
}

fn source<S: Slot>(body: &[u8]) -> impl FnMut(Range<u64>, &mut S) -> Result<(), Error> {
    |range, slot| {
        let bytes = &body[range.start as usize..range.end as usize];
        slot.writers(&[bytes.len() as u64])?[0].write(0, bytes)
    }
}

fn metadata(bytes: usize) -> TensorMetadata {
    TensorMetadata::new("id", "name", DType::U8, [bytes as u64]).unwrap()
}

fn deliver(host: &ChannelSession, guest: &ChannelSession, plaintext: &[u8]) -> Result<(Pending, Vec<u8>), Error> {
    let metadata = metadata(plaintext.len());
    let sealed = host.encrypt_tensor(plaintext, &metadata)?;
    let (header, rest) = sealed.as_bytes().split_at(64);
    let (encoded, body) = rest.split_at(metadata.encode().len());
    Ok((guest.reserve(header, encoded)?, body.to_vec()))
}
