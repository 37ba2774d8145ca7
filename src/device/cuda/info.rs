//! Which GPUs there are, and what each is.

use core::ffi::{CStr, c_char};

use cudarc::driver::sys::{CUdevice, CUdevice_attribute};

use super::{
    super::DeviceInfo,
    driver::{self, Call, call},
};
use crate::{
    Error, Result,
    kernel::{CHUNK_BYTES, TAG_BYTES, cuda::CONTEXT_BYTES},
};

/// Capacity of a staging slot.
const SLOT_BYTES: u64 = 256 * (CHUNK_BYTES + TAG_BYTES as u64);
const SLOTS: usize = 8;
/// As of wgpu: the tensor kernels count within a binding in 32 bits.
const MAX_BINDING_BYTES: u64 = 2 << 30;
/// What the driver aligns allocations to, and what whole memory transactions start at.
const ALIGNMENT: u64 = 256;
/// The oldest that the kernels are compiled for.
const LEAST_CAPABILITY: (u32, u32) = (7, 5);

/// The GPUs, as many as the driver shows to this process.
pub(super) fn count() -> Result<u32> {
    driver::start().map_err(|remedy| unavailable(0, remedy))?;
    let mut count = 0;
    call!(cuDeviceGetCount(&mut count))?;
    Ok(u32::try_from(count).unwrap_or_default())
}

/// The GPU of this number, or what is there instead.
pub(super) fn find(number: u32) -> Result<CUdevice> {
    driver::start().map_err(|remedy| unavailable(number, remedy))?;
    let found = count()?;
    if number >= found {
        let remedy = match found {
            0 => "the NVIDIA driver finds no GPU; see nvidia-smi, and CUDA_VISIBLE_DEVICES".into(),
            1 => "there is one GPU, cuda:0; CUDA_VISIBLE_DEVICES may hide others".into(),
            _ => format!("there are {found} GPUs, cuda:0 to cuda:{}; CUDA_VISIBLE_DEVICES may hide others", found - 1),
        };
        return Err(unavailable(number, remedy));
    }
    let mut device = 0;
    call!(cuDeviceGet(&mut device, number as i32))?;
    Ok(device)
}

pub(super) fn unavailable(number: u32, remedy: String) -> Error {
    Error::DeviceUnavailable { device: format!("cuda:{number}"), remedy }
}

/// What the driver says of a GPU.
pub(super) struct Facts {
    pub(super) info: DeviceInfo,
    /// Compute capability, major and minor.
    pub(super) architecture: (u32, u32),
    pub(super) pools: bool,
    /// Whether memory that the process cannot write may be registered.
    pub(super) read_only_memory: bool,
}

pub(super) fn facts(id: String, device: CUdevice) -> Result<Facts> {
    use CUdevice_attribute::*;
    let ask = |attribute| -> Call<u32> {
        let mut value = 0;
        call!(cuDeviceGetAttribute(&mut value, attribute, device))?;
        Ok(u32::try_from(value).unwrap_or_default())
    };
    let architecture =
        (ask(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?, ask(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?);
    let (major, minor) = architecture;
    let mut name = [0; 128];
    call!(cuDeviceGetName(name.as_mut_ptr(), name.len() as i32 - 1, device))?;
    let mut version = 0;
    call!(cuDriverGetVersion(&mut version))?;
    let mut total = 0;
    call!(cuDeviceTotalMem_v2(&mut total, device))?;
    if architecture < LEAST_CAPABILITY {
        return Err(Error::DeviceUnavailable {
            device: id,
            remedy: format!("{} has compute capability {major}.{minor}; the kernels need 7.5", text(&name)),
        });
    }
    let driver = format!("CUDA {}.{} driver, compute capability {major}.{minor}", version / 1000, version % 1000 / 10);
    let info = DeviceInfo {
        unified_memory: ask(CU_DEVICE_ATTRIBUTE_INTEGRATED)? != 0,
        max_buffer_bytes: total as u64 / 16 * 16,
        max_binding_bytes: MAX_BINDING_BYTES,
        binding_alignment: ALIGNMENT,
        slot_bytes: SLOT_BYTES,
        slots: SLOTS,
        key_context_bytes: CONTEXT_BYTES,
        ..DeviceInfo::new(id, text(&name), driver)
    };
    Ok(Facts {
        info,
        architecture,
        pools: ask(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED)? != 0,
        read_only_memory: ask(CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED)? != 0,
    })
}

/// What the driver wrote, up to the zero byte.
fn text(characters: &[c_char]) -> String {
    let bytes: Vec<u8> = characters.iter().map(|&c| c as u8).chain([0]).collect();
    CStr::from_bytes_until_nul(&bytes).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}
