//! `pqc-gpu kat`: known-answer tests, published ones foremost.

mod aead;
mod chunked;
mod kem;
mod set;
mod signature;

use std::path::{Path, PathBuf};

use pqc_gpu_driver::device::Device;
use serde::{Deserialize, Serialize};

use crate::{
    choose::{DeviceArgument, DeviceChoice, on_device},
    failure::Failure,
    files, output,
};
use set::{Set, Tally};

const EXAMPLES: &str = "\
Examples:
  pqc-gpu kat aes_gcm_test.json --device cpu
      Every AES-256-GCM answer of Wycheproof's file, opened and sealed by the device's kernels.
  pqc-gpu kat c2sp_chunked_encryption_aes_256_gcm_test.json
      Cobblestone-256 messages, opened by the kernels of the best device there is.
  pqc-gpu kat mldsa_65_verify_test.json --json
      ML-DSA-65 signatures; the counts as one JSON object.

The files are testvectors_v1/ of https://github.com/C2SP/wycheproof: AES-GCM (256-bit keys, 96-bit nonces, 128-bit tags),
Cobblestone-256, ML-KEM-768 and ML-DSA-65 verification; tests of other parameters are skipped. The exit code is 1 if any
answer is wrong.";

/// The largest file that is read; the largest published one has 3 MB.
const FILE_BYTES: u64 = 256 << 20;

/// Run known-answer tests (Wycheproof's JSON) on a device
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Known-answer file in Wycheproof's JSON
    file: PathBuf,
    #[command(flatten)]
    device: DeviceArgument,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let bytes = files::read(&self.file, FILE_BYTES)?;
        let (algorithm, answers) = Answers::read(&bytes).map_err(|why| unusable(&why, &self.file))?;
        drop(bytes);
        let ran = answers.run(self.device.device)?;
        let Tally { passed, failed, skipped, .. } = ran.tally;
        let report = Report {
            file: self.file.to_string_lossy().into_owned(),
            algorithm,
            device: ran.device,
            passed,
            failed,
            skipped,
            kernel_launches: ran.kernel_launches,
        };
        match self.json {
            true => output::json(&report)?,
            false => report.print()?,
        }
        if passed + failed == 0 {
            output::note("no test in the file has parameters that are used here; all were skipped");
        }
        match failed {
            0 => Ok(()),
            _ => Err(Failure::rejected(ran.tally.complaint())),
        }
    }
}

/// What is printed.
#[derive(Serialize)]
struct Report {
    file: String,
    algorithm: String,
    device: String,
    passed: u64,
    failed: u64,
    skipped: u64,
    kernel_launches: u64,
}

impl Report {
    fn print(&self) -> Result<(), Failure> {
        let header = ["algorithm", "device", "passed", "failed", "skipped", "kernel launches", "file"];
        let counts = [self.passed, self.failed, self.skipped, self.kernel_launches].map(|count| count.to_string());
        let [passed, failed, skipped, launches] = counts;
        let row = [self.algorithm.clone(), self.device.clone(), passed, failed, skipped, launches, self.file.clone()];
        output::table(header, &[row])
    }
}

/// A file's tests, read and well-formed.
enum Answers {
    Aead(aead::Tests),
    Chunked(chunked::Tests),
    Kem(kem::Tests),
    Signature(signature::Tests),
}

/// What running them gave.
struct Ran {
    device: String,
    tally: Tally,
    kernel_launches: u64,
}

impl Answers {
    /// Reads a file. Gives the algorithm by the file's own name as well.
    fn read(json: &[u8]) -> Result<(String, Self), String> {
        #[derive(Deserialize)]
        struct Head {
            algorithm: String,
            schema: String,
        }
        let Head { algorithm, schema } = set::from_json(json)?;
        let answers = match (schema.as_str(), algorithm.as_str()) {
            ("aead_test_schema.json" | "aead_test_schema_v1.json", "AES-GCM") => Answers::Aead(Set::read(json)?),
            ("c2sp_chunked_encryption_schema.json", _) => Answers::Chunked(Set::read(json)?),
            ("mlkem_test_schema.json", "ML-KEM") => Answers::Kem(Set::read(json)?),
            ("mldsa_verify_schema.json", "ML-DSA-44" | "ML-DSA-65" | "ML-DSA-87") => {
                Answers::Signature(signature::Tests { ours: algorithm == "ML-DSA-65", set: Set::read(json)? })
            }
            _ => {
                return Err(format!(
                    "{algorithm} tests in the form of {schema} are not known here; known are AES-GCM, Cobblestone, ML-KEM \
                     decapsulation and ML-DSA verification (pqc-gpu kat --help)"
                ));
            }
        };
        Ok((algorithm, answers))
    }

    /// Ciphers run on the chosen device and nowhere else. KEM and signatures are the host's work in every mode, so the
    /// host answers and is named; a device that was asked for by name must be there all the same.
    fn run(self, choice: DeviceChoice) -> Result<Ran, Failure> {
        let on_host = |tally: Result<Tally, Failure>, what: &str| {
            if choice != DeviceChoice::Auto && choice.open()?.info().id != "cpu" {
                output::note(format!("{what} runs on the host, not on {}", choice.id()));
            }
            Ok(Ran { device: DeviceChoice::Cpu.id(), tally: tally?, kernel_launches: 0 })
        };
        match self {
            Answers::Aead(tests) => {
                on_device!(choice.open()?, device => on_kernels(&device, aead::run(&device, &tests)))
            }
            Answers::Chunked(tests) => {
                on_device!(choice.open()?, device => on_kernels(&device, chunked::run(&device, &tests)))
            }
            Answers::Kem(tests) => on_host(kem::run(&tests), "ML-KEM-768"),
            Answers::Signature(tests) => on_host(signature::run(&tests), "ML-DSA-65 verification"),
        }
    }
}

fn on_kernels<D: Device>(device: &D, tally: Result<Tally, Failure>) -> Result<Ran, Failure> {
    Ok(Ran { device: device.info().id.clone(), tally: tally?, kernel_launches: device.launches() })
}

fn unusable(why: &str, path: &Path) -> Failure {
    Failure::usage(why).about(format!("cannot use {}", path.display()))
}
