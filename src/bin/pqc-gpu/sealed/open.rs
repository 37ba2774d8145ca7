//! `pqc-gpu open`: a sealed model given back as the files that it was.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use pqc_gpu_driver::{
    Error, block_on,
    sealed::{Roots, SealedModel, Source},
};
use serde::Serialize;

use super::{
    Publishers, Verdicts,
    facts::{Facts, gbps, row, speed},
    location::Location,
    refused,
    whole::{Content, WholeFile, WholeFolder},
};
use crate::{
    failure::Failure,
    keys,
    output::{self, Progress, shown},
};

const AFTER: &str = "\
The plaintext is written to the disk, readable by its owner alone: load opens it on a device instead, where it touches
no disk. Nothing is written under OUT before all of it is verified.

Examples:
  pqc-gpu open model.pqgs --identity alice.pem --trust publisher.pub.pem -o model.safetensors
      Bit for bit the file that was sealed.
  pqc-gpu open llama.pqgs --identity alice.pem --trust publisher.pub.pem --min-release 2 -o llama
      Of a model in shards, a folder with the shards and their index.";

/// The name that an index has by custom.
const INDEX: &str = "model.safetensors.index.json";

/// Open a sealed file into the .safetensors file, or the folder of them, that was sealed
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: Location,
    /// A recipient's secret key file
    #[arg(long, value_name = "ID.pem")]
    identity: PathBuf,
    #[command(flatten)]
    publishers: Publishers,
    /// Where to write: a file, or a folder for a model in shards
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Replace OUT if it is a file, and none that is sealed
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
    #[serde(flatten)]
    verdicts: Verdicts,
    roots: &'static str,
    /// What was written.
    output: String,
    gbps: Option<f64>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let identity = keys::identity(&self.identity)?;
        let trust = self.publishers.policy()?;
        let about = |error: Error| self.file.about(error);
        let model = SealedModel::open(self.file.open()?, &identity, &trust, self.publishers.min_release);
        let model = block_on(model).map_err(about)?;
        let manifest = model.manifest();
        let mut progress = Progress::bytes(manifest.tensor_bytes());
        let started = Instant::now();
        let outcome = self.write(&model, &mut progress);
        drop(progress);
        let gbps = gbps(manifest.tensor_bytes(), started.elapsed().as_secs_f64());
        let mut report = Report {
            facts: Facts::of(&self.file.name(), model.front()),
            verdicts: Verdicts::all(manifest),
            roots: "checked",
            output: shown(&self.output),
            gbps,
        };
        match outcome {
            Ok(()) if self.json => output::json(&report),
            Ok(()) => report.print(),
            Err(Stopped::Library(error)) => {
                if let Some(verdicts) = Verdicts::of(&error, manifest) {
                    (report.verdicts, report.gbps) = (verdicts, None);
                    if self.json {
                        output::json(&report)?;
                    }
                }
                Err(refused(error, manifest, &self.file.name()))
            }
            Err(Stopped::Output(failure)) => Err(failure),
        }
    }

    fn write<S: Source>(&self, model: &SealedModel<S>, progress: &mut Progress) -> Result<(), Stopped> {
        let (files, index) = (model.manifest().files(), model.manifest().index());
        if files.is_empty() {
            let why = "the model came from no safetensors file, so there is none to give back; pqc-gpu load opens it";
            return Err(Failure::usage(why).about(self.file.name()).into());
        }
        if files.len() == 1 && index.is_empty() {
            let mut output = WholeFile::new(&self.output, Content::Plain, self.force)?;
            write_file(model, 0, output.file(), progress)?;
            return Ok(output.appear()?);
        }
        if self.force && self.output.symlink_metadata().is_ok() {
            return Err(
                Failure::usage(format!("{} exists, and --force replaces no folder", shown(&self.output))).into()
            );
        }
        let folder = WholeFolder::new(&self.output)?;
        for (number, file) in files.iter().enumerate() {
            let mut out = folder.file(file.name())?;
            write_file(model, number, &mut out, progress)?;
            synced(&out, &self.output)?;
        }
        if !index.is_empty() {
            let mut out = folder.file(INDEX)?;
            out.write_all(index).map_err(|error| Failure::writing(&self.output, error))?;
            synced(&out, &self.output)?;
        }
        Ok(folder.appear()?)
    }
}

/// What ended it: the sealed file, or what was to be written.
enum Stopped {
    Library(Error),
    Output(Failure),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Stopped::Library(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Stopped::Output(failure)
    }
}

fn write_file<S: Source>(
    model: &SealedModel<S>,
    number: usize,
    out: &mut File,
    progress: &mut Progress,
) -> Result<(), Error> {
    let mut out = BufWriter::with_capacity(1 << 20, out);
    block_on(model.write_file(number, &mut out, Roots::Check, |bytes| progress.advance(bytes))).map(drop)
}

fn synced(file: &File, output: &Path) -> Result<(), Failure> {
    file.sync_all().map_err(|error| Failure::writing(output, error))
}

impl Report {
    fn print(&self) -> Result<(), Failure> {
        let mut rows = self.facts.rows();
        rows.extend([
            row("verified", self.verdicts.verified),
            row("roots", self.roots),
            row("written to", &self.output),
            row("speed", speed(self.gbps)),
        ]);
        output::table(["file", self.facts.file()], &rows)
    }
}
