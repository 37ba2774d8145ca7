//! The GPUs there are, and devices of our own on them.

use super::WgpuDevice;
use crate::{Error, Result};

/// NVIDIA's PCI vendor number.
pub(super) const NVIDIA: u32 = 0x10de;
/// What the kernels' wide form needs.
pub(super) const WIDE: wgpu::Features = wgpu::Features::SHADER_INT64;

/// The adapters that wgpu finds, hardware before software.
#[cfg(not(target_arch = "wasm32"))]
pub async fn adapters() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let mut adapters = instance.enumerate_adapters(wgpu::Backends::PRIMARY).await;
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

impl WgpuDevice {
    /// A device of its own on an adapter, with the largest buffers and bindings that it allows, and with timestamp queries
    /// where it has them.
    pub async fn open(adapter: &wgpu::Adapter) -> Result<Self> {
        let unavailable = |remedy: String| Error::DeviceUnavailable { device: "wgpu".into(), remedy };
        let offered = adapter.limits();
        let required_limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            min_storage_buffer_offset_alignment: offered.min_storage_buffer_offset_alignment,
            ..wgpu::Limits::default()
        };
        let wanted = match adapter.get_info().vendor {
            NVIDIA => WIDE | wgpu::Features::TIMESTAMP_QUERY,
            _ => wgpu::Features::TIMESTAMP_QUERY,
        };
        let required_features = adapter.features() & wanted;
        let label = Some("pqc-gpu");
        let descriptor = wgpu::DeviceDescriptor { label, required_features, required_limits, ..Default::default() };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| unavailable(format!("{}: {error}", adapter.get_info().name)))?;
        WgpuDevice::new(device, queue)
    }
}
