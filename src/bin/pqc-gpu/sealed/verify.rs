//! `pqc-gpu verify`: whether a sealed file is what its publisher signed, without opening it.

use std::time::Instant;

use pqc_gpu_driver::{
    block_on,
    sealed::{Front, verify},
};
use serde::Serialize;

use super::{
    Publishers, Verdicts,
    facts::{Facts, gbps, row, speed},
    location::Location,
    refused,
};
use crate::{
    failure::Failure,
    output::{self, Progress},
};

const AFTER: &str = "\
Every body's digest is compared with the one that the publisher signed. Whether recipients can open the file, only they
can tell.

Examples:
  pqc-gpu verify model.pqgs --trust publisher.pub.pem
      Exit code 0: publisher, release and every byte of every tensor's ciphertext are right.
  pqc-gpu verify model.pqgs --trust publisher.pub.pem --min-release 2 --json
      Release 1 would be refused.";

/// Verify a sealed file against its publisher's key, every byte of it; no recipient's key needed
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: Location,
    #[command(flatten)]
    publishers: Publishers,
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
    gbps: Option<f64>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let trust = self.publishers.policy()?;
        let minimum = self.publishers.min_release;
        let source = self.file.open()?;
        let about = |error| self.file.about(error);
        // Read beforehand, so that there is something to say of a file whose bodies are refused.
        let front = block_on(Front::read(&source)).and_then(|front| front.verify(&trust, minimum)).map_err(about)?;
        let mut progress = Progress::bytes(front.manifest().bodies_bytes());
        let started = Instant::now();
        let (front, verdicts, failure) =
            match block_on(verify(&source, &trust, minimum, |bytes| progress.advance(bytes))) {
                Ok(verified) => {
                    let verdicts = Verdicts::all(verified.manifest());
                    (verified, verdicts, None)
                }
                Err(error) => match Verdicts::of(&error, front.manifest()) {
                    Some(verdicts) => {
                        let failure = refused(error, front.manifest(), &self.file.name());
                        (front, verdicts, Some(failure))
                    }
                    None => return Err(about(error)),
                },
            };
        drop(progress);
        let bytes = front.manifest().bodies_bytes();
        let gbps = gbps(bytes, started.elapsed().as_secs_f64()).filter(|_| failure.is_none());
        let report = Report { facts: Facts::of(&self.file.name(), &front), verdicts, roots: "checked", gbps };
        match (self.json, failure) {
            (true, failure) => output::json(&report).and(failure.map_or(Ok(()), Err)),
            (false, Some(failure)) => Err(failure),
            (false, None) => report.print(),
        }
    }
}

impl Report {
    fn print(&self) -> Result<(), Failure> {
        let mut rows = self.facts.rows();
        rows.extend([row("verified", self.verdicts.verified), row("speed", speed(self.gbps))]);
        output::table(["file", self.facts.file()], &rows)
    }
}
