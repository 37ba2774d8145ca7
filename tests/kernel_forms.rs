//! The forms that kernels can be built from compute the same: the conformance suite on llvmpipe with those that were not chosen.
#![allow(missing_docs)]

use pqc_gpu_driver::{
    Error, Result, conformance,
    device::{WgpuDevice, wgpu::adapters},
    kernel::wgsl::{AesForm, Forms, GhashForm},
    wgpu,
};

fn other_forms() -> Result<WgpuDevice> {
    let unavailable = |remedy: String| Error::DeviceUnavailable { device: "llvmpipe".into(), remedy };
    pollster::block_on(async {
        let adapters = adapters().await;
        let adapter = adapters.iter().find(|adapter| adapter.get_info().name.contains("llvmpipe"));
        let adapter = adapter.ok_or_else(|| unavailable("on Debian install mesa-vulkan-drivers".into()))?;
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor::default())
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        WgpuDevice::with_forms(device, queue, Forms { aes: AesForm::Planes, ghash: GhashForm::Products })
    })
}

conformance!(planes_and_products, other_forms());
