//! The staging ring: mapped buffers that the page's side writes and the device copies from.

use core::{cell::RefCell, future::poll_fn, task::Poll};
use std::{rc::Rc, task::Waker};

use js_sys::Uint8Array;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::{
    super::{Slot, SlotWriter},
    Shared,
    bindings::{GpuBuffer, dictionary, map_mode, usage},
    errors::Scope,
};
use crate::{Error, Result};

pub(super) struct Ring {
    slots: usize,
    slot_bytes: u64,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Mapped, and free for anyone.
    free: Vec<Staging>,
    /// How many there are, free or not.
    made: usize,
    /// A slot did not come back: the device is lost.
    lost: bool,
    waiting: Vec<Waker>,
}

/// A mapped buffer and the view of all of it. A buffer that is destroyed, as with its device, leaves a view of no bytes.
struct Staging {
    buffer: GpuBuffer,
    view: Uint8Array,
}

impl Staging {
    fn of(buffer: GpuBuffer) -> Option<Self> {
        let range = buffer.get_mapped_range().ok()?;
        let view = Uint8Array::new(&range);
        Some(Staging { buffer, view })
    }

    fn erase(&self) {
        self.view.fill(0, 0, self.view.length());
    }
}

impl Ring {
    pub(super) fn new(slots: usize, slot_bytes: u64) -> Self {
        Ring { slots, slot_bytes, state: RefCell::default() }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.borrow_mut();
        change(&mut state);
        let waiting = core::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Nothing comes back any more.
    pub(super) fn lose(&self) {
        self.change(|state| state.lost = true);
    }

    /// Unmaps and frees what nobody holds; the rest goes with its device.
    pub(super) fn destroy(&self) {
        self.change(|state| state.free.drain(..).for_each(|staging| staging.buffer.destroy()));
    }
}

/// The next free slot, or one made now.
pub(super) async fn slot(shared: &Shared) -> Result<WebSlot> {
    let ring = &shared.ring;
    let staging = poll_fn(|context| {
        let mut state = ring.state.borrow_mut();
        if state.lost {
            return Poll::Ready(Err(shared.loss.error()));
        }
        if let Some(staging) = state.free.pop() {
            return Poll::Ready(Ok(staging));
        }
        if state.made < ring.slots {
            state.made += 1;
            drop(state);
            return Poll::Ready(make(shared).inspect_err(|_| ring.change(|state| state.made -= 1)));
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            state.waiting.push(context.waker().clone());
        }
        Poll::Pending
    });
    Ok(WebSlot { staging: Some(staging.await?), ring: Rc::clone(ring), secret: false })
}

fn make(shared: &Shared) -> Result<Staging> {
    let scope = Scope::open(&shared.device);
    let buffer = shared.device.create_buffer(&dictionary([
        ("label", "pqc-gpu staging slot".into()),
        ("size", (shared.ring.slot_bytes as f64).into()),
        ("usage", (usage::MAP_WRITE | usage::COPY_SRC).into()),
        ("mappedAtCreation", true.into()),
    ]));
    shared.caught(scope);
    let buffer = buffer.map_err(|thrown| super::errors::meaning(&thrown))?;
    Staging::of(buffer).ok_or_else(|| shared.loss.error())
}

/// A staging buffer, mapped for writing; dropped, it returns to the ring.
pub struct WebSlot {
    /// None once it is on its way.
    staging: Option<Staging>,
    ring: Rc<Ring>,
    secret: bool,
}

/// A slot whose copies are being recorded. Dropped, it returns to the ring when the device is done with it.
pub(super) struct Departing {
    buffer: GpuBuffer,
    ring: Rc<Ring>,
    secret: bool,
}

impl WebSlot {
    /// Ends the page's access.
    pub(super) fn depart(mut self) -> Option<Departing> {
        let Staging { buffer, .. } = self.staging.take()?;
        buffer.unmap();
        Some(Departing { buffer, ring: Rc::clone(&self.ring), secret: self.secret })
    }
}

impl Departing {
    pub(super) fn buffer(&self) -> &GpuBuffer {
        &self.buffer
    }
}

impl Drop for Departing {
    fn drop(&mut self) {
        let (buffer, ring, secret) = (self.buffer.clone(), Rc::clone(&self.ring), self.secret);
        let mapped = buffer.map_async(map_mode::WRITE);
        spawn_local(async move {
            let staging = match JsFuture::from(mapped).await {
                Ok(_) => Staging::of(buffer),
                Err(_) => None,
            };
            ring.change(|state| match staging {
                Some(staging) => {
                    if secret {
                        staging.erase();
                    }
                    state.free.push(staging);
                }
                None => state.lost = true,
            });
        });
    }
}

impl Drop for WebSlot {
    fn drop(&mut self) {
        let Some(staging) = self.staging.take() else { return };
        if self.secret {
            staging.erase();
        }
        self.ring.change(|state| state.free.push(staging));
    }
}

impl Slot for WebSlot {
    type Writer<'a> = WebWriter<'a>;

    fn capacity(&self) -> u64 {
        self.ring.slot_bytes
    }

    fn writers(&mut self, lengths: &[u64]) -> Result<Vec<WebWriter<'_>>> {
        let total = lengths.iter().try_fold(0u64, |sum, &length| sum.checked_add(length));
        let total = total.filter(|&total| total <= self.ring.slot_bytes).ok_or(SLOT_TOO_SMALL)?;
        let staging = self.staging.as_ref().ok_or(GONE)?;
        // Copies are whole words; what they have more is zero, not what was there.
        let padded = total.next_multiple_of(4).min(self.ring.slot_bytes);
        staging.view.fill(0, total as u32, padded as u32);
        let mut start = 0;
        let writer = |&length: &u64| {
            let writer = WebWriter { view: &staging.view, start, length };
            start += length;
            writer
        };
        Ok(lengths.iter().map(writer).collect())
    }

    fn erase_after_use(&mut self) {
        self.secret = true;
    }
}

/// A part of a [`WebSlot`].
pub struct WebWriter<'a> {
    view: &'a Uint8Array,
    start: u64,
    length: u64,
}

impl SlotWriter for WebWriter<'_> {
    fn capacity(&self) -> u64 {
        self.length
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|&end| end <= self.length);
        let end = end.ok_or(Error::Usage("a write beyond the end of its part of the slot"))?;
        let part = self.view.subarray((self.start + offset) as u32, (self.start + end) as u32);
        if part.length() as usize != bytes.len() {
            // The buffer was destroyed under the view, as happens with its device.
            return Err(Error::Backend(super::errors::LOST.into()));
        }
        part.copy_from(bytes);
        Ok(())
    }

    fn as_memory(&mut self) -> Option<&mut [u8]> {
        None
    }
}

const SLOT_TOO_SMALL: Error = Error::Usage("the parts of a slot must fit into it");
const GONE: Error = Error::Usage("the slot is on its way already");
