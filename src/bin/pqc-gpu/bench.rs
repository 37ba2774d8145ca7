//! `pqc-gpu bench`: how fast, each figure beside its plain counterpart in the same run.

mod chart;
mod clock;
mod device;
mod host;
mod kernels;
mod report;
mod sealed;

use std::path::PathBuf;

use pqc_gpu_driver::{DType, TensorMetadata, block_on, device::Device};

use crate::{
    choose::{DeviceArgument, on_device},
    failure::Failure,
    model::Tensor,
    output::{self, Progress, shown},
    wire::Wire,
};
use kernels::KernelClock;
use report::Report;

const AFTER: &str = "\
Each figure is the median of several runs. Figures compare only within one run of this command: what stands under
`beside` was measured in it, over the same buffers or by the same path. `sustained` keeps 8 tensors in flight; sealed
beforehand, they take 8 times their size in host memory. Kernels are timed alone where the device has a clock for it.

Examples:
  pqc-gpu bench
  pqc-gpu bench --device wgpu --size 16 --size 256 --chart bench.svg
  pqc-gpu bench --device wgpu:llvmpipe --size 1 --json
      A software adapter, by name. Its figures are a CPU's.";

/// Measure sealing, upload and opening beside their plain counterparts
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    device: DeviceArgument,
    /// Tensor size in MiB; may be given several times
    #[arg(long, value_name = "MIB", default_values_t = [1, 16], value_parser = clap::value_parser!(u64).range(1..=16384))]
    size: Vec<u64>,
    /// Draw the figures as bars into an SVG file
    #[arg(long, value_name = "FILE.svg")]
    chart: Option<PathBuf>,
    /// Write the JSON object into a file, whatever is printed
    #[arg(long, value_name = "FILE.json")]
    output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Tensors in flight in the sustained figures.
const IN_FLIGHT: usize = 8;

/// Steps of a size, and of all, that progress is told of.
const STEPS: (u64, u64) = (5, 2);

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // Said before minutes are spent on measuring.
        for path in [&self.chart, &self.output].into_iter().flatten() {
            if path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
                return Err(Failure::usage(format!("cannot write {}: no such folder", shown(path))));
            }
        }
        let device = self.device.device.open()?;
        let report = on_device!(device, device => block_on(run(device, &self.size)))?;
        if let Some(path) = &self.chart {
            std::fs::write(path, chart::draw(&report)).map_err(|error| Failure::writing(path, error))?;
        }
        if let Some(path) = &self.output {
            std::fs::write(path, output::json_line(&report)?).map_err(|error| Failure::writing(path, error))?;
        }
        if self.json { output::json(&report) } else { report.print() }
    }
}

async fn run<D: Device + KernelClock>(device: D, sizes: &[u64]) -> Result<Report, Failure> {
    let mut progress = Progress::items(sizes.len() as u64 * STEPS.0 + STEPS.1);
    let info = device.info().clone();
    let mut report = Report {
        device: info.id,
        name: info.name,
        driver: info.driver,
        software: info.software,
        threads: rayon::current_num_threads(),
        in_flight: IN_FLIGHT,
        rows: Vec::new(),
        not_measured: Vec::new(),
        peak_host_bytes: 0,
    };
    let mut wire = Wire::connect(device)?;
    let mut tensors = Vec::new();
    for mib in sizes {
        let bytes = mib << 20;
        tensors.push((filled(bytes), TensorMetadata::new("bench", "bench", DType::U8, [bytes])?));
    }
    let tensors = tensors.iter().map(|(bytes, metadata)| Tensor { metadata, bytes });
    for tensor in tensors.clone() {
        report.rows.extend(host::sealing(tensor.metadata.size_bytes())?);
        progress.advance(1);
        report.rows.extend(device::upload(&mut wire, tensor).await?);
        progress.advance(1);
        report.rows.extend(device::download(&mut wire, tensor).await?);
        progress.advance(1);
        report.rows.extend(sealed::opening(&mut wire, tensor).await?);
        progress.advance(1);
    }
    report.rows.extend(device::small(&mut wire).await?);
    progress.advance(1);
    report.rows.push(host::handshake()?);
    progress.advance(1);
    for tensor in tensors {
        match kernels::alone(&mut wire, tensor).await? {
            Ok(rows) => report.rows.extend(rows),
            Err(absent) => report.not_measured = vec![absent],
        }
        progress.advance(1);
    }
    wire.close()?;
    report.peak_host_bytes = wire.peak_host_bytes;
    Ok(report)
}

fn filled(bytes: u64) -> Vec<u8> {
    (0..bytes).map(|i| (i % 251) as u8).collect()
}
