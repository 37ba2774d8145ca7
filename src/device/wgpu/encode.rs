//! Encoding a batch: its parameters in one buffer, its read-backs in another.

use core::ops::Range;

use super::{
    super::{
        Part,
        wgsl::{self, PARAMS_BYTES, bound, columns, params, read_bytes, words},
    },
    Shared, WgpuBuffer, WgpuSlot,
    ring::Departing,
    timing::{Timed, Timer},
};
use crate::Result;

type Command = wgsl::Command<WgpuBuffer, WgpuSlot>;

/// A batch as the device takes it, and what is needed when it is done.
pub(super) struct Encoded {
    pub(super) commands: wgpu::CommandBuffer,
    pub(super) departing: Vec<Departing>,
    pub(super) read_back: wgpu::Buffer,
    /// Where in it each read lies.
    pub(super) reads: Vec<Range<usize>>,
    pub(super) timed: Option<Timed>,
}

/// A batch being encoded.
pub(super) struct Encoder<'a> {
    shared: &'a Shared,
    encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
    params: wgpu::Buffer,
    params_stride: u64,
    dispatched: u32,
    departing: Vec<Departing>,
    read_back: wgpu::Buffer,
    reads: Vec<Range<usize>>,
    read_bytes: u64,
    timer: Option<Timer>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(shared: &'a Shared, commands: &[Command]) -> Result<Self> {
        let params_stride = u64::from(shared.limits.min_uniform_buffer_offset_alignment).max(PARAMS_BYTES);
        let bytes = params(commands, params_stride);
        let timer = shared.clock.timer(&shared.device, bytes.len() / params_stride as usize)?;
        let read_bytes = read_bytes(commands);
        let device = &shared.device;
        let params = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("pqc-gpu parameters"),
            size: (bytes.len() as u64).max(PARAMS_BYTES),
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: true,
        });
        if !bytes.is_empty() {
            let mut view = params.get_mapped_range_mut(..).map_err(|_| super::lost())?;
            view.slice(..bytes.len()).copy_from_slice(&bytes);
        }
        params.unmap();
        let read_back = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("pqc-gpu read-back"),
            size: (read_bytes + timer.as_ref().map_or(0, Timer::bytes)).max(4),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("pqc-gpu batch") });
        Ok(Encoder {
            shared,
            encoder,
            pass: None,
            params,
            params_stride,
            dispatched: 0,
            departing: Vec::new(),
            read_back,
            reads: Vec::new(),
            read_bytes: 0,
            timer,
        })
    }

    pub(super) fn encode(&mut self, command: &mut Command) -> Result<()> {
        if !matches!(command, Command::Dispatch(_)) {
            self.pass = None;
        }
        match command {
            Command::Dispatch(dispatch) => self.dispatch(dispatch)?,
            Command::CopyIn { slot, to, parts } => {
                let departing = slot.take().and_then(WgpuSlot::depart).ok_or_else(super::lost)?;
                let buffer = departing.buffer().ok_or_else(super::lost)?;
                for &Part { from, to: at, bytes } in parts.iter() {
                    let bytes = bytes.next_multiple_of(4);
                    self.encoder.copy_buffer_to_buffer(buffer, from, to.raw(), at, bytes);
                }
                self.departing.push(departing);
            }
            Command::Clear { buffer, range } => {
                self.encoder.clear_buffer(buffer.raw(), range.start, Some(range.end - range.start));
            }
            Command::CopyOut { from, range } => {
                let copied = words(range);
                let at = self.read_bytes;
                if copied.end > copied.start {
                    let bytes = copied.end - copied.start;
                    self.encoder.copy_buffer_to_buffer(from.raw(), copied.start, &self.read_back, at, bytes);
                    self.read_bytes += bytes;
                }
                let start = (at + range.start - copied.start) as usize;
                self.reads.push(start..start + (range.end - range.start) as usize);
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, dispatch: &wgsl::Dispatch<WgpuBuffer>) -> Result<()> {
        let Shared { device, pipelines, limits, .. } = self.shared;
        let pipeline = pipelines.of(device, dispatch.shader)?;
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &self.params,
                offset: 0,
                size: core::num::NonZero::new(PARAMS_BYTES),
            }),
        }];
        entries.extend((1..).zip(&dispatch.bindings).map(|(binding, (buffer, range))| {
            let size = core::num::NonZero::new(bound(buffer, range));
            let part = wgpu::BufferBinding { buffer: buffer.raw(), offset: range.start, size };
            wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(part) }
        }));
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(dispatch.shader.name()),
            layout: &pipeline.bindings,
            entries: &entries,
        });
        let encoder = &mut self.encoder;
        if let Some(timer) = &mut self.timer {
            // What is timed has a pass of its own.
            self.pass = None;
            let timestamp_writes = Some(timer.pass(dispatch.shader.name()));
            let pass = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            self.pass = Some(encoder.begin_compute_pass(&pass).forget_lifetime());
        }
        let pass = self.pass.get_or_insert_with(|| {
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime()
        });
        let (columns, rows) = columns(dispatch.workgroups, limits.max_compute_workgroups_per_dimension);
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &group, &[self.dispatched * self.params_stride as u32]);
        pass.dispatch_workgroups(columns, rows, 1);
        self.dispatched += 1;
        Ok(())
    }

    pub(super) fn finish(self) -> Encoded {
        let Encoder { mut encoder, pass, departing, read_back, reads, read_bytes, timer, .. } = self;
        drop(pass);
        let timed = timer.map(|timer| timer.finish(&mut encoder, &read_back, read_bytes));
        Encoded { commands: encoder.finish(), departing, read_back, reads, timed }
    }
}
