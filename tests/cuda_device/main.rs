//! The CUDA device: on the GPU at hand, where there is one, and on a stand-in driver, in a process of its own, which delays and
//! reorders whatever streams and events leave open. What holds on the stand-in is told of no GPU.
#![allow(missing_docs, clippy::unwrap_used)]

mod stand_in;

use pqc_gpu_driver::{conformance, device::CudaDevice};

conformance!(suite, CudaDevice::open(0));

/// Seeds choose the order in which the stand-in does what it may.
#[test]
fn the_suite_on_a_stand_in_driver() {
    for seed in ["1", "2", "3"] {
        stand_in::run("suite::", 44, 2, &[("PQC_STAND_IN_SEED", seed)]);
    }
}

#[test]
fn the_suite_without_pools_on_a_stand_in_driver() {
    stand_in::run("suite::", 44, 2, &[("PQC_STAND_IN_SEED", "4"), ("PQC_STAND_IN_POOLS", "0")]);
}
