//! `pqc-gpu transfer`: the main job. A model crosses a real channel to a device and back.

use std::{path::PathBuf, time::Instant};

use pqc_gpu_driver::{
    Error, block_on,
    channel::suite::SUITE_NAME,
    device::{Device, Slot, SlotWriter},
    transfer::hazmat::PlainUpload,
};
use serde::Serialize;
use sha3::{Digest, Sha3_256};

use crate::{
    choose::{DeviceArgument, on_device},
    failure::Failure,
    model::{Model, Tensor},
    output::{self, Progress},
    remote::Remote,
    tamper::Tamper,
    wire::Wire,
};

const AFTER: &str = "\
Every tensor is sealed by the host, uploaded as ciphertext, opened on the device, sealed on the device, sent back,
opened by the host and compared with the original by SHA3-256. Both ends run in this process; the handshake between
them is the real one. With --connect the device's end is another process, perhaps on another machine, and what comes
back is compared byte for byte.

Examples:
  pqc-gpu transfer
      The small model that the program carries.
  pqc-gpu transfer model.safetensors --device cpu --json
      Any safetensors file; one JSON object on standard output.
  pqc-gpu transfer --tamper ciphertext
      An attacker on the wire flips one bit. Exits 1: nothing of the tensor came out.
  pqc-gpu transfer model.safetensors --connect gpu-server:7700 --trust gpu.pub.pem --identity alice.pem
      To the device of a machine that runs pqc-gpu serve.";

/// Send a model's tensors to a device and back through a post-quantum channel, and verify every one
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    /// A .safetensors file; without it a small model that the program carries
    #[arg(value_name = "FILE.safetensors")]
    file: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
    /// Alter the bytes on the wire, to see them refused
    #[arg(long, value_name = "HOW")]
    tamper: Option<Tamper>,
    #[command(flatten)]
    remote: Remote,
    /// Update keys before every N-th tensor, rather than only when they are used up
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    update_key_every: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Tensors are taken to the device and back in groups of about this size, so that a model may be larger than the
/// device's memory.
const GROUP_BYTES: u64 = 256 << 20;

#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) device: String,
    suite: &'static str,
    tensors: usize,
    pub(crate) bytes: u64,
    pub(crate) verified: usize,
    rejected: usize,
    plain_upload_gbps: Option<f64>,
    pub(crate) sealed_upload_gbps: Option<f64>,
    ratio: Option<f64>,
    pub(crate) host_seal_gbps: Option<f64>,
    pub(crate) peak_host_bytes: u64,
    /// Who the device's end is, where it is another process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tamper: Option<&'static str>,
    /// What did not verify, and ended the exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<String>,
    /// What else ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// The handshake is done: there is something to report, whatever comes.
    #[serde(skip)]
    pub(crate) established: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let model = Model::open(self.file.as_deref())?;
        if self.tamper.is_some() && model.tensors().len() == 0 {
            return Err(Failure::usage("the model has no tensor to tamper with"));
        }
        let mut report = Report::new(&model, self.tamper);
        let outcome = self.exchange(&model, &mut report);
        if let Err(failure) = &outcome {
            report.ended_by(failure);
        }
        if self.json && report.established {
            output::json(&report)?;
        } else if !self.json && (outcome.is_ok() || report.rejection.is_some() && self.tamper.is_some()) {
            report.print(&model)?;
        }
        outcome
    }

    fn exchange(&self, model: &Model, report: &mut Report) -> Result<(), Failure> {
        if let Some(address) = &self.remote.connect {
            return self.remote.run(address, model, self.update_key_every, report);
        }
        let device = self.device.device.open()?;
        on_device!(device, device => block_on(run(model, device, self.tamper, self.update_key_every, report)))
    }
}

async fn run<D: Device>(
    model: &Model,
    device: D,
    tamper: Option<Tamper>,
    update_key_every: Option<u64>,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut progress = Progress::bytes(model.tensor_bytes().saturating_mul(4));
    let mut wire = Wire::connect(device)?;
    wire.update_key_every = update_key_every;
    wire.warm_up().await?;
    let mut clocks = Clocks::new(model, wire.transfer.device().info().slot_bytes);
    report.established = true;
    report.device = wire.transfer.device().info().id.clone();
    // The largest tensor is the one with most to lose.
    let target = model.tensors().enumerate().max_by_key(|(_, tensor)| tensor.bytes.len()).map(|(index, _)| index);
    let target = tamper.and(target);
    let tensors: Vec<_> = model.tensors().enumerate().collect();
    let carried = async {
        for group in groups(&tensors) {
            carry(&mut wire, group, tamper.zip(target), &mut clocks, &mut progress, report).await?;
        }
        wire.close()?;
        match tamper {
            Some(tamper) => Err(Failure::other(format!("--tamper {} was not noticed: this is a bug", tamper.name()))),
            None => Ok(()),
        }
    };
    let carried = carried.await;
    report.plain_upload_gbps = rate(clocks.bytes, clocks.plain);
    report.sealed_upload_gbps = rate(clocks.bytes, clocks.sealed);
    report.host_seal_gbps = rate(clocks.bytes, wire.seal_seconds);
    report.ratio = report.sealed_upload_gbps.zip(report.plain_upload_gbps).map(|(sealed, plain)| sealed / plain);
    report.peak_host_bytes = wire.peak_host_bytes;
    carried
}

struct Clocks {
    /// Bytes that both clocks saw.
    bytes: u64,
    plain: f64,
    sealed: f64,
    /// What crosses in the clear to be timed. The model's own bytes must not.
    filler: Vec<u8>,
}

/// More than processors' caches hold, so that the filler is read from memory as a tensor is.
const FILLER_BYTES: u64 = 64 << 20;

impl Clocks {
    fn new(model: &Model, slot_bytes: u64) -> Self {
        let largest = model.tensors().map(|tensor| tensor.metadata.size_bytes()).max().unwrap_or(0);
        let filler = vec![0xa5; largest.min(FILLER_BYTES).max(slot_bytes) as usize];
        Clocks { bytes: 0, plain: 0.0, sealed: 0.0, filler }
    }
}

/// Takes a group of tensors to the device and back.
async fn carry<D: Device>(
    wire: &mut Wire<D>,
    group: &[(usize, Tensor<'_>)],
    tamper: Option<(Tamper, usize)>,
    clocks: &mut Clocks,
    progress: &mut Progress,
    report: &mut Report,
) -> Result<(), Failure> {
    let bytes: u64 = group.iter().map(|(_, tensor)| tensor.metadata.size_bytes()).sum();
    // First, so that the file's pages are in memory before anything is timed.
    let digests: Vec<[u8; 32]> = group
        .iter()
        .map(|(_, tensor)| {
            progress.advance(tensor.metadata.size_bytes());
            Sha3_256::digest(tensor.bytes).into()
        })
        .collect();

    let started = Instant::now();
    plain_upload(wire.transfer.device(), group, &clocks.filler).await?;
    let plain_seconds = started.elapsed().as_secs_f64();
    progress.advance(bytes);

    let started = Instant::now();
    let mut refused = None;
    for (index, tensor) in group {
        let edit = tamper.filter(|(_, target)| target == index).map(|(tamper, _)| tamper);
        if let Err(error) = wire.send(*tensor, edit).await {
            refused = Some(error);
            break;
        }
        progress.advance(tensor.metadata.size_bytes());
    }
    let opened = wire.transfer.settle().await;
    let sealed_seconds = started.elapsed().as_secs_f64();

    // The first failure is the cause; those after it were refused because the session had ended.
    let (mut tensors, mut cause) = (Vec::new(), None);
    for result in opened.into_iter().chain(refused.map(Err)) {
        match result {
            Ok(tensor) => tensors.push(tensor),
            Err(error) => {
                report.rejected += 1;
                cause.get_or_insert(error);
            }
        }
    }
    if let Some(error) = cause {
        // The session is over, so nothing can come back. What was released before was verified by its tags.
        report.verified += tensors.len();
        let failure = Failure::from(error);
        return Err(if failure.is_rejection() { failure.about("a tensor was refused") } else { failure });
    }
    clocks.bytes += bytes;
    clocks.plain += plain_seconds;
    clocks.sealed += sealed_seconds;

    for (tensor, digest) in tensors.into_iter().zip(digests) {
        let returned = wire.fetch(&tensor).await?;
        if returned != digest {
            return Err(Failure::rejected(format!("tensor {} came back altered", tensor.metadata().name())));
        }
        progress.advance(tensor.metadata().size_bytes());
        report.verified += 1;
    }
    Ok(())
}

/// As many bytes by the same path, in the clear: what the sealed upload is compared with. They mean nothing, because a
/// model's tensors cross as ciphertext only.
async fn plain_upload<D: Device>(device: &D, group: &[(usize, Tensor<'_>)], filler: &[u8]) -> Result<(), Error> {
    let mut upload = PlainUpload::new(device);
    for (_, tensor) in group {
        let source = &mut |part: std::ops::Range<u64>, slot: &mut D::Slot| {
            let length = (part.end - part.start) as usize;
            let start = part.start as usize % (filler.len() - length + 1);
            let bytes = &filler[start..start + length];
            slot.writers(&[bytes.len() as u64])?.iter_mut().try_for_each(|writer| writer.write(0, bytes))
        };
        upload.queue(device, tensor.metadata.size_bytes(), source).await?;
    }
    upload.settle(device).await
}

/// Cuts the tensors into runs of about [`GROUP_BYTES`], each at least one tensor.
fn groups<'a, 'b>(tensors: &'a [(usize, Tensor<'b>)]) -> Vec<&'a [(usize, Tensor<'b>)]> {
    let (mut groups, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (end, (_, tensor)) in tensors.iter().enumerate() {
        if end > start && bytes + tensor.metadata.size_bytes() > GROUP_BYTES {
            groups.push(&tensors[start..end]);
            (start, bytes) = (end, 0);
        }
        bytes += tensor.metadata.size_bytes();
    }
    groups.push(&tensors[start..]);
    groups
}

/// Gigabytes (10^9) a second. None where there is nothing to divide.
pub(crate) fn rate(bytes: u64, seconds: f64) -> Option<f64> {
    (bytes > 0 && seconds > 0.0).then(|| bytes as f64 / 1e9 / seconds)
}

impl Report {
    fn new(model: &Model, tamper: Option<Tamper>) -> Self {
        Report {
            device: String::new(),
            suite: SUITE_NAME,
            tensors: model.tensors().len(),
            bytes: model.tensor_bytes(),
            verified: 0,
            rejected: 0,
            plain_upload_gbps: None,
            sealed_upload_gbps: None,
            ratio: None,
            host_seal_gbps: None,
            peak_host_bytes: 0,
            peer: None,
            tamper: tamper.map(Tamper::name),
            rejection: None,
            failure: None,
            established: false,
        }
    }

    /// What became of the tensors that did not come back.
    fn ended_by(&mut self, failure: &Failure) {
        let why = Some(failure.to_string());
        if failure.is_rejection() {
            self.rejection = why;
            // The session ends at the first, so where nobody counted it was one, unless all were through.
            self.rejected = self.rejected.max(usize::from(self.verified < self.tensors));
        } else {
            self.failure = why;
        }
    }

    fn print(&self, model: &Model) -> Result<(), Failure> {
        let speed = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| output::significant(rate) + " GB/s");
        let row = |name: &str, value: String| [name.to_owned(), value];
        let mut rows = vec![
            row("device", self.device.clone()),
            row("suite", self.suite.into()),
            row("tensors", self.tensors.to_string()),
            row("bytes", self.bytes.to_string()),
            row("verified", self.verified.to_string()),
            row("rejected", self.rejected.to_string()),
            row("plain upload", speed(self.plain_upload_gbps)),
            row("sealed upload", speed(self.sealed_upload_gbps)),
            row("sealed / plain", self.ratio.map_or("-".into(), |ratio| format!("{ratio:.3}"))),
            row("host sealing", speed(self.host_seal_gbps)),
            row("peak host memory", format!("{:.1} MiB", self.peak_host_bytes as f64 / f64::from(1 << 20))),
        ];
        if let Some(peer) = &self.peer {
            rows.insert(1, row("peer", peer.clone()));
        }
        if let Some(tamper) = self.tamper {
            rows.insert(0, row("tampered with", tamper.into()));
        }
        output::table(["model", model.name()], &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cover_everything_once() {
        let model = Model::open(None).expect("built in");
        let tensors: Vec<_> = model.tensors().enumerate().collect();
        let covered: usize = groups(&tensors).iter().map(|group| group.len()).sum();
        assert_eq!(covered, tensors.len());
        assert_eq!(groups(&[]).len(), 1, "no tensors are one empty group");
    }
}
