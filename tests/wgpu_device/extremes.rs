//! Shapes at the shaders' limits, against the CPU device: more workgroups than one dimension takes, the last chunk numbers,
//! long AADs, one chunk of many megabytes.

use pqc_gpu_driver::{
    block_on,
    conformance::{self, noise},
    device::{CpuDevice, Device, WgpuDevice},
    transfer::hazmat::{BodyParams, open_body, seal_body},
};

use super::adapters;

fn agrees(device: &WgpuDevice, length: usize, aad: usize, chunk_bytes: u32) {
    let (aad, plaintext) = (noise(1, aad), noise(2, length));
    let params = BodyParams { key: &[3; 32], nonce: [0xfe; 12], aad: &aad, chunk_bytes };
    let chunks = length / chunk_bytes as usize;
    let what = format!("{length} bytes, {} of AAD, chunks of {chunk_bytes}", aad.len());
    block_on(async {
        let mut sealed = seal_body(&CpuDevice::default(), params, &plaintext).await.unwrap();
        assert!(seal_body(device, params, &plaintext).await.unwrap() == sealed, "sealing {what}");
        assert!(open_body(device, params, &sealed).await.unwrap() == Some(plaintext), "opening {what}");
        if chunks > 100_000 {
            return; // These take long where there is no GPU.
        }
        *sealed.last_mut().unwrap() ^= 0x80;
        // `open_body` itself looks for zeros.
        assert_eq!(open_body(device, params, &sealed).await.unwrap(), None, "opening {what}, altered");
    });
}

/// 65,535 workgroups are one row: two chunks each for what is decrypted, eight for what is verified (tried with
/// `PQC_GPU_TESTS=full`: half a million chunks).
#[test]
fn more_workgroups_than_a_row_on_llvmpipe() {
    conformance::run(adapters::llvmpipe(), |device| {
        agrees(&device, 16 * (2 * 65_535 + 1) + 1, 0, 16);
        if std::env::var("PQC_GPU_TESTS").is_ok_and(|tests| tests == "full") {
            agrees(&device, 16 * (8 * 65_535 + 9) + 7, 0, 16);
        }
    });
}

#[test]
fn more_workgroups_than_a_row_on_swiftshader() {
    conformance::run(adapters::swiftshader(), |device| agrees(&device, 16 * (2 * 65_535 + 1) + 1, 0, 16));
}

#[test]
fn more_workgroups_than_a_row_on_a_gpu() {
    conformance::run(adapters::hardware(), |device| {
        agrees(&device, 16 * (2 * 65_535 + 1) + 1, 0, 16);
        agrees(&device, 16 * (8 * 65_535 + 9) + 7, 0, 16);
    });
}

/// Mesa's llvmpipe leaves a loop after 65,535 rounds in all, inner loops counted: a chunk and its AAD of more than 1 MB
/// together would get a wrong tag there (and be refused). SwiftShader and GPUs have no such limit.
#[test]
fn long_aads_and_long_chunks_on_llvmpipe() {
    conformance::run(adapters::llvmpipe(), |device| {
        for aad in [65_535, 65_536, 900_003] {
            agrees(&device, 40_000, aad, 16_384);
        }
        agrees(&device, 900_011, 5, 16 << 20);
        agrees(&device, 900_000 / 16 * 16, 5, 900_000 / 16 * 16);
    });
}

#[test]
fn long_aads_and_long_chunks_on_swiftshader() {
    conformance::run(adapters::swiftshader(), |device| {
        agrees(&device, 40_000, 1_000_003, 16_384);
        // Past 2^20 blocks: the carry goes through every byte of the counter.
        agrees(&device, 16_800_011, 5, 32 << 20);
    });
}

#[test]
fn long_aads_and_long_chunks_on_a_gpu() {
    conformance::run(adapters::hardware(), |device| {
        agrees(&device, 40_000, 1_000_003, 16_384);
        agrees(&device, 30_000_011, 5, 64 << 20);
    });
}

/// A body whose parts are launched apart, at the end of the 32-bit chunk numbers and beyond it.
#[test]
fn the_last_chunk_numbers() {
    use pqc_gpu_driver::{
        conformance::{read, write},
        device::{Binding, Launch},
        kernel::{Kernel, Params, VERDICT_BYTES},
    };
    async fn run<D: Device>(device: &D, first_chunk: u32) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let (length, chunks) = (240 * 4 + 100, 5);
        let alloc = |bytes: u64| device.alloc(bytes.next_multiple_of(256)).unwrap();
        let context_bytes = device.info().key_context_bytes;
        let (key, context, aad) = (alloc(32), alloc(context_bytes), alloc(16));
        let (input, body, verdicts, out) = (alloc(length), alloc(length + 16 * chunks), alloc(16), alloc(length));
        write(device, &key, 0, &[7; 32]).await;
        write(device, &input, 0, &noise(1, length as usize)).await;
        let params = Params {
            first_chunk,
            chunks: chunks as u32,
            chunk_bytes: 240,
            last_bytes: 100,
            expected: chunks as u32,
            token: 99,
            stamp: [4; 4],
            ..Params::default()
        };
        let params = params.with_nonce([0x5a; 12]);
        let sealed = 0..length + 16 * chunks;
        let mut batch = device.batch();
        let mut launch = |kernel, bindings: &[(&D::Buffer, core::ops::Range<u64>)]| {
            let bindings: Vec<_> =
                bindings.iter().map(|(buffer, range)| Binding { buffer: *buffer, range: range.clone() }).collect();
            device.launch(&mut batch, Launch { kernel, bindings: &bindings, params });
        };
        let (context, aad) = ((&context, 0..context_bytes), (&aad, 0..1));
        let (body, verdicts) = ((&body, sealed.clone()), (&verdicts, 0..VERDICT_BYTES));
        launch(Kernel::ExpandKey, &[(&key, 0..32), context.clone()]);
        launch(Kernel::Seal, &[context.clone(), aad.clone(), (&input, 0..length), body.clone()]);
        launch(Kernel::Verify, &[context.clone(), aad, body.clone(), verdicts.clone()]);
        launch(Kernel::Finalize, &[context.clone(), verdicts.clone()]);
        launch(Kernel::Open, &[context, body.clone(), verdicts.clone(), (&out, 0..length)]);
        device.wait(device.submit(batch).unwrap()).await.unwrap();
        let verdict = read(device, verdicts.0, 0..8).await;
        (read(device, body.0, sealed).await, verdict, read(device, &out, 0..length).await)
    }
    conformance::run(adapters::llvmpipe(), |device| {
        for first in [0, 255, (1 << 24) - 2, u32::MAX - 5, u32::MAX - 4, u32::MAX - 1, u32::MAX] {
            let (sealed, verdict, opened) = block_on(run(&device, first));
            assert_eq!(verdict, [5, 0, 0, 0, 99, 0, 0, 0], "from chunk {first}");
            assert!(opened == noise(1, opened.len()), "from chunk {first}");
            assert!(sealed == block_on(run(&CpuDevice::default(), first)).0, "from chunk {first}");
        }
    });
}
