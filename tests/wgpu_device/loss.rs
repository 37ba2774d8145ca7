//! The device is lost: an error with a type, no panic, no hang, nothing released.

use pqc_gpu_driver::{
    Backend, Error, block_on,
    conformance::noise,
    device::{Device, Part, Slot, SlotWriter},
    establish_channel,
    transfer::{Destination, Transfer},
};

use super::{alone, deliver, metadata, source, usual};

/// Everything that is asked of a lost device.
fn refuses_everything<D: Device>(device: &D) {
    block_on(async {
        let wait = async |batch| device.wait(device.submit(batch)?).await.map(drop);
        assert!(matches!(wait(device.batch()).await, Err(Error::Backend(_))), "an empty batch");
        if let Ok(buffer) = device.alloc(4096) {
            let mut batch = device.batch();
            device.copy_out(&mut batch, &buffer, 0..4096);
            assert!(matches!(wait(batch).await, Err(Error::Backend(_))), "a read");
            let mut batch = device.batch();
            device.clear(&mut batch, &buffer, 1..4095);
            assert!(matches!(wait(batch).await, Err(Error::Backend(_))), "zeroing");
        }
        for _ in 0..2 * device.info().slots {
            let Ok(mut slot) = device.slot().await else { continue };
            if let Ok(mut writers) = slot.writers(&[5, 16]) {
                let _ = writers[0].write(0, &[1; 5]);
            }
        }
        let (host, guest) = establish_channel("host", "device").unwrap();
        let mut transfer = Transfer::new(device);
        let (pending, body) = deliver(&host, &guest, &noise(1, 100_000));
        assert!(matches!(transfer.open(pending, &body).await, Err(Error::Backend(_))));
        assert!(!guest.is_valid());
        let sealed = establish_channel("host", "device").unwrap().0.encrypt_tensor(&[7; 100], &metadata(100)).unwrap();
        assert!(matches!(Backend::new(device).upload(&sealed).await, Err(Error::Backend(_))));
    });
}

#[test]
fn before_anything_is_asked() {
    alone(usual, |device| {
        device.device().destroy();
        refuses_everything(&device);
    });
}

#[test]
fn between_submitting_and_settling() {
    for queued in [1, 3, 40] {
        alone(usual, |device| {
            let (host, guest) = establish_channel("host", "device").unwrap();
            let mut transfer = Transfer::new(&device);
            block_on(async {
                for i in 0..queued {
                    let (pending, body) = deliver(&host, &guest, &noise(i, 200_000));
                    transfer.begin_open_bytes(pending, &body).await.unwrap();
                }
                device.device().destroy();
                let results = transfer.settle().await;
                assert_eq!(results.len(), queued as usize);
                for result in results {
                    assert!(matches!(result, Err(Error::Backend(_) | Error::ChannelFailed)), "{result:?}");
                }
                assert!(!guest.is_valid());
            });
            drop(transfer);
            refuses_everything(&device);
        });
    }
}

/// What was submitted may still be done, and its result be read; but then it is the right one.
#[test]
fn between_submit_and_wait() {
    alone(usual, |device| {
        block_on(async {
            let buffer = device.alloc(4096).unwrap();
            let mut slot = device.slot().await.unwrap();
            slot.writers(&[4096]).unwrap()[0].write(0, &noise(1, 4096)).unwrap();
            let mut batch = device.batch();
            device.copy_in(&mut batch, slot, &buffer, &[Part { from: 0, to: 0, bytes: 4096 }]);
            let read = device.copy_out(&mut batch, &buffer, 0..4096);
            let fence = device.submit(batch).unwrap();
            device.device().destroy();
            match device.wait(fence).await {
                Ok(reads) => assert_eq!(reads.bytes(read).unwrap(), noise(1, 4096)),
                Err(error) => assert!(matches!(error, Error::Backend(_))),
            }
        });
        refuses_everything(&device);
    });
}

#[test]
fn while_slots_are_out_and_being_written() {
    alone(usual, |device| {
        block_on(async {
            let buffer = device.alloc(4096).unwrap();
            let mut slots = Vec::new();
            for _ in 0..device.info().slots {
                slots.push(device.slot().await.unwrap());
            }
            slots[0].erase_after_use();
            let mut writers = slots[0].writers(&[16, 3, 13]).unwrap();
            writers[0].write(0, &[1; 16]).unwrap();
            device.device().destroy();
            // Into memory that is gone: an error or nothing, but no panic.
            let _ = writers[1].write(0, &[2; 3]);
            drop(writers);
            let mut batch = device.batch();
            let slot = slots.remove(0);
            device.copy_in(&mut batch, slot, &buffer, &[Part { from: 0, to: 0, bytes: 16 }]);
            let done = match device.submit(batch) {
                Ok(fence) => device.wait(fence).await.map(drop),
                Err(error) => Err(error),
            };
            assert!(matches!(done, Err(Error::Backend(_))));
            drop(slots);
        });
        refuses_everything(&device);
    });
}

/// Handles, transfers, slots and fences whose device is gone are dropped like all others.
#[test]
fn while_everything_is_held() {
    alone(usual, |device| {
        let (host, guest) = establish_channel("host", "device").unwrap();
        let mut transfer = Transfer::new(&device);
        let raw = device.device().create_buffer(&pqc_gpu_driver::wgpu::BufferDescriptor {
            label: None,
            size: 65_536,
            usage: pqc_gpu_driver::wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        let buffer = device.adopt(raw).unwrap();
        let (tensor, fence) = block_on(async {
            let (pending, body) = deliver(&host, &guest, &noise(0, 50_000));
            let tensor = transfer.open(pending, &body).await.unwrap();
            let (pending, body) = deliver(&host, &guest, &noise(1, 50_000));
            transfer.begin_open(pending, Destination::Buffer(&buffer, 0), source(&body)).await.unwrap();
            (tensor, device.submit(device.batch()).unwrap())
        });
        device.device().destroy();
        drop((tensor, fence, transfer, buffer));
        refuses_everything(&device);
        drop(device);
    });
}

#[test]
fn while_sealing() {
    alone(usual, |device| {
        let (host, guest) = establish_channel("host", "device").unwrap();
        let mut transfer = Transfer::new(&device);
        block_on(async {
            let (pending, body) = deliver(&host, &guest, &noise(0, 9_000_000));
            let tensor = transfer.open(pending, &body).await.unwrap();
            let mut parts = 0;
            let sealed = transfer.seal(&guest, &tensor, |_| {
                parts += 1;
                if parts == 2 {
                    device.device().destroy();
                }
                Ok(())
            });
            assert!(matches!(sealed.await, Err(Error::Backend(_))));
            assert!(parts >= 2 && !guest.is_valid());
        });
    });
}
