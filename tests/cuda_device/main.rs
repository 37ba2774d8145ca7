//! The CUDA device: on the GPU at hand, where there is one, and on a stand-in driver, in a process of its own, which delays and
//! reorders whatever streams and events leave open. What holds on the stand-in is told of no GPU.
#![allow(missing_docs, clippy::unwrap_used)]

mod driver;
mod loss;
mod memory;
mod program;
mod sharing;
mod stand_in;

use std::ops::Range;

use pqc_gpu_driver::{
    ChannelSession, DType, Result, TensorMetadata,
    channel::session::Pending,
    conformance,
    device::{CudaDevice, Slot, SlotWriter},
};

conformance!(suite, CudaDevice::open(0));

fn suite_on_a_stand_in(environment: &[(&str, &str)]) {
    stand_in::run("suite::", 57, 2, environment);
}

/// Seeds choose the order in which the stand-in does what it may.
#[test]
fn the_suite_on_a_stand_in_driver() {
    for seed in ["1", "2", "3"] {
        suite_on_a_stand_in(&[("PQC_STAND_IN_SEED", seed)]);
    }
}

#[test]
fn the_suite_without_pools_on_a_stand_in_driver() {
    suite_on_a_stand_in(&[("PQC_STAND_IN_SEED", "4"), ("PQC_STAND_IN_POOLS", "0")]);
}

#[test]
fn memory_on_a_stand_in_driver() {
    for seed in ["1", "2", "3", "4"] {
        stand_in::run("memory::", 11, 2, &[("PQC_STAND_IN_SEED", seed)]);
    }
}

#[test]
fn failures_and_losses_on_a_stand_in_driver() {
    for seed in ["1", "2"] {
        stand_in::run("loss::", 6, 1, &[("PQC_STAND_IN_SEED", seed)]);
    }
}

#[test]
fn sharing_on_a_stand_in_driver() {
    stand_in::run("sharing::", 3, 1, &[]);
}

fn metadata(bytes: usize) -> TensorMetadata {
    TensorMetadata::new("id", "name", DType::U8, [bytes as u64]).unwrap()
}

/// Seals at the host and reserves at the other end.
fn deliver(host: &ChannelSession, guest: &ChannelSession, plaintext: &[u8]) -> (Pending, Vec<u8>) {
    let metadata = metadata(plaintext.len());
    let sealed = host.encrypt_tensor(plaintext, &metadata).unwrap();
    let (header, rest) = sealed.as_bytes().split_at(64);
    let (encoded, body) = rest.split_at(metadata.encode().len());
    (guest.reserve(header, encoded).unwrap(), body.to_vec())
}

fn source<S: Slot>(body: &[u8]) -> impl FnMut(Range<u64>, &mut S) -> Result<()> {
    |range, slot| {
        let mut writers = slot.writers(&[range.end - range.start])?;
        writers[0].write(0, &body[range.start as usize..range.end as usize])
    }
}
