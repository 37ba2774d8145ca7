//! A device that keeps the trait's promises and nothing beyond: batches run only when somebody waits, slots can only be
//! written, fences are late, errors come at the wait, limits are tight, and any call can be made to fail.

use core::{
    future::poll_fn,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    task::Poll,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    Error, Result,
    device::{CpuDevice, Device, DeviceInfo, Launch, Part, ReadId, Reads, Slot, SlotWriter},
};

type Cpu = CpuDevice;

/// The largest binding: 16 sealed chunks, so that bodies of 256 KiB are split already.
const MAX_BINDING_BYTES: u64 = 16 * 16_400;
const SLOT_BYTES: u64 = 2 * 16_400;
const SLOTS: usize = 2;

/// The CPU device, made awkward.
pub struct Awkward {
    cpu: Cpu,
    queue: Mutex<Pipe>,
    /// Calls left until one fails; `u64::MAX` is never.
    until_failure: AtomicU64,
}

#[derive(Default)]
struct Pipe {
    submitted: u64,
    waiting: VecDeque<(u64, <Cpu as Device>::Batch)>,
    done: HashMap<u64, Result<Reads>>,
    lost: bool,
    /// Whether a device that failed goes on.
    recovers: bool,
}

impl Awkward {
    /// One that never fails.
    #[allow(clippy::new_without_default)] // what would be default about it?
    pub fn new() -> Self {
        Awkward::lost_at(u64::MAX)
    }

    /// One whose device is lost at the `call`-th call that may fail, counted from 0, and stays lost.
    pub fn lost_at(call: u64) -> Self {
        let cpu = CpuDevice::limited(|info| {
            info.max_binding_bytes = MAX_BINDING_BYTES;
            info.binding_alignment = 256;
            info.slot_bytes = SLOT_BYTES;
            info.slots = SLOTS;
        });
        Awkward { cpu, queue: Mutex::default(), until_failure: AtomicU64::new(call) }
    }

    /// One whose `call`-th call that may fail does so, and no other.
    pub fn fails_once_at(call: u64) -> Self {
        let device = Awkward::new();
        device.fail_once_after(call);
        device
    }

    /// The `call`-th such call from now on fails, and no other.
    pub fn fail_once_after(&self, call: u64) {
        self.pipe().recovers = true;
        self.until_failure.store(call, Ordering::Relaxed);
    }

    /// Whether the failure that was asked for came. None comes after this.
    pub fn has_failed(&self) -> bool {
        self.until_failure.swap(u64::MAX, Ordering::Relaxed) == u64::MAX
    }

    fn pipe(&self) -> MutexGuard<'_, Pipe> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self) -> Result<()> {
        let mut pipe = self.pipe();
        let left = self.until_failure.load(Ordering::Relaxed);
        if left == 0 && pipe.recovers {
            self.until_failure.store(u64::MAX, Ordering::Relaxed);
            return Err(Error::Backend("the device failed once".into()));
        }
        if left == 0 {
            pipe.lost = true;
        } else if left != u64::MAX {
            self.until_failure.store(left - 1, Ordering::Relaxed);
        }
        if pipe.lost { Err(Error::Backend("the device was lost".into())) } else { Ok(()) }
    }

    /// Runs the oldest batch that has not run.
    async fn run_oldest(&self) -> bool {
        let Some((id, batch)) = self.pipe().waiting.pop_front() else { return false };
        let result = match self.step().and_then(|()| self.cpu.submit(batch)) {
            Ok(fence) => self.cpu.wait(fence).await,
            Err(error) => Err(error),
        };
        self.pipe().done.insert(id, result);
        true
    }
}

/// A fence that is never ready at the first look.
pub struct AwkwardFence(u64);

impl Device for Awkward {
    type Buffer = <Cpu as Device>::Buffer;
    type Slot = WriteOnlySlot;
    type Batch = <Cpu as Device>::Batch;
    type Fence = AwkwardFence;

    fn info(&self) -> &DeviceInfo {
        self.cpu.info()
    }

    fn alloc(&self, bytes: u64) -> Result<Self::Buffer> {
        self.step()?;
        self.cpu.alloc(bytes)
    }

    async fn slot(&self) -> Result<WriteOnlySlot> {
        self.step()?;
        late().await;
        loop {
            if let Some(slot) = self.cpu.free_slot() {
                return Ok(WriteOnlySlot(slot));
            }
            if !self.run_oldest().await {
                return Err(Error::Usage("every staging slot is held by a batch that was not submitted"));
            }
        }
    }

    fn batch(&self) -> Self::Batch {
        self.cpu.batch()
    }

    fn copy_in(&self, batch: &mut Self::Batch, slot: WriteOnlySlot, to: &Self::Buffer, parts: &[Part]) {
        self.cpu.copy_in(batch, slot.0, to, parts);
    }

    fn launch(&self, batch: &mut Self::Batch, launch: Launch<'_, Self::Buffer>) {
        self.cpu.launch(batch, launch);
    }

    fn clear(&self, batch: &mut Self::Batch, buffer: &Self::Buffer, range: Range<u64>) {
        self.cpu.clear(batch, buffer, range);
    }

    fn copy_out(&self, batch: &mut Self::Batch, from: &Self::Buffer, range: Range<u64>) -> ReadId {
        self.cpu.copy_out(batch, from, range)
    }

    fn submit(&self, batch: Self::Batch) -> Result<AwkwardFence> {
        self.step()?;
        let mut pipe = self.pipe();
        pipe.submitted += 1;
        let id = pipe.submitted;
        pipe.waiting.push_back((id, batch));
        Ok(AwkwardFence(id))
    }

    async fn wait(&self, fence: AwkwardFence) -> Result<Reads> {
        late().await;
        if let Err(error) = self.step() {
            // What failed did not run, and nobody else is told.
            self.pipe().waiting.retain(|(id, _)| *id != fence.0);
            return Err(error);
        }
        loop {
            if let Some(result) = self.pipe().done.remove(&fence.0) {
                return result;
            }
            if !self.run_oldest().await {
                return Err(Error::Backend("a fence of another device".into()));
            }
        }
    }

    fn launches(&self) -> u64 {
        self.cpu.launches()
    }
}

/// A slot whose memory cannot be had, only written.
pub struct WriteOnlySlot(<Cpu as Device>::Slot);

/// A part of it.
pub struct WriteOnly<'a>(<<Cpu as Device>::Slot as Slot>::Writer<'a>);

impl Slot for WriteOnlySlot {
    type Writer<'a> = WriteOnly<'a>;

    fn capacity(&self) -> u64 {
        self.0.capacity()
    }

    fn writers(&mut self, lengths: &[u64]) -> Result<Vec<WriteOnly<'_>>> {
        Ok(self.0.writers(lengths)?.into_iter().map(WriteOnly).collect())
    }

    fn erase_after_use(&mut self) {
        self.0.erase_after_use();
    }
}

impl SlotWriter for WriteOnly<'_> {
    fn capacity(&self) -> u64 {
        self.0.capacity()
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.0.write(offset, bytes)
    }

    fn as_memory(&mut self) -> Option<&mut [u8]> {
        None
    }
}

/// Is ready at the third look.
async fn late() {
    let mut looks = 0;
    poll_fn(|context| {
        looks += 1;
        if looks > 2 {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
