//! Recording and encoding batches.

use core::ops::Range;
use std::sync::Arc;

use super::{
    super::{Binding, DeviceInfo, Launch, Part, ReadId},
    Shared, WgpuBuffer, WgpuFence, WgpuSlot,
    check::check,
    pipelines::PARAMS_BYTES,
    ring::Departing,
};
use crate::{
    Error, Result,
    kernel::{
        Kernel, Params,
        wgsl::{Plaintext, Shader},
    },
};

/// Recorded commands.
#[derive(Default)]
pub struct WgpuBatch {
    commands: Vec<Command>,
    reads: usize,
    launches: u64,
    /// The first thing recorded that cannot be done; the batch then is not submitted.
    wrong: Option<Error>,
}

enum Command {
    /// The slot is taken when the copy is encoded.
    CopyIn {
        slot: Option<WgpuSlot>,
        to: WgpuBuffer,
        parts: Vec<Part>,
    },
    Dispatch(Dispatch),
    Clear {
        buffer: WgpuBuffer,
        range: Range<u64>,
    },
    CopyOut {
        from: WgpuBuffer,
        range: Range<u64>,
    },
}

struct Dispatch {
    shader: Shader,
    bindings: Vec<(WgpuBuffer, Range<u64>)>,
    params: Params,
    workgroups: u32,
}

impl WgpuBatch {
    /// How many kernels were recorded.
    pub(super) fn launches(&self) -> u64 {
        self.launches
    }

    fn refuse(&mut self, why: impl Into<String>) {
        self.wrong.get_or_insert_with(|| Error::Backend(why.into()));
    }

    /// Whether a part lies within its buffer.
    fn within(&mut self, range: &Range<u64>, size: u64) -> bool {
        let within = range.start <= range.end && range.end <= size;
        if !within {
            self.refuse("an access beyond the end of its buffer");
        }
        within
    }

    pub(super) fn copy_in(&mut self, slot: WgpuSlot, to: &WgpuBuffer, parts: &[Part]) {
        use super::super::Slot;
        for part in parts {
            let from = part.from..part.from.saturating_add(part.bytes);
            let at = part.to..part.to.saturating_add(part.bytes);
            if !self.within(&from, slot.capacity()) || !self.within(&at, to.size()) {
                return;
            }
            if !part.from.is_multiple_of(4) || !part.to.is_multiple_of(4) {
                return self.refuse("copies start at multiples of 4 bytes");
            }
            // Copies are whole words, and what follows in a caller's buffer is the caller's. In memory of the library's own
            // only padding follows, which becomes zero.
            if !part.bytes.is_multiple_of(4) && to.is_callers() {
                return self.refuse("copies into a caller's buffer are multiples of 4 bytes long");
            }
        }
        self.commands.push(Command::CopyIn { slot: Some(slot), to: to.clone(), parts: parts.to_vec() });
    }

    pub(super) fn launch(&mut self, info: &DeviceInfo, launch: Launch<'_, WgpuBuffer>) {
        let Launch { kernel, bindings, params } = launch;
        self.launches += 1;
        let units = match check(info, kernel, bindings, &params) {
            Ok(units) => units,
            Err(why) => return self.refuse(why),
        };
        let bound: Vec<_> = bindings.iter().map(|b| (b.buffer.clone(), b.range.clone())).collect();
        for &shader in shaders(kernel, bindings) {
            let bindings = shader.bindings().iter().map(|&(place, _)| bound[place].clone()).collect();
            let workgroups = shader.workgroups(units);
            self.commands.push(Command::Dispatch(Dispatch { shader, bindings, params, workgroups }));
        }
    }

    pub(super) fn clear(&mut self, buffer: &WgpuBuffer, range: Range<u64>) {
        if range.is_empty() || !self.within(&range, buffer.size()) {
            return;
        }
        let whole_words = range.start.is_multiple_of(4) && range.end.is_multiple_of(4);
        if whole_words && buffer.raw().usage().contains(wgpu::BufferUsages::COPY_DST) {
            self.commands.push(Command::Clear { buffer: buffer.clone(), range });
            return;
        }
        const STEP: u64 = 64 << 20;
        let first = range.start / STEP * STEP;
        for start in (first..range.end).step_by(STEP as usize) {
            let part = start..range.end.min(start + STEP).next_multiple_of(4).min(buffer.size());
            // The wipe counts in bytes, from its first to behind its last.
            let params = Params {
                first_chunk: (range.start.max(start) - start) as u32,
                chunks: (range.end.min(start + STEP) - start) as u32,
                ..Params::default()
            };
            let workgroups = Shader::Wipe.workgroups(params.chunks);
            let bindings = vec![(buffer.clone(), part)];
            self.commands.push(Command::Dispatch(Dispatch { shader: Shader::Wipe, bindings, params, workgroups }));
        }
    }

    pub(super) fn copy_out(&mut self, from: &WgpuBuffer, range: Range<u64>) -> ReadId {
        if self.within(&range, from.size()) {
            self.commands.push(Command::CopyOut { from: from.clone(), range });
        }
        self.reads += 1;
        ReadId::new(self.reads - 1)
    }

    pub(super) fn submit(mut self, shared: &Arc<Shared>) -> Result<WgpuFence> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let mut encoder = Encoder::new(shared, &self.commands)?;
        for command in &mut self.commands {
            encoder.encode(command)?;
        }
        let Encoder { encoder, pass, departing, read_back, reads, .. } = encoder;
        drop(pass);
        let submission = shared.queue.submit([encoder.finish()]);
        // Only now: the last handle to a buffer erases it, behind the work that uses it.
        drop(self.commands);
        departing.into_iter().for_each(|slot| slot.return_after(submission.clone()));
        Ok(WgpuFence::new(shared.device.clone(), submission, read_back, reads))
    }
}

/// The shaders of a kernel.
fn shaders(kernel: Kernel, bindings: &[Binding<'_, WgpuBuffer>]) -> &'static [Shader] {
    // Plaintext is bound as blocks wherever whole blocks of its buffer are there.
    let in_blocks =
        |place: usize| bindings.get(place).is_some_and(|b| b.range.end.next_multiple_of(16) <= b.buffer.size());
    match kernel {
        Kernel::ExpandKey => &[Shader::ExpandKey],
        Kernel::Verify => &[Shader::Verify],
        Kernel::Finalize => &[Shader::Finalize],
        Kernel::Open if in_blocks(3) => &[Shader::Open(Plaintext::Blocks)],
        Kernel::Open => &[Shader::Open(Plaintext::Words)],
        Kernel::Seal if in_blocks(2) => &[Shader::Seal(Plaintext::Blocks), Shader::Tag],
        Kernel::Seal => &[Shader::Seal(Plaintext::Words), Shader::Tag],
        Kernel::CastElements => &[Shader::CastElements],
        Kernel::DequantizeBlocks => &[Shader::DequantizeBlocks],
        Kernel::DequantizeChannels => &[Shader::DequantizeChannels],
        Kernel::StridedCopy => &[Shader::StridedCopy],
    }
}

/// A batch being encoded.
struct Encoder<'a> {
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
}

impl<'a> Encoder<'a> {
    fn new(shared: &'a Shared, commands: &[Command]) -> Result<Self> {
        let params_stride = u64::from(shared.limits.min_uniform_buffer_offset_alignment).max(PARAMS_BYTES);
        let dispatches = commands.iter().filter_map(|command| match command {
            Command::Dispatch(dispatch) => Some(&dispatch.params),
            _ => None,
        });
        let mut bytes = Vec::new();
        for params in dispatches {
            let end = bytes.len() + params_stride as usize;
            params.words().iter().for_each(|word| bytes.extend(word.to_le_bytes()));
            bytes.resize(end, 0);
        }
        let read_bytes: u64 = commands
            .iter()
            .map(|command| match command {
                Command::CopyOut { range, .. } => words(range).end - words(range).start,
                _ => 0,
            })
            .sum();
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
            size: read_bytes.max(4),
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
        })
    }

    fn encode(&mut self, command: &mut Command) -> Result<()> {
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

    fn dispatch(&mut self, dispatch: &Dispatch) -> Result<()> {
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
            // Whole blocks, or at least whole words, of what is there.
            let end = match range.end.next_multiple_of(16) {
                end if end <= buffer.size() => end,
                _ => range.end.next_multiple_of(4).min(buffer.size()),
            };
            let size = core::num::NonZero::new(end - range.start);
            let part = wgpu::BufferBinding { buffer: buffer.raw(), offset: range.start, size };
            wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(part) }
        }));
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(dispatch.shader.name()),
            layout: &pipeline.bindings,
            entries: &entries,
        });
        let encoder = &mut self.encoder;
        let pass = self.pass.get_or_insert_with(|| {
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime()
        });
        let columns = dispatch.workgroups.min(limits.max_compute_workgroups_per_dimension).max(1);
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &group, &[self.dispatched * self.params_stride as u32]);
        pass.dispatch_workgroups(columns, dispatch.workgroups.div_ceil(columns), 1);
        self.dispatched += 1;
        Ok(())
    }
}

/// The whole words that a part of a buffer touches.
fn words(range: &Range<u64>) -> Range<u64> {
    range.start / 4 * 4..range.end.next_multiple_of(4)
}
