//! Encoding a batch: its parameters in one buffer, its read-backs in another.

use core::ops::Range;

use js_sys::{Array, Object, Uint8Array};

use super::{
    super::{
        Part,
        wgsl::{self, PARAMS_BYTES, bound, columns, params, read_bytes, words},
    },
    Shared, WebBuffer, WebSlot,
    bindings::{GpuBuffer, GpuCommandEncoder, GpuComputePass, dictionary, usage},
    errors::meaning,
    ring::Departing,
};
use crate::Result;

type Command = wgsl::Command<WebBuffer, WebSlot>;

/// A batch as the device takes it, and what is needed when it is done.
pub(super) struct Encoded {
    pub(super) commands: Object,
    pub(super) departing: Vec<Departing>,
    pub(super) params: GpuBuffer,
    pub(super) read_back: GpuBuffer,
    /// Where in it each read lies.
    pub(super) reads: Vec<Range<usize>>,
}

/// A batch being encoded.
pub(super) struct Encoder<'a> {
    shared: &'a Shared,
    encoder: GpuCommandEncoder,
    pass: Option<GpuComputePass>,
    params: GpuBuffer,
    params_stride: u64,
    dispatched: u32,
    departing: Vec<Departing>,
    read_back: GpuBuffer,
    reads: Vec<Range<usize>>,
    read_bytes: u64,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(shared: &'a Shared, commands: &[Command]) -> Result<Self> {
        let params_stride = shared.uniform_alignment.max(PARAMS_BYTES);
        let bytes = params(commands, params_stride);
        let buffer = |label: &str, size: u64, usage: u32, mapped: bool| {
            let descriptor = dictionary([
                ("label", label.into()),
                ("size", (size as f64).into()),
                ("usage", usage.into()),
                ("mappedAtCreation", mapped.into()),
            ]);
            shared.device.create_buffer(&descriptor).map_err(|thrown| meaning(&thrown))
        };
        let params = buffer("pqc-gpu parameters", (bytes.len() as u64).max(PARAMS_BYTES), usage::UNIFORM, true)?;
        let mapped = params.get_mapped_range().map_err(|_| shared.loss.error())?;
        Uint8Array::new_with_byte_offset_and_length(&mapped, 0, bytes.len() as u32).copy_from(&bytes);
        params.unmap();
        let read_back = usage::MAP_READ | usage::COPY_DST;
        let read_back = buffer("pqc-gpu read-back", read_bytes(commands).max(4), read_back, false)?;
        Ok(Encoder {
            shared,
            encoder: shared.device.create_command_encoder(),
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

    pub(super) fn encode(&mut self, command: &mut Command) -> Result<()> {
        if !matches!(command, Command::Dispatch(_)) {
            self.end_pass();
        }
        match command {
            Command::Dispatch(dispatch) => self.dispatch(dispatch),
            Command::CopyIn { slot, to, parts } => {
                let departing = slot.take().and_then(WebSlot::depart).ok_or_else(|| self.shared.loss.error())?;
                for &Part { from, to: at, bytes } in parts.iter() {
                    let bytes = bytes.next_multiple_of(4);
                    self.copy(departing.buffer(), from, to.raw(), at, bytes);
                }
                self.departing.push(departing);
            }
            Command::Clear { buffer, range } => {
                self.encoder.clear_buffer(buffer.raw(), range.start as f64, (range.end - range.start) as f64);
            }
            Command::CopyOut { from, range } => {
                let copied = words(range);
                let at = self.read_bytes;
                if copied.end > copied.start {
                    let bytes = copied.end - copied.start;
                    self.copy(from.raw(), copied.start, &self.read_back, at, bytes);
                    self.read_bytes += bytes;
                }
                let start = (at + range.start - copied.start) as usize;
                self.reads.push(start..start + (range.end - range.start) as usize);
            }
        }
        Ok(())
    }

    fn copy(&self, from: &GpuBuffer, at: u64, to: &GpuBuffer, to_at: u64, bytes: u64) {
        self.encoder.copy_buffer_to_buffer(from, at as f64, to, to_at as f64, bytes as f64);
    }

    fn dispatch(&mut self, dispatch: &wgsl::Dispatch<WebBuffer>) {
        let Shared { device, pipelines, max_workgroups, .. } = self.shared;
        let pipeline = pipelines.of(device, dispatch.shader);
        let entry = |number: u32, buffer: &GpuBuffer, offset: u64, size: u64| {
            let buffer = dictionary([
                ("buffer", buffer.into()),
                ("offset", (offset as f64).into()),
                ("size", (size as f64).into()),
            ]);
            dictionary([("binding", number.into()), ("resource", buffer.into())])
        };
        let entries = Array::of1(&entry(0, &self.params, 0, PARAMS_BYTES));
        for (number, (buffer, range)) in (1..).zip(&dispatch.bindings) {
            entries.push(&entry(number, buffer.raw(), range.start, bound(buffer, range)));
        }
        let group = device.create_bind_group(&dictionary([
            ("label", dispatch.shader.name().into()),
            ("layout", (&pipeline.bindings).into()),
            ("entries", entries.into()),
        ]));
        let pass = self.pass.get_or_insert_with(|| self.encoder.begin_compute_pass());
        let (columns, rows) = columns(dispatch.workgroups, *max_workgroups);
        let offset = f64::from(self.dispatched) * self.params_stride as f64;
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &group, &Array::of1(&offset.into()));
        pass.dispatch_workgroups(columns, rows);
        self.dispatched += 1;
    }

    fn end_pass(&mut self) {
        if let Some(pass) = self.pass.take() {
            pass.end();
        }
    }

    pub(super) fn finish(mut self) -> Encoded {
        self.end_pass();
        let Encoder { encoder, departing, params, read_back, reads, .. } = self;
        Encoded { commands: encoder.finish(), departing, params, read_back, reads }
    }
}
