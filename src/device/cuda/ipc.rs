//! Memory that several processes reach.

use std::sync::Arc;

use cudarc::driver::sys::{CUipcMem_flags, CUipcMemHandle};

use super::{
    CudaBuffer, CudaDevice,
    buffer::Kind,
    driver::{Call, call},
};
use crate::{Error, Result};

/// What the driver hands out by is blocks of this size: an allocation of whole blocks shares none with others.
const BLOCK: u64 = 2 << 20;

/// A name for memory in another process, 64 bytes as the driver gives them. Whoever has it, and the same user's rights, has the memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CudaIpcHandle(pub [u8; 64]);

impl core::fmt::Debug for CudaIpcHandle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CudaIpcHandle")
    }
}

impl CudaDevice {
    /// Zeroed memory that may be given to other processes, to be opened into with [`Destination::Buffer`]. It is an allocation of
    /// its own of whole 2 MiB, as the driver exports whole blocks; keys and scratch memory never share one.
    ///
    /// [`Destination::Buffer`]: crate::transfer::Destination::Buffer
    pub fn alloc_shared(&self, bytes: u64) -> Result<CudaBuffer> {
        let taken = bytes.max(1).checked_next_multiple_of(BLOCK).filter(|&taken| taken <= self.info.max_buffer_bytes);
        let taken = taken.ok_or_else(|| Error::Backend(format!("{bytes} bytes are beyond the device's memory")))?;
        CudaBuffer::whole(&self.core, bytes, taken, Kind::Shared)
    }

    /// The name of memory from [`CudaDevice::alloc_shared`] for [`CudaDevice::import`] in another process. Export ciphertext, or
    /// tensors that were released: the other process sees what is there, whatever the verdict is. It must close the memory
    /// before the last handle here is dropped, which erases it.
    pub fn export(&self, buffer: &CudaBuffer) -> Result<CudaIpcHandle> {
        if !buffer.is_shared() {
            return Err(Error::Usage("only memory from alloc_shared can be given to other processes"));
        }
        if !buffer.is_of(&self.core) {
            return Err(Error::Usage("a buffer of another device"));
        }
        let _current = self.core.context.enter()?;
        let mut handle = CUipcMemHandle { reserved: [0; 64] };
        self.core.context.noting(call!(cuIpcGetMemHandle(&mut handle, buffer.pointer())))?;
        Ok(CudaIpcHandle(handle.reserved.map(|byte| byte as u8)))
    }

    /// Memory that another process exported, of at least this size. It is closed with its last handle, and stays the other's to erase.
    ///
    /// # Safety
    ///
    /// The other process keeps the memory until this one has dropped its last handle. What both do to it is ordered by them.
    pub unsafe fn import(&self, handle: &CudaIpcHandle, bytes: u64) -> Result<CudaBuffer> {
        let _current = self.core.context.enter()?;
        let handle = CUipcMemHandle { reserved: handle.0.map(|byte| byte as core::ffi::c_char) };
        let flags = CUipcMem_flags::CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS as u32;
        let mut pointer = 0;
        self.core.context.noting(call!(cuIpcOpenMemHandle_v2(&mut pointer, handle, flags)))?;
        let size = size_of_allocation(pointer);
        let checked = match size {
            Ok(size) if bytes <= size => Ok(()),
            Ok(_) => Err(Error::Usage("the other process's memory is smaller than that")),
            Err(failure) => Err(failure.into()),
        };
        match checked {
            Ok(()) => Ok(CudaBuffer::of_others(&Arc::clone(&self.core), pointer, bytes, Kind::Imported)),
            Err(error) => {
                let _ = call!(cuIpcCloseMemHandle(pointer));
                Err(error)
            }
        }
    }
}

fn size_of_allocation(pointer: u64) -> Call<u64> {
    let (mut start, mut size) = (0, 0);
    call!(cuMemGetAddressRange_v2(&mut start, &mut size, pointer))?;
    Ok((start + size as u64).saturating_sub(pointer))
}
