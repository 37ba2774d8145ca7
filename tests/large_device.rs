//! A tensor past 4 GiB through a device.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "common/large.rs"]
mod large;

use large::{BYTES, available, pattern};
use pqc_gpu_driver::{
    DType, TensorMetadata, block_on,
    channel::chunk::SEALED_CHUNK_BYTES,
    device::{CpuDevice, Device, Slot, SlotWriter},
    establish_channel,
    transfer::{Destination, Transfer},
};

#[test]
fn past_4_gib_through_a_device() {
    // The device holds ciphertext and plaintext: twice the tensor.
    let needed = 10 << 20;
    match available() {
        Some(kib) if kib < needed => {
            let why = format!("{kib} KiB of memory are available, {needed} are needed");
            assert!(std::env::var_os("PQC_GPU_REQUIRE_DEVICES").is_none(), "{why}");
            return eprintln!("skipped: {why}");
        }
        _ => {}
    }
    let (host, guest) = establish_channel("host", "device").unwrap();
    let metadata = TensorMetadata::new("0", "large", DType::U8, [BYTES]).unwrap();
    let mut sealing = host.seal(&metadata).unwrap();
    let (header, encoded) = sealing.prelude().split_at(64);
    let pending = guest.reserve(header, encoded).unwrap();
    let mut transfer = Transfer::new(CpuDevice::default());
    let tensor = block_on(async {
        let source = |range: std::ops::Range<u64>, slot: &mut <CpuDevice as Device>::Slot| {
            let piece = sealing.next_piece((range.end - range.start).div_ceil(SEALED_CHUNK_BYTES) as u32).unwrap();
            assert_eq!(piece.sealed(), range);
            let plain = piece.plaintext();
            let mut writers = slot.writers(&[range.end - range.start])?;
            let memory = writers[0].as_memory().unwrap();
            piece.seal(&pattern(plain.start, (plain.end - plain.start) as usize), memory)
        };
        transfer.begin_open(pending, Destination::Owned, source).await.unwrap();
        sealing.finish().unwrap();
        transfer.settle().await.remove(0).unwrap()
    });
    tensor.buffer().with_bytes(|bytes| {
        for at in [0, 1 << 20, (4 << 30) - 3, 4 << 30, (4 << 30) + 7, BYTES - 5] {
            let length = (BYTES - at).min(4096) as usize;
            assert!(bytes[at as usize..at as usize + length] == pattern(at, length), "at {at}");
        }
    });
}
