//! A device made outside the crate, from its public interface alone: what a vendor writes, around kernels that are
//! borrowed from the CPU device here. It passes the conformance suite.
#![allow(missing_docs, clippy::unwrap_used)]

use std::ops::Range;

use pqc_gpu_driver::{
    Result, conformance,
    device::{CpuDevice, Device, DeviceInfo, Launch, Part, ReadId, Reads},
};

type Cpu = CpuDevice;

/// A vendor's device; it numbers its reads itself.
struct Vendor {
    info: DeviceInfo,
    cpu: Cpu,
}

/// Commands, and the ids under which the borrowed device knows this batch's reads.
struct Batch {
    commands: <Cpu as Device>::Batch,
    reads: Vec<ReadId>,
}

struct Fence {
    fence: <Cpu as Device>::Fence,
    reads: Vec<ReadId>,
}

impl Vendor {
    fn new() -> Self {
        let cpu = Cpu::default();
        let mut info = DeviceInfo::new("vendor:0", "a vendor's device", "its driver");
        info.key_context_bytes = cpu.info().key_context_bytes;
        info.slots = cpu.info().slots;
        Vendor { info, cpu }
    }
}

impl Device for Vendor {
    type Buffer = <Cpu as Device>::Buffer;
    type Slot = <Cpu as Device>::Slot;
    type Batch = Batch;
    type Fence = Fence;

    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn alloc(&self, bytes: u64) -> Result<Self::Buffer> {
        self.cpu.alloc(bytes)
    }

    async fn slot(&self) -> Result<Self::Slot> {
        self.cpu.slot().await
    }

    fn batch(&self) -> Batch {
        Batch { commands: self.cpu.batch(), reads: Vec::new() }
    }

    fn copy_in(&self, batch: &mut Batch, slot: Self::Slot, to: &Self::Buffer, parts: &[Part]) {
        self.cpu.copy_in(&mut batch.commands, slot, to, parts);
    }

    fn launch(&self, batch: &mut Batch, launch: Launch<'_, Self::Buffer>) {
        self.cpu.launch(&mut batch.commands, launch);
    }

    fn clear(&self, batch: &mut Batch, buffer: &Self::Buffer, range: Range<u64>) {
        self.cpu.clear(&mut batch.commands, buffer, range);
    }

    fn copy_out(&self, batch: &mut Batch, from: &Self::Buffer, range: Range<u64>) -> ReadId {
        batch.reads.push(self.cpu.copy_out(&mut batch.commands, from, range));
        ReadId::new(batch.reads.len() - 1)
    }

    fn submit(&self, batch: Batch) -> Result<Fence> {
        Ok(Fence { fence: self.cpu.submit(batch.commands)?, reads: batch.reads })
    }

    async fn wait(&self, fence: Fence) -> Result<Reads> {
        let reads = self.cpu.wait(fence.fence).await?;
        Ok(Reads::new(fence.reads.into_iter().map(|id| reads.bytes(id).unwrap().to_vec()).collect()))
    }

    fn launches(&self) -> u64 {
        self.cpu.launches()
    }
}

conformance!(vendor, Ok(Vendor::new()));
