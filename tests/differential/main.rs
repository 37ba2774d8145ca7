//! Random bodies, sealed and opened by every device's kernels, against aws-lc-rs; a third of them are altered first.
//!
//! 2,000 cases a device; `PQC_GPU_TESTS` says how many else, `full` for 100,000. A failure names its seed and case;
//! `PQC_GPU_TESTS_SEED` runs that seed again.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../common/adapters.rs"]
mod adapters;
mod cases;
mod kernels;

use cases::{Alteration, Case};
use kernels::Arenas;
use pqc_gpu_driver::{
    block_on,
    conformance::{self, Awkward},
    device::{CpuDevice, Device},
};

/// Bodies that are judged by one batch of launches.
const BATCH: u64 = 200;

#[test]
fn on_the_cpu_device() {
    agrees(&CpuDevice::default());
}

#[test]
fn on_the_awkward_device() {
    agrees(&Awkward::new());
}

#[test]
fn on_llvmpipe() {
    conformance::run(adapters::llvmpipe(), |device| agrees(&device));
}

#[test]
fn on_swiftshader() {
    conformance::run(adapters::swiftshader(), |device| agrees(&device));
}

#[test]
fn on_a_gpu() {
    conformance::run(adapters::hardware(), |device| agrees(&device));
}

fn agrees<D: Device>(device: &D) {
    let count = match std::env::var("PQC_GPU_TESTS").as_deref() {
        Ok("full") => 100_000,
        Ok(count) => count.parse().unwrap_or(2000),
        Err(_) => 2000,
    };
    let seed = match std::env::var("PQC_GPU_TESTS_SEED") {
        Ok(seed) => seed.parse().expect("PQC_GPU_TESTS_SEED is a number"),
        Err(_) => getrandom::u64().unwrap(),
    };
    let mut launches = device.launches();
    let (mut bytes, mut altered) = (0, 0);
    for first in (0..count).step_by(BATCH as usize) {
        let numbers = first..count.min(first + BATCH);
        let cases: Vec<Case> = numbers.clone().map(|number| Case::new(seed, number)).collect();
        let what = |i: usize| format!("seed {seed}, case {}: {}", numbers.start + i as u64, cases[i]);

        let sealed = block_on(kernels::seal(device, &cases));
        for (i, (case, sealed)) in cases.iter().zip(sealed).enumerate() {
            assert!(sealed == case.sealed, "{} is sealed otherwise", what(i));
        }
        let Arenas { opened, beside } = block_on(kernels::open(device, &cases));
        for (i, (case, (holds, opened))) in cases.iter().zip(opened).enumerate() {
            bytes += case.plaintext.len();
            if case.alteration == Alteration::None {
                assert!(holds && opened == case.plaintext, "{} does not open", what(i));
            } else {
                altered += 1;
                assert!(!holds && opened.iter().all(|&byte| byte == 0), "{} opens", what(i));
            }
        }
        assert!(beside.iter().all(|&byte| byte == kernels::BESIDE), "seed {seed}, cases from {first}: wrote beside");
        // expand_key and seal; expand_key, verify, finalize, and open where there is something to open.
        launches += cases.iter().map(|case| 5 + u64::from(case.opened_bytes() > 0)).sum::<u64>();
    }
    assert_eq!(device.launches(), launches, "the kernels answered, and nobody else");
    println!("{}: {count} cases, {altered} of them altered, {bytes} bytes", device.info().name);
}
