//! The forms that kernels can be built from compute the same: the conformance suite on llvmpipe with those that were not chosen.
#![allow(missing_docs)]

use pqc_gpu_driver::{
    Error, Result, conformance,
    device::{WgpuDevice, wgpu::adapters},
    kernel::wgsl::{AesForm, Forms, GhashForm},
    wgpu,
};

fn in_forms(forms: Forms) -> Result<WgpuDevice> {
    let unavailable = |remedy: String| Error::DeviceUnavailable { device: "llvmpipe".into(), remedy };
    pollster::block_on(async {
        let adapters = adapters().await;
        let adapter = adapters.iter().find(|adapter| adapter.get_info().name.contains("llvmpipe"));
        let adapter = adapter.ok_or_else(|| unavailable("on Debian install mesa-vulkan-drivers".into()))?;
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                required_features: match forms.ghash {
                    GhashForm::Wide => wgpu::Features::SHADER_INT64,
                    _ => wgpu::Features::empty(),
                },
                ..Default::default()
            })
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        WgpuDevice::with_forms(device, queue, forms)
    })
}

conformance!(planes_and_products, in_forms(Forms { aes: AesForm::Planes, ghash: GhashForm::Products }));
conformance!(wide_products, in_forms(Forms { aes: AesForm::Bitslice, ghash: GhashForm::Wide }));
