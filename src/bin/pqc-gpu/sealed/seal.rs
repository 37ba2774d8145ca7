//! `pqc-gpu seal`: a model, sealed once for all its recipients.

use std::{
    io::BufWriter,
    path::{Path, PathBuf},
    time::Instant,
};

use pqc_gpu_driver::{
    block_on,
    sealed::{Front, MappedFile, Sealing, safetensors::SafetensorsModel},
};
use serde::Serialize;

use super::{
    facts::{Facts, gbps, row, speed},
    recipients,
    whole::{Content, WholeFile, check},
};
use crate::{
    failure::Failure,
    keys,
    output::{self, Progress, shown},
};

const AFTER: &str = "\
Each recipient's device opens the file (pqc-gpu load); nobody else can, and whoever opens it knows from the publisher's
signature whose it is. Disks, CDNs and object stores carry it as they would any file. Give releases rising numbers, so
that openers can refuse old ones. Nothing is written under OUT before all of it is.

Examples:
  pqc-gpu seal model.safetensors --to alice.pub.pem --sign-with publisher.pem -o model.pqgs
      For one recipient.
  pqc-gpu seal llama/ --to alice.pub.pem bob.pub.pem --sign-with publisher.pem --release 2 -o llama.pqgs
      A model in shards: the folder that holds model.safetensors.index.json, or that file.";

/// Seal a model for its recipients: once, for any number of them, on any storage
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    /// A .safetensors file, a model.safetensors.index.json, or a folder that holds one
    model: PathBuf,
    /// Recipients' public key files
    #[arg(long, value_name = "KEY.pub.pem", required = true, num_args = 1..)]
    to: Vec<PathBuf>,
    /// The publisher's secret key file
    #[arg(long, value_name = "ID.pem")]
    sign_with: PathBuf,
    /// Where to write
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// The publisher's count of releases
    #[arg(long, value_name = "N", default_value_t = 0)]
    release: u64,
    /// Replace OUT if it is a sealed file
    #[arg(long)]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    facts: Facts,
    sealed_bytes: u64,
    gbps: Option<f64>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        check(&self.output, Content::Sealed, self.force)?;
        let recipients = recipients(self.to.iter().map(PathBuf::as_path))?;
        let publisher = keys::identity(&self.sign_with)?;
        let files = SafetensorsModel::open(&model(&self.model)?)?;
        let model = files.plain()?;
        let sealing = Sealing::new(&model, &publisher, &recipients, self.release)?;
        let (bytes, sealed_bytes) = (model.tensor_bytes(), sealing.file_bytes());

        let mut output = WholeFile::new(&self.output, Content::Sealed, self.force)?;
        let mut progress = Progress::bytes(bytes);
        let started = Instant::now();
        // Bodies of a tensor or less come with zeros after them: small writes.
        let mut buffered = BufWriter::with_capacity(1 << 20, output.file());
        sealing.write(&mut buffered, |bytes| progress.advance(bytes)).map_err(|error| self.about(error))?;
        drop(buffered);
        output.appear()?;
        let gbps = gbps(bytes, started.elapsed().as_secs_f64());
        drop(progress);

        let report = Report { facts: self.read_back()?, sealed_bytes, gbps };
        if self.json {
            return output::json(&report);
        }
        let mut rows = report.facts.rows();
        rows.extend([row("sealed bytes", report.sealed_bytes), row("speed", speed(report.gbps))]);
        output::table(["sealed", report.facts.file()], &rows)
    }

    /// What anybody can read in the file that was written.
    fn read_back(&self) -> Result<Facts, Failure> {
        let file = MappedFile::open(&self.output).map_err(|error| Failure::reading(&self.output, error))?;
        let front = block_on(Front::read(&file)).map_err(|error| self.about(error))?;
        let manifest = front.manifest();
        Ok(Facts::new(&shown(&self.output), manifest, manifest.publisher(), None, front.recipients()))
    }

    fn about(&self, error: pqc_gpu_driver::Error) -> Failure {
        Failure::from(error).about(shown(&self.output))
    }
}

/// The file to read for what was given as MODEL.
fn model(given: &Path) -> Result<PathBuf, Failure> {
    if !given.is_dir() {
        return Ok(given.into());
    }
    let index = given.join("model.safetensors.index.json");
    if index.is_file() {
        return Ok(index);
    }
    // The name that a model in one file has by custom.
    let single = given.join("model.safetensors");
    if single.is_file() {
        return Ok(single);
    }
    let (folder, index) = (shown(given), "model.safetensors.index.json");
    Err(Failure::usage(format!("{folder} holds neither {index} nor model.safetensors; give the file itself")))
}
