//! Recording batches.

use core::ops::Range;
use std::sync::Arc;

use super::{
    super::{
        Binding, DeviceInfo, Launch, Part, ReadId, Slot,
        check::{Bound, check},
    },
    CudaBuffer, CudaSlot,
    shared::Core,
};
use crate::{
    Error,
    kernel::{Kernel, Params, cuda::Text},
};

/// Recorded commands.
pub struct CudaBatch {
    core: Arc<Core>,
    pub(super) commands: Vec<Command>,
    /// Where in the read-back memory each read lies.
    pub(super) reads: Vec<Range<usize>>,
    pub(super) read_bytes: u64,
    pub(super) launches: u64,
    /// The first thing recorded that cannot be done; the batch then is not submitted.
    pub(super) wrong: Option<Error>,
}

pub(super) enum Command {
    /// The slot is taken when the copy is issued.
    CopyIn {
        slot: Option<CudaSlot>,
        to: CudaBuffer,
        parts: Vec<Part>,
    },
    Run {
        text: Text,
        bindings: Vec<(CudaBuffer, u64)>,
        params: Params,
        blocks: u32,
    },
    Clear {
        buffer: CudaBuffer,
        range: Range<u64>,
    },
    /// `at` is where in the read-back memory.
    CopyOut {
        from: CudaBuffer,
        range: Range<u64>,
        at: usize,
    },
}

impl Bound for CudaBuffer {
    fn size(&self) -> u64 {
        // Tensors that end within a block are bound in whole blocks.
        self.taken()
    }

    fn shares(&self, other: &Self) -> bool {
        self.overlaps(other)
    }
}

impl CudaBatch {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        let core = Arc::clone(core);
        CudaBatch { core, commands: Vec::new(), reads: Vec::new(), read_bytes: 0, launches: 0, wrong: None }
    }

    fn refuse(&mut self, why: impl Into<String>) {
        self.wrong.get_or_insert_with(|| Error::Backend(why.into()));
    }

    /// Whether it is a part of a buffer of this device's.
    fn within(&mut self, range: &Range<u64>, buffer: &CudaBuffer) -> bool {
        if !buffer.is_of(&self.core) {
            self.refuse("a buffer of another device");
            return false;
        }
        let within = range.start <= range.end && range.end <= buffer.taken();
        if !within {
            self.refuse("an access beyond the end of its buffer");
        }
        within
    }

    pub(super) fn copy_in(&mut self, slot: CudaSlot, to: &CudaBuffer, parts: &[Part]) {
        if !slot.is_of(&self.core.context) {
            return self.refuse("a slot of another device");
        }
        for part in parts {
            let from = part.from..part.from.saturating_add(part.bytes);
            let at = part.to..part.to.saturating_add(part.bytes);
            if from.end > slot.capacity() {
                return self.refuse("an access beyond the end of its slot");
            }
            if !self.within(&at, to) {
                return;
            }
        }
        self.commands.push(Command::CopyIn { slot: Some(slot), to: to.clone(), parts: parts.to_vec() });
    }

    pub(super) fn launch(&mut self, info: &DeviceInfo, launch: Launch<'_, CudaBuffer>) {
        let Launch { kernel, bindings, params } = launch;
        self.launches += 1;
        if !bindings.iter().all(|binding| self.within(&binding.range, binding.buffer)) {
            return;
        }
        let units = match check(info, kernel, bindings, &params) {
            Ok(units) => units,
            Err(why) => return self.refuse(why),
        };
        if let Some(place) = ragged(kernel, bindings) {
            return self.refuse(format!("kernel {}: binding {place} ends within a block of its buffer", kernel.name()));
        }
        let texts = texts(kernel);
        if texts.is_empty() {
            return self.refuse(format!("kernel {} is not among those of CUDA", kernel.name()));
        }
        for (text, places) in texts {
            let bound = |&place: &usize| (bindings[place].buffer.clone(), bindings[place].range.start);
            let bindings = places.iter().map(bound).collect();
            self.commands.push(Command::Run { text, bindings, params, blocks: text.blocks(units) });
        }
    }

    pub(super) fn clear(&mut self, buffer: &CudaBuffer, range: Range<u64>) {
        if !range.is_empty() && self.within(&range, buffer) {
            self.commands.push(Command::Clear { buffer: buffer.clone(), range });
        }
    }

    pub(super) fn copy_out(&mut self, from: &CudaBuffer, range: Range<u64>) -> ReadId {
        let mut place = 0..0;
        if self.within(&range, from) {
            let at = self.read_bytes as usize;
            place = at..at + (range.end - range.start) as usize;
            self.read_bytes = (place.end as u64).next_multiple_of(16);
            if !range.is_empty() {
                self.commands.push(Command::CopyOut { from: from.clone(), range, at });
            }
        }
        self.reads.push(place);
        ReadId::new(self.reads.len() - 1)
    }
}

/// A binding of which the kernel reads or writes whole blocks that are not all there. Of plaintext it touches its bytes alone.
fn ragged(kernel: Kernel, bindings: &[Binding<'_, CudaBuffer>]) -> Option<usize> {
    let plaintext = match kernel {
        Kernel::Open => Some(3),
        Kernel::Seal => Some(2),
        _ => None,
    };
    let is_ragged = |(place, binding): (usize, &Binding<'_, CudaBuffer>)| {
        Some(place) != plaintext && binding.range.end.next_multiple_of(16) > binding.buffer.taken()
    };
    (0..).zip(bindings).find(|&each| is_ragged(each)).map(|(place, _)| place)
}

/// The texts of a kernel, and which of its bindings each takes.
fn texts(kernel: Kernel) -> Vec<(Text, &'static [usize])> {
    match kernel {
        Kernel::Seal => vec![(Text::Seal, &[0, 2, 3]), (Text::Tag, &[0, 1, 3])],
        // All others are one text of the same name.
        _ => {
            let places = &[0, 1, 2, 3][..kernel.bindings().len()];
            let same_name = Text::ALL.iter().filter(|text| text.name() == kernel.name());
            same_name.map(|&text| (text, places)).collect()
        }
    }
}
