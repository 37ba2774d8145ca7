//! The driver's calls: whether it is there, and its errors as ours.

use std::sync::OnceLock;

use cudarc::driver::sys::{self, CUresult};

use crate::Error;

/// A call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    call: &'static str,
    pub(super) code: CUresult,
}

pub(super) type Call<T = ()> = Result<T, Failure>;

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::Backend(failure.to_string())
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.code {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => write!(f, "out of memory ({})", self.call),
            code => write!(f, "{} said {code:?}", self.call),
        }
    }
}

impl Failure {
    /// Whether the context is of no use any more: after such an error every later call gives it again.
    pub(super) fn is_loss(self) -> bool {
        matches!(
            self.code as u32,
            // Deinitialized, device unavailable, ECC, NVLink, and all that end a kernel.
            4 | 46 | 214 | 220 | 700 | 702 | 709 | 710 | 714..=719 | 999
        )
    }
}

/// What a call gave, and its name.
pub(super) fn check(call: &'static str, code: CUresult) -> Call {
    match code {
        CUresult::CUDA_SUCCESS => Ok(()),
        code => Err(Failure { call, code }),
    }
}

/// Calls the driver: `call!(cuMemFree_v2(pointer))` is a [`Call`].
macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {
        $crate::device::cuda::driver::check(
            stringify!($name),
            // SAFETY: stated where the macro is used.
            unsafe { cudarc::driver::sys::$name($($argument),*) },
        )
    };
}
pub(super) use call;

const NO_DRIVER: &str = if cfg!(windows) {
    "no nvcuda.dll: install the NVIDIA driver"
} else {
    "no libcuda.so.1: install the NVIDIA driver"
};

/// Every function that the device calls. cudarc panics where one is missing, so they are looked up first.
const NEEDED: &[&str] = &[
    "cuInit",
    "cuDriverGetVersion",
    "cuDeviceGet",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDeviceGetAttribute",
    "cuDeviceTotalMem_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxPushCurrent_v2",
    "cuCtxPopCurrent_v2",
    "cuCtxGetDevice",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuEventRecord",
    "cuEventQuery",
    "cuEventSynchronize",
    "cuEventDestroy_v2",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemPoolCreate",
    "cuMemPoolDestroy",
    "cuMemPoolSetAttribute",
    "cuMemPoolTrimTo",
    "cuMemAllocFromPoolAsync",
    "cuMemFreeAsync",
    "cuMemsetD8Async",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuMemHostRegister_v2",
    "cuMemHostUnregister",
    "cuMemGetAddressRange_v2",
    "cuPointerGetAttribute",
    "cuModuleLoadData",
    "cuModuleUnload",
    "cuModuleGetFunction",
    "cuLaunchKernel",
    "cuIpcGetMemHandle",
    "cuIpcOpenMemHandle_v2",
    "cuIpcCloseMemHandle",
];

/// Loads and starts the driver, once; or says what to do about it.
pub(super) fn start() -> Result<(), String> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    STARTED.get_or_init(load).clone()
}

fn load() -> Result<(), String> {
    // SAFETY: this runs the initialisers of the driver's library, which is what asking for CUDA means.
    if !unsafe { sys::is_culib_present() } {
        return Err(NO_DRIVER.into());
    }
    // SAFETY: as before; it is there.
    let library = unsafe { sys::culib() };
    for name in NEEDED {
        // SAFETY: nothing is called, and every pointer to a function has the same size.
        if unsafe { library.get::<unsafe extern "C" fn()>(name.as_bytes()) }.is_err() {
            return Err(format!("the NVIDIA driver has no {name}: install one for CUDA 11.4 or later"));
        }
    }
    // SAFETY: the flags have to be 0.
    match call!(cuInit(0)) {
        Ok(()) => Ok(()),
        Err(failure) => Err(match failure.code {
            CUresult::CUDA_ERROR_NO_DEVICE => {
                "the NVIDIA driver finds no GPU; see nvidia-smi, and CUDA_VISIBLE_DEVICES".into()
            }
            CUresult::CUDA_ERROR_STUB_LIBRARY => "libcuda is the toolkit's stub: install the NVIDIA driver".into(),
            CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH => {
                "libcuda and the kernel's NVIDIA driver are of different versions: reboot, or install them anew".into()
            }
            _ => format!("the NVIDIA driver does not start: {failure}"),
        }),
    }
}
