//! The conformance suite on every device.
#![allow(missing_docs)]

#[path = "common/adapters.rs"]
mod adapters;

use adapters::{hardware, llvmpipe, llvmpipe_adapter, swiftshader};
use pqc_gpu_driver::{
    Error, block_on, conformance,
    conformance::Awkward,
    device::{CpuDevice, WgpuDevice},
    wgpu,
};

conformance!(cpu, Ok(CpuDevice::default()));
conformance!(awkward, Ok(Awkward::new()));
conformance!(llvmpipe, llvmpipe());
conformance!(swiftshader, swiftshader());
conformance!(gpu, hardware());
conformance!(llvmpipe_with_tight_limits, tight_limits());

/// Bindings of 16 sealed chunks, so that bodies are split from 256 KiB on, and the strictest alignment there is.
fn tight_limits() -> Result<WgpuDevice, Error> {
    static DEVICE: std::sync::OnceLock<Result<WgpuDevice, Error>> = std::sync::OnceLock::new();
    let open = async || {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: 16 * 16_400,
            max_buffer_size: 64 << 20,
            min_storage_buffer_offset_alignment: 256,
            ..wgpu::Limits::default()
        };
        let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..wgpu::DeviceDescriptor::default() };
        let requested = llvmpipe_adapter().await?.request_device(&descriptor).await;
        let (device, queue) = requested.map_err(|error| Error::Backend(error.to_string()))?;
        WgpuDevice::new(device, queue)
    };
    DEVICE.get_or_init(|| block_on(open())).as_ref().map(WgpuDevice::sibling).map_err(Clone::clone)
}
