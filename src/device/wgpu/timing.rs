//! How long the GPU itself takes for a kernel, where the adapter has timestamp queries.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::WgpuDevice;
use crate::{Error, Result};

/// A shader's run, by the GPU's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct KernelTime {
    /// The shader's name: that of its kernel, or `tag` for the second half of sealing.
    pub shader: &'static str,
    /// From the start of its pass to the end of it.
    pub seconds: f64,
}

impl WgpuDevice {
    /// Whether kernels can be timed: the wgpu device was given [`wgpu::Features::TIMESTAMP_QUERY`], as
    /// [`WgpuDevice::open`] does where the adapter offers it.
    pub fn has_kernel_times(&self) -> bool {
        self.shared.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// From now on, or no longer, times every kernel of the batches submitted. Each then has a compute pass of its own, so
    /// batches take a little longer: for measuring. Batches of more than 2048 launches are refused meanwhile.
    pub fn time_kernels(&self, on: bool) -> Result<()> {
        if on && !self.has_kernel_times() {
            return Err(Error::Usage("the wgpu device was made without the feature TIMESTAMP_QUERY"));
        }
        self.shared.clock.on.store(on, Ordering::Relaxed);
        Ok(())
    }

    /// What was timed since the last call, of the batches that were waited for, in the order of their launches.
    pub fn kernel_times(&self) -> Vec<KernelTime> {
        core::mem::take(&mut self.shared.clock.times.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether kernels are timed, and the times that nobody has asked for yet.
#[derive(Default)]
pub(super) struct Clock {
    on: AtomicBool,
    times: Arc<Mutex<Vec<KernelTime>>>,
    /// Nanoseconds of a tick.
    period: f32,
}

impl Clock {
    pub(super) fn new(queue: &wgpu::Queue, features: wgpu::Features) -> Self {
        let has = features.contains(wgpu::Features::TIMESTAMP_QUERY);
        Clock { period: if has { queue.get_timestamp_period() } else { 0.0 }, ..Clock::default() }
    }

    /// For a batch of so many dispatches, if it is to be timed.
    pub(super) fn timer(&self, device: &wgpu::Device, dispatches: usize) -> Result<Option<Timer>> {
        if !self.on.load(Ordering::Relaxed) || dispatches == 0 {
            return Ok(None);
        }
        if dispatches > wgpu::QUERY_SET_MAX_QUERIES as usize / 2 {
            return Err(Error::Usage("the batch has more launches than can be timed"));
        }
        let count = 2 * dispatches as u32;
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("pqc-gpu kernel times"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let resolved = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("pqc-gpu kernel times"),
            size: u64::from(count) * u64::from(wgpu::QUERY_SIZE),
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let (times, period) = (Arc::clone(&self.times), self.period);
        Ok(Some(Timer { queries, resolved, shaders: Vec::new(), times, period }))
    }
}

/// Times a batch being encoded.
pub(super) struct Timer {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    shaders: Vec<&'static str>,
    times: Arc<Mutex<Vec<KernelTime>>>,
    period: f32,
}

impl Timer {
    /// What the times take of the read-back.
    pub(super) fn bytes(&self) -> u64 {
        self.resolved.size()
    }

    /// The next dispatch's pass.
    pub(super) fn pass(&mut self, shader: &'static str) -> wgpu::ComputePassTimestampWrites<'_> {
        let index = 2 * self.shaders.len() as u32;
        self.shaders.push(shader);
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(index),
            end_of_pass_write_index: Some(index + 1),
        }
    }

    /// Copies the times behind what the batch reads.
    pub(super) fn finish(self, encoder: &mut wgpu::CommandEncoder, read_back: &wgpu::Buffer, at: u64) -> Timed {
        encoder.resolve_query_set(&self.queries, 0..2 * self.shaders.len() as u32, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, read_back, at, self.resolved.size());
        Timed { at: at as usize, shaders: self.shaders, times: self.times, period: self.period }
    }
}

/// Where in its read-back a batch's times lie.
pub(super) struct Timed {
    at: usize,
    shaders: Vec<&'static str>,
    times: Arc<Mutex<Vec<KernelTime>>>,
    period: f32,
}

impl Timed {
    pub(super) fn take(self, read_back: &[u8]) {
        let words = read_back.get(self.at..).unwrap_or_default().chunks_exact(8);
        let ticks: Vec<u64> = words.filter_map(|word| word.try_into().ok().map(u64::from_le_bytes)).collect();
        let spans = ticks.chunks_exact(2).map(|span| span[1].saturating_sub(span[0]));
        let seconds = spans.map(|ticks| ticks as f64 * f64::from(self.period) / 1e9);
        let times = self.shaders.into_iter().zip(seconds).map(|(shader, seconds)| KernelTime { shader, seconds });
        self.times.lock().unwrap_or_else(PoisonError::into_inner).extend(times);
    }
}
