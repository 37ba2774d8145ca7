//! The tensor kernels on the CPU. Constant-time, as those that decrypt: bytes decide no branch and no address.

use core::convert::Infallible;

use crate::{
    kernel::{BlockFormat, Element, Kernel, Operation, Params, StridedCopy},
    parallel,
};

/// What one thread writes at a time: a whole number of every element and of a block's 128 bytes.
const PIECE_BYTES: usize = 64 << 10;

/// Runs a tensor kernel. None where a binding is shorter than the parameters say, or no kernel can do what they say.
pub(super) fn run(kernel: Kernel, read: &[&[u8]], write: &mut [u8], params: &Params) -> Option<()> {
    let operation = Operation::read(kernel, params)?;
    let write = write.get_mut(..usize::try_from(operation.output_bytes()).ok()?)?;
    // The last of the lengths is the written one's.
    if read.iter().zip(operation.bound_bytes()).any(|(bound, least)| (bound.len() as u64) < least) {
        return None;
    }
    match (operation, read) {
        (Operation::CastElements { count, from, to }, [input]) => {
            let bytes = from.bytes() as usize;
            pieces(write, to.bytes() as usize, |first, out| {
                cast(&input[first * bytes..count as usize * bytes], from, out, to);
            });
        }
        (Operation::DequantizeBlocks { format, .. }, [input]) => {
            const BLOCK: usize = 4 * BlockFormat::ELEMENTS as usize;
            let bytes = format.bytes() as usize;
            pieces(write, BLOCK, |first, out| {
                for (block, out) in input[first * bytes..].chunks_exact(bytes).zip(out.as_chunks_mut().0) {
                    dequantize_block(block, format, out);
                }
            });
        }
        (Operation::DequantizeChannels { .. }, [input, scales, zero_points]) => {
            pieces(write, 4, |first, out| dequantize_channels(&operation, first, [input, scales, zero_points], out));
        }
        (Operation::StridedCopy(copy), [input]) => {
            pieces(write, copy.element_bytes as usize, |first, out| match copy.element_bytes {
                1 => strided_copy::<1>(&copy, first, input, out),
                2 => strided_copy::<2>(&copy, first, input, out),
                4 => strided_copy::<4>(&copy, first, input, out),
                _ => strided_copy::<8>(&copy, first, input, out),
            });
        }
        _ => return None,
    }
    Some(())
}

/// Calls `work` with pieces of the output, each with the number of its first unit of `unit` bytes.
fn pieces(write: &mut [u8], unit: usize, work: impl Fn(usize, &mut [u8]) + Sync) {
    if write.len() <= PIECE_BYTES {
        return work(0, write);
    }
    let pieces = write.chunks_mut(PIECE_BYTES).enumerate().collect();
    let done = parallel::each(pieces, |(i, piece): (usize, &mut [u8])| {
        work(i * (PIECE_BYTES / unit), piece);
        Ok::<_, Infallible>(())
    });
    match done {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// Fills `out` from as many elements of `input`.
fn cast(input: &[u8], from: Element, out: &mut [u8], to: Element) {
    match from {
        Element::F32 => cast_bits(input, u32::from_le_bytes, out, to),
        Element::F16 => cast_bits(input, |bytes| f32_bits_of_f16(u16::from_le_bytes(bytes)), out, to),
        Element::BF16 => cast_bits(input, |bytes| quiet(u32::from(u16::from_le_bytes(bytes)) << 16), out, to),
        Element::I8 => cast_bits(input, |[byte]: [u8; 1]| f32::from(byte as i8).to_bits(), out, to),
        Element::U8 => cast_bits(input, |[byte]: [u8; 1]| f32::from(byte).to_bits(), out, to),
    }
}

fn cast_bits<const N: usize>(input: &[u8], bits: impl Fn([u8; N]) -> u32, out: &mut [u8], to: Element) {
    match to {
        Element::F32 => convert(input, out, |bytes| bits(bytes).to_le_bytes()),
        Element::F16 => convert(input, out, |bytes| f16_of_f32_bits(bits(bytes)).to_le_bytes()),
        Element::BF16 => convert(input, out, |bytes| bf16_of_f32_bits(bits(bytes)).to_le_bytes()),
        // Saturates, and NaN becomes 0: what `as` does.
        Element::I8 => convert(input, out, |bytes| [f32::from_bits(bits(bytes)) as i8 as u8]),
        Element::U8 => convert(input, out, |bytes| [f32::from_bits(bits(bytes)) as u8]),
    }
}

fn convert<const N: usize, const M: usize>(input: &[u8], out: &mut [u8], one: impl Fn([u8; N]) -> [u8; M]) {
    for (from, to) in input.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        *to = one(*from);
    }
}

/// A NaN made quiet, everything else as it is.
fn quiet(bits: u32) -> u32 {
    bits | (u32::from(bits & 0x7fff_ffff > 0x7f80_0000) << 22)
}

/// Exact.
fn f32_bits_of_f16(half: u16) -> u32 {
    let (sign, magnitude) = (u32::from(half & 0x8000) << 16, u32::from(half & 0x7fff));
    // Scaled by 2^112 exponents are in place, subnormals become normal, and what was infinite or NaN is at 2^16 or beyond.
    let scaled = f32::from_bits(magnitude << 13) * f32::from_bits((127 + 112) << 23);
    let special = u32::from(magnitude >= 0x7c00);
    quiet(sign | scaled.to_bits() | (special * 0x7f80_0000))
}

/// To nearest, ties to even.
fn f16_of_f32_bits(bits: u32) -> u16 {
    let magnitude = bits & 0x7fff_ffff;
    let exponent = (magnitude >> 23).max(1);
    let significand = (magnitude & 0x7f_ffff) | (u32::from(magnitude >= 0x80_0000) << 23);
    // Results below 2^-14 (exponent 113) are subnormal; 25 bits cut leave nothing.
    let cut = 13 + (113 - exponent.min(113)).min(12);
    let even = (significand >> cut) & 1;
    let rounded = (significand + (1 << (cut - 1)) - 1 + even) >> cut;
    let finite = (((exponent.max(113) - 113) << 10) + rounded).min(0x7c00);
    let nan = u32::from(magnitude > 0x7f80_0000) * (0x200 | ((magnitude >> 13) & 0x3ff));
    (((bits >> 16) & 0x8000) | finite | nan) as u16
}

/// To nearest, ties to even.
fn bf16_of_f32_bits(bits: u32) -> u16 {
    let nan = u32::from(bits & 0x7fff_ffff > 0x7f80_0000);
    // A NaN is cut, not rounded: rounding could carry it into the sign.
    let up = (0x7fff + ((bits >> 16) & 1)) * (1 - nan);
    (((bits + up) >> 16) | (nan << 6)) as u16
}

/// A product whose NaN is the one all devices give.
fn scaled(n: i32, scale: f32) -> [u8; 4] {
    let product = n as f32 * scale;
    let nan = u32::from(product.is_nan()).wrapping_neg();
    ((product.to_bits() & !nan) | (0x7fc0_0000 & nan)).to_le_bytes()
}

fn dequantize_block(block: &[u8], format: BlockFormat, out: &mut [u8; 128]) {
    let (scale, numbers) = block.split_at(2);
    let scale = f32::from_bits(f32_bits_of_f16(u16::from_le_bytes([scale[0], scale[1]])));
    let out = out.as_chunks_mut::<4>().0;
    match format {
        BlockFormat::Q8_0 => {
            for (&q, out) in numbers.iter().zip(out) {
                *out = scaled(i32::from(q as i8), scale);
            }
        }
        BlockFormat::Q4_0 => {
            let (low, high) = out.split_at_mut(16);
            for ((q, low), high) in numbers.iter().zip(low).zip(high) {
                *low = scaled(i32::from(q & 15) - 8, scale);
                *high = scaled(i32::from(q >> 4) - 8, scale);
            }
        }
    }
}

fn dequantize_channels(operation: &Operation, first: usize, read: [&[u8]; 3], out: &mut [u8]) {
    let &Operation::DequantizeChannels { inner, channels, first_inner, first_channel, signed, zero_points, .. } =
        operation
    else {
        return;
    };
    let [input, scales, zeros] = read;
    let number = |byte: u8| if signed { i32::from(byte as i8) } else { i32::from(byte) };
    let scales = scales.as_chunks::<4>().0;
    let at = first_inner as usize + first;
    let mut channel = (at / inner as usize + first_channel as usize) % channels as usize;
    let mut left = inner as usize - at % inner as usize;
    let mut pairs = input[first..].iter().zip(out.as_chunks_mut().0);
    while pairs.len() > 0 {
        let scale = f32::from_le_bytes(scales[channel]);
        let zero = if zero_points { number(zeros[channel]) } else { 0 };
        for (&byte, out) in pairs.by_ref().take(left) {
            *out = scaled(number(byte) - zero, scale);
        }
        channel = (channel + 1) % channels as usize;
        left = inner as usize;
    }
}

fn strided_copy<const N: usize>(copy: &StridedCopy, first: usize, input: &[u8], out: &mut [u8]) {
    let input = &input.as_chunks::<N>().0[..copy.window_count as usize];
    let out = out.as_chunks_mut::<N>().0;
    let (row, stride) = (copy.extents[3] as usize, copy.strides[3] as usize);
    let mut index = copy.first as usize + first;
    let mut done = 0;
    // Row after row of the output: within one, elements are a stride apart.
    while done < out.len() {
        let length = (row - index % row).min(out.len() - done);
        let source = copy.source(index as u32) as usize;
        for (i, out) in out[done..done + length].iter_mut().enumerate() {
            let bound = (source + i * stride).checked_sub(copy.window_first as usize);
            if let Some(&element) = bound.and_then(|at| input.get(at)) {
                *out = element;
            }
        }
        index += length;
        done += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_bindings_and_wrong_parameters_are_refused() {
        let cast = Operation::CastElements { count: 3, from: Element::F16, to: Element::F32 };
        let tried = |input: usize, output: usize, params: &Params| {
            run(Kernel::CastElements, &[&vec![0; input]], &mut vec![0; output], params)
        };
        assert_eq!(tried(6, 12, &cast.params()), Some(()));
        assert_eq!(tried(5, 12, &cast.params()), None);
        assert_eq!(tried(6, 11, &cast.params()), None);
        assert_eq!(tried(6, 12, &Params::default()), None);
        assert_eq!(run(Kernel::CastElements, &[&[0; 6], &[0; 6]], &mut [0; 12], &cast.params()), None);
        assert_eq!(run(Kernel::CastElements, &[], &mut [0; 12], &cast.params()), None);
    }
}
