//! The conformance suite on the CPU device and on the awkward one.
#![allow(missing_docs)]

use pqc_gpu_driver::{conformance, conformance::Awkward, device::CpuDevice};

conformance!(cpu, Ok(CpuDevice::default()));
conformance!(awkward, Ok(Awkward::new()));
