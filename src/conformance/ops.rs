//! Tensor handling after the open, against the twins. Everything is exact to the bit.

use super::{noise, read, write};
use crate::{
    ChannelSession, DType, EncryptedTensor, Error, TensorMetadata,
    device::Device,
    establish_channel,
    kernel::{BlockFormat, Element, twin},
    ops::{self, DeviceTensor, Origin, Quantization},
    transfer::Transfer,
};

const FLOATS: [(DType, Element); 3] =
    [(DType::F32, Element::F32), (DType::F16, Element::F16), (DType::BF16, Element::BF16)];
const TYPES: [(DType, Element); 5] =
    [FLOATS[0], FLOATS[1], FLOATS[2], (DType::I8, Element::I8), (DType::U8, Element::U8)];

/// Every value of the types of 8 and 16 bits, to every type.
pub async fn casts_of_every_short_value<D: Device>(device: &D) {
    let bytes: Vec<u8> = (0..=255).collect();
    let halves: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    for (from, element) in &TYPES[1..] {
        let values = if element.bytes() == 1 { &bytes } else { &halves };
        let tensor = tensor(device, *from, &[values.len() as u64 / u64::from(element.bytes())], values).await;
        for (to, wanted) in TYPES {
            let made = ops::cast(device, &tensor, to).await.expect("casts");
            check(
                device,
                &made,
                to,
                tensor.metadata().shape().extents(),
                &twin::numbers::cast(values, *element, wanted),
            )
            .await;
        }
    }
}

/// Binary32 at, around and between all values of binary16 and bfloat16, at the ends of the integers, and at random.
pub async fn casts_of_binary32<D: Device>(device: &D) {
    let values = binary32_values();
    let tensor = tensor(device, DType::F32, &[values.len() as u64 / 4], &values).await;
    for (to, wanted) in TYPES {
        let made = ops::cast(device, &tensor, to).await.expect("casts");
        let expected = twin::numbers::cast(&values, Element::F32, wanted);
        check(device, &made, to, tensor.metadata().shape().extents(), &expected).await;
    }
}

/// The binary32 numbers, little-endian, that casts have to get right.
pub fn binary32_values() -> Vec<u8> {
    let widened = |format: twin::numbers::Format, bits: u32| (format.value(bits) as f32).to_bits();
    let mut magnitudes = Vec::new();
    for bits in 0..0x7c00 {
        let (below, above) = (widened(twin::numbers::BINARY16, bits), widened(twin::numbers::BINARY16, bits + 1));
        // The middle of two neighbours in steps of binary32, which within one exponent is the tie.
        magnitudes.extend([below, below + (above - below) / 2]);
    }
    magnitudes.extend((0..0x7f80).step_by(7).flat_map(|bits| [bits << 16, (bits << 16) | 0x8000]));
    magnitudes.extend(
        [0.5f32, 1.0, 126.5, 127.0, 128.0, 129.0, 254.5, 255.0, 256.0, 1e9, 65_519.0, 65_520.0].map(f32::to_bits),
    );
    let around = magnitudes.into_iter().flat_map(|bits| [bits.wrapping_sub(1), bits, bits + 1]);
    let special =
        [0x7f7f_ffff, 0x7f7f_8000, 0x7f7f_7fff, 0x7f80_0000, 0x7f80_0001, 0x7fc0_0000, 0x7fff_ffff, 1, 0x7f_ffff];
    let signed = around.chain(special).flat_map(|bits| [bits, bits ^ 0x8000_0000]);
    let random = noise(1, 400_000);
    signed.flat_map(u32::to_le_bytes).chain(random).collect()
}

/// Scalars, nothing at all, ragged ends, many dimensions, more than one launch; any type to itself.
pub async fn casts_of_any_shape<D: Device>(device: &D) {
    let many = [2; 7];
    let shapes: [&[u64]; 14] = [
        &[],
        &[0],
        &[4, 0, 3],
        &[1],
        &[2],
        &[3],
        &[5],
        &[7],
        &[31],
        &[33],
        &[3, 5, 7, 1],
        &many,
        &[65_537],
        &[300_001],
    ];
    for shape in shapes {
        for (i, (from, element)) in TYPES.into_iter().enumerate() {
            let (tensor, values) = random_tensor(device, i as u64, from, shape).await;
            for (to, wanted) in TYPES {
                let made = ops::cast(device, &tensor, to).await.expect("casts");
                check(device, &made, to, shape, &twin::numbers::cast(&values, element, wanted)).await;
            }
        }
    }
    // More than one row of workgroups takes: WebGPU's limit is 65,535.
    let (bytes, values) = random_tensor(device, 8, DType::U8, &[4_300_007]).await;
    let made = ops::cast(device, &bytes, DType::F32).await.expect("casts");
    check(device, &made, DType::F32, &[4_300_007], &twin::numbers::cast(&values, Element::U8, Element::F32)).await;
    for dtype in [DType::F64, DType::C64, DType::I16, DType::BOOL, DType::F4] {
        let (tensor, values) = random_tensor(device, 9, dtype, &[3, 34]).await;
        let made = ops::cast(device, &tensor, dtype).await.expect("copies");
        check(device, &made, dtype, &[3, 34], &values).await;
    }
}

/// Blocks with every scale there is, and shapes of blocks, more than one launch's among them.
pub async fn dequantized_blocks<D: Device>(device: &D) {
    for format in [BlockFormat::Q8_0, BlockFormat::Q4_0] {
        let bytes = format.bytes() as usize;
        let mut values = noise(2, 65_536 * bytes);
        for (block, scale) in values.chunks_exact_mut(bytes).zip(0..=u16::MAX) {
            block[..2].copy_from_slice(&scale.to_le_bytes());
            block[2] &= 0x0f; // some numbers are 0, or the least
        }
        dequantizes(device, format, &[65_536 * bytes as u64], &values).await;
        let bytes = bytes as u64;
        for shape in [&[bytes][..], &[3, bytes], &[5, 7 * bytes], &[0], &[2, 0], &[0, bytes], &[2, 1, 3, 2 * bytes]] {
            let length = shape.iter().product::<u64>() as usize;
            dequantizes(device, format, shape, &noise(3, length)).await;
        }
    }
}

async fn dequantizes<D: Device>(device: &D, format: BlockFormat, shape: &[u64], values: &[u8]) {
    let tensor = tensor(device, DType::U8, shape, values).await;
    let quantization = match format {
        BlockFormat::Q8_0 => Quantization::Q8_0,
        BlockFormat::Q4_0 => Quantization::Q4_0,
    };
    let made = ops::dequantize(device, &tensor, quantization).await.expect("dequantizes");
    let mut extents = shape.to_vec();
    extents.iter_mut().last().into_iter().for_each(|last| *last = *last / u64::from(format.bytes()) * 32);
    check(device, &made, DType::F32, &extents, &twin::quantized::dequantize_blocks(values, format)).await;
}

/// Signed and unsigned bytes, with zero points and without, channels along every axis, scales of every kind.
pub async fn dequantized_channels<D: Device>(device: &D) {
    let shapes: [&[u64]; 9] =
        [&[1], &[33], &[3, 5], &[256, 7], &[5, 3, 2, 7], &[0, 3], &[3, 0], &[3, 65_537], &[65_537, 3]];
    for (seed, shape) in (0..).zip(shapes) {
        for dtype in [DType::I8, DType::U8] {
            let (tensor, values) = random_tensor(device, seed, dtype, shape).await;
            for (axis, &channels) in shape.iter().enumerate() {
                let scales = scales(seed, channels as usize);
                let bytes: Vec<u8> = scales.iter().flat_map(|bits| bits.to_le_bytes()).collect();
                let scales_there = self::tensor(device, DType::F32, &[channels], &bytes).await;
                let (zeros_there, zeros) = random_tensor(device, seed + 50, dtype, &[channels]).await;
                for zeros in [None, Some((&zeros_there, &zeros[..]))] {
                    let zero_points = zeros.map(|(there, _)| there);
                    let quantization = Quantization::PerChannel { axis, scales: &scales_there, zero_points };
                    let made = ops::dequantize(device, &tensor, quantization).await.expect("dequantizes");
                    let (signed, zeros) = (dtype == DType::I8, zeros.map(|(_, zeros)| zeros));
                    let expected = twin::quantized::dequantize_channels(&values, signed, shape, axis, &scales, zeros);
                    check(device, &made, DType::F32, shape, &expected).await;
                }
            }
        }
    }
}

/// So many scales, as bits. The first few are the awkward ones: zeros, the least and the largest subnormal, infinities, NaNs; the rest
/// is anything.
pub fn scales(seed: u64, count: usize) -> Vec<u32> {
    let awkward =
        [1, 0x7f_ffff, 0, 0x8000_0000, 0x80_0000, 0x7f7f_ffff, 0xff80_0000, 0x7f80_0001, 0xffff_ffff, 0x7f00_0001];
    let random = noise(seed + 100, 4 * count);
    let random = random.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    awkward.into_iter().chain(random).take(count).collect()
}

/// What is made of an opened tensor is sealed on the device like any other.
pub async fn results_are_sealed<D: Device>(device: &D) {
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let mut transfer = Transfer::new(device);
    let values = noise(5, 4 * 150 * 301);
    let metadata = TensorMetadata::new("id", "name", DType::F32, [150, 301]).expect("valid");
    let sealed = host.encrypt_tensor(&values, &metadata).expect("seals");
    let opened = open(&mut transfer, &guest, &sealed).await;
    let transposed = ops::transpose(&device, &opened).await.expect("transposes");
    let halves = ops::cast(&device, &transposed, DType::F16).await.expect("casts");
    let mut wire = Vec::new();
    let sink = |bytes: &[u8]| {
        wire.extend(bytes);
        Ok(())
    };
    transfer.seal(&guest, &halves, sink).await.expect("seals");
    let arrived = EncryptedTensor::from_bytes(wire).expect("a record");
    let described = arrived.metadata();
    assert_eq!((described.tensor_id(), described.name(), described.dtype()), ("id", "name", DType::F16));
    assert_eq!(described.shape().extents(), [301, 150]);
    let expected = twin::order::permute(&values, 4, &[150, 301], &[1, 0]);
    let expected = twin::numbers::cast(&expected, Element::F32, Element::F16);
    assert!(host.decrypt_tensor(&arrived) == Ok(expected));
    assert!(bytes_of(device, opened.buffer(), &opened).await == values, "the tensor it was made of is as it was");
}

async fn open<'d, D: Device>(
    transfer: &mut Transfer<&'d D>,
    guest: &ChannelSession,
    sealed: &EncryptedTensor,
) -> DeviceTensor<&'d D> {
    let (header, rest) = sealed.as_bytes().split_at(64);
    let (encoded, body) = rest.split_at(sealed.metadata().encode().len());
    let pending = guest.reserve(header, encoded).expect("is next");
    transfer.open(pending, body).await.expect("opens")
}

/// What cannot be is refused before anything is done.
pub async fn impossible_casts_are_refused<D: Device>(device: &D) {
    let refused = |made: crate::Result<DeviceTensor<D>>| assert!(matches!(made, Err(Error::Usage(_))), "{made:?}");
    let (floats, _) = random_tensor(device, 1, DType::F32, &[2, 34]).await;
    let (bytes, _) = random_tensor(device, 1, DType::U8, &[2, 36]).await;
    let (signed, _) = random_tensor(device, 1, DType::I8, &[3, 34]).await;
    let (scalar, _) = random_tensor(device, 1, DType::U8, &[]).await;
    let launches = device.launches();
    for dtype in [DType::F64, DType::I16, DType::BOOL, DType::F8_E4M3] {
        refused(ops::cast(device, &floats, dtype).await);
    }
    // Not bytes, no whole blocks, nothing for blocks to lie along.
    refused(ops::dequantize(device, &floats, Quantization::Q8_0).await);
    refused(ops::dequantize(device, &signed, Quantization::Q8_0).await);
    refused(ops::dequantize(device, &bytes, Quantization::Q8_0).await);
    refused(ops::dequantize(device, &scalar, Quantization::Q4_0).await);
    let (scales, _) = random_tensor(device, 1, DType::F32, &[3]).await;
    let (flat, _) = random_tensor(device, 1, DType::F32, &[1, 3]).await;
    let (zeros, _) = random_tensor(device, 1, DType::U8, &[3]).await;
    let per_channel = |axis, scales, zero_points| Quantization::PerChannel { axis, scales, zero_points };
    refused(ops::dequantize(device, &signed, per_channel(2, &scales, None)).await);
    refused(ops::dequantize(device, &signed, per_channel(usize::MAX, &scales, None)).await);
    refused(ops::dequantize(device, &signed, per_channel(1, &scales, None)).await);
    refused(ops::dequantize(device, &signed, per_channel(0, &flat, None)).await);
    refused(ops::dequantize(device, &signed, per_channel(0, &zeros, None)).await);
    refused(ops::dequantize(device, &signed, per_channel(0, &scales, Some(&zeros))).await);
    refused(ops::dequantize(device, &scales, per_channel(0, &scales, None)).await);
    // Where bindings are small, more channels than one takes.
    let most = device.info().max_binding_bytes / 4;
    if most < 1 << 20 {
        let (channels, _) = random_tensor(device, 1, DType::I8, &[most + 1]).await;
        let (scales, _) = random_tensor(device, 1, DType::F32, &[most + 1]).await;
        refused(ops::dequantize(device, &channels, per_channel(0, &scales, None)).await);
    }
    assert_eq!(device.launches(), launches);
}

/// A tensor of these elements, not at its buffer's start.
pub(super) async fn tensor<D: Device>(device: &D, dtype: DType, shape: &[u64], values: &[u8]) -> DeviceTensor<D> {
    let metadata = TensorMetadata::new("id", "name", dtype, shape).expect("valid");
    assert_eq!(metadata.size_bytes(), values.len() as u64);
    let offset = device.info().binding_alignment;
    // What follows the tensor in its buffer is none of its elements.
    let buffer = device.alloc(offset + metadata.size_bytes() + 64).expect("allocates");
    write(device, &buffer, offset, &[values, &[0xa5; 60]].concat()).await;
    DeviceTensor::new(metadata, buffer, offset, Origin::Peer)
}

pub(super) async fn random_tensor<D: Device>(
    device: &D,
    seed: u64,
    dtype: DType,
    shape: &[u64],
) -> (DeviceTensor<D>, Vec<u8>) {
    let values = noise(seed, crate::Shape::from(shape).size_bytes(dtype).expect("possible") as usize);
    (tensor(device, dtype, shape, &values).await, values)
}

/// The result is this, and says so.
pub(super) async fn check<D: Device>(device: &D, made: &DeviceTensor<D>, dtype: DType, shape: &[u64], expected: &[u8]) {
    let metadata = made.metadata();
    assert_eq!((metadata.tensor_id(), metadata.name(), metadata.dtype()), ("id", "name", dtype));
    assert_eq!(metadata.shape().extents(), shape);
    let bytes = bytes_of(device, made.buffer(), made).await;
    assert_eq!(bytes.len(), expected.len());
    if let Some(at) = bytes.iter().zip(expected).position(|(made, expected)| made != expected) {
        let (made, expected) = (&bytes[at / 8 * 8..], &expected[at / 8 * 8..]);
        let few = |bytes: &[u8]| bytes.iter().take(16).copied().collect::<Vec<_>>();
        panic!("{dtype} {shape:?}, from byte {}: {:x?}, not {:x?}", at / 8 * 8, few(made), few(expected));
    }
}

async fn bytes_of<D: Device, E: Device>(device: &D, buffer: &D::Buffer, tensor: &DeviceTensor<E>) -> Vec<u8> {
    read(device, buffer, tensor.offset()..tensor.offset() + tensor.metadata().size_bytes()).await
}
