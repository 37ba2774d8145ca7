//! One device, several threads: each with a transfer of its own, more bodies than staging slots, futures dropped in
//! the middle.

use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Waker},
    thread,
};

use pqc_gpu_driver::{
    block_on,
    conformance::{self, noise, read},
    device::{Device, Part, Slot, SlotWriter, WgpuDevice},
    establish_channel,
    transfer::{Destination, Transfer},
};

use super::{adapters, alone, deliver, source, usual};

#[test]
fn transfers_of_their_own_over_one_device() {
    conformance::run(adapters::llvmpipe(), |device| {
        thread::scope(|scope| {
            for thread in 0..6u64 {
                let device = &device;
                scope.spawn(move || {
                    let (host, guest) = establish_channel("host", "device").unwrap();
                    let mut transfer = Transfer::new(device);
                    block_on(async {
                        for round in 0..4 {
                            // 13 MB are four slots; six threads want 24 of 8.
                            let lengths = [20_000, 13_000_000, 3];
                            for (i, length) in lengths.into_iter().enumerate() {
                                let plaintext = noise(100 * thread + 10 * round + i as u64, length);
                                let (pending, body) = deliver(&host, &guest, &plaintext);
                                transfer.begin_open_bytes(pending, &body).await.unwrap();
                            }
                            for (i, tensor) in transfer.settle().await.into_iter().enumerate() {
                                let tensor = tensor.unwrap();
                                let end = tensor.metadata().size_bytes();
                                let seen = read(device, tensor.buffer(), end.saturating_sub(5000)..end).await;
                                let plaintext = noise(100 * thread + 10 * round + i as u64, end as usize);
                                assert!(plaintext.ends_with(&seen), "thread {thread}, round {round}, tensor {i}");
                            }
                        }
                    });
                });
            }
        });
    });
}

/// Nobody who waits for a slot is forgotten when one comes back.
#[test]
fn slots_go_round_among_threads() {
    alone(usual, |device| {
        let taken = AtomicUsize::new(0);
        let to = device.alloc(64).unwrap();
        thread::scope(|scope| {
            for _ in 0..24 {
                scope.spawn(|| {
                    for round in 0..200 {
                        block_on(async {
                            let mut slot = device.slot().await.unwrap();
                            slot.writers(&[64]).unwrap()[0].write(0, &[round as u8; 64]).unwrap();
                            taken.fetch_add(1, Ordering::Relaxed);
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
        assert_eq!(taken.into_inner(), 24 * 200);
    });
}

#[test]
fn futures_dropped_in_the_middle_hold_nothing() {
    fn poll_some<F: Future>(future: F, polls: usize) -> bool {
        let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
        (0..polls).any(|_| future.as_mut().poll(&mut context).is_ready())
    }
    fn opens<D: Device>(device: &D) {
        let (host, guest) = establish_channel("host", "device").unwrap();
        let (pending, body) = deliver(&host, &guest, &noise(7, 50_000));
        block_on(Transfer::new(device).open(pending, &body)).unwrap();
    }
    conformance::run(adapters::llvmpipe(), |device: WgpuDevice| {
        let staging = device.info().staging_bytes() as usize;
        for polls in 0..40 {
            let buffer = device.alloc(2 * staging as u64).unwrap();
            let (host, guest) = establish_channel("host", "device").unwrap();
            let (pending, body) = deliver(&host, &guest, &noise(1, staging + 5_000_000));
            let mut transfer = Transfer::new(&device);
            let to = Destination::Buffer(&buffer, 0);
            let queued = poll_some(transfer.begin_open(pending, to, source(&body)), polls);
            if !queued {
                assert!(!guest.is_valid(), "after {polls} polls");
            }
            opens(&device);
            let settled = poll_some(transfer.settle(), polls / 2);
            drop(transfer);
            if !(queued && settled) {
                let seen = block_on(read(&device, &buffer, 0..100_000));
                assert!(seen.iter().all(|&byte| byte == 0), "after {polls} polls: plaintext can be read");
            }
            opens(&device);
            if queued && settled {
                return;
            }
        }
        panic!("40 polls do not open a tensor");
    });
}
