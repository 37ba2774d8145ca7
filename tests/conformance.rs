//! The conformance suite on the CPU device, on the awkward one, on software Vulkan and on the GPU at hand.
#![allow(missing_docs)]

#[path = "common/adapter.rs"]
mod chosen;

use pqc_gpu_driver::{
    Error,
    device::{WgpuDevice, wgpu::adapters},
};
use pqc_gpu_driver::{conformance, conformance::Awkward, device::CpuDevice};

conformance!(cpu, Ok(CpuDevice::default()));
conformance!(awkward, Ok(Awkward::new()));

/// The software Vulkan device that a name says, or why it is not here.
fn vulkan(name: &str) -> Result<WgpuDevice, Error> {
    pollster::block_on(async {
        for adapter in adapters().await {
            if adapter.get_info().name.contains(name) {
                return WgpuDevice::open(&adapter).await;
            }
        }
        let remedy = format!("wgpu finds no adapter named {name}; on Debian install mesa-vulkan-drivers");
        Err(Error::DeviceUnavailable { device: "wgpu".into(), remedy })
    })
}

conformance!(llvmpipe, vulkan("llvmpipe"));
conformance!(swiftshader, vulkan("SwiftShader"));
conformance!(adapter, chosen::at_hand());
