//! Buffers of the caller's.

use core::ops::Range;

use pqc_gpu_driver::{
    Error, block_on,
    conformance::{self, noise, read, write},
    device::{Device, Part, Slot, SlotWriter, WgpuBuffer, WgpuDevice},
    establish_channel,
    transfer::{Destination, Transfer},
    wgpu::{self, BufferUsages},
};

use super::{adapters, alone, deliver, source, usual};

const READABLE: BufferUsages = BufferUsages::STORAGE.union(BufferUsages::COPY_SRC);

fn callers(device: &WgpuDevice, size: u64, usage: BufferUsages) -> wgpu::Buffer {
    let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
    device.device().create_buffer(&descriptor)
}

/// A buffer filled with 0xa5, with or without the usage that lets it be cleared without a shader.
fn filled(device: &WgpuDevice, size: u64, usage: BufferUsages) -> WgpuBuffer {
    let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: true };
    let buffer = device.device().create_buffer(&descriptor);
    buffer.get_mapped_range_mut(..).unwrap().slice(..).fill(0xa5);
    buffer.unmap();
    device.adopt(buffer).unwrap()
}

/// The tensor's bytes are `inside`, all others as they were.
fn only(device: &WgpuDevice, buffer: &WgpuBuffer, range: Range<u64>, inside: &[u8], what: &str) {
    let seen = block_on(read(device, buffer, 0..buffer.size()));
    let (start, end) = (range.start as usize, range.end as usize);
    assert!(seen[start..end] == *inside, "{what}: the tensor");
    let beside = seen[..start].iter().chain(&seen[end..]);
    assert_eq!(beside.filter(|&&byte| byte != 0xa5).count(), 0, "{what}: bytes beside the tensor");
}

/// Bytes behind a tensor stay as they are: when it is opened, when it fails, when it is cleared; whether its buffer
/// ends within a block, at a block, or far behind.
fn neighbours_are_left_alone(device: &WgpuDevice) {
    let align = device.info().binding_alignment;
    for usage in [READABLE, READABLE | BufferUsages::COPY_DST] {
        for (i, length) in [1, 3, 4, 15, 16, 18, 16_383, 33_001].into_iter().enumerate() {
            for behind in [0, 12, 64] {
                let what = format!("{length} bytes, {behind} behind, {usage:?}");
                let size = align + (length as u64).next_multiple_of(4) + behind;
                let range = align..align + length as u64;
                let (host, guest) = establish_channel("host", "device").unwrap();
                let mut transfer = Transfer::new(device);
                let plaintext = noise(i as u64, length);
                let buffer = filled(device, size, usage);
                block_on(async {
                    let (pending, body) = deliver(&host, &guest, &plaintext);
                    let to = Destination::Buffer(&buffer, align);
                    transfer.begin_open(pending, to, source(&body)).await.unwrap();
                    let tensor = transfer.settle().await.remove(0).unwrap();
                    only(device, &buffer, range.clone(), &plaintext, &what);
                    // And out of it again.
                    let mut wire = Vec::new();
                    let sink = |bytes: &[u8]| {
                        wire.extend(bytes);
                        Ok(())
                    };
                    transfer.seal(&guest, &tensor, sink).await.unwrap();
                    let sealed = pqc_gpu_driver::EncryptedTensor::from_bytes(wire).unwrap();
                    assert!(host.decrypt_tensor(&sealed).unwrap() == plaintext, "{what}: sealed");
                    only(device, &buffer, range.clone(), &plaintext, &what);

                    let buffer = filled(device, size, usage);
                    let (pending, mut body) = deliver(&host, &guest, &plaintext);
                    *body.last_mut().unwrap() ^= 1;
                    let to = Destination::Buffer(&buffer, align);
                    transfer.begin_open(pending, to, source(&body)).await.unwrap();
                    assert_eq!(transfer.settle().await.remove(0).err(), Some(Error::Decryption));
                    only(device, &buffer, range.clone(), &vec![0; length], &what);

                    let buffer = filled(device, size, usage);
                    let mut batch = device.batch();
                    device.clear(&mut batch, &buffer, range.clone());
                    device.wait(device.submit(batch).unwrap()).await.unwrap();
                    only(device, &buffer, range.clone(), &vec![0; length], &what);
                });
            }
        }
    }
}

#[test]
fn neighbours_are_left_alone_on_llvmpipe() {
    conformance::run(adapters::llvmpipe(), |device| neighbours_are_left_alone(&device));
}

#[test]
fn neighbours_are_left_alone_on_swiftshader() {
    conformance::run(adapters::swiftshader(), |device| neighbours_are_left_alone(&device));
}

#[test]
fn neighbours_are_left_alone_on_a_gpu() {
    conformance::run(adapters::hardware(), |device| neighbours_are_left_alone(&device));
}

/// Zeroing of any part, and nothing else: ends within words, and across the steps that large parts are cut in.
#[test]
fn any_part_can_be_cleared() {
    conformance::run(adapters::llvmpipe(), |device| {
        let step = 64 << 20;
        for range in [0..1, 1..2, 3..5, 2..3, 1..4, 5..1003, 255..257] {
            let buffer = filled(&device, 1024, READABLE);
            let mut batch = device.batch();
            device.clear(&mut batch, &buffer, range.clone());
            block_on(device.wait(device.submit(batch).unwrap())).unwrap();
            only(&device, &buffer, range.clone(), &vec![0; (range.end - range.start) as usize], &format!("{range:?}"));
        }
        let buffer = filled(&device, step + 1024, READABLE);
        let ranges = [step - 5..step + 3, step + 7..step + 9, 1..3, 1_000_001..3_000_002];
        let mut batch = device.batch();
        ranges.iter().for_each(|range| device.clear(&mut batch, &buffer, range.clone()));
        block_on(device.wait(device.submit(batch).unwrap())).unwrap();
        let seen = block_on(read(&device, &buffer, 0..buffer.size()));
        for (at, &byte) in (0..).zip(&seen) {
            let cleared = ranges.iter().any(|range| range.contains(&at));
            assert!(byte == if cleared { 0 } else { 0xa5 }, "at {at}");
        }
    });
}

/// Copies whose length is no multiple of 4: padding follows in memory of the library's own; in a caller's it would not be
/// padding.
#[test]
fn copies_are_whole_words() {
    conformance::run(adapters::llvmpipe(), |device| {
        let copy = async |buffer: &WgpuBuffer, length: u64| {
            let mut slot = device.slot().await.unwrap();
            // What was in the slot before does not come along.
            slot.writers(&[length + 8]).unwrap()[0].write(0, &vec![0xff; length as usize + 8]).unwrap();
            slot.writers(&[length]).unwrap()[0].write(0, &noise(length, length as usize)).unwrap();
            let mut batch = device.batch();
            device.copy_in(&mut batch, slot, buffer, &[Part { from: 0, to: 8, bytes: length }]);
            device.wait(device.submit(batch)?).await
        };
        for length in [1, 2, 3, 5, 17, 4093] {
            block_on(async {
                let buffer = filled(&device, 8192, READABLE | BufferUsages::COPY_DST);
                assert!(matches!(copy(&buffer, length).await, Err(Error::Backend(_))));
                only(&device, &buffer, 0..0, &[], "a copy that was refused");
                let buffer = device.alloc(8192).unwrap();
                copy(&buffer, length).await.unwrap();
                let seen = read(&device, &buffer, 0..8192).await;
                assert!(seen[8..8 + length as usize] == noise(length, length as usize));
                assert!(seen[..8].iter().chain(&seen[8 + length as usize..]).all(|&byte| byte == 0));
            });
        }
    });
}

#[test]
fn tensors_share_a_buffer() {
    conformance::run(adapters::llvmpipe(), |device| {
        let align = device.info().binding_alignment;
        let lengths = [1001usize, 3, 40_001, 16_384];
        let mut at = 0;
        let offsets: Vec<u64> = lengths
            .iter()
            .map(|&length| {
                let start = at;
                at = (start + length as u64).next_multiple_of(align);
                start
            })
            .collect();
        for bad in [None, Some(2)] {
            let (host, guest) = establish_channel("host", "device").unwrap();
            let buffer = filled(&device, at + 4, READABLE);
            let mut transfer = Transfer::new(&device);
            block_on(async {
                for (i, &length) in lengths.iter().enumerate() {
                    let (pending, mut body) = deliver(&host, &guest, &noise(i as u64, length));
                    body[0] ^= u8::from(bad == Some(i));
                    let to = Destination::Buffer(&buffer, offsets[i]);
                    transfer.begin_open(pending, to, source(&body)).await.unwrap();
                }
                let results = transfer.settle().await;
                let mut expected = vec![0xa5; buffer.size() as usize];
                for (i, result) in results.iter().enumerate() {
                    let good = bad.is_none_or(|bad| i < bad);
                    assert_eq!(result.is_ok(), good, "tensor {i}");
                    let bytes = if good { noise(i as u64, lengths[i]) } else { vec![0; lengths[i]] };
                    expected[offsets[i] as usize..][..lengths[i]].copy_from_slice(&bytes);
                }
                assert!(read(&device, &buffer, 0..buffer.size()).await == expected);
            });
        }
    });
}

/// What does not fit is an error, and the device goes on.
#[test]
fn buffers_that_cannot_be_used_are_errors() {
    alone(usual, |device| {
        assert!(matches!(device.adopt(callers(&device, 64, BufferUsages::COPY_DST)), Err(Error::Usage(_))));
        assert!(matches!(device.adopt(callers(&device, 66, BufferUsages::STORAGE)), Err(Error::Usage(_))));
        let destroyed = callers(&device, 65_536, READABLE);
        destroyed.destroy();
        let mapped = device.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 65_536,
            usage: READABLE,
            mapped_at_creation: true,
        });
        let cases = [
            ("too small", callers(&device, 4096, READABLE), 0),
            ("too small by one word", callers(&device, 19_996, READABLE), 0),
            ("too small behind the offset", callers(&device, 20_000, READABLE), 256),
            ("empty", callers(&device, 0, READABLE), 0),
            ("destroyed", destroyed, 0),
            ("mapped", mapped, 0),
        ];
        for (what, buffer, offset) in cases {
            let buffer = device.adopt(buffer).unwrap();
            let (host, guest) = establish_channel("host", "device").unwrap();
            let mut transfer = Transfer::new(&device);
            block_on(async {
                let (pending, body) = deliver(&host, &guest, &noise(1, 20_000));
                let to = Destination::Buffer(&buffer, offset);
                transfer.begin_open(pending, to, source(&body)).await.unwrap();
                let result = transfer.settle().await.remove(0);
                assert!(matches!(result, Err(Error::Backend(_))), "{what}: {result:?}");
                assert!(!guest.is_valid(), "{what}");
                // More of these than there are slots: none may be lost to a batch that failed.
                let (host, guest) = establish_channel("host", "device").unwrap();
                for _ in 0..4 {
                    let (pending, body) = deliver(&host, &guest, &noise(1, 20_000));
                    Transfer::new(&device).open(pending, &body).await.unwrap_or_else(|e| panic!("after {what}: {e}"));
                }
            });
        }
        for offset in [1, 4, 16, 128, 257] {
            let buffer = device.adopt(callers(&device, 65_536, READABLE)).unwrap();
            let (host, guest) = establish_channel("host", "device").unwrap();
            let (pending, body) = deliver(&host, &guest, &noise(1, 20_000));
            let aligned = offset % device.info().binding_alignment == 0;
            let to = Destination::Buffer(&buffer, offset);
            let begun = block_on(Transfer::new(&device).begin_open(pending, to, source(&body)));
            assert_eq!(matches!(begun, Err(Error::Usage(_))), !aligned, "offset {offset}");
        }
        block_on(async {
            let buffer = device.alloc(64).unwrap();
            write(&device, &buffer, 0, &[1; 64]).await;
            assert_eq!(read(&device, &buffer, 0..64).await, [1; 64]);
        });
    });
}

/// Siblings share shaders and memory, and count for themselves.
#[test]
fn siblings_share_buffers() {
    conformance::run(adapters::llvmpipe(), |device| {
        let sibling = device.sibling();
        let (host, guest) = establish_channel("host", "device").unwrap();
        let (pending, body) = deliver(&host, &guest, &noise(1, 20_000));
        let tensor = block_on(Transfer::new(&device).open(pending, &body)).unwrap();
        assert_eq!((device.launches(), sibling.launches()), (4, 0));
        assert!(block_on(read(&sibling, tensor.buffer(), 0..20_000)) == noise(1, 20_000));
    });
}

/// What tensors are opened from and into is the device's alone: no host maps it.
#[test]
fn memory_cannot_be_mapped() {
    conformance::run(adapters::llvmpipe(), |device| {
        let usage = device.alloc(64).unwrap().raw().usage();
        assert!(!usage.intersects(BufferUsages::MAP_READ | BufferUsages::MAP_WRITE), "{usage:?}");
    });
}

#[test]
fn another_devices_buffer_is_an_error() {
    let adapter = block_on(adapters::llvmpipe_adapter());
    conformance::run(adapter, |adapter| {
        let open = || block_on(WgpuDevice::open(&adapter)).unwrap();
        let (device, other) = (open(), open());
        let (host, guest) = establish_channel("host", "device").unwrap();
        for buffer in [device.adopt(callers(&other, 65_536, READABLE)).unwrap(), other.alloc(65_536).unwrap()] {
            let mut batch = device.batch();
            device.copy_out(&mut batch, &buffer, 0..16);
            assert!(matches!(device.submit(batch).err(), Some(Error::Backend(_))));
        }
        let buffer = device.adopt(callers(&other, 65_536, READABLE)).unwrap();
        let mut transfer = Transfer::new(&device);
        block_on(async {
            let (pending, body) = deliver(&host, &guest, &noise(1, 20_000));
            transfer.begin_open(pending, Destination::Buffer(&buffer, 0), source(&body)).await.unwrap();
            assert!(matches!(transfer.settle().await.remove(0), Err(Error::Backend(_))));
            let fence = other.submit(other.batch()).unwrap();
            device.wait(fence).await.expect("a fence knows its device");
        });
        assert!(!guest.is_valid());
    });
}

/// A buffer that cannot be copied from is opened into all the same.
#[test]
fn storage_is_usage_enough() {
    conformance::run(adapters::llvmpipe(), |device| {
        let buffer = device.adopt(callers(&device, 65_536, BufferUsages::STORAGE)).unwrap();
        let (host, guest) = establish_channel("host", "device").unwrap();
        let mut transfer = Transfer::new(&device);
        block_on(async {
            let (pending, body) = deliver(&host, &guest, &noise(1, 20_000));
            transfer.begin_open(pending, Destination::Buffer(&buffer, 0), source(&body)).await.unwrap();
            assert!(transfer.settle().await.remove(0).is_ok());
            let mut batch = device.batch();
            device.copy_out(&mut batch, &buffer, 0..16);
            assert!(matches!(device.submit(batch).err(), Some(Error::Backend(_))));
        });
    });
}
