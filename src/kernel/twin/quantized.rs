//! Dequantization, from the definitions: GGML's `block_q8_0` and `block_q4_0`, and ONNX's DequantizeLinear with an axis.
//!
//! A number of at most 9 bits times a scale of at most 24 is exact in a binary64; the result is that, rounded once.

use super::numbers::{BINARY16, BINARY32, Format};
use crate::kernel::BlockFormat;

/// q × scale, where `scale` are the bits of a format's value.
fn product(q: i32, scale: u32, format: Format) -> f32 {
    let magnitude = scale & (format.sign() - 1);
    let value = match magnitude {
        bits if bits > format.infinity() => f64::NAN,
        bits if bits == format.infinity() => f64::INFINITY,
        bits => format.value(bits),
    };
    let value = if scale & format.sign() == 0 { value } else { -value };
    match f64::from(q) * value {
        nan if nan.is_nan() => f32::from_bits(0x7fc0_0000),
        product => product as f32,
    }
}

/// Dequantizes whole blocks to binary32, little-endian.
#[must_use]
pub fn dequantize_blocks(input: &[u8], format: BlockFormat) -> Vec<u8> {
    let mut out = Vec::new();
    for block in input.chunks_exact(format.bytes() as usize) {
        let d = u32::from(block[0]) | u32::from(block[1]) << 8;
        let qs = &block[2..];
        for i in 0..32 {
            let q = match format {
                BlockFormat::Q8_0 => i32::from(qs[i] as i8),
                BlockFormat::Q4_0 if i < 16 => i32::from(qs[i] % 16) - 8,
                BlockFormat::Q4_0 => i32::from(qs[i - 16] / 16) - 8,
            };
            out.extend(product(q, d, BINARY16).to_le_bytes());
        }
    }
    out
}

/// Dequantizes bytes, signed or not, of a tensor of these extents: (q − zero point) × scale, both of the channel that the place along
/// `axis` is. Scales are the bits of binary32.
#[must_use]
pub fn dequantize_channels(
    input: &[u8],
    signed: bool,
    extents: &[u64],
    axis: usize,
    scales: &[u32],
    zero_points: Option<&[u8]>,
) -> Vec<u8> {
    let number = |byte: u8| if signed { i32::from(byte as i8) } else { i32::from(byte) };
    let mut out = Vec::new();
    for (place, &byte) in super::order::places(extents).zip(input) {
        let channel = place[axis] as usize;
        let zero_point = zero_points.map_or(0, |zeros| number(zeros[channel]));
        out.extend(product(number(byte) - zero_point, scales[channel], BINARY32).to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(bytes: &[u8]) -> Vec<f32> {
        bytes.chunks_exact(4).map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
    }

    #[test]
    fn blocks_lie_as_ggml_has_them() {
        // d = 0.5, q = 0, 1, 2, ... and then −1.
        let q8_0: Vec<u8> = [0x00, 0x38].into_iter().chain(0..31).chain([0xff]).collect();
        let made = floats(&dequantize_blocks(&q8_0, BlockFormat::Q8_0));
        assert_eq!((made.len(), made[0], made[1], made[30], made[31]), (32, 0.0, 0.5, 15.0, -0.5));
        // d = −2: low halves are 0, 1, ..., 15, high halves 15, 14, ..., 0.
        let q4_0: Vec<u8> = [0x00, 0xc0].into_iter().chain((0..16).map(|i| i | (15 - i) << 4)).collect();
        let made = floats(&dequantize_blocks(&q4_0, BlockFormat::Q4_0));
        assert_eq!((made[0], made[15], made[16], made[31]), (16.0, -14.0, -14.0, 16.0));
    }

    #[test]
    fn channels_have_their_own_scales_and_zero_points() {
        let scales = [1f32, 0.5, 4.0].map(f32::to_bits);
        let made = dequantize_channels(&[1, 2, 3, 255, 254, 253], true, &[2, 3], 1, &scales, Some(&[0, 2, 255]));
        assert_eq!(floats(&made), [1.0, 0.0, 16.0, -1.0, -2.0, -8.0]);
        let made = dequantize_channels(&[1, 2, 3, 255, 254, 253], false, &[3, 2], 0, &scales, None);
        assert_eq!(floats(&made), [1.0, 2.0, 1.5, 127.5, 1016.0, 1012.0]);
    }
}
