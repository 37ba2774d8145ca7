//! `pqc-gpu load`: a sealed model into a device's memory, where it is opened.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use pqc_gpu_driver::{
    DType, Error, Identity, TensorMetadata, TrustPolicy, block_on,
    device::Device,
    sealed::{PlainModel, RecipientKey, Roots, SealedModel, Sealing, Source},
    transfer::{Destination, SealedArrival, Transfer},
};
use serde::Serialize;

use super::{
    Publishers, Verdicts,
    facts::{Facts, gbps, row, speed},
    location::{Location, Storage},
};
use crate::{
    choose::{DeviceArgument, on_device},
    devices::Promise,
    failure::Failure,
    keys,
    output::{self, Progress},
};

const AFTER: &str = "\
Ciphertext goes from storage to the device in the order of the file, several reads under way, and is opened there: no
plaintext touches a disk, nor this machine's memory unless the device is part of it. This shows that a model loads, and
how fast; each tensor's memory is erased once it is verified. A program keeps its tensors: SealedModel and Transfer in
the library.

Examples:
  pqc-gpu load model.pqgs --identity alice.pem --trust publisher.pub.pem
      Every tag and every root is checked on the device.
  pqc-gpu load https://models.example.org/model.pqgs --device wgpu --identity alice.pem --trust publisher.pub.pem
      From a server that answers range requests; s3://bucket/key with AWS_ACCESS_KEY_ID and the like works as well.
  pqc-gpu load model.pqgs --identity alice.pem --trust publisher.pub.pem --skip-roots --json
      Faster, but another recipient could have altered the tensors: the result says so.";

/// Tensors are opened in groups of about this size, so that a model may be larger than the device's memory.
const GROUP_BYTES: u64 = 256 << 20;
/// The library reads bodies in pieces of this size at most: 512 chunks with their tags, and zeros up to the next body.
const READ_BYTES: u64 = 512 * (16_384 + 16) + 4096;

/// Open a sealed file on a device: from a disk, a web server or S3, at the storage's speed
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: Location,
    #[command(flatten)]
    device: DeviceArgument,
    /// A recipient's secret key file
    #[arg(long, value_name = "ID.pem")]
    identity: PathBuf,
    #[command(flatten)]
    publishers: Publishers,
    /// Do not compare tensors with what the publisher signed: another recipient may have altered them
    #[arg(long)]
    skip_roots: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    facts: Facts,
    device: String,
    #[serde(flatten)]
    verdicts: Verdicts,
    roots: &'static str,
    gbps: Option<f64>,
    peak_host_bytes: u64,
    #[serde(flatten)]
    promise: Promise,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let identity = keys::identity(&self.identity)?;
        let trust = self.publishers.policy()?;
        let device = self.device.device.open()?;
        let model = SealedModel::open(self.file.open()?, &identity, &trust, self.publishers.min_release);
        let model = block_on(model).map_err(|error| self.file.about(error))?;
        if self.skip_roots {
            output::note("warning: --skip-roots: another recipient of the file could have altered its tensors");
        }
        let (roots, said) = match self.skip_roots {
            true => (Roots::Skip, "skipped"),
            false => (Roots::Check, "checked"),
        };
        let reads = model.source().buffers() * READ_BYTES.min(model.manifest().bodies_bytes());
        let mut report = Report {
            facts: Facts::of(&self.file.name(), model.front()),
            device: device.info().id.clone(),
            verdicts: Verdicts { verified: 0, rejected: 0, rejection: None },
            roots: said,
            gbps: None,
            peak_host_bytes: device.info().staging_bytes() + reads,
            promise: Promise::of_sealed_file(&device),
        };
        let outcome = on_device!(device, device => block_on(load(&model, device, roots, &mut report)));
        let outcome = outcome.map_err(|failure| failure.about(self.file.name()));
        if let Err(failure) = &outcome
            && failure.is_rejection()
        {
            report.verdicts.rejection = Some(failure.to_string());
            report.verdicts.rejected = model.manifest().tensors().len() - report.verdicts.verified;
        }
        match outcome {
            Ok(()) if !self.json => report.print(),
            Err(failure) if !self.json || !failure.is_rejection() => Err(failure),
            outcome => output::json(&report).and(outcome),
        }
    }
}

async fn load<D: Device>(
    model: &SealedModel<Storage>,
    device: D,
    roots: Roots,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut transfer = Transfer::new(device);
    warm_up(&mut transfer).await?;
    let manifest = model.manifest();
    let mut progress = Progress::bytes(manifest.bodies_bytes());
    let started = Instant::now();
    let mut pieces = model.ciphertexts(0..manifest.tensors().len() as u32)?;
    let (mut arrival, mut queued): (Option<SealedArrival<D>>, u64) = (None, 0);
    while let Some(piece) = pieces.next().await.map_err(Error::from)? {
        let mut arriving = match arrival.take() {
            Some(arriving) => arriving,
            None => transfer.sealed_arrival(&model.body(piece.tensor)?.whole(roots), Destination::Owned).await?,
        };
        arriving.push(&mut transfer, piece.bytes).await?;
        progress.advance(piece.bytes.len() as u64);
        queued += piece.bytes.len() as u64;
        match piece.last {
            true => arriving.finish(&mut transfer)?,
            false => arrival = Some(arriving),
        }
        if queued >= GROUP_BYTES && piece.last {
            settle(&mut transfer, model, report).await?;
            queued = 0;
        }
    }
    settle(&mut transfer, model, report).await?;
    report.gbps = gbps(manifest.tensor_bytes(), started.elapsed().as_secs_f64());
    Ok(())
}

/// Waits for what is queued, counts what was verified, and lets it go. Fails at the first that was not.
async fn settle<D: Device, S: Source>(
    transfer: &mut Transfer<D>,
    model: &SealedModel<S>,
    report: &mut Report,
) -> Result<(), Failure> {
    let first = report.verdicts.verified;
    let settled = transfer.settle().await;
    report.verdicts.verified += settled.iter().filter(|tensor| tensor.is_ok()).count();
    for (at, result) in settled.into_iter().enumerate() {
        match result {
            Ok(_) => {}
            Err(Error::Decryption) => {
                let name = model.manifest().tensors()[first + at].metadata().name();
                let what = "refused on the device: a tag is wrong, or the root that the publisher signed";
                return Err(Failure::rejected(format!("tensor {name:?} was {what}")));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Lets the device compile its kernels, so that no tensor's time is theirs: with a file of its own.
async fn warm_up<D: Device>(transfer: &mut Transfer<D>) -> Result<(), Failure> {
    let identity = Identity::generate()?;
    let metadata = TensorMetadata::new("0", "warm-up", DType::U8, [40_000])?;
    let bytes = vec![0; 40_000];
    let plain = PlainModel::new(BTreeMap::new(), vec![(metadata, &bytes[..])])?;
    let mut sealed = std::io::Cursor::new(Vec::new());
    Sealing::new(&plain, &identity, &[RecipientKey::from(identity.public())], 0)?.write(&mut sealed, |_| ())?;
    let trust = TrustPolicy::pin(identity.public_key().clone());
    let model = SealedModel::open(sealed.into_inner(), &identity, &trust, 0).await?;
    let range = model.body_range(0)?;
    let sealed = &model.source()[range.start as usize..range.end as usize];
    transfer.open_sealed(&model.body(0)?.whole(Roots::Check), sealed).await?;
    Ok(())
}

impl Report {
    fn print(&self) -> Result<(), Failure> {
        let mut rows = self.facts.rows();
        rows.extend([
            row("device", &self.device),
            row("verified", self.verdicts.verified),
            row("rejected", self.verdicts.rejected),
            row("roots", self.roots),
            row("speed", speed(self.gbps)),
            row("peak host memory", format!("{:.1} MiB", self.peak_host_bytes as f64 / f64::from(1 << 20))),
            row("holds", self.promise.mode),
            row("", self.promise.promise),
            row("bus", self.promise.bus),
        ]);
        output::table(["file", self.facts.file()], &rows)
    }
}
