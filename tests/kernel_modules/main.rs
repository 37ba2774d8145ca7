//! Kernel modules as they are and as they should not be, read through the public interface. Real ones come from
//! Debian's packages, where tests/run has brought them (PQC_GPU_TEST_MODULES).
#![cfg(all(not(target_arch = "wasm32"), feature = "kernel-modules"))]
#![allow(clippy::unwrap_used, missing_docs)]

mod compressed;
#[path = "../common/ko.rs"]
mod ko;
mod malformed;
mod real;
mod signatures;
