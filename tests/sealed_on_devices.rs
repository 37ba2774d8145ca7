//! Tensors of sealed files on devices that fail, under futures that are dropped, and at random: what was not released is zeros, a
//! device's failure is nobody's attack, and what failed on the way comes the second time.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "common/adapters.rs"]
mod adapters;

use std::{
    future::Future,
    ops::Range,
    pin::pin,
    task::{Context, Poll, Waker},
};

use pqc_gpu_driver::{
    Error, block_on,
    conformance::{self, Awkward, noise, read, sealed::Sample},
    device::{CpuBuffer, CpuDevice, Device, Slot, SlotWriter},
    sealed::{Roots, SealedPart},
    transfer::{Destination, DeviceTensor, Origin, SealedArrival, Transfer},
};

const CHUNK: usize = 16_400;
/// Lengths of the tensors: one of them needs more slots than the ring has.
const LENGTHS: [usize; 5] = [20_000, 1000, 200_000, 40_000, 3];
const STRIDE: u64 = 200_192;

fn samples() -> Vec<Sample> {
    let sample = |(seed, length)| block_on(Sample::bytes(seed, length));
    (0u8..).zip(LENGTHS).map(sample).collect()
}

/// Queues all that can be queued, whole and in pieces by turns.
async fn queue_all(transfer: &mut Transfer<&Awkward>, samples: &[Sample], buffer: &CpuBuffer) -> Vec<usize> {
    let mut queued = Vec::new();
    for (i, sample) in samples.iter().enumerate() {
        let to = Destination::Buffer(buffer, i as u64 * STRIDE);
        let part = sample.body.whole(Roots::Check);
        let begun = match i % 2 {
            0 => transfer.begin_open_sealed(&part, to, source(&sample.sealed)).await,
            _ => arrive(transfer, &part, to, &sample.sealed).await,
        };
        match begun {
            Ok(()) => queued.push(i),
            Err(error) => assert!(matches!(error, Error::Backend(_)), "{error}"),
        }
    }
    queued
}

/// Every piece is pushed until it has arrived, but no more than twice.
async fn arrive<'d>(
    transfer: &mut Transfer<&'d Awkward>,
    part: &SealedPart<'_>,
    to: Destination<'_, &'d Awkward>,
    sealed: &[u8],
) -> Result<(), Error> {
    let mut arrival = transfer.sealed_arrival(part, to).await?;
    for piece in sealed.chunks(2 * CHUNK) {
        if arrival.push(transfer, piece).await.is_err() {
            arrival.push(transfer, piece).await?;
        }
    }
    arrival.finish(transfer)
}

async fn check_buffer(device: &Awkward, buffer: &CpuBuffer, samples: &[Sample], released: &[usize], what: &str) {
    for (i, sample) in samples.iter().enumerate() {
        let start = i as u64 * STRIDE;
        let seen = read(device, buffer, start..start + sample.plaintext.len() as u64).await;
        if released.contains(&i) {
            assert!(seen == sample.plaintext, "{what}: tensor {i} was released and is not there");
        } else {
            assert!(seen.iter().all(|&byte| byte == 0), "{what}: tensor {i} was not released and can be read");
        }
    }
}

/// Which of what was queued was released. What the device did is not taken for an attack.
fn released(queued: &[usize], results: &[Result<DeviceTensor<&Awkward>, Error>], what: &str) -> Vec<usize> {
    assert_eq!(queued.len(), results.len(), "{what}: results");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(matches!(error, Error::Backend(_)), "{what}: a device's failure passes for an attack: {error}");
    }
    queued.iter().zip(results).filter(|(_, result)| result.is_ok()).map(|(&i, _)| i).collect()
}

#[test]
fn beyond_sealed_device_fails_once_at_each_call() {
    let samples = samples();
    for call in 0..1000 {
        let device = Awkward::fails_once_at(call);
        let what = format!("failed once at call {call}");
        let done = block_on(async {
            let Ok(buffer) = device.alloc(STRIDE * LENGTHS.len() as u64) else { return false };
            let mut transfer = Transfer::new(&device);
            let queued = queue_all(&mut transfer, &samples, &buffer).await;
            let results = transfer.settle().await;
            let first = released(&queued, &results, &what);
            let done = !device.has_failed();
            assert!(done || first.len() < LENGTHS.len() || queued.len() == LENGTHS.len(), "{what}");
            check_buffer(&device, &buffer, &samples, &first, &what).await;
            // The device goes on, and so does the transfer.
            let queued = queue_all(&mut transfer, &samples, &buffer).await;
            let results = transfer.settle().await;
            assert_eq!(released(&queued, &results, &what), [0, 1, 2, 3, 4], "{what}");
            done
        });
        if done {
            assert!(call > 40, "the scenario has few calls that can fail: {call}");
            return;
        }
    }
    panic!("the scenario does not end");
}

#[test]
fn beyond_sealed_device_lost_at_each_call() {
    let samples = samples();
    for call in 0..1000 {
        let device = Awkward::lost_at(call);
        let what = format!("lost at call {call}");
        let done = block_on(async {
            let Ok(buffer) = device.alloc(STRIDE * LENGTHS.len() as u64) else { return false };
            let mut transfer = Transfer::new(&device);
            let queued = queue_all(&mut transfer, &samples, &buffer).await;
            let results = transfer.settle().await;
            released(&queued, &results, &what).len() == LENGTHS.len()
        });
        if done {
            assert!(call > 40, "the scenario has few calls that can fail: {call}");
            return;
        }
    }
    panic!("a device that was never lost does not open everything");
}

/// An arrival outlives a failure of the device that another tensor's settle was told of: its error is the device's too.
#[test]
fn a_failure_told_to_others_is_no_attack_on_an_arrival() {
    let (sample, other) = (block_on(Sample::bytes(1, 100_000)), block_on(Sample::bytes(2, 100)));
    let mut failed = 0;
    for call in 0..100 {
        let device = Awkward::new();
        let mut transfer = Transfer::new(&device);
        block_on(async {
            let mut arrival =
                transfer.sealed_arrival(&sample.body.whole(Roots::Check), Destination::Owned).await.unwrap();
            device.fail_once_after(call);
            let mut pushed = true;
            for piece in sample.sealed.chunks(CHUNK) {
                pushed &= arrival.push(&mut transfer, piece).await.is_ok()
                    || arrival.push(&mut transfer, piece).await.is_ok();
            }
            let told = transfer.begin_open_sealed_bytes(&other.body.whole(Roots::Check), &other.sealed).await;
            let results = transfer.settle().await;
            let has_failed = device.has_failed();
            if !pushed {
                return;
            }
            arrival.finish(&mut transfer).unwrap();
            let arrived = transfer.settle().await.pop().unwrap();
            let told = told.is_err() || results.iter().any(Result::is_err);
            match arrived {
                Ok(_) => {}
                Err(Error::Backend(_)) if has_failed && told => failed += 1,
                Err(error) => panic!("call {call}: {error}"),
            }
        });
    }
    assert!(failed > 0, "no failure met the arrival alone");
}

#[test]
fn beyond_sealed_open_dropped_at_any_point() {
    let (first, second) = (block_on(Sample::bytes(1, 50_000)), block_on(Sample::bytes(2, 200_000)));
    for polls in 0..1000 {
        let device = Awkward::new();
        let done = block_on(async {
            let mut transfer = Transfer::new(&device);
            transfer.begin_open_sealed_bytes(&first.body.whole(Roots::Check), &first.sealed).await.unwrap();
            let part = second.body.whole(Roots::Check);
            if poll_some(transfer.begin_open_sealed_bytes(&part, &second.sealed), polls).is_some() {
                return true;
            }
            let results = transfer.settle().await;
            assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true], "dropped after {polls} polls");
            transfer.open_sealed(&part, &second.sealed).await.unwrap();
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
fn a_push_dropped_at_any_point_is_made_up_for() {
    let sample = block_on(Sample::bytes(2, 200_000));
    for polls in 0..1000 {
        let device = Awkward::new();
        let done = block_on(async {
            let mut transfer = Transfer::new(&device);
            let part = sample.body.whole(Roots::Check);
            let mut arrival = transfer.sealed_arrival(&part, Destination::Owned).await.unwrap();
            let (first, rest) = sample.sealed.split_at(8 * CHUNK);
            let done = poll_some(arrival.push(&mut transfer, first), polls).is_some();
            assert_eq!(arrival.missing_bytes() as usize, sample.sealed.len() - if done { first.len() } else { 0 });
            if !done {
                arrival.push(&mut transfer, first).await.unwrap();
            }
            arrival.push(&mut transfer, rest).await.unwrap();
            arrival.finish(&mut transfer).unwrap();
            assert!(transfer.settle().await.pop().unwrap().is_ok(), "dropped after {polls} polls");
            done
        });
        if done {
            assert!(polls > 2, "the scenario waits rarely: {polls}");
            return;
        }
    }
    panic!("the scenario does not end");
}

#[test]
fn beyond_sealed_settle_dropped_at_any_point() {
    let samples = samples();
    for polls in 0..1000 {
        let device = Awkward::new();
        let done = block_on(async {
            let buffer = device.alloc(STRIDE * LENGTHS.len() as u64).unwrap();
            let mut transfer = Transfer::new(&device);
            let queued = queue_all(&mut transfer, &samples, &buffer).await;
            if poll_some(transfer.settle(), polls).is_some() {
                return true;
            }
            let what = format!("dropped after {polls} polls");
            let results = if polls % 2 == 0 { transfer.settle().await } else { Vec::new() };
            let seen = if polls % 2 == 0 { released(&queued, &results, &what) } else { Vec::new() };
            drop(transfer);
            check_buffer(&device, &buffer, &samples, &seen, &what).await;
            false
        });
        if done {
            assert!(polls > 5, "the scenario waits rarely: {polls}");
            return;
        }
    }
    panic!("the scenario does not end");
}

/// Random lengths, rows and alterations, each judged as a host that has the tree by the book would.
fn at_random<D: Device>(device: &D) {
    let mut transfer = Transfer::new(device);
    for case in 0..60u64 {
        let random = noise(40_000 + case, 16);
        let (width, rows) = (1 + u64::from(random[0]) * 40, 1 + u64::from(random[1]));
        block_on(async {
            let dtype = [pqc_gpu_driver::DType::U8, pqc_gpu_driver::DType::F32][usize::from(random[2] % 2)];
            let sample = Sample::new(random[3], dtype, &[rows, width]).await;
            let (from, to) = (u64::from(random[4]) % rows, u64::from(random[5]) % rows);
            let part = match random[6] % 3 {
                0 => sample.body.whole(Roots::Check),
                1 => sample.body.whole(Roots::Skip),
                _ => sample.body.rows(from.min(to)..from.max(to) + 1, Roots::Skip).unwrap(),
            };
            // As it is; a bit of it altered; or another tensor by somebody who has the key.
            let mut sealed = sample.sealed.clone();
            let mut plaintext = sample.plaintext.clone();
            match random[7] % 3 {
                0 => {}
                1 => {
                    let range = part.sealed();
                    let at = u64::from_le_bytes(random[8..].try_into().unwrap()) % (range.end - range.start);
                    sealed[(range.start + at) as usize] ^= 1 << (random[7] / 3 % 8);
                }
                _ => {
                    let at = usize::from(random[8]) * plaintext.len() / 256;
                    plaintext[at] ^= 0x20;
                    sealed = sample.seal(&plaintext).await;
                }
            }
            let kind = random[7] % 3;
            let good = kind == 0 || (kind == 2 && part.roots() == Roots::Skip);
            let range = part.sealed();
            let opened = transfer.open_sealed(&part, &sealed[range.start as usize..range.end as usize]).await;
            assert_eq!(opened.as_ref().err(), (!good).then_some(&Error::Decryption), "case {case}");
            let Ok(tensor) = opened else { return };
            let row = plaintext.len() / rows as usize;
            let first = if part.metadata() == sample.body.metadata() { 0 } else { from.min(to) as usize };
            let bytes = tensor.metadata().size_bytes();
            let expected = &plaintext[first * row..first * row + bytes as usize];
            assert!(read(device, tensor.buffer(), 0..bytes).await == expected, "case {case}");
            let checked = tensor.origin() == Origin::Publisher;
            assert_eq!(checked, part.roots() == Roots::Check, "case {case}");
        });
    }
}

#[test]
fn at_random_on_the_cpu_device() {
    at_random(&CpuDevice::default());
}

#[test]
fn at_random_on_the_awkward_device() {
    at_random(&Awkward::new());
}

#[test]
fn at_random_on_llvmpipe() {
    conformance::run(adapters::llvmpipe(), |device| at_random(&device));
}

#[test]
fn at_random_on_swiftshader() {
    conformance::run(adapters::swiftshader(), |device| at_random(&device));
}

#[test]
fn at_random_on_a_gpu() {
    conformance::run(adapters::hardware(), |device| at_random(&device));
}

/// Arrivals may be kept, and moved to where the rest of their bytes comes from.
#[test]
fn arrivals_go_where_they_are_needed() {
    fn is_send<T: Send>() {}
    is_send::<SealedArrival<CpuDevice>>();
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
