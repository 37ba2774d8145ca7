//! The tensor kernels' text against the twins, at the shapes of the conformance suite.

use pqc_gpu_driver::{
    conformance::{noise, ops},
    kernel::{
        BlockFormat, Element, Operation, StridedCopy,
        twin::{numbers, order, quantized},
    },
};

use super::kernels;

/// Counts beside whole words, blocks of threads and more than one of those.
const COUNTS: [usize; 17] = [1, 2, 3, 4, 5, 7, 31, 33, 105, 128, 255, 256, 257, 1023, 1025, 65_537, 300_001];

fn casts(values: &[u8], from: Element) {
    let Some(kernels) = kernels() else { return };
    // A type to itself, and bytes to bytes, `ops::cast` launches as words or bytes to themselves.
    let copied = |to: Element| to == from && matches!(to, Element::F32 | Element::I8 | Element::U8);
    let converted = |to: Element| to != from && (to.bytes() != 1 || from.bytes() != 1);
    for to in Element::ALL.into_iter().filter(|&to| copied(to) || converted(to)) {
        let operation = Operation::CastElements { count: values.len() as u32 / from.bytes(), from, to };
        let expected = numbers::cast(values, from, to);
        // What the output held before must not matter.
        let made = kernels.operate(&operation, &[values], &noise(9, expected.len()));
        let differs = made.iter().zip(&expected).position(|(made, expected)| made != expected);
        assert_eq!(differs, None, "{operation:?}");
    }
}

#[test]
fn casts_of_every_short_value() {
    let bytes: Vec<u8> = (0..=255).collect();
    let halves: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    for from in Element::ALL {
        match from.bytes() {
            1 => casts(&bytes, from),
            2 => casts(&halves, from),
            _ => casts(&ops::binary32_values(), from),
        }
    }
}

#[test]
fn casts_of_any_count() {
    for (seed, count) in (0..).zip(COUNTS) {
        for from in Element::ALL {
            casts(&noise(seed, count * from.bytes() as usize), from);
        }
    }
}

#[test]
fn dequantized_blocks() {
    let Some(kernels) = kernels() else { return };
    for format in [BlockFormat::Q8_0, BlockFormat::Q4_0] {
        let bytes = format.bytes() as usize;
        let mut every_scale = noise(2, 65_536 * bytes);
        for (block, scale) in every_scale.chunks_exact_mut(bytes).zip(0..=u16::MAX) {
            block[..2].copy_from_slice(&scale.to_le_bytes());
            block[2] &= 0x0f; // some numbers are 0, or the least
        }
        for values in [every_scale, noise(3, bytes), noise(4, 3 * bytes), noise(5, 35 * bytes)] {
            let operation = Operation::DequantizeBlocks { blocks: (values.len() / bytes) as u32, format };
            let expected = quantized::dequantize_blocks(&values, format);
            assert!(kernels.operate(&operation, &[&values], &noise(9, expected.len())) == expected, "{operation:?}");
        }
    }
}

#[test]
fn dequantized_channels() {
    let Some(kernels) = kernels() else { return };
    let shapes: [&[u64]; 7] = [&[1], &[33], &[3, 5], &[256, 7], &[5, 3, 2, 7], &[3, 65_537], &[65_537, 3]];
    for (seed, shape) in (0..).zip(shapes) {
        let count = shape.iter().product::<u64>() as usize;
        let values = noise(seed, count);
        for axis in 0..shape.len() {
            let channels = shape[axis] as usize;
            let (scales, zeros) = (ops::scales(seed, channels), noise(seed + 50, channels));
            let bytes: Vec<u8> = scales.iter().flat_map(|bits| bits.to_le_bytes()).collect();
            for (signed, zero_points) in [(false, false), (false, true), (true, false), (true, true)] {
                let zeros = if zero_points { &zeros[..] } else { &[] };
                let inner = shape[axis + 1..].iter().product::<u64>() as u32;
                let there = zero_points.then_some(zeros);
                let expected = quantized::dequantize_channels(&values, signed, shape, axis, &scales, there);
                // Whole, and from somewhere within a channel on.
                for start in [0, count / 3] {
                    let operation = Operation::DequantizeChannels {
                        count: (count - start) as u32,
                        inner,
                        channels: channels as u32,
                        first_inner: start as u32 % inner,
                        first_channel: start as u32 / inner % channels as u32,
                        signed,
                        zero_points,
                    };
                    let expected = &expected[4 * start..];
                    let made =
                        kernels.operate(&operation, &[&values[start..], &bytes, zeros], &noise(9, expected.len()));
                    assert!(made == expected, "{shape:?}, axis {axis}: {operation:?}");
                }
            }
        }
    }
}

/// Every order of up to four dimensions, elements of every size.
#[test]
fn strided_copies() {
    let Some(kernels) = kernels() else { return };
    let shapes: [[u64; 4]; 7] =
        [[1, 1, 1, 1], [1, 1, 1, 7], [1, 1, 3, 5], [1, 2, 3, 5], [2, 3, 5, 7], [1, 31, 1, 3], [3, 1, 97, 301]];
    for shape in shapes {
        let count: u64 = shape.iter().product();
        let steps = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1];
        for element_bytes in [1, 2, 4, 8] {
            let values = noise(1, count as usize * element_bytes);
            for axes in (0..256).map(|i| [i / 64, i / 16 % 4, i / 4 % 4, i % 4]) {
                if (0..4).any(|axis| !axes.contains(&axis)) {
                    continue;
                }
                let operation = Operation::StridedCopy(StridedCopy {
                    count: count as u32,
                    first: 0,
                    element_bytes: element_bytes as u32,
                    offset: 0,
                    window_first: 0,
                    window_count: count as u32,
                    extents: axes.map(|axis| shape[axis] as u32),
                    strides: axes.map(|axis| steps[axis] as u32),
                });
                let expected = order::permute(&values, element_bytes, &shape, &axes);
                assert!(kernels.operate(&operation, &[&values], &noise(9, values.len())) == expected, "{operation:?}");
            }
        }
    }
}

/// Parts of a transpose, of the input and of the output: what has no input bound stays as it was.
#[test]
fn strided_copies_of_parts() {
    let Some(kernels) = kernels() else { return };
    let (rows, columns) = (37, 53);
    let elements = rows * columns;
    for bytes in [1, 2, 4, 8] {
        let (before, values) = (noise(1, elements * bytes), noise(2, elements * bytes));
        let transposed = order::permute(&values, bytes, &[rows as u64, columns as u64], &[1, 0]);
        for (window, part) in [(0..512, 0..elements), (512..1536, 512..1024), (4..elements, 8..1000), (0..1, 4..5)] {
            let operation = Operation::StridedCopy(StridedCopy {
                count: part.len() as u32,
                first: part.start as u32,
                element_bytes: bytes as u32,
                offset: 0,
                window_first: window.start as u32,
                window_count: window.len() as u32,
                extents: [1, 1, columns as u32, rows as u32],
                strides: [0, 0, 1, columns as u32],
            });
            let mut expected = before.clone();
            for to in part.clone().filter(|to| window.contains(&(to % rows * columns + to / rows))) {
                expected[to * bytes..(to + 1) * bytes].copy_from_slice(&transposed[to * bytes..(to + 1) * bytes]);
            }
            let place = part.start * bytes..part.end * bytes;
            let bound = &values[window.start * bytes..window.end * bytes];
            let made = kernels.operate(&operation, &[bound], &before[place.clone()]);
            assert!(made == expected[place], "{operation:?}");
        }
    }
}
