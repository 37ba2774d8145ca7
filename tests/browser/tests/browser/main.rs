//! The conformance suite on the browser's WebGPU, Wycheproof's sets on it, and the channel as wasm.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../../common/wycheproof_bodies.rs"]
mod bodies;
mod channel;
mod keys;

use pqc_gpu_driver::{
    Result, conformance,
    device::{CpuDevice, WebDevice},
};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// One for all tests: a software adapter takes seconds to compile the shaders. The page goes when the tests are over.
async fn webgpu() -> Result<&'static WebDevice> {
    thread_local!(static DEVICE: core::cell::OnceCell<&'static WebDevice> = const { core::cell::OnceCell::new() });
    if let Some(device) = DEVICE.with(|device| device.get().copied()) {
        return Ok(device);
    }
    let device = &*Box::leak(Box::new(WebDevice::open().await?));
    Ok(DEVICE.with(|first| *first.get_or_init(|| device)))
}

async fn wasm() -> Result<CpuDevice> {
    Ok(CpuDevice::default())
}

conformance!(in_browser on_webgpu, webgpu());
conformance!(in_browser on_wasm, wasm());

#[wasm_bindgen_test]
async fn aes_gcm_on_webgpu() {
    bodies::aes_gcm(webgpu().await.unwrap()).await;
}

#[wasm_bindgen_test]
async fn cobblestone_on_webgpu() {
    bodies::cobblestone(webgpu().await.unwrap()).await;
}

#[wasm_bindgen_test]
async fn aes_gcm_on_wasm() {
    bodies::aes_gcm(&CpuDevice::default()).await;
}

#[wasm_bindgen_test]
async fn cobblestone_on_wasm() {
    bodies::cobblestone(&CpuDevice::default()).await;
}
