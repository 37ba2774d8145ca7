//! Operations whose results lie as their inputs do: cast and dequantize.

use core::ops::Range;

use super::{
    DeviceTensor,
    work::{Work, bind, units_a_launch},
};
use crate::{
    DType, Error, Result,
    device::{Binding, Device},
    kernel::{BlockFormat, Element, Operation},
    tensor::Shape,
};

/// Converts a tensor's elements between F32, F16, BF16, I8 and U8, whatever its shape. Any element type becomes itself, as a copy.
///
/// Every result is exact to the bit, on every device:
///
/// - to F16 and BF16 values are rounded to nearest, ties to even (IEEE 754-2019 section 4.3.1); what is too large becomes infinite, and
///   subnormals are kept on both sides;
/// - to a wider float, and from an integer to a float, nothing is lost;
/// - from a float to I8 or U8 values are cut toward zero and saturate, and NaN becomes 0, as with Rust's `as`;
/// - between I8 and U8 the byte stays: 255 becomes −1;
/// - a NaN converted to another float stays one, with its sign and the upper bits of its payload, and becomes quiet.
///
/// Fails with [`Error::Usage`] for other element types, and with [`Error::Backend`] where the device fails.
pub async fn cast<D: Device>(device: &D, tensor: &DeviceTensor<D>, dtype: DType) -> Result<DeviceTensor<D>> {
    let metadata = tensor.metadata();
    let (from, to, count) = match (element(metadata.dtype()), element(dtype)) {
        _ if metadata.dtype() == dtype => copied(metadata.size_bytes()),
        (Some(Element::I8), Some(Element::U8)) | (Some(Element::U8), Some(Element::I8)) => {
            copied(metadata.size_bytes())
        }
        (Some(from), Some(to)) => (from, to, metadata.size_bytes() / u64::from(from.bytes())),
        _ => return Err(Error::Usage("elements are cast between F32, F16, BF16, I8 and U8 alone")),
    };
    let mut work = Work::new(device, tensor, dtype, metadata.shape().clone())?;
    let (from_bytes, to_bytes) = (u64::from(from.bytes()), u64::from(to.bytes()));
    for Range { start, end } in parts(count, units_a_launch(device, from_bytes.max(to_bytes))?) {
        let operation = Operation::CastElements { count: (end - start) as u32, from, to };
        let input = bind(tensor, start * from_bytes..end * from_bytes);
        work.launch(&operation, vec![input], start * to_bytes..end * to_bytes);
    }
    work.finish().await
}

/// How quantized elements become numbers.
#[non_exhaustive]
pub enum Quantization<'a, D: Device> {
    /// GGML's Q8_0 ([`BlockFormat::Q8_0`]): a U8 tensor whose last extent is 34 bytes for every 32 elements.
    Q8_0,
    /// GGML's Q4_0 ([`BlockFormat::Q4_0`]): a U8 tensor whose last extent is 18 bytes for every 32 elements.
    Q4_0,
    /// (q − zero point) × scale, both of the element's channel (ONNX DequantizeLinear, per axis): an I8 or U8 tensor.
    PerChannel {
        /// The dimension that counts channels.
        axis: usize,
        /// F32, as many as channels, in one dimension.
        scales: &'a DeviceTensor<D>,
        /// Of the tensor's own type, as many as channels, in one dimension. Without them they are 0.
        zero_points: Option<&'a DeviceTensor<D>>,
    },
}

/// Makes an F32 tensor of a quantized one. Blocks lie along the last dimension, whose extent becomes that of the elements; else the
/// shape stays.
///
/// Every element is the exact product rounded once, to nearest, ties to even, so exact to the bit on every device; subnormals and
/// infinities are as IEEE 754 has them. Every NaN, from a scale that is one or from 0 × infinity, is 0x7fc00000.
///
/// Fails with [`Error::Usage`] where the types or shapes do not fit together, or a last extent is no whole number of blocks; with
/// [`Error::Backend`] where the device fails.
pub async fn dequantize<D: Device>(
    device: &D,
    tensor: &DeviceTensor<D>,
    quantization: Quantization<'_, D>,
) -> Result<DeviceTensor<D>> {
    match quantization {
        Quantization::Q8_0 => blocks(device, tensor, BlockFormat::Q8_0).await,
        Quantization::Q4_0 => blocks(device, tensor, BlockFormat::Q4_0).await,
        Quantization::PerChannel { axis, scales, zero_points } => {
            channels(device, tensor, axis, scales, zero_points).await
        }
    }
}

async fn blocks<D: Device>(device: &D, tensor: &DeviceTensor<D>, format: BlockFormat) -> Result<DeviceTensor<D>> {
    let metadata = tensor.metadata();
    if metadata.dtype() != DType::U8 {
        return Err(Error::Usage("quantized blocks are bytes: the tensor must be U8"));
    }
    let block_bytes = u64::from(format.bytes());
    let mut extents = metadata.shape().extents().to_vec();
    let last = extents.last_mut().filter(|last| last.is_multiple_of(block_bytes));
    let last =
        last.ok_or(Error::Usage("the last extent must be a whole number of blocks: 34 bytes in Q8_0, 18 in Q4_0"))?;
    *last = *last / block_bytes * u64::from(BlockFormat::ELEMENTS);
    let mut work = Work::new(device, tensor, DType::F32, extents.into())?;
    let made_bytes = 4 * u64::from(BlockFormat::ELEMENTS);
    for Range { start, end } in parts(metadata.size_bytes() / block_bytes, units_a_launch(device, made_bytes)?) {
        let operation = Operation::DequantizeBlocks { blocks: (end - start) as u32, format };
        let input = bind(tensor, start * block_bytes..end * block_bytes);
        work.launch(&operation, vec![input], start * made_bytes..end * made_bytes);
    }
    work.finish().await
}

async fn channels<D: Device>(
    device: &D,
    tensor: &DeviceTensor<D>,
    axis: usize,
    scales: &DeviceTensor<D>,
    zero_points: Option<&DeviceTensor<D>>,
) -> Result<DeviceTensor<D>> {
    let metadata = tensor.metadata();
    if !matches!(metadata.dtype(), DType::I8 | DType::U8) {
        return Err(Error::Usage("elements with a scale for each channel must be I8 or U8"));
    }
    let extents = metadata.shape().extents();
    let &channels =
        extents.get(axis).ok_or(Error::Usage("the axis of the channels is beyond the tensor's dimensions"))?;
    let one_each = |of: &DeviceTensor<D>, dtype| {
        of.metadata().dtype() == dtype && *of.metadata().shape() == Shape::from([channels])
    };
    if !one_each(scales, DType::F32) {
        return Err(Error::Usage("scales must be F32, one for each channel"));
    }
    if !zero_points.is_none_or(|zeros| one_each(zeros, metadata.dtype())) {
        return Err(Error::Usage("zero points must be of the tensor's own type, one for each channel"));
    }
    let mut work = Work::new(device, tensor, DType::F32, metadata.shape().clone())?;
    [Some(scales), zero_points].into_iter().flatten().for_each(|of| work.also_of(of));
    if metadata.size_bytes() == 0 {
        return work.finish().await;
    }
    // None of the extents is 0, so neither is what they make, and all of it is within the tensor's size.
    let inner: u64 = extents[axis + 1..].iter().product();
    if inner > MAX_INNER {
        return Err(Error::Usage("more than 2^31 elements between one channel and the next"));
    }
    if scales.metadata().size_bytes() > device.info().max_binding_bytes {
        return Err(Error::Usage("more scales than one binding of this device takes"));
    }
    for Range { start, end } in parts(metadata.size_bytes(), units_a_launch(device, 4)?) {
        let operation = Operation::DequantizeChannels {
            count: (end - start) as u32,
            inner: inner as u32,
            channels: channels as u32,
            first_inner: (start % inner) as u32,
            first_channel: (start / inner % channels) as u32,
            signed: metadata.dtype() == DType::I8,
            zero_points: zero_points.is_some(),
        };
        let inputs = vec![bind(tensor, start..end), whole(scales), whole(zero_points.unwrap_or(scales))];
        work.launch(&operation, inputs, 4 * start..4 * end);
    }
    work.finish().await
}

/// With what a launch adds, indices stay within 32 bits.
const MAX_INNER: u64 = 1 << 31;

fn whole<D: Device>(tensor: &DeviceTensor<D>) -> Binding<'_, D::Buffer> {
    bind(tensor, 0..tensor.metadata().size_bytes())
}

fn element(dtype: DType) -> Option<Element> {
    match dtype {
        DType::F32 => Some(Element::F32),
        DType::F16 => Some(Element::F16),
        DType::BF16 => Some(Element::BF16),
        DType::I8 => Some(Element::I8),
        DType::U8 => Some(Element::U8),
        _ => None,
    }
}

/// Elements that become themselves bit for bit: words where there are whole ones, else bytes.
fn copied(bytes: u64) -> (Element, Element, u64) {
    match bytes.is_multiple_of(4) {
        true => (Element::F32, Element::F32, bytes / 4),
        false => (Element::U8, Element::U8, bytes),
    }
}

fn parts(count: u64, step: u64) -> impl Iterator<Item = Range<u64>> {
    (0..count).step_by(step as usize).map(move |start| start..count.min(start + step))
}
