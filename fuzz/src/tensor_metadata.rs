//! Tensor metadata: one encoding, and sizes that are what shape and type say.

use pqc_gpu_driver::{
    DType, TensorMetadata,
    tensor::{MAX_METADATA_BYTES, MAX_TENSOR_BYTES},
};

/// The first byte chooses: bytes to decode, or a description to encode.
pub fn check(data: &[u8]) -> bool {
    match data.split_first() {
        Some((0, encoded)) => decoded(encoded),
        Some((_, description)) => described(description),
        None => false,
    }
}

fn decoded(bytes: &[u8]) -> bool {
    let Ok(metadata) = TensorMetadata::decode(bytes) else { return false };
    assert_eq!(metadata.encode(), bytes);
    assert!(bytes.len() <= MAX_METADATA_BYTES);
    assert_eq!(Some(metadata.size_bytes()), size(metadata.dtype(), metadata.shape().extents()));
    true
}

/// Type, lengths of id and name, both, extents of one length byte and so many bytes each.
fn described(mut data: &[u8]) -> bool {
    let mut take = |length: usize| {
        let (taken, rest) = data.split_at(length.min(data.len()));
        data = rest;
        taken.to_vec()
    };
    let dtype = DType::ALL[take(1).first().map_or(0, |&byte| usize::from(byte) % DType::ALL.len())];
    let lengths = take(4);
    let length = |at: usize| lengths.get(at..at + 2).map_or(0, |two| usize::from(u16::from_be_bytes([two[0], two[1]])));
    let (id, name) = (take(length(0)), take(length(2)));
    let (Ok(id), Ok(name)) = (String::from_utf8(id), String::from_utf8(name)) else { return false };
    let mut shape = Vec::new();
    while let Some(&bytes) = take(1).first() {
        shape.push(take(usize::from(bytes % 9)).iter().fold(0u64, |extent, &byte| extent << 8 | u64::from(byte)));
    }

    let expected = size(dtype, &shape);
    match TensorMetadata::new(&*id, &*name, dtype, &shape[..]) {
        Ok(metadata) => {
            assert_eq!(Some(metadata.size_bytes()), expected);
            let encoded = metadata.encode();
            assert!(encoded.len() <= MAX_METADATA_BYTES);
            assert_eq!(TensorMetadata::decode(&encoded), Ok(metadata));
            true
        }
        Err(_) => {
            let head = |length: usize| if length < 24 { 1 } else { 2 + usize::from(length > 255) };
            let texts = [id.len(), name.len(), dtype.name().len()].map(|length| 1 + head(length) + length);
            // At most nine bytes an extent.
            let longest = 4 + texts.iter().sum::<usize>() + 9 * shape.len();
            assert!(expected.is_none() || longest > MAX_METADATA_BYTES, "{dtype} {shape:?} was refused");
            false
        }
    }
}

/// The size, or None where there can be no such tensor.
fn size(dtype: DType, shape: &[u64]) -> Option<u64> {
    if shape.len() > 64 {
        return None;
    }
    if shape.contains(&0) {
        return Some(0);
    }
    let bits = shape.iter().try_fold(u128::from(dtype.bits()), |bits, &extent| bits.checked_mul(extent.into()))?;
    (bits % 8 == 0 && bits / 8 <= MAX_TENSOR_BYTES.into()).then_some((bits / 8) as u64)
}
