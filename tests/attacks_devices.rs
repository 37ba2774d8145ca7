//! The known flaws of an earlier implementation's backends, B01 to B03, and attacks on memory, verdicts and callers of
//! devices, each played against this one's public interface. Devices lost, out of memory or given a short upload stand
//! in `device_loss.rs`, calls dropped or failing in the middle in `interrupted.rs`.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "attacks_devices/callers.rs"]
mod callers;
#[path = "attacks_devices/hoarder.rs"]
mod hoarder;

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    thread,
};

use pqc_gpu_driver::{
    Backend, ChannelSession, DType, EncryptedTensor, Error, InMemoryBackend, TensorMetadata, block_on,
    channel::session::Pending,
    conformance::{Awkward, noise, read},
    device::{Binding, CpuDevice, Device, Launch, Slot, SlotWriter},
    establish_channel,
    kernel::{Kernel, Params},
    transfer::{Destination, Transfer},
};

use hoarder::Hoarder;

/// The earlier package's CUDA and ROCm backends said they were there and did nothing. Here what is listed as available
/// carries a model and verifies it, and what is not is an error that nothing else answers for.
#[cfg(feature = "cli")]
#[test]
fn attack_b01_stub_devices() {
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pqc-gpu")).args(arguments).output().unwrap();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or(serde_json::Value::Null), output.stderr)
    };
    let (_, listing, _) = run(&["devices", "--json"]);
    let devices = listing["devices"].as_array().unwrap();
    assert!(devices.iter().any(|device| device["available"] == true));
    for device in devices {
        let id = device["id"].as_str().unwrap();
        let (code, report, error) = run(&["transfer", "--device", id, "--json"]);
        if device["available"] == true {
            assert_eq!((code, &report["device"]), (Some(0), &device["id"]), "{id}");
            assert!(report["tensors"].as_u64() > Some(0) && report["verified"] == report["tensors"], "{report}");
        } else {
            assert_eq!((code, &report), (Some(3), &serde_json::Value::Null), "{id}");
            assert!(!error.is_empty() && device["reason"].is_string(), "{id}");
        }
    }
}

/// A device that is there runs the kernels itself: no open and no seal without launches of its own.
#[test]
fn attack_b01_nobody_else_answers_for_the_device() {
    let device = CpuDevice::default();
    let mut transfer = Transfer::new(&device);
    let (host, guest) = establish_channel("host", "device").unwrap();
    for i in 0..3 {
        let before = device.launches();
        let (pending, body) = deliver(&host, &guest, &noise(i, 1000));
        let tensor = block_on(transfer.open(pending, &body)).unwrap();
        assert!(device.launches() >= before + 3, "verify, finalize, open");
        let before = device.launches();
        block_on(transfer.seal(&guest, &tensor, |_| Ok(()))).unwrap();
        assert!(device.launches() > before, "seal");
    }
}

/// In the earlier package what was "on the device" was the caller's own object. Here it is a copy.
#[test]
fn attack_b02_the_caller_changes_its_object() {
    let (host, guest) = establish_channel("host", "device").unwrap();
    let backend = InMemoryBackend::default();
    let mut wire = seal(&host, &noise(1, 50_000)).as_bytes().to_vec();
    let handle = block_on(backend.upload(&EncryptedTensor::from_bytes(&wire[..]).unwrap())).unwrap();
    wire.fill(0);
    let mut pulled = block_on(backend.download(handle)).unwrap().as_bytes().to_vec();
    // Nor does what was downloaded reach back.
    pulled.fill(0);
    let pulled = block_on(backend.download(handle)).unwrap();
    assert!(guest.decrypt_tensor(&pulled).unwrap() == noise(1, 50_000));

    // The same for a record queued to be opened, on a device that looks at nothing before somebody waits.
    let device = Awkward::new();
    let mut transfer = Transfer::new(&device);
    let (pending, mut body) = deliver(&host, &guest, &noise(2, 50_000));
    block_on(transfer.begin_open_bytes(pending, &body)).unwrap();
    body.fill(0);
    drop(body);
    let tensor = block_on(transfer.settle()).remove(0).unwrap();
    assert!(block_on(read(&device, tensor.buffer(), 0..50_000)) == noise(2, 50_000));
}

/// Freed memory is erased: by `free`, whoever else still holds it, and by the last handle's drop.
#[test]
fn attack_b03_freed_memory_is_read() {
    let (host, guest) = establish_channel("host", "device").unwrap();
    let device = Hoarder::default();
    let backend = Backend::new(&device);
    let handle = block_on(backend.upload(&seal(&host, &noise(1, 50_000)))).unwrap();
    assert!(device.hoarded_bytes() > 40_000, "the attacker holds the memory");
    block_on(backend.free(handle)).unwrap();
    assert_eq!(device.hoarded_bytes(), 0, "bytes left after free");
    assert!(matches!(block_on(backend.download(handle)), Err(Error::Usage(_))));
    assert!(matches!(block_on(backend.free(handle)), Err(Error::Usage(_))));

    // A handle freed never comes to name another tensor.
    let (_, other) = (guest, block_on(backend.upload(&seal(&host, &noise(2, 100)))).unwrap());
    assert_ne!(handle, other);
    assert!(block_on(backend.download(handle)).is_err());
}

/// Tensors, keys and scratch of one session; then all the memory another one is given.
#[test]
fn beyond_memory_of_a_freed_tensor_read_by_the_next() {
    let device = CpuDevice::default();
    let secret = [0x5a; 40_000];
    for _ in 0..20 {
        let (host, guest) = establish_channel("host", "device").unwrap();
        let mut transfer = Transfer::new(&device);
        let (pending, body) = deliver(&host, &guest, &secret);
        let tensor = block_on(transfer.open(pending, &body)).unwrap();
        let kept = tensor.clone();
        drop(tensor);
        kept.buffer().with_bytes(|bytes| assert!(bytes[..40_000] == secret, "a handle is left, so it stays"));
        drop((kept, transfer));
        for size in [16, 32, 64, 4096, 40_000, 40_048, 100_000] {
            let buffers: Vec<_> = (0..4).map(|_| device.alloc(size).unwrap()).collect();
            let dirty = |bytes: &[u8]| bytes.iter().any(|&byte| byte != 0);
            assert!(!buffers.iter().any(|buffer| buffer.with_bytes(dirty)), "{size} bytes given out are not zero");
        }
    }
}

/// An attacker who can look at all device memory afterwards finds nothing of a tensor that failed, nor of one that was
/// opened and never released.
#[test]
fn beyond_device_memory_after_a_failure() {
    let device = Hoarder::default();
    let mut transfer = Transfer::new(&device);
    // Letters, so that ciphertext cannot pass for them.
    let [first, refused, late] = [b"first tensor at dawn;", b"refused one at dawn; ", b"the late one, dawn;  "];
    let (host, guest) = establish_channel("host", "device").unwrap();
    let (pending, body) = deliver(&host, &guest, &first.repeat(2000));
    let tensor = block_on(transfer.open(pending, &body)).unwrap();
    assert!(device.finds(first), "the search finds what is there");

    let (pending, mut body) = deliver(&host, &guest, &refused.repeat(2000));
    *body.last_mut().unwrap() ^= 1;
    assert_eq!(block_on(transfer.open(pending, &body)).err(), Some(Error::Decryption));
    assert!(!device.finds(refused), "plaintext of a refused tensor");

    let (host, guest) = establish_channel("host", "device").unwrap();
    let (pending, body) = deliver(&host, &guest, &late.repeat(2000));
    block_on(transfer.begin_open_bytes(pending, &body)).unwrap();
    drop(transfer);
    assert!(!guest.is_valid() && !device.finds(late), "plaintext of a tensor that was not released");
    drop(tensor);
}

/// The key crosses to the device through staging and a buffer of its own; both copies are gone when the tensor is there.
#[test]
fn beyond_copies_of_the_key_after_its_expansion() {
    let device = Hoarder::default();
    let mut transfer = Transfer::new(&device);
    let (host, guest) = establish_channel("host", "device").unwrap();
    let (pending, body) = deliver(&host, &guest, &noise(1, 100));
    block_on(transfer.open(pending, &body)).unwrap();
    assert_eq!(device.hoarded_of(32), [0; 32], "the key as it came");
    assert!(device.secret_slots() == 1, "the slot it came in is marked");
}

/// A verdict that is not zero, and not this launch's either: one left over, or of another launch.
#[test]
fn beyond_another_launchs_verdict() {
    let device = Hoarder::that_forges_verdicts();
    let (host, guest) = establish_channel("host", "device").unwrap();
    let plaintext = b"attack at dawn. ".repeat(1000);
    let (pending, body) = deliver(&host, &guest, &plaintext);
    assert_eq!(block_on(Transfer::new(&device).open(pending, &body)).err(), Some(Error::Decryption));
    assert!(!device.finds(&plaintext[..16]) && !guest.is_valid());
}

/// The host changes ciphertext while the device verifies: in memory the attacker shares with the source, from another
/// thread, all the time. What comes out is the tensor or nothing.
#[test]
fn beyond_ciphertext_changed_while_the_device_verifies() {
    fn attack<D: Device>(device: &D, rounds: u64) {
        for round in 0..rounds {
            let (host, guest) = establish_channel("host", "device").unwrap();
            let plaintext = noise(round, 300_000);
            let (pending, body) = deliver(&host, &guest, &plaintext);
            let shared: Vec<AtomicU8> = body.iter().copied().map(AtomicU8::new).collect();
            let (started, over) = (AtomicBool::new(round % 2 == 0), AtomicBool::new(false));
            let buffer = device.alloc(300_032).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !over.load(Relaxed) {
                        if started.load(Relaxed) {
                            shared.iter().for_each(|byte| _ = byte.fetch_xor(0x20, Relaxed));
                        }
                    }
                });
                let source = |range: Range<u64>, slot: &mut D::Slot| {
                    let bytes = &shared[range.start as usize..range.end as usize];
                    let bytes: Vec<u8> = bytes.iter().map(|byte| byte.load(Relaxed)).collect();
                    slot.writers(&[bytes.len() as u64])?[0].write(0, &bytes)
                };
                let mut transfer = Transfer::new(device);
                let destination = Destination::Buffer(&buffer, 0);
                let queued = block_on(transfer.begin_open(pending, destination, source));
                started.store(true, Relaxed);
                let opened = block_on(transfer.settle());
                over.store(true, Relaxed);
                queued.unwrap();
                let seen = block_on(read(device, &buffer, 0..300_000));
                match &opened[0] {
                    Ok(_) => assert!(seen == plaintext, "verified, and something else decrypted"),
                    Err(error) => {
                        assert_eq!(*error, Error::Decryption);
                        assert!(seen.iter().all(|&byte| byte == 0));
                    }
                }
                // Where the attacker began after the copy there was nothing to change.
                assert!(round % 2 == 0 || opened[0].is_ok());
            });
        }
    }
    attack(&CpuDevice::default(), 6);
    attack(&Awkward::new(), 6);
}

/// A launch whose output is its own input, whichever one, would decrypt over what it has verified.
#[test]
fn beyond_output_aliases_an_input() {
    let device = CpuDevice::default();
    let buffers: Vec<_> = (0..4).map(|_| device.alloc(256).unwrap()).collect();
    let params = Params { chunks: 1, chunk_bytes: 16, last_bytes: 16, ..Params::default() };
    for kernel in [Kernel::Verify, Kernel::Open, Kernel::Seal] {
        for alias in 0..3 {
            let mut bound: Vec<_> = buffers.iter().map(|buffer| Binding { buffer, range: 0..256 }).collect();
            bound[alias].buffer = &buffers[3];
            let mut batch = device.batch();
            device.launch(&mut batch, Launch { kernel, bindings: &bound, params });
            let ran = device.submit(batch).and_then(|fence| block_on(device.wait(fence)));
            assert!(matches!(ran, Err(Error::Backend(_))), "{kernel:?} wrote its binding {alias}");
        }
    }
}

/// All but the last of 1221 chunks are good.
#[test]
fn beyond_last_chunk_of_a_large_tensor() {
    let device = CpuDevice::default();
    let mut transfer = Transfer::new(&device);
    let (host, guest) = establish_channel("host", "device").unwrap();
    let plaintext = noise(1, 20_000_000);
    let buffer = device.alloc(20_000_000).unwrap();
    let (pending, mut body) = deliver(&host, &guest, &plaintext);
    let at = body.len() - 17;
    body[at] ^= 1;
    let source = |range: Range<u64>, slot: &mut <CpuDevice as Device>::Slot| {
        let bytes = &body[range.start as usize..range.end as usize];
        slot.writers(&[bytes.len() as u64])?[0].write(0, bytes)
    };
    block_on(transfer.begin_open(pending, Destination::Buffer(&buffer, 0), source)).unwrap();
    assert_eq!(block_on(transfer.settle()).remove(0).err(), Some(Error::Decryption));
    buffer.with_bytes(|bytes| assert!(bytes.iter().all(|&byte| byte == 0), "the good chunks came out"));
}

fn metadata(bytes: usize) -> TensorMetadata {
    TensorMetadata::new("id", "name", DType::U8, [bytes as u64]).unwrap()
}

fn seal(host: &ChannelSession, plaintext: &[u8]) -> EncryptedTensor {
    host.encrypt_tensor(plaintext, &metadata(plaintext.len())).unwrap()
}

/// Seals at the host and reserves at the other end.
fn deliver(host: &ChannelSession, guest: &ChannelSession, plaintext: &[u8]) -> (Pending, Vec<u8>) {
    let sealed = seal(host, plaintext);
    let (header, rest) = sealed.as_bytes().split_at(64);
    let (encoded, body) = rest.split_at(sealed.metadata().encode().len());
    (guest.reserve(header, encoded).unwrap(), body.to_vec())
}
