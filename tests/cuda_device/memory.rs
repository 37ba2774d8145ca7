//! Memory: the application's own, erased, page-locked where it lies; and the order among streams.

use std::{ops::Range, sync::Arc, thread};

use pqc_gpu_driver::{
    EncryptedTensor, Error, block_on,
    conformance::{self, noise, read, write},
    device::{Binding, CudaBuffer, CudaDevice, Device, Launch, Part, Slot, SlotWriter, cuda::CudaSlot},
    establish_channel,
    kernel::{Kernel, Params},
    transfer::{Destination, Transfer},
};

use super::{deliver, driver::Primary, source};

fn on_the_gpu(case: impl FnOnce(CudaDevice)) {
    conformance::run(CudaDevice::open(0), case);
}

#[allow(unsafe_code)] // the memory outlives the device's use of it
fn adopt(device: &CudaDevice, memory: &super::driver::Memory<'_>, bytes: usize) -> Result<CudaBuffer, Error> {
    // SAFETY: the tests hold the memory until all is done.
    unsafe { device.adopt(memory.pointer, bytes as u64) }
}

/// The tensor's bytes are `inside`, all others as they were.
fn only(device: &CudaDevice, buffer: &CudaBuffer, range: Range<usize>, inside: &[u8], what: &str) {
    let seen = block_on(read(device, buffer, 0..buffer.size()));
    assert!(seen[range.clone()] == *inside, "{what}: the tensor");
    let beside = seen[..range.start].iter().chain(&seen[range.end..]);
    assert_eq!(beside.filter(|&&byte| byte != 0xa5).count(), 0, "{what}: bytes beside the tensor");
}

/// Bytes behind a tensor stay as they are: when it is opened, when it fails, when it is cleared.
#[test]
fn neighbours_are_left_alone() {
    on_the_gpu(|device| {
        let primary = Primary::new(0);
        for (i, length) in [1usize, 3, 4, 15, 16, 18, 16_383, 33_001].into_iter().enumerate() {
            for behind in [0, 3, 64] {
                let what = format!("{length} bytes, {behind} behind");
                let (size, range) = (256 + length + behind, 256..256 + length);
                let plaintext = noise(i as u64, length);
                let (host, guest) = establish_channel("host", "device").unwrap();
                let mut transfer = Transfer::new(&device);
                for good in [true, false] {
                    let memory = primary.alloc(size);
                    let buffer = adopt(&device, &memory, size).unwrap();
                    let (pending, mut body) = deliver(&host, &guest, &plaintext);
                    *body.last_mut().unwrap() ^= u8::from(!good);
                    block_on(async {
                        let to = Destination::Buffer(&buffer, 256);
                        transfer.begin_open(pending, to, source(&body)).await.unwrap();
                        let result = transfer.settle().await.remove(0);
                        if !good {
                            assert_eq!(result.err(), Some(Error::Decryption));
                            return only(&device, &buffer, range.clone(), &vec![0; length], &what);
                        }
                        only(&device, &buffer, range.clone(), &plaintext, &what);
                        // And out of it again.
                        let mut wire = Vec::new();
                        let sink = |bytes: &[u8]| {
                            wire.extend(bytes);
                            Ok(())
                        };
                        transfer.seal(&guest, &result.unwrap(), sink).await.unwrap();
                        let sealed = EncryptedTensor::from_bytes(wire).unwrap();
                        assert!(host.decrypt_tensor(&sealed).unwrap() == plaintext, "{what}: sealed");
                        only(&device, &buffer, range.clone(), &plaintext, &what);
                        let mut batch = device.batch();
                        device.clear(&mut batch, &buffer, 256..256 + length as u64);
                        device.wait(device.submit(batch).unwrap()).await.unwrap();
                        only(&device, &buffer, range.clone(), &vec![0; length], &what);
                    });
                }
            }
        }
    });
}

#[test]
fn memory_that_cannot_be_adopted_is_an_error() {
    on_the_gpu(|device| {
        let primary = Primary::new(0);
        let memory = primary.alloc(4096);
        assert!(matches!(adopt(&device, &memory, 4097), Err(Error::Usage(_))));
        assert!(matches!(adopt(&device, &memory, usize::MAX), Err(Error::Usage(_))));
        #[allow(unsafe_code)] // refused before it is used
        // SAFETY: as above.
        let adopt = |pointer| unsafe { device.adopt(pointer, 16) };
        assert!(matches!(adopt(memory.pointer + 8), Err(Error::Usage(_))));
        assert!(matches!(adopt(0), Err(Error::Usage(_))));
        assert!(matches!(adopt(0x10), Err(Error::Usage(_))));
        // A body that ends within a block of the caller's would be read beyond its end.
        let buffer = adopt(memory.pointer).unwrap();
        let mut batch = device.batch();
        device.copy_out(&mut batch, &buffer, 0..17);
        assert!(matches!(device.submit(batch).err(), Some(Error::Backend(_))));
        let other = CudaDevice::open(0).unwrap();
        let mut batch = other.batch();
        other.copy_out(&mut batch, &buffer, 0..16);
        assert!(matches!(other.submit(batch).err(), Some(Error::Backend(_))), "another device's buffer");
    });
}

/// What the application's stream does with memory comes before or after what the device does, as it was asked for.
#[test]
#[allow(unsafe_code)] // streams are the driver's
fn the_applications_streams_are_waited_for_and_wait() {
    on_the_gpu(|device| {
        let primary = Primary::new(0);
        for round in 0..20u8 {
            let (memory, stream) = (primary.alloc(4096), primary.stream());
            let buffer = adopt(&device, &memory, 4096).unwrap();
            primary.set_later(stream, memory.pointer, round, 4096);
            // SAFETY: a stream of this context.
            unsafe { device.order_after(stream).unwrap() };
            let mut batch = device.batch();
            let before = device.copy_out(&mut batch, &buffer, 0..4096);
            device.clear(&mut batch, &buffer, 0..1024);
            let fence = device.submit(batch).unwrap();
            // SAFETY: as above.
            unsafe { device.order_before(stream).unwrap() };
            primary.set_later(stream, memory.pointer, 0xee, 512);
            let reads = block_on(device.wait(fence)).unwrap();
            assert!(reads.bytes(before).unwrap().iter().all(|&byte| byte == round), "round {round}");
            primary.finish(stream);
            let seen = block_on(read(&device, &buffer, 0..4096));
            assert!(seen[..512] == [0xee; 512] && seen[512..1024] == [0; 512] && seen[1024..] == vec![round; 3072]);
        }
    });
}

/// Over the application's context, as over one's own.
#[test]
#[allow(unsafe_code)] // contexts are the driver's
fn the_applications_context() {
    on_the_gpu(|_| {
        let primary = Primary::new(0);
        // SAFETY: it is retained for longer than the device and its threads live.
        let device = unsafe { CudaDevice::in_context(primary.context) }.unwrap();
        assert_eq!(device.info().id, "cuda:0");
        {
            let (host, guest) = establish_channel("host", "device").unwrap();
            let (pending, body) = deliver(&host, &guest, &noise(1, 20_000));
            let tensor = block_on(Transfer::new(&device).open(pending, &body)).unwrap();
            assert!(block_on(read(&device, tensor.buffer(), 0..20_000)) == noise(1, 20_000));
        }
    });
}

/// A batch keeps what it uses until it has run: the handles may go as soon as it is recorded.
#[test]
fn handles_may_go_before_their_batch_runs() {
    on_the_gpu(|device| {
        for round in 0..50 {
            block_on(async {
                let to = device.alloc(4096).unwrap();
                let mut slot = device.slot().await.unwrap();
                slot.writers(&[4096]).unwrap()[0].write(0, &noise(round, 4096)).unwrap();
                let mut batch = device.batch();
                device.copy_in(&mut batch, slot, &to, &[Part { from: 0, to: 0, bytes: 4096 }]);
                let seen = device.copy_out(&mut batch, &to, 0..4096);
                drop(to);
                // Others come and go meanwhile.
                drop(device.alloc(4096).unwrap());
                let fence = device.submit(batch).unwrap();
                drop(device.alloc(4096).unwrap());
                let reads = device.wait(fence).await.unwrap();
                assert!(reads.bytes(seen) == Some(&noise(round, 4096)[..]), "erased before the batch ran");

                // A kernel's bindings: the key of an expansion, and what it expands into.
                let bytes = device.info().key_context_bytes;
                let (key, context) = (device.alloc(32).unwrap(), device.alloc(bytes).unwrap());
                write(&device, &key, 0, &[9; 32]).await;
                let mut batch = device.batch();
                let bindings = &[Binding { buffer: &key, range: 0..32 }, Binding { buffer: &context, range: 0..bytes }];
                let params = Params { stamp: [1, 2, 3, 4], ..Params::default() };
                device.launch(&mut batch, Launch { kernel: Kernel::ExpandKey, bindings, params });
                let seen = device.copy_out(&mut batch, &context, 0..16);
                drop((key, context));
                let fence = device.submit(batch).unwrap();
                let stamp = device.wait(fence).await.unwrap().bytes(seen).unwrap().to_vec();
                assert_eq!(stamp, [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
            });
        }
    });
}

/// A buffer that is used again and again, by every lane, within a batch and from batch to batch: each use sees what came before
/// it and nothing of what comes after.
#[test]
fn what_comes_later_waits_for_what_came_before() {
    on_the_gpu(|device| {
        let buffer = device.alloc(40_000).unwrap();
        block_on(async {
            let mut fences = Vec::new();
            for round in 0..30u64 {
                let mut batch = device.batch();
                let mut reads = Vec::new();
                for part in 0..2 {
                    let bytes = noise(2 * round + part, 40_000);
                    let mut slot = device.slot().await.unwrap();
                    slot.writers(&[40_000]).unwrap()[0].write(0, &bytes).unwrap();
                    device.copy_in(&mut batch, slot, &buffer, &[Part { from: 0, to: 0, bytes: 40_000 }]);
                    let whole = device.copy_out(&mut batch, &buffer, 0..40_000);
                    device.clear(&mut batch, &buffer, 100..20_000);
                    reads.push((whole, device.copy_out(&mut batch, &buffer, 0..40_000), bytes));
                }
                fences.push((device.submit(batch).unwrap(), reads));
            }
            for (fence, reads) in fences {
                let seen = device.wait(fence).await.unwrap();
                for (whole, cleared, mut bytes) in reads {
                    assert!(seen.bytes(whole).unwrap() == bytes, "what was copied in");
                    bytes[100..20_000].fill(0);
                    assert!(seen.bytes(cleared).unwrap() == bytes, "what was cleared");
                }
            }
        });
    });
}

/// A fence that nobody waits for: its read-back memory is not another batch's before it is written.
#[test]
fn fences_may_be_dropped() {
    on_the_gpu(|device| {
        let buffers: Vec<_> = (0..8).map(|_| device.alloc(70_000).unwrap()).collect();
        block_on(async {
            for (i, buffer) in (0..).zip(&buffers) {
                write(&device, buffer, 0, &noise(i, 70_000)).await;
            }
            for round in 0..40usize {
                let i = round % 8;
                let mut batch = device.batch();
                let id = device.copy_out(&mut batch, &buffers[i], 0..70_000);
                let fence = device.submit(batch).unwrap();
                if round % 3 == 0 {
                    continue;
                }
                assert!(device.wait(fence).await.unwrap().bytes(id).unwrap() == noise(i as u64, 70_000));
            }
        });
    });
}

/// Ciphertext in the application's own memory goes to the device from there.
#[test]
fn sealed_tensors_are_copied_from_registered_memory() {
    on_the_gpu(|device| {
        let (host, guest) = establish_channel("host", "device").unwrap();
        let mut transfer = Transfer::new(&device);
        let mut bodies = Vec::new();
        let mut pending = Vec::new();
        let lengths = [20_000, 9_000_000, 0, 5];
        for (i, length) in (0..).zip(lengths) {
            let (waiting, body) = deliver(&host, &guest, &noise(i, length));
            pending.push(waiting);
            bodies.push(body);
        }
        bodies[3][2] ^= 1;
        let registered: Vec<_> = bodies.into_iter().map(|body| device.register(Arc::new(body)).unwrap()).collect();
        block_on(async {
            for (waiting, memory) in pending.into_iter().zip(&registered) {
                let source = |range: Range<u64>, slot: &mut CudaSlot| {
                    *slot = device.slot_of(memory, range)?;
                    assert!(slot.writers(&[1]).is_err(), "it is not to be written");
                    Ok(())
                };
                transfer.begin_open(waiting, Destination::Owned, source).await.unwrap();
            }
            let results = transfer.settle().await;
            for (i, result) in (0..).zip(results).take(3) {
                let tensor = result.unwrap();
                let length = tensor.metadata().size_bytes();
                assert!(read(&device, tensor.buffer(), 0..length).await == noise(i, length as usize), "tensor {i}");
            }
        });
        assert!(matches!(device.slot_of(&registered[0], 0..registered[0].size() + 1), Err(Error::Usage(_))));
        assert!(!guest.is_valid(), "the last one was altered");
    });
}

#[test]
fn siblings_share_buffers() {
    on_the_gpu(|device| {
        let sibling = device.sibling();
        let (host, guest) = establish_channel("host", "device").unwrap();
        let (pending, body) = deliver(&host, &guest, &noise(1, 20_000));
        let tensor = block_on(Transfer::new(&device).open(pending, &body)).unwrap();
        assert_eq!((device.launches(), sibling.launches()), (4, 0));
        assert!(block_on(read(&sibling, tensor.buffer(), 0..20_000)) == noise(1, 20_000));
    });
}

/// One device, several threads, each with a transfer of its own, and more bodies than slots.
#[test]
fn transfers_of_their_own_over_one_device() {
    on_the_gpu(|device| {
        thread::scope(|scope| {
            for thread in 0..4u64 {
                let device = &device;
                scope.spawn(move || {
                    let (host, guest) = establish_channel("host", "device").unwrap();
                    let mut transfer = Transfer::new(device);
                    for round in 0..2 {
                        let lengths = [20_000, 13_000_000, 3];
                        let seed = |i: u64| 100 * thread + 10 * round + i;
                        for (i, length) in (0..).zip(lengths) {
                            let (pending, body) = deliver(&host, &guest, &noise(seed(i), length));
                            block_on(transfer.begin_open_bytes(pending, &body)).unwrap();
                        }
                        for (i, tensor) in (0..).zip(block_on(transfer.settle())) {
                            let tensor = tensor.unwrap();
                            let end = tensor.metadata().size_bytes();
                            let seen = block_on(read(device, tensor.buffer(), end.saturating_sub(5000)..end));
                            let plaintext = noise(seed(i), end as usize);
                            assert!(plaintext.ends_with(&seen), "thread {thread}, round {round}, tensor {i}");
                        }
                    }
                });
            }
        });
    });
}

/// Nobody who waits for a slot is forgotten when one comes back.
#[test]
fn slots_go_round_among_threads() {
    on_the_gpu(|device| {
        let to = device.alloc(64).unwrap();
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for round in 0..60 {
                        block_on(async {
                            let mut slot = device.slot().await.unwrap();
                            slot.writers(&[64]).unwrap()[0].write(0, &[round as u8; 64]).unwrap();
                            if round % 3 == 0 {
                                return; // Given back unused.
                            }
                            let mut batch = device.batch();
                            device.copy_in(&mut batch, slot, &to, &[Part { from: 0, to: 0, bytes: 64 }]);
                            let fence = device.submit(batch).unwrap();
                            if round % 3 == 1 {
                                device.wait(fence).await.unwrap();
                            }
                        });
                    }
                });
            }
        });
    });
}
