//! How long the GPU itself takes for a kernel, by events around it.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::{CUevent, CUresult, culib};

use super::{
    CudaDevice,
    driver::{Call, check},
    event::Event,
};

/// A kernel's run, by the GPU's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct KernelTime {
    /// The kernel's name, or `tag` for the second half of sealing.
    pub kernel: &'static str,
    /// From its start to its end, as events around it tell.
    pub seconds: f64,
}

impl CudaDevice {
    /// From now on, or no longer, times every kernel of the batches submitted: for measuring, as batches then take longer.
    pub fn time_kernels(&self, on: bool) {
        self.clock.on.store(on, Ordering::Relaxed);
    }

    /// What was timed since the last call, of the batches that were waited for, in the order of their launches.
    pub fn kernel_times(&self) -> Vec<KernelTime> {
        core::mem::take(&mut self.clock.times.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether kernels are timed, and the times that nobody has asked for yet.
#[derive(Default)]
pub(super) struct Clock {
    on: AtomicBool,
    times: Mutex<Vec<KernelTime>>,
}

impl Clock {
    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }
}

/// The events around a batch's kernels.
#[derive(Default)]
pub(super) struct Timed {
    pub(super) runs: Vec<(&'static str, Event, Event)>,
    pub(super) clock: Arc<Clock>,
}

impl Timed {
    /// Reads the times of a batch that is done.
    pub(super) fn take(&self) -> Call {
        let mut times = Vec::with_capacity(self.runs.len());
        for (kernel, start, end) in &self.runs {
            let _current = start.enter()?;
            times.push(KernelTime { kernel, seconds: f64::from(milliseconds(start, end)?) / 1000.0 });
        }
        self.clock.times.lock().unwrap_or_else(PoisonError::into_inner).append(&mut times);
        Ok(())
    }
}

/// cudarc knows this by the name that newer drivers alone have.
fn milliseconds(start: &Event, end: &Event) -> Call<f32> {
    const NAME: &str = "cuEventElapsedTime";
    type Elapsed = unsafe extern "C" fn(*mut f32, CUevent, CUevent) -> CUresult;
    let mut time = 0.0;
    // SAFETY: the driver is there, as there are events; this is the function's type; both events are done.
    let asked = unsafe {
        match culib().get::<Elapsed>(NAME.as_bytes()) {
            Ok(elapsed) => elapsed(&mut time, start.raw(), end.raw()),
            Err(_) => CUresult::CUDA_ERROR_NOT_FOUND,
        }
    };
    check(NAME, asked).map(|()| time)
}
