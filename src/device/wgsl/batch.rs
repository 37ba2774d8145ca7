//! Recording batches.

use core::ops::Range;

use super::{
    super::{Binding, DeviceInfo, Launch, Part, ReadId, Slot, check::check},
    Memory,
};
use crate::{
    Error, Result,
    kernel::{
        Kernel, Params,
        wgsl::{Plaintext, Shader},
    },
};

/// Recorded commands.
pub struct Recorded<B, S> {
    commands: Vec<Command<B, S>>,
    reads: usize,
    launches: u64,
    /// The first thing recorded that cannot be done; the batch then is not submitted.
    wrong: Option<Error>,
}

pub(in super::super) enum Command<B, S> {
    /// The slot is taken when the copy is encoded.
    CopyIn {
        slot: Option<S>,
        to: B,
        parts: Vec<Part>,
    },
    Dispatch(Dispatch<B>),
    Clear {
        buffer: B,
        range: Range<u64>,
    },
    CopyOut {
        from: B,
        range: Range<u64>,
    },
}

pub(in super::super) struct Dispatch<B> {
    pub(in super::super) shader: Shader,
    pub(in super::super) bindings: Vec<(B, Range<u64>)>,
    pub(in super::super) params: Params,
    pub(in super::super) workgroups: u32,
}

impl<B, S> Default for Recorded<B, S> {
    fn default() -> Self {
        Recorded { commands: Vec::new(), reads: 0, launches: 0, wrong: None }
    }
}

#[allow(private_bounds)] // devices of this library record, nobody else
impl<B: Memory, S: Slot> Recorded<B, S> {
    /// How many kernels were recorded.
    pub(in super::super) fn launches(&self) -> u64 {
        self.launches
    }

    /// The commands, unless one of them cannot be done.
    pub(in super::super) fn into_commands(self) -> Result<Vec<Command<B, S>>> {
        match self.wrong {
            Some(wrong) => Err(wrong),
            None => Ok(self.commands),
        }
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

    pub(in super::super) fn copy_in(&mut self, slot: S, to: &B, parts: &[Part]) {
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

    pub(in super::super) fn launch(&mut self, info: &DeviceInfo, launch: Launch<'_, B>) {
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

    pub(in super::super) fn clear(&mut self, info: &DeviceInfo, buffer: &B, range: Range<u64>) {
        if range.is_empty() || !self.within(&range, buffer.size()) {
            return;
        }
        let whole_words = range.start.is_multiple_of(4) && range.end.is_multiple_of(4);
        if whole_words && buffer.is_copied_to() {
            self.commands.push(Command::Clear { buffer: buffer.clone(), range });
            return;
        }
        // What one binding takes; the next one starts where bindings may.
        let step = info.max_binding_bytes.min(64 << 20) / info.binding_alignment * info.binding_alignment;
        let first = range.start / step * step;
        for start in (first..range.end).step_by(step as usize) {
            let part = start..range.end.min(start + step).next_multiple_of(4).min(buffer.size());
            // The wipe counts in bytes, from its first to behind its last.
            let params = Params {
                first_chunk: (range.start.max(start) - start) as u32,
                chunks: (range.end.min(start + step) - start) as u32,
                ..Params::default()
            };
            let workgroups = Shader::Wipe.workgroups(params.chunks);
            let bindings = vec![(buffer.clone(), part)];
            self.commands.push(Command::Dispatch(Dispatch { shader: Shader::Wipe, bindings, params, workgroups }));
        }
    }

    pub(in super::super) fn copy_out(&mut self, from: &B, range: Range<u64>) -> ReadId {
        if self.within(&range, from.size()) {
            self.commands.push(Command::CopyOut { from: from.clone(), range });
        }
        self.reads += 1;
        ReadId::new(self.reads - 1)
    }
}

/// The shaders of a kernel.
fn shaders<B: Memory>(kernel: Kernel, bindings: &[Binding<'_, B>]) -> &'static [Shader] {
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
        Kernel::HashLeaves => &[Shader::HashLeaves],
        Kernel::HashNodes => &[Shader::HashNodes],
        Kernel::CompareRoot => &[Shader::CompareRoot],
        Kernel::CastElements => &[Shader::CastElements],
        Kernel::DequantizeBlocks => &[Shader::DequantizeBlocks],
        Kernel::DequantizeChannels => &[Shader::DequantizeChannels],
        Kernel::StridedCopy => &[Shader::StridedCopy],
    }
}
