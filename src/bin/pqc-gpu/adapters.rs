//! wgpu's adapters: which there are, what `--device` calls them, and opening one.

use pqc_gpu_driver::{
    Error, block_on,
    device::{WgpuDevice, wgpu::adapters},
    wgpu,
};

use crate::{choose::Adapter, quiet};

/// An adapter and the name under which `--device` opens it.
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) software: bool,
    adapter: wgpu::Adapter,
}

/// Every adapter: GPUs first, in the order of their numbers, then software.
pub(crate) fn found() -> Vec<Found> {
    let mut hardware = 0;
    let found = quiet::during(|| block_on(adapters())).into_iter().map(|adapter| {
        let info = adapter.get_info();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let id = match (software, hardware) {
            // The first word of its name stands for all of it: "llvmpipe (LLVM 19.1.7, 256 bits)".
            (true, _) => format!("wgpu:{}", info.name.split_whitespace().next().unwrap_or("software")),
            (false, 0) => "wgpu".into(),
            (false, number) => format!("wgpu:{number}"),
        };
        hardware += u32::from(!software);
        Found { id, name: info.name, software, adapter }
    });
    found.collect()
}

impl Found {
    /// Opens it, under its own name.
    pub(crate) fn open(&self) -> Result<WgpuDevice, Error> {
        block_on(WgpuDevice::open(&self.adapter)).map(|device| device.with_id(&self.id))
    }
}

/// Opens the adapter that is meant, or says what there is instead.
pub(crate) fn open(choice: &Adapter) -> Result<WgpuDevice, Error> {
    let found = found();
    let meant = match choice {
        Adapter::Number(number) => found.iter().filter(|found| !found.software).nth(*number as usize),
        Adapter::Named(name) => {
            let name = name.to_lowercase();
            found.iter().find(|found| found.name.to_lowercase().contains(&name))
        }
    };
    match meant {
        Some(found) => found.open(),
        None => Err(absent(choice, &found)),
    }
}

fn absent(choice: &Adapter, found: &[Found]) -> Error {
    let of_kind = |software: bool| {
        let found = found.iter().filter(|found| found.software == software);
        found.map(|found| format!("--device {} ({})", found.id, found.name)).collect::<Vec<_>>().join(", ")
    };
    let (hardware, software) = (of_kind(false), of_kind(true));
    let (device, why) = match choice {
        Adapter::Number(0) => ("wgpu".into(), "wgpu finds no GPU; install its Vulkan driver".into()),
        Adapter::Number(number) => (format!("wgpu:{number}"), "wgpu finds no GPU of that number".into()),
        Adapter::Named(name) => (format!("wgpu:{name}"), format!("no adapter's name contains {name:?}")),
    };
    let mut remedy: Vec<String> = vec![why];
    if !hardware.is_empty() {
        remedy.push(format!("GPUs: {hardware}"));
    }
    if !software.is_empty() {
        remedy.push(format!("software adapters, which are taken by name only: {software}"));
    }
    remedy.push("or use --device cpu".into());
    Error::DeviceUnavailable { device, remedy: remedy.join("; ") }
}
