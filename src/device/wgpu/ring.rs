//! The staging ring: mapped buffers that the host writes and the device copies from.

use core::{future::poll_fn, task::Poll};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use super::{
    super::{Slot, SlotWriter},
    errors::{Scope, poll},
    lost,
};
use crate::{Error, Result};

/// Where a view into mapped memory may start (WebGPU's getMappedRange).
const MAP_ALIGNMENT: u64 = wgpu::MAP_ALIGNMENT;

pub(super) struct Ring {
    slots: usize,
    slot_bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Mapped, and free for anyone.
    free: Vec<wgpu::Buffer>,
    /// How many there are, free or not.
    made: usize,
    /// The submissions that use the others, oldest first. None is one that was not submitted after all.
    in_flight: VecDeque<Option<wgpu::SubmissionIndex>>,
    /// A slot did not come back: the device is lost.
    lost: bool,
    waiting: Vec<Waker>,
}

impl Ring {
    pub(super) fn new(slots: usize, slot_bytes: u64) -> Self {
        Ring { slots, slot_bytes, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let waiting = core::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// A free slot, one made now, or none.
    fn take(self: &Arc<Self>, device: &wgpu::Device) -> Result<Option<WgpuSlot>> {
        let mut state = self.state();
        if state.lost {
            return Err(lost());
        }
        if let Some(buffer) = state.free.pop() {
            return Ok(Some(self.slot(buffer)));
        }
        if state.made == self.slots {
            return Ok(None);
        }
        state.made += 1;
        drop(state);
        let scope = Scope::open(device);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("pqc-gpu staging slot"),
            size: self.slot_bytes,
            usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        });
        scope.close().inspect_err(|_| self.change(|state| state.made -= 1))?;
        Ok(Some(self.slot(buffer)))
    }

    fn slot(self: &Arc<Self>, buffer: wgpu::Buffer) -> WgpuSlot {
        WgpuSlot { buffer: Some(buffer), ring: Arc::clone(self), handed_out: 0, secret: false }
    }
}

/// The next free slot. The first look never blocks, so that a caller may submit what it holds before it waits.
pub(super) async fn slot(ring: &Arc<Ring>, device: &wgpu::Device) -> Result<WgpuSlot> {
    let mut looked = false;
    poll_fn(|context| {
        loop {
            if let Some(slot) = ring.take(device).transpose() {
                return Poll::Ready(slot);
            }
            let mut state = ring.state();
            if state.lost || !state.free.is_empty() || state.made < ring.slots {
                // One came back since; nobody would wake us for it.
                continue;
            }
            let oldest = state.in_flight.front().cloned();
            if oldest.is_none() || cfg!(target_arch = "wasm32") {
                // Others hold them and will submit them, or the browser calls back.
                if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    state.waiting.push(context.waker().clone());
                }
                return Poll::Pending;
            }
            drop(state);
            if !looked {
                looked = true;
                if poll(device, wgpu::PollType::Poll).is_ok() && !ring.state().free.is_empty() {
                    continue;
                }
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let oldest = oldest.flatten();
            let wait = match oldest.is_some() {
                true => wgpu::PollType::Wait { submission_index: oldest, timeout: None },
                false => wgpu::PollType::Poll,
            };
            // A submission that was refused is never waited for with success, but its slots come back at any look.
            if poll(device, wait).or_else(|_| poll(device, wgpu::PollType::Poll)).is_err() {
                ring.change(|state| state.lost = true);
            }
        }
    })
    .await
}

/// A staging buffer, mapped for writing; dropped, it returns to the ring.
pub struct WgpuSlot {
    /// None once it is on its way.
    buffer: Option<wgpu::Buffer>,
    ring: Arc<Ring>,
    /// How much of it writers may have written, from its start.
    handed_out: u64,
    secret: bool,
}

/// A slot whose copies are being recorded. Where they are not submitted after all, it returns to the ring.
pub(super) struct Departing {
    /// None once it is on its way back.
    buffer: Option<wgpu::Buffer>,
    ring: Arc<Ring>,
    /// How much of it is to be erased, from its start.
    secret: u64,
}

impl WgpuSlot {
    /// Ends the host's access.
    pub(super) fn depart(mut self) -> Option<Departing> {
        let buffer = self.buffer.take()?;
        buffer.unmap();
        Some(Departing { buffer: Some(buffer), ring: Arc::clone(&self.ring), secret: self.secret_bytes() })
    }

    fn secret_bytes(&self) -> u64 {
        if self.secret { self.handed_out } else { 0 }
    }
}

impl Departing {
    pub(super) fn buffer(&self) -> Option<&wgpu::Buffer> {
        self.buffer.as_ref()
    }

    /// Back to the ring when the submission is done.
    pub(super) fn return_after(mut self, submission: wgpu::SubmissionIndex) {
        self.go_home(Some(submission));
    }

    fn go_home(&mut self, submission: Option<wgpu::SubmissionIndex>) {
        let Some(buffer) = self.buffer.take() else { return };
        self.ring.change(|state| state.in_flight.push_back(submission));
        let (returning, ring, secret) = (buffer.clone(), Arc::clone(&self.ring), self.secret);
        buffer.map_async(wgpu::MapMode::Write, .., move |mapped| {
            let usable = mapped.is_ok() && erase(&returning, secret);
            ring.change(|state| {
                // Slots come back in the order in which they left.
                state.in_flight.pop_front();
                match usable {
                    true => state.free.push(returning),
                    false => state.lost = true,
                }
            });
        });
    }
}

impl Drop for Departing {
    fn drop(&mut self) {
        self.go_home(None);
    }
}

impl Drop for WgpuSlot {
    fn drop(&mut self) {
        let Some(buffer) = self.buffer.take() else { return };
        let usable = erase(&buffer, self.secret_bytes());
        self.ring.change(|state| match usable {
            true => state.free.push(buffer),
            false => state.lost = true,
        });
    }
}

/// Erases a mapped buffer's first bytes; to erase all of it for a key would take longer than to open a small tensor.
fn erase(buffer: &wgpu::Buffer, bytes: u64) -> bool {
    bytes == 0
        || buffer.get_mapped_range_mut(..bytes.next_multiple_of(4)).map(|mut view| view.slice(..).fill(0)).is_ok()
}

impl Slot for WgpuSlot {
    type Writer<'a> = WgpuWriter<'a>;

    fn capacity(&self) -> u64 {
        self.ring.slot_bytes
    }

    fn writers(&mut self, lengths: &[u64]) -> Result<Vec<WgpuWriter<'_>>> {
        let total = lengths.iter().try_fold(0u64, |sum, &length| sum.checked_add(length));
        let total = total.filter(|&total| total <= self.ring.slot_bytes).ok_or(SLOT_TOO_SMALL)?;
        self.handed_out = self.handed_out.max(total);
        let buffer = self.buffer.as_ref().ok_or_else(lost)?;
        let view = |range: core::ops::Range<u64>| {
            // A view is whole words; what it has more is zero, not what was there.
            let padded = range.end.next_multiple_of(4).min(self.ring.slot_bytes);
            let mut view = buffer.get_mapped_range_mut(range.start..padded).map_err(|_| lost())?;
            view.slice((range.end - range.start) as usize..).fill(0);
            Ok::<_, Error>(view)
        };
        let mut starts = lengths.iter().scan(0u64, |at, &length| Some(core::mem::replace(at, *at + length)));
        let mut writers = Vec::with_capacity(lengths.len());
        if starts.all(|start| start.is_multiple_of(MAP_ALIGNMENT)) {
            let mut start = 0;
            for &length in lengths {
                let view = match length {
                    0 => None,
                    _ => Some(view(start..start + length)?),
                };
                writers.push(WgpuWriter { length, target: Target::Own(view), slot: core::marker::PhantomData });
                start += length;
            }
        } else {
            // Parts that share a word share a view.
            let view = Arc::new(Mutex::new(view(0..total)?));
            let mut start = 0;
            for &length in lengths {
                let target = Target::Shared(Arc::clone(&view), start);
                writers.push(WgpuWriter { length, target, slot: core::marker::PhantomData });
                start += length;
            }
        }
        Ok(writers)
    }

    fn erase_after_use(&mut self) {
        self.secret = true;
    }
}

/// A part of a [`WgpuSlot`].
pub struct WgpuWriter<'a> {
    length: u64,
    target: Target,
    slot: core::marker::PhantomData<&'a mut WgpuSlot>,
}

enum Target {
    /// None where the part is empty.
    Own(Option<wgpu::BufferViewMut>),
    /// And where the part starts in it.
    Shared(Arc<Mutex<wgpu::BufferViewMut>>, u64),
}

impl SlotWriter for WgpuWriter<'_> {
    fn capacity(&self) -> u64 {
        self.length
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|&end| end <= self.length);
        let end = end.ok_or(Error::Usage("a write beyond the end of its part of the slot"))?;
        match &mut self.target {
            Target::Own(None) => {}
            Target::Own(Some(view)) => view.slice(offset as usize..end as usize).copy_from_slice(bytes),
            Target::Shared(view, start) => {
                let mut view = view.lock().unwrap_or_else(PoisonError::into_inner);
                view.slice((*start + offset) as usize..(*start + end) as usize).copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn as_memory(&mut self) -> Option<&mut [u8]> {
        None
    }
}

const SLOT_TOO_SMALL: Error = Error::Usage("the parts of a slot must fit into it");
