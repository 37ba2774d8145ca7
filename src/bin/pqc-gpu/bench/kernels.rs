//! Kernels alone, by the device's own clock.

use std::{collections::BTreeMap, time::Instant};

#[cfg(feature = "cuda")]
use pqc_gpu_driver::device::CudaDevice;
#[cfg(feature = "wgpu")]
use pqc_gpu_driver::device::WgpuDevice;
use pqc_gpu_driver::{
    Error,
    device::{CpuDevice, Device},
    sealed::Roots,
};

use super::{
    clock::{Measured, wanted},
    report::{NotMeasured, Row, Section},
    sealed::Sealed,
};
use crate::{failure::Failure, model::Tensor, wire::Wire};

/// A device that may tell how long its kernels take.
pub(super) trait KernelClock {
    /// Starts to time kernels, or says why that cannot be.
    fn start(&self) -> Result<(), &'static str>;

    /// The times since the last call: shader and seconds.
    fn take(&self) -> Vec<(&'static str, f64)>;
}

impl KernelClock for CpuDevice {
    fn start(&self) -> Result<(), &'static str> {
        Err("the CPU device's kernels are host code, with no clock of their own")
    }

    fn take(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}

#[cfg(feature = "wgpu")]
impl KernelClock for WgpuDevice {
    fn start(&self) -> Result<(), &'static str> {
        self.time_kernels(true).map_err(|_| "the adapter has no timestamp queries")
    }

    fn take(&self) -> Vec<(&'static str, f64)> {
        self.kernel_times().into_iter().map(|time| (time.shader, time.seconds)).collect()
    }
}

#[cfg(feature = "cuda")]
impl KernelClock for CudaDevice {
    fn start(&self) -> Result<(), &'static str> {
        self.time_kernels(true);
        Ok(())
    }

    fn take(&self) -> Vec<(&'static str, f64)> {
        self.kernel_times().into_iter().map(|time| (time.kernel, time.seconds)).collect()
    }
}

/// What is measured, and the shaders whose times add up to it.
type Figure = (&'static str, &'static [&'static str]);

const FIGURES: [Figure; 4] = [
    ("verify kernel", &["verify"]),
    ("decrypt kernel", &["open"]),
    ("open: verify, judge and decrypt kernels", &["verify", "finalize", "open"]),
    ("seal: encrypt and tag kernels", &["seal", "tag"]),
];

/// The same of a sealed file's tensor.
const OF_SEALED: [Figure; 1] = [("root: hash and compare kernels", &["hash_leaves", "hash_nodes", "compare_root"])];

/// Times the kernels that one tensor takes there and back, and those of its root where it lies in a sealed file. Run it last: timed batches are slower.
pub(super) async fn alone<D: Device + KernelClock>(
    wire: &mut Wire<D>,
    tensor: Tensor<'_>,
) -> Result<Result<Vec<Row>, NotMeasured>, Failure> {
    if let Err(why) = wire.transfer.device().start() {
        return Ok(Err(NotMeasured { what: "kernels alone", why }));
    }
    let bytes = tensor.metadata.size_bytes();
    let mut rows = timed(wire, bytes, &FIGURES, async |wire| wire.there_and_back(tensor).await).await?;
    let sealed = Sealed::of(tensor).await?;
    rows.extend(timed(wire, bytes, &OF_SEALED, async |wire| sealed.open(wire, Roots::Check).await).await?);
    if rows.iter().any(|row| row.seconds <= 0.0) {
        // Some drivers offer timestamps that stand still.
        return Ok(Err(NotMeasured { what: "kernels alone", why: "the driver's timestamps do not advance" }));
    }
    Ok(Ok(rows))
}

/// Repeats some work, and adds up the times of its kernels.
async fn timed<D: Device + KernelClock>(
    wire: &mut Wire<D>,
    bytes: u64,
    figures: &[Figure],
    mut work: impl AsyncFnMut(&mut Wire<D>) -> Result<(), Error>,
) -> Result<Vec<Row>, Error> {
    let begun = Instant::now();
    let mut runs: Vec<BTreeMap<&str, f64>> = Vec::new();
    work(wire).await?; // warm
    wire.transfer.device().take();
    while wanted(runs.len(), begun) {
        work(wire).await?;
        let mut sums = BTreeMap::new();
        for (shader, seconds) in wire.transfer.device().take() {
            *sums.entry(shader).or_default() += seconds;
        }
        runs.push(sums);
    }
    let row = |(what, shaders): &Figure| {
        let of_run = |run: &BTreeMap<&str, f64>| shaders.iter().filter_map(|shader| run.get(shader)).sum();
        Row::rate(Section::Kernels, what, bytes, Measured::median(runs.iter().map(of_run).collect()), None)
    };
    Ok(figures.iter().map(row).collect())
}
