//! The channel as wasm runs it: both ends in one page, records opened on the browser's GPU.

use pqc_gpu_driver::{DType, Error, TensorMetadata, device::Device, establish_channel, transfer::Transfer};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::webgpu;

#[wasm_bindgen_test]
async fn tensors_cross_onto_the_gpu_and_back() {
    let (host, device) = establish_channel("page", "gpu").unwrap();
    let mut transfer = Transfer::new(webgpu().await.unwrap());
    let before = transfer.device().launches();
    for length in [0u64, 1, 16_384, 100_003] {
        let bytes: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
        let metadata = TensorMetadata::new("0", "t", DType::U8, [length]).unwrap();
        let sealed = host.encrypt_tensor(&bytes, &metadata).unwrap();
        let (header, rest) = sealed.as_bytes().split_at(64);
        let (encoded, body) = rest.split_at(metadata.encode().len());
        let tensor = transfer.open(device.reserve(header, encoded).unwrap(), body).await.unwrap();
        let mut back = Vec::new();
        let sink = |part: &[u8]| {
            back.extend_from_slice(part);
            Ok(())
        };
        transfer.seal(&device, &tensor, sink).await.unwrap();
        let (header, rest) = back.split_at(64);
        let pending = host.reserve(header, &rest[..encoded.len()]).unwrap();
        assert_eq!(pending.metadata(), &metadata);
        assert_eq!(pending.open(&rest[encoded.len()..]).unwrap(), bytes);
    }
    assert!(transfer.device().launches() > before, "the GPU answered");
}

#[wasm_bindgen_test]
async fn altered_records_are_refused_on_the_gpu() {
    let (host, device) = establish_channel("page", "gpu").unwrap();
    let mut transfer = Transfer::new(webgpu().await.unwrap());
    let metadata = TensorMetadata::new("0", "t", DType::U8, [20_000]).unwrap();
    let sealed = host.encrypt_tensor(&[3; 20_000], &metadata).unwrap();
    let (header, rest) = sealed.as_bytes().split_at(64);
    let (encoded, body) = rest.split_at(metadata.encode().len());
    let mut altered = body.to_vec();
    altered[17_000] ^= 1;
    let refused = transfer.open(device.reserve(header, encoded).unwrap(), &altered).await;
    assert!(matches!(refused, Err(Error::Decryption)), "{refused:?}");
    assert!(device.reserve(header, encoded).is_err(), "the session is over");
}
