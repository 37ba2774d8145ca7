//! The devices that the wgpu device is tested on, one of each a process: SwiftShader takes seconds to compile the shaders.
#![allow(dead_code, unreachable_pub, missing_docs)]

use std::sync::{Mutex, OnceLock, PoisonError};

use pqc_gpu_driver::{
    Error, block_on,
    device::{WgpuDevice, wgpu::adapters},
    wgpu,
};

/// Mesa's.
pub fn llvmpipe() -> Result<WgpuDevice, Error> {
    static DEVICE: OnceLock<Result<WgpuDevice, Error>> = OnceLock::new();
    let device = DEVICE.get_or_init(|| block_on(async { WgpuDevice::open(&llvmpipe_adapter().await?).await }));
    device.as_ref().map(WgpuDevice::sibling).map_err(Clone::clone)
}

/// Chromium's.
pub fn swiftshader() -> Result<WgpuDevice, Error> {
    static DEVICE: OnceLock<Result<WgpuDevice, Error>> = OnceLock::new();
    let device = DEVICE.get_or_init(|| block_on(async { WgpuDevice::open(&swiftshader_adapter().await?).await }));
    device.as_ref().map(WgpuDevice::sibling).map_err(Clone::clone)
}

/// The first that is no CPU, or the first whose name contains what `PQC_GPU_ADAPTER` says.
pub fn hardware() -> Result<WgpuDevice, Error> {
    static DEVICE: OnceLock<Result<WgpuDevice, Error>> = OnceLock::new();
    let device = DEVICE.get_or_init(|| block_on(async { WgpuDevice::open(&hardware_adapter().await?).await }));
    device.as_ref().map(WgpuDevice::sibling).map_err(Clone::clone)
}

pub async fn llvmpipe_adapter() -> Result<wgpu::Adapter, Error> {
    adapter("llvmpipe", "on Debian, apt-get install mesa-vulkan-drivers").await
}

pub async fn swiftshader_adapter() -> Result<wgpu::Adapter, Error> {
    adapter(
        "SwiftShader",
        "on Debian, apt-get install chromium and set VK_ADD_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json",
    )
    .await
}

async fn hardware_adapter() -> Result<wgpu::Adapter, Error> {
    if let Ok(wanted) = std::env::var("PQC_GPU_ADAPTER") {
        let is_wanted = |info: wgpu::AdapterInfo| info.name.to_lowercase().contains(&wanted.to_lowercase());
        return find(is_wanted, "wgpu finds no adapter whose name contains what PQC_GPU_ADAPTER says").await;
    }
    let is_hardware = |info: wgpu::AdapterInfo| info.device_type != wgpu::DeviceType::Cpu;
    find(is_hardware, "wgpu finds no GPU; install its vendor's Vulkan driver").await
}

async fn adapter(name: &str, remedy: &str) -> Result<wgpu::Adapter, Error> {
    let remedy = format!("there is no Vulkan device named {name}; {remedy}");
    find(|info: wgpu::AdapterInfo| info.name.contains(name), &remedy).await
}

async fn find(is_meant: impl Fn(wgpu::AdapterInfo) -> bool, remedy: &str) -> Result<wgpu::Adapter, Error> {
    // Drivers may not be loaded by two threads at once.
    static LOOKING: Mutex<()> = Mutex::new(());
    let _looking = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
    let found = block_on(adapters()).into_iter().find(|adapter| is_meant(adapter.get_info()));
    found.ok_or_else(|| Error::DeviceUnavailable { device: "wgpu".into(), remedy: remedy.into() })
}
