//! `pqc-gpu driver load FILE`: reads once, verifies those bytes, and hands the same bytes to the kernel. A file that
//! is changed in between changes nothing.

use std::{ffi::CString, path::PathBuf};

use pqc_gpu_driver::attest::{DriverModule, kernel_module::MAX_MODULE_BYTES};
use serde::Serialize;

use super::{
    inspect::{self, Module, line},
    judge,
    report::Report,
};
use crate::{
    failure::Failure,
    files,
    output::{self, shown},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The module: .ko, .ko.gz, .ko.xz or .ko.zst, as it was attested
    file: PathBuf,
    /// Its attestation
    #[arg(long, value_name = "FILE.cose")]
    attestation: PathBuf,
    /// Whom and what to accept
    #[arg(long, value_name = "POLICY.toml")]
    policy: PathBuf,
    /// The module's parameters, such as "modeset=1 debug=0"
    #[arg(long, value_name = "TEXT", default_value = "")]
    params: String,
    /// Do everything but the call to the kernel; needs no privileges
    #[arg(long)]
    dry_run: bool,
    /// Neither read nor write POLICY.toml.state, which remembers the highest security versions seen
    #[arg(long)]
    no_state: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Loading {
    #[serde(flatten)]
    report: Report,
    loaded: bool,
    dry_run: bool,
    /// What was, or would be, handed to the kernel; null if it did not verify.
    module: Option<Module>,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Arguments { file, attestation, policy, params, dry_run, no_state, json } = self;
        let params = CString::new(params).map_err(|_| Failure::usage("a module's parameters have no NUL"))?;
        let bytes = files::read(&file, MAX_MODULE_BYTES)?;
        let digest = DriverModule::hash_module_bytes(&bytes);
        let (report, result) = judge(&attestation, &policy, !no_state, || Ok(digest))?;
        if let Err(error) = result.into_result() {
            Loading { report, loaded: false, dry_run, module: None }.print(json)?;
            return Err(Failure::from(error).about(shown(&file)));
        }
        // Only bytes that a trusted signer vouched for are decompressed and taken apart.
        let module = inspect::read(&file, &bytes)?;
        let told = Module::of(digest, &module);
        let outcome = if dry_run { Ok(()) } else { init_module(module.image(), &params) };
        Loading { report, loaded: outcome.is_ok() && !dry_run, dry_run, module: Some(told) }.print(json)?;
        if dry_run {
            output::note("verified; stopped before the call to the kernel, as --dry-run asks");
        }
        outcome.map_err(|failure| failure.about(shown(&file)))
    }
}

impl Loading {
    fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(self);
        }
        self.report.print(false)?;
        let module = self.module.as_ref().map(Module::lines).unwrap_or_default();
        output::lines(module.into_iter().chain([line("loaded", if self.loaded { "yes" } else { "no" })]))
    }
}

/// init_module(2). It takes a plain ELF file; the kernel checks the appended signature itself, by its own keyrings.
#[cfg(target_os = "linux")]
fn init_module(image: &[u8], params: &std::ffi::CStr) -> Result<(), Failure> {
    use rustix::io::Errno;
    rustix::system::init_module(image, params).map_err(|errno| match errno {
        Errno::PERM => Failure::other(
            "the kernel does not let this process load modules: run it as root (CAP_SYS_MODULE), and see that \
             kernel.modules_disabled is 0 and that lockdown does not forbid it",
        ),
        Errno::NOSYS => Failure::other("this kernel loads no modules; use one built with CONFIG_MODULES"),
        Errno::KEYREJECTED | Errno::NOKEY | Errno::BADMSG | Errno::NOPKG => Failure::rejected(
            "the kernel does not accept the signature appended to the module: enrol its signer's key, or take a module \
             that is signed for this kernel",
        ),
        Errno::EXIST => Failure::other("a module of this name is loaded already; unload it first (rmmod)"),
        Errno::NOENT => Failure::other(
            "the kernel misses symbols: load the modules it depends on first (modprobe --show-depends); dmesg names them",
        ),
        Errno::NOEXEC => Failure::other(
            "the kernel cannot use this module: it was built for another kernel (compare vermagic with uname -r) or is \
             damaged; dmesg says which",
        ),
        errno => Failure::other(format!("the kernel refused the module: {errno}; dmesg says why")),
    })
}

#[cfg(not(target_os = "linux"))]
fn init_module(_: &[u8], _: &std::ffi::CStr) -> Result<(), Failure> {
    Err(Failure::other("kernel modules are loaded on Linux; elsewhere only --dry-run works"))
}
