//! Driver attestations: a signer's statement about one driver module, in a standard envelope, and the policy that
//! judges it. The format is docs/attestation.md.
//!
//! An attestation says which bytes a signer vouched for, and what the device that presents it claims to run. It does
//! not say what runs: that takes measured boot or a vendor's GPU evidence.
//!
//! ```
//! use pqc_gpu_driver::{Identity, attest::*};
//!
//! # fn main() -> pqc_gpu_driver::Result<()> {
//! let driver_bytes = b"the module's file".as_slice();
//! let measured = DriverModule::hash_module_bytes(driver_bytes);
//! let module = DriverModule::new("nvidia.ko", "550.54.14", "linux-x86_64 6.12", measured, 7)?;
//!
//! let vendor = Identity::generate()?;
//! let now = 1_800_000_000; // seconds since 1970
//! let validity = Validity { not_before: now, not_after: now + 86_400 };
//! let attestation = DriverAttester::new(&vendor).attest(&module, validity, now)?;
//!
//! let mut policy = Policy { trusted_signers: vec![vendor.public_key().clone()], ..Policy::default() };
//! policy.name = Some("nvidia.ko".into());
//! let verifier = DriverAttestationVerifier::new(policy);
//! verifier.verify_or_raise(attestation.as_bytes(), driver_bytes, now)?;
//! assert!(verifier.verify_or_raise(attestation.as_bytes(), b"another file".as_slice(), now).is_err());
//! # Ok(())
//! # }
//! ```

mod attestation;
mod cose;
#[cfg(all(feature = "kernel-modules", not(target_arch = "wasm32")))]
pub mod kernel_module;
mod module;
mod policy;
mod result;
#[cfg(test)]
mod tests;
mod verifier;

pub use attestation::{DriverAttestation, DriverAttester, Validity};
pub use cose::MAX_ATTESTATION_BYTES;
pub use module::{DriverModule, MAX_TEXT_BYTES, ModuleDigest, ModuleHasher};
pub use policy::Policy;
pub use result::{Check, NotChecked, Outcome, VerificationResult};
pub use verifier::DriverAttestationVerifier;
