//! A peer that never finishes: what an end holds for it is bounded, and gone when it is given up. (When to give up is the
//! transport's to say.) The only test of its process, which counts all memory.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use cap::Cap;
use common::*;
use pqc_gpu_driver::{
    DType, TensorMetadata,
    channel::{
        DeviceConfig, DeviceHandshake,
        message::MAX_ATTESTATION_BYTES,
        record::{Direction, RecordHeader, RecordType},
        session::Control,
    },
};

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

const MANY: usize = 200;

/// How much one of many of these holds, all of them alive; dropped they hold nothing.
fn bytes_each<T>(make: impl Fn() -> T) -> usize {
    // What is made once, for all of them, is made now.
    drop(make());
    let before = MEMORY.allocated();
    let mut all = Vec::with_capacity(MANY);
    all.extend((0..MANY).map(|_| make()));
    let each = MEMORY.allocated().saturating_sub(before) / MANY;
    drop(all);
    let left = MEMORY.allocated().saturating_sub(before);
    assert!(left < 4096, "{left} bytes are left of {MANY}");
    each
}

#[test]
fn beyond_a_peer_that_never_finishes() {
    // Hosts that send M1 and nothing more; then the same with the longest attestation in M2.
    let m1 = start().1;
    let waiting = |attestation: usize| {
        let config = DeviceConfig { attestation: vec![7; attestation], ..device_config() };
        bytes_each(|| DeviceHandshake::new(config.clone()).unwrap().receive_m1(&m1).unwrap().0)
    };
    let (short, long) = (waiting(0), waiting(MAX_ATTESTATION_BYTES));
    println!("a device holds {short} bytes after M1, {long} with 64 KiB of attestation");
    assert!(short < 32 << 10 && long < short + 4 * MAX_ATTESTATION_BYTES);

    // Devices that never answer, and those that never send READY.
    let host = bytes_each(|| start().0);
    let host_awaits_ready = bytes_each(|| up_to_m3().0);
    println!("a host holds {host} bytes after M1, {host_awaits_ready} after M3");
    assert!(host < 32 << 10 && host_awaits_ready < 32 << 10);

    // A tensor announced and never sent: the largest there is costs what the smallest does.
    let announced = |bytes: u64| {
        bytes_each(|| {
            let (_, device) = sessions();
            let metadata = TensorMetadata::new("id", "name", DType::U8, [bytes]).unwrap().encode();
            let header = RecordHeader {
                record_type: RecordType::Tensor,
                direction: Direction::HostToDevice,
                session_id: *device.session_id(),
                epoch: 0,
                metadata_bytes: metadata.len() as u32,
                sequence: 0,
                body_bytes: bytes,
            };
            device.reserve(&header.encode(), &metadata).unwrap().opening()
        })
    };
    let (smallest, largest) = (announced(1), announced(64 << 30));
    println!("a tensor announced holds {smallest} bytes with its session, one of 64 GiB {largest}");
    assert!(largest < 32 << 10 && largest <= smallest + 64);

    // One that updates its key for ever, and never sends a tensor.
    let (host, device) = sessions();
    let update = || assert_eq!(device.receive_control(&host.update_key().unwrap()), Ok(Control::KeyUpdate));
    (0..10).for_each(|_| update());
    let before = MEMORY.allocated();
    (0..5000).for_each(|_| update());
    let grown = MEMORY.allocated().saturating_sub(before);
    assert!(grown < 4096, "5000 key updates left {grown} bytes");
}
