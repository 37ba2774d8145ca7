//! `pqc-gpu driver`: attestations of driver modules.

mod date;
mod inspect;
mod load;
mod loaded;
mod policy;
pub(crate) mod presented;
mod report;
mod state;
mod userland;

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use pqc_gpu_driver::{
    Identity,
    attest::{
        DriverAttestation, DriverAttestationVerifier, DriverAttester, DriverModule, MAX_ATTESTATION_BYTES,
        ModuleDigest, ModuleHasher, Validity, VerificationResult,
    },
};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::{
    failure::Failure,
    files,
    output::{self, Progress, shown},
};
use report::{Claims, Report, hex};

const EXAMPLES: &str = "\
Examples:
  pqc-gpu driver attest nvidia.ko --identity vendor.pem --name nvidia.ko --version 550.54.14 \\
      --target 'linux-x86_64 6.12' --security-version 7 --not-after 2027-01-01T00:00:00Z -o nvidia.cose
      The vendor's signed statement about one module file.
  pqc-gpu driver verify nvidia.ko --attestation nvidia.cose --policy policy.toml
      Every check by name; exit code 1 if one fails, and then the module is not to be loaded.
  pqc-gpu driver show nvidia.cose
      What an attestation says. Nothing is verified.

  pqc-gpu driver inspect amdgpu.ko.xz --certificate signing_key.x509
      What a kernel module says of itself, and whether the certificate's key signed it.
  pqc-gpu driver inspect --loaded
      The GPU drivers of this machine: loaded modules, their files, and the libraries in front of them.
  pqc-gpu driver load nvidia.ko --attestation nvidia.cose --policy policy.toml --dry-run
      Reads the file once, verifies those bytes, and hands the same bytes to the kernel (here: stops before that).

policy.toml:
  trusted_signers = [\"vendor.pub.pem\"]     # paths beside the policy; no entry means nobody is trusted
  revoked_signers = [\"did:pqaid:…\"]        # the rest may be left out
  revoked_digests = [\"…64 hex digits…\"]
  name = \"nvidia.ko\"
  target = \"linux-x86_64 6.12\"
  max_age_seconds = 2592000
  [minimum_security_version]
  \"nvidia.ko\" = 7

An attestation says what a signer vouched for. It does not say what a machine runs.";

/// Attest driver modules, and verify their attestations
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// SHA3-256 and size of a module file
    Hash {
        /// The module
        file: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Sign a statement about a module file
    Attest(Box<Attest>),
    /// Verify a module file against its attestation and a policy
    Verify {
        /// The module
        file: PathBuf,
        /// Its attestation
        #[arg(long, value_name = "FILE.cose")]
        attestation: PathBuf,
        /// Whom and what to accept
        #[arg(long, value_name = "POLICY.toml")]
        policy: PathBuf,
        /// Neither read nor write POLICY.toml.state, which remembers the highest security versions seen
        #[arg(long)]
        no_state: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show what an attestation says, without verifying it
    Show {
        /// The attestation
        file: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show what a kernel module says of itself and who signed it, or the GPU drivers of this machine
    Inspect {
        /// The module: .ko, .ko.gz, .ko.xz or .ko.zst
        #[arg(required_unless_present = "loaded", conflicts_with = "loaded")]
        file: Option<PathBuf>,
        /// Verify its signature with this certificate's key: X.509, DER or PEM
        #[arg(long, value_name = "CERT", conflicts_with = "loaded")]
        certificate: Option<PathBuf>,
        /// List this machine's GPU drivers: nvidia, amdgpu, i915, xe, nouveau, libcuda, libamdhip64
        #[arg(long)]
        loaded: bool,
        /// Look below this directory instead of /
        #[arg(long, value_name = "DIR", hide = true, default_value = "/", requires = "loaded")]
        root: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Verify a kernel module against its attestation and hand those same bytes to the kernel
    Load(Box<load::Arguments>),
}

#[derive(Debug, clap::Args)]
struct Attest {
    /// The module
    file: PathBuf,
    /// Whose key signs
    #[arg(long, value_name = "ID.pem")]
    identity: PathBuf,
    /// The module's name
    #[arg(long)]
    name: String,
    /// The vendor's version
    #[arg(long)]
    version: String,
    /// What the module is for, such as "linux-x86_64 6.12"
    #[arg(long)]
    target: String,
    /// Goes up with every release that repairs a weakness
    #[arg(long, value_name = "N")]
    security_version: u64,
    /// First second of validity: RFC 3339 with zone, or seconds since 1970; now if left out
    #[arg(long, value_name = "DATE", value_parser = date::parse)]
    not_before: Option<u64>,
    /// Last second of validity: RFC 3339 with zone (2027-01-01T00:00:00Z), or seconds since 1970
    #[arg(long, value_name = "DATE", value_parser = date::parse)]
    not_after: u64,
    /// Where to write the attestation; nothing is overwritten
    #[arg(short, long, value_name = "OUT.cose")]
    output: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Hash { file, json } => hash(&file, json),
            Command::Attest(attest) => attest.run(),
            Command::Verify { file, attestation, policy, no_state, json } => {
                verify(&file, &attestation, &policy, !no_state, json)
            }
            Command::Show { file, json } => show(&file, json),
            Command::Inspect { file: Some(file), certificate, json, .. } => {
                inspect::inspect(&file, certificate.as_deref(), json)
            }
            Command::Inspect { root, json, .. } => loaded::list(&root, json),
            Command::Load(load) => load.run(),
        }
    }
}

fn hash(file: &Path, json: bool) -> Result<(), Failure> {
    let ModuleDigest { sha3_256, size } = measure(file)?;
    if !json {
        return output::lines([format!("sha3-256  {}", hex(&sha3_256)), format!("size      {size}")]);
    }
    #[derive(Serialize)]
    struct Measured {
        file: String,
        sha3_256: String,
        size: u64,
    }
    output::json(&Measured { file: file.to_string_lossy().into_owned(), sha3_256: hex(&sha3_256), size })
}

impl Attest {
    fn run(self) -> Result<(), Failure> {
        if self.output.symlink_metadata().is_ok() {
            return Err(exists(&self.output));
        }
        let text = files::read_pem(&self.identity)?;
        let identity = Identity::from_pem(&text)
            .map_err(|error| Failure::from(error).about(format!("cannot use {}", shown(&self.identity))))?;
        let digest = measure(&self.file)?;
        let module = DriverModule::new(self.name, self.version, self.target, digest, self.security_version)?;
        let now = now()?;
        let validity = Validity { not_before: self.not_before.unwrap_or(now), not_after: self.not_after };
        let attestation = DriverAttester::new(&identity).attest(&module, validity, now)?;
        write_new(&self.output, attestation.as_bytes())?;
        Claims::of(&attestation).print(self.json)
    }
}

fn verify(file: &Path, attestation: &Path, policy: &Path, keep: bool, json: bool) -> Result<(), Failure> {
    let (report, result) = judge(attestation, policy, keep, || measure(file))?;
    report.print(json)?;
    result.into_result().map(drop).map_err(|error| Failure::from(error).about(shown(file)))
}

/// Verifies a module by an attestation and a policy, and keeps the floor that a verified module raises.
fn judge(
    attestation: &Path,
    policy_path: &Path,
    keep: bool,
    module: impl FnOnce() -> Result<ModuleDigest, Failure>,
) -> Result<(Report, VerificationResult), Failure> {
    let mut policy = policy::read(policy_path)?;
    // Locked from reading to writing: of two verifications at once, the later must not undo the earlier's floor.
    let state = if keep { Some(state::State::open(policy_path, &mut policy)?) } else { None };
    let bytes = files::read(attestation, MAX_ATTESTATION_BYTES as u64)?;
    let digest = module()?;
    let verifier = DriverAttestationVerifier::new(policy);
    let result = verifier.verify(&bytes, digest, now()?);
    let mut policy = verifier.into_policy();
    let raised = policy.raise(&result);
    // Written before anybody is told that the module is good.
    if let Some(state) = state.filter(|_| raised) {
        state.write(&policy)?;
    }
    Ok((Report::of(&bytes, &result, raised && keep), result))
}

fn show(file: &Path, json: bool) -> Result<(), Failure> {
    let bytes = files::read(file, MAX_ATTESTATION_BYTES as u64)?;
    // What cannot be read has not failed to verify: nothing was to be verified.
    let attestation = DriverAttestation::decode(&bytes)
        .map_err(|error| Failure::usage(format!("cannot use {}: {error}", shown(file))))?;
    output::note("nothing is verified here; pqc-gpu driver verify does that");
    Claims::of(&attestation).print(json)
}

/// Hashes a file of any size in small memory.
fn measure(path: &Path) -> Result<ModuleDigest, Failure> {
    let reading = |error| Failure::reading(path, error);
    let mut file = File::open(path).map_err(reading)?;
    let mut progress = Progress::bytes(file.metadata().map_err(reading)?.len());
    let (mut hasher, mut piece) = (ModuleHasher::default(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece).map_err(reading)? {
            0 => return Ok(hasher.finish()),
            read => {
                hasher.update(&piece[..read]);
                progress.advance(read as u64);
            }
        }
    }
}

/// Writes a file whole or not at all, where there is none.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut file = stage(path, bytes)?;
    file.as_file_mut().flush().map_err(|error| Failure::writing(path, error))?;
    file.persist_noclobber(path).map(drop).map_err(|failed| match failed.error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => Failure::writing(path, failed.error),
    })
}

/// A synchronised temporary file beside `path`, for everybody to read once it appears.
fn stage(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, Failure> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pqc-gpu-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let write = || {
        let mut file = builder.tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(|error| Failure::writing(path, error))
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("{} exists and is not overwritten; choose another path", shown(path)))
}

fn now() -> Result<u64, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).map_err(|_| Failure::other("the clock is before 1970; set it"))
}
