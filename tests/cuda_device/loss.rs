//! Calls that fail and GPUs that are lost: an error with a type, no panic, no hang, nothing released. Only the stand-in can be made to,
//! one test at a time; each loses a GPU of its own.

use pqc_gpu_driver::{
    Backend, Error, block_on,
    conformance::{noise, read, write},
    device::{CudaDevice, Device, Part, Slot, SlotWriter},
    establish_channel,
    transfer::Transfer,
};

use super::{deliver, driver, metadata, stand_in};

/// A GPU that no other test has.
fn gpu(number: u32) -> Option<CudaDevice> {
    if !stand_in::is_here() {
        println!("skipped: only the stand-in driver can be made to fail");
        return None;
    }
    Some(CudaDevice::open(number).unwrap())
}

/// Everything that is asked of a lost device.
fn refuses_everything(device: &CudaDevice) {
    block_on(async {
        assert!(matches!(device.submit(device.batch()).err(), Some(Error::Backend(_))), "an empty batch");
        assert!(matches!(device.alloc(4096).err(), Some(Error::Backend(_))));
        assert!(matches!(device.slot().await.err(), Some(Error::Backend(_))));
        let (host, guest) = establish_channel("host", "device").unwrap();
        let (pending, body) = deliver(&host, &guest, &noise(1, 100_000));
        assert!(matches!(Transfer::new(device).open(pending, &body).await, Err(Error::Backend(_))));
        assert!(!guest.is_valid());
        let sealed = establish_channel("host", "device").unwrap().0.encrypt_tensor(&[7; 100], &metadata(100)).unwrap();
        assert!(matches!(Backend::new(device).upload(&sealed).await, Err(Error::Backend(_))));
    });
}

/// Opens six tensors, one of them larger than a slot; gives how many were released, in order.
async fn open_some(device: &CudaDevice) -> usize {
    let (host, guest) = establish_channel("host", "device").unwrap();
    let mut transfer = Transfer::new(device);
    for i in 0..6 {
        let length = if i == 3 { 5_000_000 } else { 20_000 };
        if !guest.is_valid() {
            break;
        }
        let (pending, body) = deliver(&host, &guest, &noise(i, length));
        if let Err(error) = transfer.begin_open_bytes(pending, &body).await {
            assert!(matches!(error, Error::Backend(_)), "{error}");
        }
    }
    let results = transfer.settle().await;
    let released = results.iter().take_while(|result| result.is_ok()).count();
    assert!(results[released..].iter().all(Result::is_err), "a tensor was released after one that failed");
    for (i, tensor) in results.iter().flatten().enumerate() {
        let bytes = tensor.metadata().size_bytes();
        // Where the loss came after the release nothing can be read.
        let mut batch = device.batch();
        let id = device.copy_out(&mut batch, tensor.buffer(), 0..bytes);
        if let Ok(fence) = device.submit(batch)
            && let Ok(reads) = device.wait(fence).await
        {
            assert!(reads.bytes(id).unwrap() == noise(i as u64, bytes as usize), "tensor {i}");
        }
    }
    assert!(released == 6 || !guest.is_valid(), "a record failed and the session goes on");
    released
}

/// Every allocation, every call, every launch fails once; the device goes on.
fn goes_on_after(kind: &str, number: u32, least: i64) {
    let Some(device) = gpu(number) else { return };
    // Compiles the kernels, so that the calls counted are those of a transfer.
    assert_eq!(block_on(open_some(&device)), 6);
    driver::fail(kind, -1);
    assert_eq!(block_on(open_some(&device)), 6);
    let calls = driver::seen(kind);
    assert!(calls >= least, "only {calls} of kind {kind}");
    let step = (calls / 24).max(1) as usize;
    let mut refused = 0;
    for n in (0..calls).step_by(step) {
        driver::fail(kind, n);
        refused += usize::from(block_on(open_some(&device)) < 6);
        driver::fail(kind, -1);
        assert_eq!(block_on(open_some(&device)), 6, "after {kind} {n} failed");
    }
    assert!(refused > 0, "no failure was noticed");
}

#[test]
fn out_of_memory_at_each_allocation() {
    goes_on_after("alloc", 1, 10);
}

#[test]
fn a_launch_that_is_refused() {
    goes_on_after("launch", 2, 10);
}

#[test]
fn each_call_of_a_fresh_device_fails() {
    if gpu(3).is_none() {
        return;
    }
    for n in (0..400).step_by(7) {
        driver::fail("call", n);
        let tried = CudaDevice::open(3).map(|device| block_on(open_some(&device)));
        driver::fail("call", -1);
        match tried {
            Ok(released) => assert!(released <= 6),
            Err(error) => assert!(matches!(error, Error::Backend(_)), "{error}"),
        }
    }
    assert_eq!(block_on(open_some(&CudaDevice::open(3).unwrap())), 6);
}

#[test]
fn a_kernel_that_ends_the_device() {
    // One expansion, and three kernels a tensor.
    for n in 0..19 {
        let Some(device) = gpu(8 + n) else { return };
        driver::fail("kernel", i64::from(n));
        let released = block_on(open_some(&device));
        driver::fail("kernel", -1);
        assert!(released < 6, "kernel {n}");
        refuses_everything(&device);
    }
}

#[test]
fn a_device_lost_at_any_call() {
    let calls = [0, 1, 5, 20, 21, 22, 23, 50, 80, 81, 82, 100, 120, 140, 160, 180, 200, 220, 240, 260];
    for (number, n) in (32..).zip(calls) {
        let Some(device) = gpu(number) else { return };
        driver::fail("lost", n);
        let released = block_on(open_some(&device));
        driver::fail("lost", -1);
        if released < 6 {
            refuses_everything(&device);
        }
    }
}

/// Buffers, slots, batches and fences of a lost device are dropped like all others.
#[test]
fn while_everything_is_held() {
    let Some(device) = gpu(60) else { return };
    block_on(async {
        let buffer = device.alloc(4096).unwrap();
        write(&device, &buffer, 0, &noise(1, 4096)).await;
        assert!(read(&device, &buffer, 0..4096).await == noise(1, 4096));
        let (mut held, mut filled) = (device.slot().await.unwrap(), device.slot().await.unwrap());
        held.erase_after_use();
        filled.writers(&[4096]).unwrap()[0].write(0, &noise(2, 4096)).unwrap();
        let mut batch = device.batch();
        device.copy_in(&mut batch, filled, &buffer, &[Part { from: 0, to: 0, bytes: 4096 }]);
        let read = device.copy_out(&mut batch, &buffer, 0..4096);
        let fence = device.submit(batch).unwrap();
        let mut unsubmitted = device.batch();
        device.clear(&mut unsubmitted, &buffer, 0..4096);
        driver::fail("lost", 0);
        match device.wait(fence).await {
            Ok(reads) => assert!(reads.bytes(read).unwrap() == noise(2, 4096)),
            Err(error) => assert!(matches!(error, Error::Backend(_))),
        }
        driver::fail("lost", 0);
        let _ = device.alloc(16);
        driver::fail("lost", -1);
        refuses_everything(&device);
        drop((held, unsubmitted, buffer));
    });
}
