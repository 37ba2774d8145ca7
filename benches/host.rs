//! The host's part: sealing beside the raw AEAD and memcpy over the same buffers in the same run, one core and all;
//! opening; a small tensor; the handshake.
#![allow(missing_docs, clippy::unwrap_used)]

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pqc_gpu_driver::{
    ChannelSession, DType, TensorMetadata, block_on,
    channel::chunk::{CHUNK_BYTES, SEALED_CHUNK_BYTES, sealed_bytes},
    device::CpuDevice,
    establish_channel,
    transfer::Transfer,
};

const MIB: usize = 1 << 20;

fn seal(c: &mut Criterion) {
    let (host, _device) = establish_channel("host", "device").unwrap();
    let raw = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let mut group = c.benchmark_group("seal");
    group.sample_size(20);
    for size in [MIB, 64 * MIB] {
        let plaintext: Vec<u8> = (0..size).map(|i| (i * 7) as u8).collect();
        let mut sealed = vec![0; sealed_bytes(size as u64) as usize];
        let metadata = TensorMetadata::new("t", "t", DType::U8, [size as u64]).unwrap();
        let name = format!("{} MiB", size / MIB);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("memcpy", &name), |b| {
            b.iter(|| sealed[..size].copy_from_slice(&plaintext));
        });
        group.bench_function(BenchmarkId::new("raw aws-lc-rs, one core", &name), |b| {
            b.iter(|| raw_chunks(&raw, &plaintext, &mut sealed));
        });
        group.bench_function(BenchmarkId::new("session, one core", &name), |b| {
            one_core.install(|| b.iter(|| session_seal(&host, &metadata, &plaintext, &mut sealed)));
        });
        group.bench_function(BenchmarkId::new("session, all cores", &name), |b| {
            b.iter(|| session_seal(&host, &metadata, &plaintext, &mut sealed));
        });
    }
    group.finish();
}

/// The same chunks with nothing around them.
fn raw_chunks(key: &LessSafeKey, plaintext: &[u8], sealed: &mut [u8]) {
    let mut nonce = [0; 12];
    for (i, (plain, out)) in
        plaintext.chunks(CHUNK_BYTES as usize).zip(sealed.chunks_mut(SEALED_CHUNK_BYTES as usize)).enumerate()
    {
        nonce[8..].copy_from_slice(&(i as u32).to_be_bytes());
        let (ciphertext, tag) = out.split_at_mut(plain.len());
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_out_of_place_scatter(nonce, Aad::from([0; 32]), plain, ciphertext, &[], &mut tag[..16]).unwrap();
    }
}

fn session_seal(host: &ChannelSession, metadata: &TensorMetadata, plaintext: &[u8], sealed: &mut [u8]) {
    let mut sealing = host.seal(metadata).unwrap();
    sealing.next_piece(u32::MAX).unwrap().seal(plaintext, sealed).unwrap();
    sealing.finish().unwrap();
}

fn small_tensor(c: &mut Criterion) {
    let (host, guest) = establish_channel("host", "device").unwrap();
    let metadata = TensorMetadata::new("t", "t", DType::U8, [4096]).unwrap();
    let plaintext = vec![1; 4096];
    c.bench_function("4 KiB, sealed and opened by the host", |b| {
        b.iter(|| guest.decrypt_tensor(&host.encrypt_tensor(&plaintext, &metadata).unwrap()).unwrap());
    });
    let (host, guest) = establish_channel("host", "device").unwrap();
    let mut transfer = Transfer::new(CpuDevice::default());
    let encoded = metadata.encode().len();
    c.bench_function("4 KiB, sealed by the host and opened by the cpu device", |b| {
        b.iter(|| {
            let sealed = host.encrypt_tensor(&plaintext, &metadata).unwrap();
            let (header, rest) = sealed.as_bytes().split_at(64);
            let pending = guest.reserve(header, &rest[..encoded]).unwrap();
            block_on(transfer.open(pending, &rest[encoded..])).unwrap()
        });
    });
}

fn handshake(c: &mut Criterion) {
    c.bench_function("handshake, both ends, two fresh identities", |b| {
        b.iter(|| establish_channel("host", "device").unwrap());
    });
}

criterion_group!(benches, seal, small_tensor, handshake);
criterion_main!(benches);
