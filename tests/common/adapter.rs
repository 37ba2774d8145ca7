//! The GPU at hand, for tests that run on whichever there is.

use pqc_gpu_driver::{
    Error, block_on,
    device::{WgpuDevice, wgpu::adapters},
    wgpu::DeviceType,
};

/// The first hardware adapter, or the first adapter whose name contains what `PQC_GPU_ADAPTER` says, software included.
pub(crate) fn at_hand() -> Result<WgpuDevice, Error> {
    let wanted = std::env::var("PQC_GPU_ADAPTER").unwrap_or_default().to_lowercase();
    let mut found = block_on(adapters()).into_iter();
    let adapter = found.find(|adapter| {
        let info = adapter.get_info();
        match wanted.as_str() {
            "" => info.device_type != DeviceType::Cpu,
            name => info.name.to_lowercase().contains(name),
        }
    });
    let remedy = || match wanted.as_str() {
        "" => "wgpu finds no GPU; PQC_GPU_ADAPTER takes a part of a software adapter's name".into(),
        name => format!("wgpu finds no adapter whose name contains {name}"),
    };
    let adapter = adapter.ok_or_else(|| Error::DeviceUnavailable { device: "wgpu".into(), remedy: remedy() })?;
    block_on(WgpuDevice::open(&adapter))
}
