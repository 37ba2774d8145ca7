//! A CPU device whose attacker keeps a handle to all memory ever allocated, and so can look at it after everyone else has
//! let go: what is erased there was erased on purpose and not by the last drop.

#![allow(dead_code)] // not every test crate uses all of it

use std::{
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use pqc_gpu_driver::{
    Error,
    device::{CpuBuffer, CpuDevice, Device, DeviceInfo, Launch, Part, ReadId, Reads, Slot},
    kernel::Kernel,
};

type Cpu = CpuDevice;

#[derive(Default)]
pub(crate) struct Hoarder {
    cpu: Cpu,
    hoard: Mutex<Vec<CpuBuffer>>,
    secret_slots: std::sync::Arc<Mutex<usize>>,
    forges_verdicts: bool,
    allocations: AtomicU64,
    /// The allocation that fails.
    fails_at: Option<u64>,
}

impl Hoarder {
    /// One whose `call`-th allocation, counted from 0, finds no memory.
    pub(crate) fn out_of_memory_at(call: u64) -> Self {
        Hoarder { fails_at: Some(call), ..Hoarder::default() }
    }

    /// One whose verdicts bear another token than the one asked for.
    pub(crate) fn that_forges_verdicts() -> Self {
        Hoarder { forges_verdicts: true, ..Hoarder::default() }
    }

    /// How many bytes of all memory are not zero.
    pub(crate) fn hoarded_bytes(&self) -> usize {
        let dirty = |buffer: &CpuBuffer| buffer.with_bytes(|bytes| bytes.iter().filter(|&&byte| byte != 0).count());
        self.hoard.lock().unwrap().iter().map(dirty).sum()
    }

    /// The content of the first buffer of this size.
    pub(crate) fn hoarded_of(&self, bytes: u64) -> Vec<u8> {
        let hoard = self.hoard.lock().unwrap();
        let found = hoard.iter().find(|buffer| buffer.size() == bytes).expect("such a buffer");
        found.with_bytes(<[u8]>::to_vec)
    }

    /// Whether this stands anywhere.
    pub(crate) fn finds(&self, needle: &[u8]) -> bool {
        let holds = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        self.hoard.lock().unwrap().iter().any(|buffer| buffer.with_bytes(holds))
    }

    /// How many slots were marked to be erased after use.
    pub(crate) fn secret_slots(&self) -> usize {
        *self.secret_slots.lock().unwrap()
    }
}

impl Device for Hoarder {
    type Buffer = CpuBuffer;
    type Slot = WatchedSlot;
    type Batch = <Cpu as Device>::Batch;
    type Fence = <Cpu as Device>::Fence;

    fn info(&self) -> &DeviceInfo {
        self.cpu.info()
    }

    fn alloc(&self, bytes: u64) -> Result<CpuBuffer, Error> {
        if self.fails_at == Some(self.allocations.fetch_add(1, Relaxed)) {
            return Err(Error::Backend("out of memory".into()));
        }
        let buffer = self.cpu.alloc(bytes)?;
        self.hoard.lock().unwrap().push(buffer.clone());
        Ok(buffer)
    }

    async fn slot(&self) -> Result<WatchedSlot, Error> {
        Ok(WatchedSlot { slot: self.cpu.slot().await?, secrets: self.secret_slots.clone() })
    }

    fn batch(&self) -> Self::Batch {
        self.cpu.batch()
    }

    fn copy_in(&self, batch: &mut Self::Batch, slot: WatchedSlot, to: &CpuBuffer, parts: &[Part]) {
        self.cpu.copy_in(batch, slot.slot, to, parts);
    }

    fn launch(&self, batch: &mut Self::Batch, mut launch: Launch<'_, CpuBuffer>) {
        if self.forges_verdicts && launch.kernel == Kernel::Finalize {
            launch.params.token ^= 1 << 31;
        }
        self.cpu.launch(batch, launch);
    }

    fn clear(&self, batch: &mut Self::Batch, buffer: &CpuBuffer, range: Range<u64>) {
        self.cpu.clear(batch, buffer, range);
    }

    fn copy_out(&self, batch: &mut Self::Batch, from: &CpuBuffer, range: Range<u64>) -> ReadId {
        self.cpu.copy_out(batch, from, range)
    }

    fn submit(&self, batch: Self::Batch) -> Result<Self::Fence, Error> {
        self.cpu.submit(batch)
    }

    async fn wait(&self, fence: Self::Fence) -> Result<Reads, Error> {
        self.cpu.wait(fence).await
    }

    fn launches(&self) -> u64 {
        self.cpu.launches()
    }
}

pub(crate) struct WatchedSlot {
    slot: <Cpu as Device>::Slot,
    secrets: std::sync::Arc<Mutex<usize>>,
}

impl Slot for WatchedSlot {
    type Writer<'a> = <<Cpu as Device>::Slot as Slot>::Writer<'a>;

    fn capacity(&self) -> u64 {
        self.slot.capacity()
    }

    fn writers(&mut self, lengths: &[u64]) -> Result<Vec<Self::Writer<'_>>, Error> {
        self.slot.writers(lengths)
    }

    fn erase_after_use(&mut self) {
        *self.secrets.lock().unwrap() += 1;
        self.slot.erase_after_use();
    }
}
