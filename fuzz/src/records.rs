//! What a transport reads before any key is at hand: headers of records and handshake messages, and whole sealed tensors.
//! What is read is written again as the same bytes, and every length it announces is within bounds.

use pqc_gpu_driver::{
    EncryptedTensor, TensorMetadata,
    channel::{
        chunk::sealed_bytes,
        message::{M1_BYTES, MAX_M2_BYTES, MAX_M3_BYTES, MessageType, parse_header},
        record::{RecordHeader, RecordType},
    },
    tensor::{MAX_METADATA_BYTES, MAX_TENSOR_BYTES},
};

/// A record, or the beginning of a message.
pub fn check(data: &[u8]) -> bool {
    let mut accepted = false;
    if let Some(bytes) = data.first_chunk()
        && let Ok((kind, length)) = parse_header(bytes)
    {
        let longest = match kind {
            MessageType::M1 => M1_BYTES,
            MessageType::M2 => MAX_M2_BYTES,
            MessageType::M3 => MAX_M3_BYTES,
        };
        assert!(length + 12 <= longest);
        let written = [&b"PQGT\0\x01"[..], &[kind as u8, 1], &(length as u32).to_be_bytes()].concat();
        assert_eq!(written, bytes);
        accepted = true;
    }
    if let Some(bytes) = data.first_chunk()
        && let Ok(header) = RecordHeader::decode(bytes)
    {
        assert_eq!(header.encode(), *bytes);
        assert!(header.metadata_bytes as usize <= MAX_METADATA_BYTES && header.body_bytes <= MAX_TENSOR_BYTES);
        let empty = (header.metadata_bytes, header.body_bytes) == (0, 0);
        assert!(empty || header.record_type == RecordType::Tensor);
        accepted = true;
    }
    if let Ok(tensor) = EncryptedTensor::from_bytes(data) {
        assert_eq!(tensor.as_bytes(), data);
        assert_eq!(tensor.header().body_bytes, tensor.metadata().size_bytes());
        // From the end: body, metadata, header, and before it nothing or a KEY_UPDATE of 80 bytes.
        let body = sealed_bytes(tensor.header().body_bytes) as usize;
        let metadata = tensor.header().metadata_bytes as usize;
        let start = data.len() - body - metadata - 64;
        assert!(start == 0 || (start == 80 && data[5] == RecordType::KeyUpdate as u8));
        assert_eq!(tensor.header().encode(), data[start..start + 64]);
        let encoded = &data[start + 64..start + 64 + metadata];
        assert_eq!(TensorMetadata::decode(encoded).as_ref(), Ok(tensor.metadata()));
        accepted = true;
    }
    accepted
}
