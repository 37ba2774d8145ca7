//! Compiled kernels: in memory only, each at its first use.
//!
//! NVRTC compiles for the GPU at hand. Where there is no NVRTC, or one whose machine code the driver does not take, the driver
//! compiles the PTX that comes with this library. Drivers keep what they compiled on disk, where others may have written: PTX
//! bears a random number, so that nothing that lies there is taken for it.

use core::{ffi::c_void, ptr};
use std::{
    ffi::CString,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use cudarc::driver::sys::{CUfunction, CUmodule};

use super::{
    context::Context,
    driver::{Call, call},
    nvrtc,
};
use crate::{Error, Result, kernel::cuda::Text};

pub(super) struct Kernels {
    context: Arc<Context>,
    /// Compute capability, major and minor.
    architecture: (u32, u32),
    loaded: Vec<(Text, Loaded)>,
}

#[derive(Default)]
struct Loaded {
    kernel: OnceLock<Kernel>,
    /// Held while it is compiled, so that others wait for it.
    loading: Mutex<()>,
}

/// A kernel on the device.
pub(super) struct Kernel {
    function: CUfunction,
    module: CUmodule,
    context: Arc<Context>,
}

// SAFETY: the driver's modules and functions may be used from every thread.
unsafe impl Send for Kernel {}
// SAFETY: as above.
unsafe impl Sync for Kernel {}

impl Kernel {
    pub(super) fn function(&self) -> CUfunction {
        self.function
    }

    /// Machine code, or PTX that ends with a zero byte. The context is current.
    fn load(context: &Arc<Context>, text: Text, image: &[u8]) -> Call<Self> {
        let mut module = ptr::null_mut();
        call!(cuModuleLoadData(&mut module, image.as_ptr().cast::<c_void>()))?;
        let mut kernel = Kernel { function: ptr::null_mut(), module, context: Arc::clone(context) };
        let name = format!("{}\0", text.name());
        call!(cuModuleGetFunction(&mut kernel.function, module, name.as_ptr().cast()))?;
        Ok(kernel)
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // What a lost device still runs stays where it is.
        if let Ok(_current) = self.context.enter() {
            let _ = call!(cuModuleUnload(self.module));
        }
    }
}

impl Kernels {
    pub(super) fn new(context: &Arc<Context>, architecture: (u32, u32)) -> Self {
        let loaded = Text::ALL.iter().map(|&text| (text, Loaded::default())).collect();
        Kernels { context: Arc::clone(context), architecture, loaded }
    }

    /// What could not be compiled is tried again: memory may have been short.
    pub(super) fn of(&self, text: Text) -> Result<&Kernel> {
        let Some((_, Loaded { kernel, loading })) = self.loaded.iter().find(|(known, _)| *known == text) else {
            return Err(Error::Backend(format!("kernel {} is not among those of CUDA", text.name())));
        };
        if let Some(kernel) = kernel.get() {
            return Ok(kernel);
        }
        let _loading = loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = kernel.get() {
            return Ok(kernel);
        }
        let loaded = self.load(text)?;
        Ok(kernel.get_or_init(|| loaded))
    }

    fn load(&self, text: Text) -> Result<Kernel> {
        let compiled = nvrtc::machine_code(&text.source(), self.architecture);
        let _current = self.context.enter()?;
        let load = |image: &[u8]| self.context.noting(Kernel::load(&self.context, text, image));
        let why_not = match compiled {
            Ok(code) => match load(&code) {
                Ok(kernel) => return Ok(kernel),
                Err(failure) => failure.to_string(),
            },
            Err(why) => why,
        };
        let ptx = CString::new(unlike_any_before(text.ptx())?)
            .map_err(|_| Error::Backend("PTX with a zero byte".into()))?
            .into_bytes_with_nul();
        load(&ptx).map_err(|failure| {
            Error::Backend(format!(
                "kernel {} can be had neither from NVRTC ({why_not}) nor from its PTX ({failure})",
                text.name()
            ))
        })
    }
}

/// PTX with a variable of a random name behind it.
fn unlike_any_before(ptx: &str) -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| Error::Random)?;
    Ok(format!("{ptx}\n.global .align 4 .u32 compiled_once_{:032x};\n", u128::from_le_bytes(random)))
}
