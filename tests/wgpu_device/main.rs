//! What only a wgpu device can have go wrong: it is lost, runs short, is given buffers that do not fit, is used by
//! several threads at once; and what it must have erased.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../common/adapters.rs"]
mod adapters;
mod buffers;
mod erased;
mod extremes;
mod limits;
mod loss;
mod threads;

use pqc_gpu_driver::{
    ChannelSession, DType, TensorMetadata, block_on,
    channel::session::Pending,
    conformance,
    device::{Slot, SlotWriter, WgpuDevice},
    wgpu,
};

/// Runs a case on a device that nobody else has, over limits of one's own; it may be lost.
fn alone(limits: impl FnOnce(&wgpu::Limits) -> wgpu::Limits, case: impl FnOnce(WgpuDevice)) {
    let open = async || {
        let adapter = adapters::llvmpipe_adapter().await?;
        let required_limits = limits(&adapter.limits());
        let descriptor = wgpu::DeviceDescriptor { required_limits, ..wgpu::DeviceDescriptor::default() };
        let (device, queue) = adapter.request_device(&descriptor).await.expect("a device with these limits");
        // wgpu's own handler panics; that it is never called is part of every case.
        WgpuDevice::new(device, queue)
    };
    conformance::run(block_on(open()), case);
}

/// WebGPU's default limits, which every device has.
fn usual(_: &wgpu::Limits) -> wgpu::Limits {
    wgpu::Limits::default()
}

fn metadata(bytes: usize) -> TensorMetadata {
    TensorMetadata::new("id", "name", DType::U8, [bytes as u64]).unwrap()
}

/// Seals at the host and reserves at the other end.
fn deliver(host: &ChannelSession, guest: &ChannelSession, plaintext: &[u8]) -> (Pending, Vec<u8>) {
    let metadata = metadata(plaintext.len());
    let sealed = host.encrypt_tensor(plaintext, &metadata).unwrap();
    let (header, rest) = sealed.as_bytes().split_at(64);
    let (encoded, body) = rest.split_at(metadata.encode().len());
    (guest.reserve(header, encoded).unwrap(), body.to_vec())
}

fn source<S: Slot>(body: &[u8]) -> impl FnMut(std::ops::Range<u64>, &mut S) -> pqc_gpu_driver::Result<()> {
    |range, slot| {
        let mut writers = slot.writers(&[range.end - range.start])?;
        writers[0].write(0, &body[range.start as usize..range.end as usize])
    }
}
