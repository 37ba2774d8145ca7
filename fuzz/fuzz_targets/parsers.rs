//! Every parser of bytes that come from others: none panics, and what is read is written again as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pqc_gpu_driver::{
    EncryptedTensor, Identity, TensorMetadata,
    attest::kernel_module::{Certificate, KernelModule},
    channel::{message, record::RecordHeader},
    identity::{KeyId, PublicIdentity, PublicKey},
};

fuzz_target!(|data: &[u8]| {
    if let Ok(metadata) = TensorMetadata::decode(data) {
        assert_eq!(metadata.encode(), data);
    }
    if let Some(bytes) = data.first_chunk() {
        let _ = message::parse_header(bytes);
    }
    if let Some(bytes) = data.first_chunk()
        && let Ok(header) = RecordHeader::decode(bytes)
    {
        assert_eq!(header.encode(), *bytes);
    }
    if let Ok(tensor) = EncryptedTensor::from_bytes(data) {
        assert_eq!(tensor.as_bytes(), data);
    }
    let _ = (KernelModule::read_within(data, 1 << 20), Certificate::read(data));
    if let Ok(text) = core::str::from_utf8(data) {
        let _ = Identity::import_pem(text);
        let _ = PublicIdentity::from_pem(text);
        let _ = PublicKey::from_pem(text);
        let _ = text.parse::<KeyId>();
    }
});
