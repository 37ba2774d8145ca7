//! The staging ring: page-locked slots that the host writes and the GPU copies from.

use core::{future::poll_fn, mem, task::Poll};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use super::{
    super::{Slot, SlotWriter},
    context::Context,
    pinned::Pinned,
    registered::{Part, Registered},
};
use crate::{Error, Result};

pub(super) struct Ring {
    slots: usize,
    slot_bytes: u64,
    context: Arc<Context>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: Vec<Pinned>,
    /// How many there are, free or not.
    made: usize,
    waiting: Vec<Waker>,
}

impl Ring {
    pub(super) fn new(slots: usize, slot_bytes: u64, context: &Arc<Context>) -> Self {
        Ring { slots, slot_bytes, context: Arc::clone(context), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The next free slot; slots come back when the GPU has copied them.
    pub(super) async fn slot(self: &Arc<Self>) -> Result<CudaSlot> {
        poll_fn(|context| {
            if let Err(lost) = self.context.alive() {
                return Poll::Ready(Err(lost));
            }
            let mut state = self.state();
            if let Some(pinned) = state.free.pop() {
                return Poll::Ready(Ok(self.lend(pinned)));
            }
            if state.made < self.slots {
                state.made += 1;
                drop(state);
                return Poll::Ready(self.make().inspect_err(|_| self.change(|state| state.made -= 1)));
            }
            if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                state.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    fn make(self: &Arc<Self>) -> Result<CudaSlot> {
        let _current = self.context.enter()?;
        let pinned = self.context.noting(Pinned::alloc(&self.context, self.slot_bytes))?;
        Ok(self.lend(pinned))
    }

    fn lend(self: &Arc<Self>, pinned: Pinned) -> CudaSlot {
        CudaSlot(Staged::Slot(Lent { pinned: Some(pinned), ring: Arc::clone(self), secret: false }))
    }
}

/// A staging slot, or a part of registered memory in the place of one; a slot returns to the ring when it is dropped.
pub struct CudaSlot(Staged);

enum Staged {
    Slot(Lent),
    Registered(Part),
}

struct Lent {
    /// None once it is lost.
    pinned: Option<Pinned>,
    ring: Arc<Ring>,
    secret: bool,
}

impl CudaSlot {
    pub(super) fn registered(memory: &Arc<Registered>, range: core::ops::Range<u64>) -> Result<Self> {
        Registered::part(memory, range).map(|part| CudaSlot(Staged::Registered(part)))
    }

    pub(super) fn pointer(&self) -> *const u8 {
        match &self.0 {
            Staged::Slot(lent) => lent.pinned.as_ref().map_or(core::ptr::null(), |pinned| pinned.pointer()),
            Staged::Registered(part) => part.memory().as_ptr(),
        }
    }

    /// Whether the GPU of this context may copy from it.
    pub(super) fn is_of(&self, context: &Arc<Context>) -> bool {
        match &self.0 {
            Staged::Slot(lent) => Arc::ptr_eq(&lent.ring.context, context),
            Staged::Registered(part) => part.is_of(context),
        }
    }

    /// Leaves it to the end of the process, but for a secret: nobody knows what the GPU still does with it.
    pub(super) fn lose(mut self) {
        match &mut self.0 {
            Staged::Slot(lent) => {
                if let Some(mut pinned) = lent.pinned.take() {
                    if lent.secret {
                        pinned.erase(0..pinned.bytes() as usize);
                    }
                    mem::forget(pinned);
                }
            }
            Staged::Registered(part) => mem::forget(part.clone()),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let pinned = self.pinned.take().map(|mut pinned| {
            if self.secret {
                pinned.erase(0..pinned.bytes() as usize);
            }
            pinned
        });
        self.ring.change(|state| match pinned {
            Some(pinned) => state.free.push(pinned),
            None => state.made -= 1,
        });
    }
}

impl Slot for CudaSlot {
    type Writer<'a> = CudaWriter<'a>;

    fn capacity(&self) -> u64 {
        match &self.0 {
            Staged::Slot(lent) => lent.ring.slot_bytes,
            Staged::Registered(part) => part.memory().len() as u64,
        }
    }

    /// Registered memory is the application's, written already: an error.
    fn writers(&mut self, lengths: &[u64]) -> Result<Vec<CudaWriter<'_>>> {
        let Staged::Slot(Lent { pinned: Some(pinned), .. }) = &mut self.0 else {
            return Err(Error::Usage("registered memory is not written through a slot"));
        };
        let mut rest = pinned.memory_mut();
        let cut = |&length: &u64| {
            let length = usize::try_from(length).map_err(|_| SLOT_TOO_SMALL)?;
            let (part, tail) = mem::take(&mut rest).split_at_mut_checked(length).ok_or(SLOT_TOO_SMALL)?;
            rest = tail;
            Ok(CudaWriter(part))
        };
        lengths.iter().map(cut).collect()
    }

    fn erase_after_use(&mut self) {
        if let Staged::Slot(lent) = &mut self.0 {
            lent.secret = true;
        }
    }
}

/// A part of a [`CudaSlot`].
pub struct CudaWriter<'a>(&'a mut [u8]);

impl SlotWriter for CudaWriter<'_> {
    fn capacity(&self) -> u64 {
        self.0.len() as u64
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|&end| end <= self.0.len() as u64);
        let end = end.ok_or(Error::Usage("a write beyond the end of its part of the slot"))?;
        self.0[offset as usize..end as usize].copy_from_slice(bytes);
        Ok(())
    }

    fn as_memory(&mut self) -> Option<&mut [u8]> {
        Some(self.0)
    }
}

const SLOT_TOO_SMALL: Error = Error::Usage("the parts of a slot must fit into it");
