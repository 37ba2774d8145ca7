//! NVRTC: a kernel's text to machine code for one architecture, in memory.

use core::ffi::c_char;
use std::{
    ffi::{CStr, CString},
    sync::OnceLock,
};

use cudarc::nvrtc::{
    result::NvrtcError,
    sys::{self, nvrtcProgram},
};

/// Every function that is called. cudarc panics where one is missing, so they are looked up first.
const NEEDED: &[&str] = &[
    "nvrtcCreateProgram",
    "nvrtcCompileProgram",
    "nvrtcDestroyProgram",
    "nvrtcGetCUBINSize",
    "nvrtcGetCUBIN",
    "nvrtcGetProgramLogSize",
    "nvrtcGetProgramLog",
];

fn present() -> Result<(), String> {
    static PRESENT: OnceLock<Result<(), String>> = OnceLock::new();
    let look = || {
        // SAFETY: this runs the library's initialisers, of which NVRTC's do nothing that anyone could tell.
        if !unsafe { sys::is_culib_present() } {
            return Err("no libnvrtc: install CUDA's runtime compiler (PyPI: nvidia-cuda-nvrtc)".to_string());
        }
        // SAFETY: as before; it is there.
        let library = unsafe { sys::culib() };
        // SAFETY: nothing is called, and every pointer to a function has the same size.
        let missing = |name: &&&str| unsafe { library.get::<unsafe extern "C" fn()>(name.as_bytes()) }.is_err();
        NEEDED.iter().find(missing).map_or(Ok(()), |name| Err(format!("libnvrtc has no {name}: install a newer one")))
    };
    PRESENT.get_or_init(look).clone()
}

struct Program(nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: it was created, and is destroyed once.
        unsafe { sys::nvrtcDestroyProgram(&mut self.0) };
    }
}

/// Compiles a text for a compute capability. The error says what is wrong in NVRTC's words.
pub(super) fn machine_code(source: &str, (major, minor): (u32, u32)) -> Result<Vec<u8>, String> {
    present()?;
    let source = CString::new(source).map_err(|_| "the kernel's text has a zero byte".to_string())?;
    let mut raw = core::ptr::null_mut();
    // SAFETY: strings end with a zero byte, there are no headers, and `raw` is written.
    let created = unsafe {
        sys::nvrtcCreateProgram(
            &mut raw,
            source.as_ptr(),
            c"kernel.cu".as_ptr(),
            0,
            core::ptr::null(),
            core::ptr::null(),
        )
    };
    created.result().map_err(|error| said("nvrtcCreateProgram", error))?;
    let program = Program(raw);
    let architecture = format!("-arch=sm_{major}{minor}\0");
    let options = [architecture.as_str(), "--std=c++17\0", "--diag-suppress=177\0"];
    let options = options.map(|option| option.as_ptr().cast::<c_char>());
    // SAFETY: so many strings, each of which ends with a zero byte.
    let compiled = unsafe { sys::nvrtcCompileProgram(program.0, options.len() as i32, options.as_ptr()) };
    compiled.result().map_err(|error| format!("{}: {}", said("nvrtcCompileProgram", error), log(&program)))?;
    let mut bytes = 0;
    // SAFETY: `bytes` is written.
    unsafe { sys::nvrtcGetCUBINSize(program.0, &mut bytes) }.result().map_err(|e| said("nvrtcGetCUBINSize", e))?;
    let mut code = vec![0u8; bytes];
    // SAFETY: as many bytes are there as were asked for.
    let got = unsafe { sys::nvrtcGetCUBIN(program.0, code.as_mut_ptr().cast()) };
    got.result().map_err(|error| said("nvrtcGetCUBIN", error))?;
    match code.is_empty() {
        true => Err("NVRTC gave no machine code".into()),
        false => Ok(code),
    }
}

fn said(call: &str, error: NvrtcError) -> String {
    format!("{call} said {error}")
}

fn log(program: &Program) -> String {
    let mut bytes = 0;
    // SAFETY: `bytes` is written.
    if unsafe { sys::nvrtcGetProgramLogSize(program.0, &mut bytes) }.result().is_err() {
        return String::new();
    }
    // One more, so that it ends with a zero byte whatever is written.
    let mut log = vec![0u8; bytes + 1];
    // SAFETY: at least as many bytes are there as were asked for.
    let got = unsafe { sys::nvrtcGetProgramLog(program.0, log.as_mut_ptr().cast()) };
    match (got.result(), CStr::from_bytes_until_nul(&log)) {
        (Ok(()), Ok(log)) => log.to_string_lossy().trim().to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::machine_code;
    use crate::kernel::cuda::Text;

    #[test]
    fn every_kernel_compiles_where_nvrtc_is() {
        if let Err(why) = super::present() {
            // What is missing in a library that is there is no reason to skip.
            assert!(why.starts_with("no libnvrtc"), "{why}");
            assert!(std::env::var_os("PQC_GPU_REQUIRE_ALL").is_none(), "PQC_GPU_REQUIRE_ALL is set, and {why}");
            return println!("skipped: {why}");
        }
        for &text in Text::ALL {
            let code = machine_code(&text.source(), (9, 0)).unwrap_or_else(|why| panic!("{text:?}: {why}"));
            assert!(code.starts_with(b"\x7fELF"), "{text:?}");
        }
        let wrong = machine_code("not a kernel", (9, 0)).expect_err("it is none");
        assert!(wrong.contains("kernel.cu"), "NVRTC's own words: {wrong}");
        assert!(machine_code("", (0, 0)).is_err());
        assert!(machine_code("\0", (9, 0)).is_err());
    }
}
