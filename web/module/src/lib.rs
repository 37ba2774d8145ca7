//! The library's browser component, as a module.

pub use pqc_gpu_driver::wasm::*;
