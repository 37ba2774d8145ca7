//! The CPU as a device: memory of its own, and the kernels on all cores.
//!
//! It keeps every rule of section 6 that memory of one process can keep: ciphertext is copied in before it is
//! verified, all chunks are verified before one is decrypted, failed outputs are zeros. It promises nothing
//! about a bus, for it has none.

mod digests;
mod kernels;
mod operations;

use core::{
    future::poll_fn,
    ops::Range,
    task::{Poll, Waker},
};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use zeroize::optimization_barrier;

use super::{Binding, Device, DeviceInfo, Launch, Part, ReadId, Reads, Slot, SlotWriter};
use crate::{
    Error, Result,
    kernel::{Access, CHUNK_BYTES, Kernel, Params, TAG_BYTES},
    parallel,
};

const SLOT_BYTES: u64 = 256 * (CHUNK_BYTES + TAG_BYTES as u64);
const SLOTS: usize = 4;

/// The CPU device.
pub struct CpuDevice {
    info: DeviceInfo,
    ring: Arc<Ring>,
    /// Held while a batch runs: batches take effect one after the other.
    order: Mutex<()>,
    launches: AtomicU64,
}

impl Default for CpuDevice {
    fn default() -> Self {
        CpuDevice {
            info: DeviceInfo {
                unified_memory: true,
                max_buffer_bytes: isize::MAX as u64,
                max_binding_bytes: isize::MAX as u64,
                binding_alignment: 16,
                slot_bytes: SLOT_BYTES,
                slots: SLOTS,
                key_context_bytes: kernels::CONTEXT_BYTES as u64,
                ..DeviceInfo::new("cpu", format!("{} threads", parallel::threads()), "aes, ctr and ghash crates")
            },
            ring: Arc::new(Ring::new(SLOTS)),
            order: Mutex::new(()),
            launches: AtomicU64::new(0),
        }
    }
}

impl CpuDevice {
    /// One with tighter limits, which it keeps.
    #[cfg(feature = "conformance")]
    pub(crate) fn limited(limit: impl FnOnce(&mut DeviceInfo)) -> Self {
        let mut device = CpuDevice::default();
        limit(&mut device.info);
        device.ring = Arc::new(Ring::new(device.info.slots));
        device
    }
}

/// A handle to memory of the CPU device.
#[derive(Clone)]
pub struct CpuBuffer(Arc<Memory>);

struct Memory(RwLock<Contents>);

struct Contents {
    bytes: Vec<u8>,
    /// Nothing from here on was ever written. Such pages take no memory, and would if they were erased: a header that
    /// announces 64 GiB, of which no byte comes, must not cost them.
    untouched: usize,
}

impl Contents {
    fn part(&mut self, range: Range<usize>) -> &mut [u8] {
        self.untouched = self.untouched.max(range.end);
        &mut self.bytes[range]
    }

    fn erase(&mut self, range: Range<usize>) {
        let end = range.end.min(self.untouched);
        erase(&mut self.bytes[range.start.min(end)..end]);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let contents = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        contents.erase(0..contents.bytes.len());
    }
}

impl CpuBuffer {
    /// The buffer's size.
    pub fn size(&self) -> u64 {
        self.read().bytes.len() as u64
    }

    /// Runs `look` on the memory: for applications whose tensors stay in the CPU device, as a GPU's would be read by
    /// their own kernels. The device waits meanwhile, so `look` must not wait for the device.
    pub fn with_bytes<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        look(&self.read().bytes)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Contents> {
        self.0.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Contents> {
        self.0.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, other: &CpuBuffer) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The staging ring's free slots; memory is taken on a slot's first use.
struct Ring {
    free: Mutex<Free>,
}

struct Free {
    slots: Vec<Option<Box<[u8]>>>,
    waiting: Vec<Waker>,
}

impl Ring {
    fn new(slots: usize) -> Self {
        Ring { free: Mutex::new(Free { slots: vec![None; slots], waiting: Vec::new() }) }
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot of the CPU device's ring; dropped, it returns to the ring.
pub struct CpuSlot {
    memory: Box<[u8]>,
    ring: Arc<Ring>,
    /// How much of it writers may have written, from its start.
    handed_out: usize,
    secret: bool,
}

impl Drop for CpuSlot {
    fn drop(&mut self) {
        let mut memory = core::mem::take(&mut self.memory);
        if self.secret {
            // To erase all of it for a key would take longer than to open a small tensor.
            erase(&mut memory[..self.handed_out]);
        }
        let mut free = self.ring.free();
        free.slots.push(Some(memory));
        let waiting = core::mem::take(&mut free.waiting);
        drop(free);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Slot for CpuSlot {
    type Writer<'a> = CpuWriter<'a>;

    fn capacity(&self) -> u64 {
        self.memory.len() as u64
    }

    fn writers(&mut self, lengths: &[u64]) -> Result<Vec<CpuWriter<'_>>> {
        let total = lengths.iter().fold(0u64, |sum, &length| sum.saturating_add(length));
        self.handed_out = self.handed_out.max(total.min(self.memory.len() as u64) as usize);
        let mut rest = &mut self.memory[..];
        let cut = |&length: &u64| {
            let length = usize::try_from(length).map_err(|_| SLOT_TOO_SMALL)?;
            let (part, tail) = core::mem::take(&mut rest).split_at_mut_checked(length).ok_or(SLOT_TOO_SMALL)?;
            rest = tail;
            Ok(CpuWriter(part))
        };
        lengths.iter().map(cut).collect()
    }

    fn erase_after_use(&mut self) {
        self.secret = true;
    }
}

/// A part of a [`CpuSlot`].
pub struct CpuWriter<'a>(&'a mut [u8]);

impl SlotWriter for CpuWriter<'_> {
    fn capacity(&self) -> u64 {
        self.0.len() as u64
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let range = checked(offset..offset.saturating_add(bytes.len() as u64), self.0.len())?;
        self.0[range].copy_from_slice(bytes);
        Ok(())
    }

    fn as_memory(&mut self) -> Option<&mut [u8]> {
        Some(self.0)
    }
}

/// Recorded commands.
#[derive(Default)]
pub struct CpuBatch {
    commands: Vec<Command>,
    reads: usize,
}

enum Command {
    CopyIn { slot: CpuSlot, to: CpuBuffer, parts: Vec<Part> },
    Launch { kernel: Kernel, bindings: Vec<(CpuBuffer, Range<u64>)>, params: Params },
    Clear { buffer: CpuBuffer, range: Range<u64> },
    CopyOut { from: CpuBuffer, range: Range<u64> },
}

/// A batch that has run.
pub struct CpuFence(Result<Reads>);

impl Device for CpuDevice {
    type Buffer = CpuBuffer;
    type Slot = CpuSlot;
    type Batch = CpuBatch;
    type Fence = CpuFence;

    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn alloc(&self, bytes: u64) -> Result<CpuBuffer> {
        const OUT_OF_MEMORY: &str = "out of memory";
        let bytes = usize::try_from(bytes).ok().filter(|&bytes| bytes as u64 <= self.info.max_buffer_bytes);
        let bytes = bytes.ok_or_else(|| Error::Backend(OUT_OF_MEMORY.into()))?;
        // Asking first makes too much an error; `vec!` then takes pages that are zero already, without touching them.
        Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| Error::Backend(OUT_OF_MEMORY.into()))?;
        let contents = Contents { bytes: vec![0; bytes], untouched: 0 };
        Ok(CpuBuffer(Arc::new(Memory(RwLock::new(contents)))))
    }

    async fn slot(&self) -> Result<CpuSlot> {
        // Batches run when submitted, so what is not free is being recorded by somebody, who will submit it.
        poll_fn(|context| {
            let mut free = self.ring.free();
            if let Some(memory) = free.slots.pop() {
                return Poll::Ready(Ok(self.take(memory)));
            }
            if !free.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                free.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    fn batch(&self) -> CpuBatch {
        CpuBatch::default()
    }

    fn copy_in(&self, batch: &mut CpuBatch, slot: CpuSlot, to: &CpuBuffer, parts: &[Part]) {
        batch.commands.push(Command::CopyIn { slot, to: to.clone(), parts: parts.to_vec() });
    }

    fn launch(&self, batch: &mut CpuBatch, launch: Launch<'_, CpuBuffer>) {
        let bindings = launch.bindings.iter().map(|b: &Binding<'_, _>| (b.buffer.clone(), b.range.clone())).collect();
        batch.commands.push(Command::Launch { kernel: launch.kernel, bindings, params: launch.params });
    }

    fn clear(&self, batch: &mut CpuBatch, buffer: &CpuBuffer, range: Range<u64>) {
        batch.commands.push(Command::Clear { buffer: buffer.clone(), range });
    }

    fn copy_out(&self, batch: &mut CpuBatch, from: &CpuBuffer, range: Range<u64>) -> ReadId {
        batch.commands.push(Command::CopyOut { from: from.clone(), range });
        batch.reads += 1;
        ReadId(batch.reads - 1)
    }

    fn submit(&self, batch: CpuBatch) -> Result<CpuFence> {
        let _turn = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reads = Reads::default();
        let ran = batch.commands.into_iter().try_for_each(|command| self.run(command, &mut reads));
        Ok(CpuFence(ran.map(|()| reads)))
    }

    async fn wait(&self, fence: CpuFence) -> Result<Reads> {
        fence.0
    }

    fn launches(&self) -> u64 {
        self.launches.load(Ordering::Relaxed)
    }
}

impl CpuDevice {
    /// A free slot, if there is one.
    #[cfg(feature = "conformance")]
    pub(crate) fn free_slot(&self) -> Option<CpuSlot> {
        let memory = self.ring.free().slots.pop()?;
        Some(self.take(memory))
    }

    fn take(&self, memory: Option<Box<[u8]>>) -> CpuSlot {
        let memory = memory.unwrap_or_else(|| vec![0; self.info.slot_bytes as usize].into());
        CpuSlot { memory, ring: Arc::clone(&self.ring), handed_out: 0, secret: false }
    }

    /// Other devices refuse what their limits exclude, so this one does.
    fn check_bindings(&self, bindings: &[(CpuBuffer, Range<u64>)]) -> Result<()> {
        let DeviceInfo { max_binding_bytes, binding_alignment, .. } = self.info;
        let fits = |range: &Range<u64>| {
            range.start.is_multiple_of(binding_alignment)
                && range.end.checked_sub(range.start).is_some_and(|bytes| (1..=max_binding_bytes).contains(&bytes))
        };
        if bindings.iter().all(|(_, range)| fits(range)) {
            return Ok(());
        }
        Err(Error::Backend("a binding that is empty, too large or not aligned".into()))
    }

    fn run(&self, command: Command, reads: &mut Reads) -> Result<()> {
        match command {
            Command::CopyIn { slot, to, parts } => {
                let mut to = to.write();
                for Part { from, to: at, bytes } in parts {
                    let source = checked(from..from.saturating_add(bytes), slot.memory.len())?;
                    let destination = checked(at..at.saturating_add(bytes), to.bytes.len())?;
                    to.part(destination).copy_from_slice(&slot.memory[source]);
                }
            }
            Command::Launch { kernel, bindings, params } => {
                self.launches.fetch_add(1, Ordering::Relaxed);
                self.check_bindings(&bindings)?;
                launch(kernel, &bindings, &params)?;
            }
            Command::Clear { buffer, range } => {
                let mut memory = buffer.write();
                let range = checked(range, memory.bytes.len())?;
                memory.erase(range);
            }
            Command::CopyOut { from, range } => {
                let memory = from.read();
                reads.0.push(memory.bytes[checked(range, memory.bytes.len())?].to_vec());
            }
        }
        Ok(())
    }
}

/// Locks the bindings as the kernel table says and runs the kernel on them. The written one is the last.
fn launch(kernel: Kernel, bindings: &[(CpuBuffer, Range<u64>)], params: &Params) -> Result<()> {
    let accesses = kernel.bindings();
    let Some((output, inputs)) = bindings.split_last().filter(|_| bindings.len() == accesses.len()) else {
        return Err(Error::Backend(format!("kernel {} takes {} bindings", kernel.name(), accesses.len())));
    };
    debug_assert!(
        accesses.split_last().is_some_and(|(last, rest)| *last == Access::Write && !rest.contains(&Access::Write))
    );
    if inputs.iter().any(|(buffer, _)| buffer.is(&output.0)) {
        return Err(Error::Backend(format!("kernel {} would write a buffer that it reads", kernel.name())));
    }
    let guards: Vec<_> = inputs.iter().map(|(buffer, _)| buffer.read()).collect();
    let mut slices = Vec::with_capacity(inputs.len());
    for (guard, (_, range)) in guards.iter().zip(inputs) {
        slices.push(&guard.bytes[checked(range.clone(), guard.bytes.len())?]);
    }
    let mut written = output.0.write();
    let range = checked(output.1.clone(), written.bytes.len())?;
    kernels::run(kernel, &slices, written.part(range), params).ok_or_else(|| {
        Error::Backend(format!(
            "kernel {}: a binding is too short for its parameters, or they are wrong",
            kernel.name()
        ))
    })
}

const SLOT_TOO_SMALL: Error = Error::Usage("the parts of a slot must fit into it");

fn checked(range: Range<u64>, length: usize) -> Result<Range<usize>> {
    if range.start > range.end || range.end > length as u64 {
        return Err(Error::Backend("an access beyond the end of its buffer".into()));
    }
    Ok(range.start as usize..range.end as usize)
}

/// Zeroes memory in a way the compiler must keep. Gigabytes are erased at every free, so it is by `memset`.
fn erase(memory: &mut [u8]) {
    memory.fill(0);
    optimization_barrier(memory);
}
