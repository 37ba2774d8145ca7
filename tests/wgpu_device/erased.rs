//! Memory of the library's own is erased after its last use and not before: seen through a second handle to the same
//! wgpu buffer.

use pqc_gpu_driver::{
    Error, block_on,
    conformance::{self, noise, read, write},
    device::{Binding, Device, Launch, Part, Slot, SlotWriter, WgpuBuffer, WgpuDevice},
    establish_channel,
    kernel::{Kernel, Params},
    transfer::Transfer,
    wgpu,
};

use super::{adapters, alone, deliver, usual};

fn contents(device: &WgpuDevice, raw: &wgpu::Buffer) -> Vec<u8> {
    let seen = device.adopt(raw.clone()).unwrap();
    block_on(read(device, &seen, 0..seen.size()))
}

#[test]
fn a_dropped_buffer_is_zeros() {
    conformance::run(adapters::llvmpipe(), |device| {
        for bytes in [16, 4096, 1 << 20] {
            let buffer = device.alloc(bytes).unwrap();
            block_on(write(&device, &buffer, 0, &noise(1, bytes as usize)));
            let raw = buffer.raw().clone();
            let other = buffer.clone();
            drop(buffer);
            assert!(contents(&device, &raw) == noise(1, bytes as usize), "another handle keeps it");
            drop(other);
            assert!(contents(&device, &raw).iter().all(|&byte| byte == 0));
        }
    });
}

/// A batch keeps what it uses until it has run: the handles may go as soon as it is recorded.
#[test]
fn a_buffer_dropped_before_its_batch_runs_is_still_used_by_it() {
    conformance::run(adapters::llvmpipe(), |device| {
        block_on(async {
            let (from, to) = (noise(2, 4096), device.alloc(4096).unwrap());
            let raw = to.raw().clone();
            let mut slot = device.slot().await.unwrap();
            slot.writers(&[4096]).unwrap()[0].write(0, &from).unwrap();
            let mut batch = device.batch();
            device.copy_in(&mut batch, slot, &to, &[Part { from: 0, to: 0, bytes: 4096 }]);
            let seen = device.copy_out(&mut batch, &to, 0..4096);
            drop(to);
            // Others come and go meanwhile.
            drop(device.alloc(4096).unwrap());
            let fence = device.submit(batch).unwrap();
            let reads = device.wait(fence).await.unwrap();
            assert!(reads.bytes(seen) == Some(&from[..]), "erased before the batch ran");
            assert!(contents(&device, &raw).iter().all(|&byte| byte == 0), "not erased after it");

            // A kernel's bindings: the key of an expansion, and what it expands into.
            let info = device.info();
            let (key, context) = (device.alloc(32).unwrap(), device.alloc(info.key_context_bytes).unwrap());
            write(&device, &key, 0, &[9; 32]).await;
            let (raw_key, raw_context) = (key.raw().clone(), context.raw().clone());
            let mut batch = device.batch();
            let bindings = &[
                Binding { buffer: &key, range: 0..32 },
                Binding { buffer: &context, range: 0..info.key_context_bytes },
            ];
            let params = Params { stamp: [1, 2, 3, 4], ..Params::default() };
            device.launch(&mut batch, Launch { kernel: Kernel::ExpandKey, bindings, params });
            let seen = device.copy_out(&mut batch, &context, 0..16);
            drop((key, context));
            let fence = device.submit(batch).unwrap();
            let stamp = device.wait(fence).await.unwrap().bytes(seen).unwrap().to_vec();
            assert_eq!(stamp, [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
            for raw in [raw_key, raw_context] {
                assert!(contents(&device, &raw).iter().all(|&byte| byte == 0), "keys stay in freed memory");
            }
        });
    });
}

#[test]
fn a_batch_that_is_never_submitted_or_refused_erases_what_it_held() {
    conformance::run(adapters::llvmpipe(), |device| {
        for refused in [false, true] {
            let buffer = device.alloc(4096).unwrap();
            block_on(write(&device, &buffer, 0, &noise(1, 4096)));
            let raw = buffer.raw().clone();
            let mut batch = device.batch();
            device.copy_out(&mut batch, &buffer, 0..4096);
            if refused {
                device.copy_out(&mut batch, &buffer, 0..4097);
                drop(buffer);
                assert!(matches!(device.submit(batch).err(), Some(Error::Backend(_))));
            } else {
                drop((batch, buffer));
            }
            assert!(contents(&device, &raw).iter().all(|&byte| byte == 0));
        }
    });
}

#[test]
fn a_released_tensor_is_erased_with_its_last_handle() {
    conformance::run(adapters::llvmpipe(), |device| {
        let (host, guest) = establish_channel("host", "device").unwrap();
        let mut transfer = Transfer::new(&device);
        let (pending, body) = deliver(&host, &guest, &noise(1, 50_000));
        let tensor = block_on(transfer.open(pending, &body)).unwrap();
        let raw = tensor.buffer().raw().clone();
        let other = tensor.clone();
        drop((tensor, transfer));
        assert!(contents(&device, &raw)[..50_000] == noise(1, 50_000));
        drop(other);
        assert!(contents(&device, &raw).iter().all(|&byte| byte == 0));
    });
}

/// A slot with a secret, on its way in a batch that cannot be submitted, comes back erased.
#[test]
fn secret_slots_of_batches_that_fail_are_erased() {
    alone(usual, |device| {
        let secret = noise(5, 4096);
        block_on(async {
            let to = device.alloc(4096).unwrap();
            for encoded in [false, true] {
                let mut slot = device.slot().await.unwrap();
                slot.erase_after_use();
                slot.writers(&[4096]).unwrap()[0].write(0, &secret).unwrap();
                let mut batch = device.batch();
                device.copy_in(&mut batch, slot, &to, &[Part { from: 0, to: 0, bytes: 4096 }]);
                if encoded {
                    // The encoder finds out.
                    let gone = device.alloc(64).unwrap();
                    gone.raw().destroy();
                    device.clear(&mut batch, &gone, 0..64);
                } else {
                    device.clear(&mut batch, &to, 0..1 << 40);
                }
                assert!(matches!(device.submit(batch).err(), Some(Error::Backend(_))));
            }
            let (mut seen, mut batch) = (Vec::new(), device.batch());
            for _ in 0..device.info().slots {
                let slot = device.slot().await.unwrap();
                let to = device.alloc(4096).unwrap();
                device.copy_in(&mut batch, slot, &to, &[Part { from: 0, to: 0, bytes: 4096 }]);
                seen.push(to);
            }
            device.wait(device.submit(batch).unwrap()).await.unwrap();
            for buffer in &seen {
                assert!(read(&device, buffer, 0..4096).await != secret, "the secret is still there");
            }
        });
    });
}

/// A context that bears its stamp and has lost H: its tags would be no more than encrypted counters.
#[test]
fn a_context_without_h_is_useless() {
    conformance::run(adapters::llvmpipe(), |device| {
        let context_bytes = device.info().key_context_bytes;
        let [key, context, aad, input, body, verdicts] =
            [32, context_bytes, 16, 48, 64, 16].map(|bytes| device.alloc(bytes).unwrap());
        let params = Params {
            chunks: 1,
            chunk_bytes: 16_384,
            last_bytes: 40,
            expected: 1,
            token: 77,
            stamp: [1, 2, 3, 4],
            ..Params::default()
        };
        block_on(async {
            let run = async |launches: &[(Kernel, &[(&WgpuBuffer, u64)])], clear: Option<core::ops::Range<u64>>| {
                let mut batch = device.batch();
                for (kernel, bindings) in launches {
                    let bindings: Vec<_> =
                        bindings.iter().map(|&(buffer, end)| Binding { buffer, range: 0..end }).collect();
                    device.launch(&mut batch, Launch { kernel: *kernel, bindings: &bindings, params });
                }
                if let Some(range) = clear {
                    device.clear(&mut batch, &context, range);
                }
                device.wait(device.submit(batch).unwrap()).await.unwrap();
            };
            let seal: (Kernel, &[_]) =
                (Kernel::Seal, &[(&context, context_bytes), (&aad, 1), (&input, 40), (&body, 56)]);
            let verify: (Kernel, &[_]) =
                (Kernel::Verify, &[(&context, context_bytes), (&aad, 1), (&body, 56), (&verdicts, 16)]);
            let finalize: (Kernel, &[_]) = (Kernel::Finalize, &[(&context, context_bytes), (&verdicts, 16)]);
            run(&[(Kernel::ExpandKey, &[(&key, 32), (&context, context_bytes)]), seal, verify, finalize], None).await;
            assert_eq!(read(&device, &verdicts, 0..8).await, [1, 0, 0, 0, 77, 0, 0, 0]);
            // H is the second block of a context; stamp, round keys and powers stay.
            run(&[], Some(16..32)).await;
            run(&[finalize, seal], None).await;
            assert_eq!(read(&device, &verdicts, 0..8).await, [1, 0, 0, 0, 0, 0, 0, 0]);
            assert!(read(&device, &body, 0..56).await.iter().all(|&byte| byte == 0), "sealed without H");
        });
    });
}
