//! `pqc-gpu bench`: how fast, each figure beside its plain counterpart in the same run.

use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use pqc_gpu_driver::{
    DType, Error, TensorMetadata, block_on,
    channel::chunk::{CHUNK_BYTES, SEALED_CHUNK_BYTES, sealed_bytes},
    device::{Device, Slot, SlotWriter},
    establish_channel,
    transfer::hazmat::PlainUpload,
};
use serde::Serialize;

use crate::{
    choose::{DeviceArgument, on_device},
    failure::Failure,
    model::Tensor,
    output::{self, Progress},
    wire::Wire,
};

const AFTER: &str = "\
Each figure is the median of several runs. Figures compare only within one run of this command: what stands under
`beside` was measured in it, over the same buffers or by the same path. `sustained` keeps 8 tensors in flight.

Examples:
  pqc-gpu bench
  pqc-gpu bench --device cpu --size 16 --size 256 --json";

/// Measure sealing, upload and opening beside their plain counterparts
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    device: DeviceArgument,
    /// Tensor size in MiB; may be given several times
    #[arg(long, value_name = "MIB", default_values_t = [1, 16], value_parser = clap::value_parser!(u64).range(1..=16384))]
    size: Vec<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Tensors in flight in the sustained figures.
const IN_FLIGHT: usize = 8;
/// Repetitions, and the time after which there are no more of them.
const RUNS: usize = 9;
const TURNS: usize = 500;
const ENOUGH: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Report {
    device: String,
    name: String,
    software: bool,
    threads: usize,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    what: String,
    bytes: u64,
    seconds: f64,
    /// Gigabytes (10^9) of plaintext a second; none for what is not about bytes.
    gbps: Option<f64>,
    beside: Option<String>,
    ratio: Option<f64>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let device = self.device.device.open()?;
        let report = on_device!(device, device => block_on(run(device, &self.size)))?;
        if self.json {
            return output::json(&report);
        }
        let rows: Vec<_> = report.rows.iter().map(Row::cells).collect();
        output::table(["what", "size", "time", "GB/s", "ratio", "beside"], &rows)
    }
}

async fn run<D: Device>(device: D, sizes: &[u64]) -> Result<Report, Failure> {
    let mut progress = Progress::items(sizes.len() as u64 * 7 + 3);
    let info = device.info().clone();
    let threads = rayon::current_num_threads();
    let mut report = Report { device: info.id, name: info.name, software: info.software, threads, rows: Vec::new() };
    let mut wire = Wire::connect(device)?;
    for mib in sizes {
        report.rows.extend(host(*mib << 20, &mut progress)?);
        report.rows.extend(upload(&mut wire, *mib << 20, &mut progress).await?);
    }
    report.rows.extend(small(&mut wire, &mut progress).await?);
    let seconds = median(|| establish_channel("host", "device").map(drop))?;
    report.rows.push(Row::time("handshake, both ends, fresh identities", 0, seconds));
    progress.advance(1);
    wire.close()?;
    Ok(report)
}

/// Sealing beside memcpy and the raw AEAD, over the same buffers.
fn host(bytes: u64, progress: &mut Progress) -> Result<Vec<Row>, Failure> {
    let plaintext = filled(bytes);
    let mut sealed = vec![0; sealed_bytes(bytes) as usize];
    let metadata = TensorMetadata::new("bench", "bench", DType::U8, [bytes])?;
    let (host, _device) = establish_channel("host", "device")?;
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| Failure::other("the raw AEAD took no key"))?;
    let key = LessSafeKey::new(key);
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let one_core = one_core.map_err(|error| Failure::other(error.to_string()))?;
    let seal = |sealed: &mut [u8]| {
        let mut sealing = host.seal(&metadata)?;
        let piece = sealing.next_piece(u32::MAX).ok_or(Error::Usage("no piece"))?;
        piece.seal(&plaintext, sealed)?;
        sealing.finish()
    };
    // In turns, so that whatever else the machine does falls on all of them alike; on one thread of a pool of one, so
    // that no core has to be woken in between.
    let [copy, raw, one] = one_core.install(|| {
        medians(|what| match what {
            0 => {
                sealed[..plaintext.len()].copy_from_slice(&plaintext);
                std::hint::black_box(&mut sealed);
                Ok(())
            }
            1 => raw_chunks(&key, &plaintext, &mut sealed),
            _ => seal(&mut sealed),
        })
    })?;
    let [all] = medians(|_| seal(&mut sealed))?;
    progress.advance(4);
    Ok(vec![
        Row::rate("memcpy", bytes, copy, None),
        Row::rate("raw aws-lc-rs, one core", bytes, raw, Some(("memcpy", copy))),
        Row::rate("host seal, one core", bytes, one, Some(("raw aws-lc-rs, one core", raw))),
        Row::rate("host seal, all cores", bytes, all, Some(("host seal, one core", one))),
    ])
}

/// The sealed upload beside the plain one by the same path.
async fn upload<D: Device>(wire: &mut Wire<D>, bytes: u64, progress: &mut Progress) -> Result<Vec<Row>, Failure> {
    let plaintext = filled(bytes);
    let metadata = TensorMetadata::new("bench", "bench", DType::U8, [bytes])?;
    let tensor = Tensor { metadata: &metadata, bytes: &plaintext };
    let many = bytes * IN_FLIGHT as u64;
    let mut seconds = [0.0; 4];
    for (slot, count) in [(0, 1), (2, IN_FLIGHT)] {
        seconds[slot] = median_async(async || plain(wire.transfer.device(), tensor, count).await).await?;
        seconds[slot + 1] = median_async(async || send(wire, tensor, count).await).await?;
        progress.advance(1);
    }
    wire.send(tensor, None).await?;
    let held = wire.transfer.settle().await.pop().ok_or_else(|| Failure::other("the tensor was lost"))??;
    let back = median_async(async || wire.fetch_unread(&held).await).await?;
    progress.advance(1);
    Ok(vec![
        Row::rate("plain upload, single", bytes, seconds[0], None),
        Row::rate("sealed upload and open, single", bytes, seconds[1], Some(("plain upload, single", seconds[0]))),
        Row::rate("plain upload, sustained", many, seconds[2], None),
        Row::rate("sealed upload and open, sustained", many, seconds[3], Some(("plain upload, sustained", seconds[2]))),
        Row::rate("device to host, sealed there, opened here", bytes, back, Some(("plain upload, single", seconds[0]))),
    ])
}

/// What a small tensor's crossing adds.
async fn small<D: Device>(wire: &mut Wire<D>, progress: &mut Progress) -> Result<Vec<Row>, Failure> {
    let plaintext = filled(4096);
    let metadata = TensorMetadata::new("bench", "bench", DType::U8, [4096])?;
    let tensor = Tensor { metadata: &metadata, bytes: &plaintext };
    let plain = median_async(async || plain(wire.transfer.device(), tensor, 1).await).await?;
    let sealed = median_async(async || send(wire, tensor, 1).await).await?;
    progress.advance(2);
    let mut row = Row::time("4 KiB sealed upload and open", 4096, sealed);
    (row.beside, row.ratio) = (Some("4 KiB plain upload".into()), Some(plain / sealed));
    Ok(vec![Row::time("4 KiB plain upload", 4096, plain), row])
}

async fn plain<D: Device>(device: &D, tensor: Tensor<'_>, count: usize) -> Result<(), Error> {
    let mut upload = PlainUpload::new(device);
    for _ in 0..count {
        upload
            .queue(device, tensor.metadata.size_bytes(), &mut |part, slot: &mut D::Slot| {
                let bytes = &tensor.bytes[part.start as usize..part.end as usize];
                slot.writers(&[bytes.len() as u64])?.iter_mut().try_for_each(|writer| writer.write(0, bytes))
            })
            .await?;
    }
    upload.settle(device).await
}

async fn send<D: Device>(wire: &mut Wire<D>, tensor: Tensor<'_>, count: usize) -> Result<(), Error> {
    for _ in 0..count {
        wire.send(tensor, None).await?;
    }
    wire.transfer.settle().await.into_iter().try_for_each(|result| result.map(drop))
}

fn raw_chunks(key: &LessSafeKey, plaintext: &[u8], sealed: &mut [u8]) -> Result<(), Error> {
    let mut nonce = [0; 12];
    let chunks = plaintext.chunks(CHUNK_BYTES as usize).zip(sealed.chunks_mut(SEALED_CHUNK_BYTES as usize));
    for (number, (plain, out)) in (0u32..).zip(chunks) {
        nonce[8..].copy_from_slice(&number.to_be_bytes());
        let (ciphertext, tag) = out.split_at_mut(plain.len());
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_out_of_place_scatter(nonce, Aad::from([0; 32]), plain, ciphertext, &[], &mut tag[..16])
            .map_err(|_| Error::Usage("the raw AEAD refused its lengths"))?;
    }
    Ok(())
}

fn filled(bytes: u64) -> Vec<u8> {
    (0..bytes).map(|i| (i % 251) as u8).collect()
}

fn median(mut work: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    block_on(median_async(async || work()))
}

/// The medians of several pieces of work done in turns.
fn medians<const N: usize>(mut work: impl FnMut(usize) -> Result<(), Error>) -> Result<[f64; N], Error> {
    let (begun, mut seconds) = (Instant::now(), [const { Vec::new() }; N]);
    (0..N).try_for_each(&mut work)?; // memory is touched and code is warm
    while seconds[0].len() < TURNS && (seconds[0].len() < 3 || begun.elapsed() < ENOUGH) {
        for (what, seconds) in seconds.iter_mut().enumerate() {
            let started = Instant::now();
            work(what)?;
            seconds.push(started.elapsed().as_secs_f64());
        }
    }
    Ok(seconds.map(middle))
}

fn middle(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

async fn median_async(mut work: impl AsyncFnMut() -> Result<(), Error>) -> Result<f64, Error> {
    work().await?; // memory is touched and code is warm
    let (begun, mut seconds) = (Instant::now(), Vec::new());
    while seconds.len() < RUNS && (seconds.len() < 3 || begun.elapsed() < ENOUGH) {
        let started = Instant::now();
        work().await?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(middle(seconds))
}

impl Row {
    fn time(what: &str, bytes: u64, seconds: f64) -> Self {
        Row { what: what.into(), bytes, seconds, gbps: None, beside: None, ratio: None }
    }

    fn rate(what: &str, bytes: u64, seconds: f64, beside: Option<(&str, f64)>) -> Self {
        Row {
            gbps: Some(bytes as f64 / 1e9 / seconds),
            beside: beside.map(|(name, _)| name.into()),
            ratio: beside.map(|(_, other)| other / seconds),
            ..Row::time(what, bytes, seconds)
        }
    }

    fn cells(&self) -> [String; 6] {
        let size = match self.bytes {
            0 => "-".into(),
            bytes if bytes < 1 << 20 => format!("{} KiB", bytes >> 10),
            bytes => format!("{} MiB", bytes >> 20),
        };
        let time = match self.seconds {
            s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
            s => format!("{:.2} ms", s * 1e3),
        };
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        [self.what.clone(), size, time, number(self.gbps), number(self.ratio), self.beside.clone().unwrap_or_default()]
    }
}
