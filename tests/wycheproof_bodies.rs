//! Wycheproof's AES-GCM and Cobblestone-256 sets, complete, on the kernels of every device.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "common/adapters.rs"]
mod adapters;

#[path = "common/wycheproof_bodies.rs"]
mod bodies;

use bodies::{aes_gcm, cobblestone};
use pqc_gpu_driver::{
    block_on,
    conformance::{self, Awkward},
    device::CpuDevice,
};

#[test]
fn aes_gcm_on_the_cpu_device() {
    block_on(aes_gcm(&CpuDevice::default()));
}

#[test]
fn aes_gcm_on_the_awkward_device() {
    block_on(aes_gcm(&Awkward::new()));
}

#[test]
fn cobblestone_on_the_cpu_device() {
    block_on(cobblestone(&CpuDevice::default()));
}

#[test]
fn cobblestone_on_the_awkward_device() {
    block_on(cobblestone(&Awkward::new()));
}

#[test]
fn aes_gcm_on_llvmpipe() {
    conformance::run(adapters::llvmpipe(), |device| block_on(aes_gcm(&device)));
}

#[test]
fn cobblestone_on_llvmpipe() {
    conformance::run(adapters::llvmpipe(), |device| block_on(cobblestone(&device)));
}

#[test]
fn aes_gcm_on_swiftshader() {
    conformance::run(adapters::swiftshader(), |device| block_on(aes_gcm(&device)));
}

#[test]
fn cobblestone_on_swiftshader() {
    conformance::run(adapters::swiftshader(), |device| block_on(cobblestone(&device)));
}

#[test]
fn aes_gcm_on_a_gpu() {
    conformance::run(adapters::hardware(), |device| block_on(aes_gcm(&device)));
}

#[test]
fn cobblestone_on_a_gpu() {
    conformance::run(adapters::hardware(), |device| block_on(cobblestone(&device)));
}
