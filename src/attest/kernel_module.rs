//! Linux kernel modules as they are: the `.ko` file, plain or compressed, what it says of itself, and the signature
//! that the kernel's own `sign-file` appends to it.
//!
//! Reading verifies nothing. [`KernelModule::verify`] holds the module's signature against a certificate that the
//! caller trusts; the kernel does the same with the certificates in its keyrings. An attestation
//! ([`DriverAttestation`](super::DriverAttestation)) is another statement, about the file's bytes as shipped.
//!
//! ```no_run
//! use pqc_gpu_driver::attest::kernel_module::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = std::fs::read("amdgpu.ko.xz")?;
//! let module = KernelModule::read(&file)?;
//! println!("{:?} for {:?}", module.info().name(), module.info().vermagic());
//! for signer in module.signature().map(|signature| signature.signers()).unwrap_or_default() {
//!     println!("{}, {}", signer.algorithm(), signer.algorithm().kind());
//! }
//! module.verify(&Certificate::read(&std::fs::read("signing_key.x509")?)?)?;
//! # Ok(())
//! # }
//! ```

mod algorithm;
mod certificate;
mod cms;
mod compression;
mod elf;
mod info;
mod signature;
mod verify;

use std::borrow::Cow;

pub use algorithm::{DigestAlgorithm, Kind, SignatureAlgorithm};
pub use certificate::Certificate;
pub use cms::{Signer, SignerId};
pub use compression::Compression;
pub use info::ModuleInfo;
pub use signature::ModuleSignature;

use crate::{Result, error::ModuleFailure};

/// The longest module that is read, as it is or decompressed: 512 MiB. amdgpu with debug information is shorter.
pub const MAX_MODULE_BYTES: u64 = 512 << 20;

/// A kernel module that was read: an ELF relocatable file with a `.modinfo` section.
#[derive(Debug, Clone)]
pub struct KernelModule<'a> {
    compression: Compression,
    image: Cow<'a, [u8]>,
    signed: usize,
    architecture: &'static str,
    info: ModuleInfo,
    signature: Option<ModuleSignature>,
}

impl<'a> KernelModule<'a> {
    /// Reads a module file: ELF, or that within gzip, xz or zstd, told apart by their first bytes.
    ///
    /// Fails with [`Error::KernelModule`](crate::Error::KernelModule) on a file that is no module or is cut short, on
    /// an appended signature that is malformed, and on more than [`MAX_MODULE_BYTES`].
    pub fn read(file: &'a [u8]) -> Result<Self> {
        Self::read_within(file, MAX_MODULE_BYTES)
    }

    /// [`read`](Self::read) with another limit on the length in bytes, as it is and decompressed.
    pub fn read_within(file: &'a [u8], limit: u64) -> Result<Self> {
        if file.len() as u64 > limit {
            return Err(ModuleFailure::TooLong { limit }.into());
        }
        let compression = Compression::of(file);
        let image = compression.decompress(file, limit)?;
        let (signed, cms) = signature::split(&image)?;
        let signature = cms.map(ModuleSignature::read).transpose()?;
        // As the kernel does it: what is not signed is no part of the ELF file.
        let elf = elf::read(&image[..signed])?;
        let info = ModuleInfo::read(elf.modinfo)?;
        Ok(KernelModule { compression, signed, architecture: elf.architecture, info, signature, image })
    }

    /// How the file was compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// What init_module(2) takes: the decompressed ELF file with its appended signature.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// What the appended signature covers: the image without the signature, all of it if there is none.
    pub fn signed_content(&self) -> &[u8] {
        &self.image[..self.signed]
    }

    /// The processor that it is for, by ELF's `e_machine`, such as "x86-64".
    pub fn architecture(&self) -> &'static str {
        self.architecture
    }

    /// What it says of itself.
    pub fn info(&self) -> &ModuleInfo {
        &self.info
    }

    /// The appended signature, read and not verified. None if there is none.
    pub fn signature(&self) -> Option<&ModuleSignature> {
        self.signature.as_ref()
    }
}
