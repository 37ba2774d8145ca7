//! The tensor kernels launch by launch: by parts, as large tensors are handled, and with what none of them can do.

use core::ops::Range;

use super::{noise, read, write};
use crate::{
    Error, Result,
    device::{Binding, Device, Launch},
    kernel::{BlockFormat, Element, Kernel, Operation, Params, StridedCopy, twin},
};

/// The most strictly aligned parts start at multiples of this many bytes.
const STEP: u64 = 512;

/// A transpose by parts of the output and of the input: each launch writes what it has and leaves the rest as it was.
pub async fn copies_of_parts<D: Device>(device: &D) {
    let (rows, columns) = (37, 53);
    let elements = rows * columns;
    for element_bytes in [1, 2, 4, 8] {
        let bytes = (elements * element_bytes) as usize;
        let (before, values) = (noise(1, bytes), noise(2, bytes));
        let (input, output) = (filled(device, &values).await, filled(device, &before).await);
        let transposed = twin::order::permute(&values, element_bytes as usize, &[rows, columns], &[1, 0]);
        let mut expected = before.clone();
        for window in parts(elements) {
            for part in parts(elements) {
                let operation = Operation::StridedCopy(StridedCopy {
                    count: (part.end - part.start) as u32,
                    first: part.start as u32,
                    element_bytes: element_bytes as u32,
                    offset: 0,
                    window_first: window.start as u32,
                    window_count: (window.end - window.start) as u32,
                    extents: [1, 1, columns as u32, rows as u32],
                    strides: [0, 0, 1, columns as u32],
                });
                let scaled = |range: &Range<u64>| range.start * element_bytes..range.end * element_bytes;
                launch(device, &operation, &[(&input, scaled(&window)), (&output, scaled(&part))]).await.expect("runs");
            }
            for to in (0..elements).filter(|to| window.contains(&(to % rows * columns + to / rows))) {
                let place = (to * element_bytes) as usize..((to + 1) * element_bytes) as usize;
                expected[place.clone()].copy_from_slice(&transposed[place]);
            }
            assert!(read(device, &output, 0..bytes as u64).await == expected, "{element_bytes} bytes, {window:?}");
        }
    }
}

/// Parts that start within a channel, and within the channels' round.
pub async fn channels_of_parts<D: Device>(device: &D) {
    let (outer, channels, inner) = (9, 7, 33);
    let elements: u64 = outer * channels * inner;
    let (values, zeros) = (noise(3, elements as usize), noise(4, channels as usize));
    let scales: Vec<u32> = (0..channels as u32).map(|i| (1.0 + i as f32).to_bits()).collect();
    let (input, zeros_there) = (filled(device, &values).await, filled(device, &zeros).await);
    let scales_there = filled(device, &scales.iter().flat_map(|bits| bits.to_le_bytes()).collect::<Vec<_>>()).await;
    let output = device.alloc(4 * elements).expect("allocates");
    for part in parts(elements) {
        let operation = Operation::DequantizeChannels {
            count: (part.end - part.start) as u32,
            inner: inner as u32,
            channels: channels as u32,
            first_inner: (part.start % inner) as u32,
            first_channel: (part.start / inner % channels) as u32,
            signed: true,
            zero_points: true,
        };
        let written = 4 * part.start..4 * part.end;
        let bindings =
            [(&input, part), (&scales_there, 0..4 * channels), (&zeros_there, 0..channels), (&output, written)];
        launch(device, &operation, &bindings).await.expect("runs");
    }
    let extents = [outer, channels, inner];
    let expected = twin::quantized::dequantize_channels(&values, true, &extents, 1, &scales, Some(&zeros));
    assert!(read(device, &output, 0..4 * elements).await == expected);
}

/// Parameters that no kernel can follow, bindings too short for them and outputs that are inputs are errors, and nothing
/// is written.
pub async fn impossible_launches_are_refused<D: Device>(device: &D) {
    let (input, output) = (filled(device, &[1; 2048]).await, filled(device, &[2; 2048]).await);
    let refused = async |kernel: Kernel, bindings: &[(&D::Buffer, Range<u64>)], params: Params| {
        let ran = run(device, kernel, bindings, params).await;
        assert!(matches!(ran, Err(Error::Backend(_))), "{kernel:?}: {ran:?}");
        assert!(read(device, &output, 0..2048).await == [2; 2048]);
    };
    let copy = StridedCopy {
        count: 100,
        first: 0,
        element_bytes: 4,
        offset: 0,
        window_first: 0,
        window_count: 100,
        extents: [1, 1, 10, 10],
        strides: [0, 0, 1, 10],
    };
    let channels = Operation::DequantizeChannels {
        count: 100,
        inner: 5,
        channels: 20,
        first_inner: 0,
        first_channel: 0,
        signed: false,
        zero_points: true,
    };
    let operations = [
        (Operation::CastElements { count: 100, from: Element::F32, to: Element::F32 }, vec![400, 400]),
        (Operation::DequantizeBlocks { blocks: 4, format: BlockFormat::Q8_0 }, vec![136, 512]),
        (channels, vec![100, 80, 20, 400]),
        (Operation::StridedCopy(copy), vec![400, 400]),
    ];
    for (operation, lengths) in operations {
        let (kernel, last) = (operation.kernel(), lengths.len() - 1);
        let bound = |short: Option<usize>| -> Vec<(&D::Buffer, Range<u64>)> {
            let length = |i: usize| lengths[i] - u64::from(short == Some(i));
            (0..=last).map(|i| (if i == last { &output } else { &input }, 0..length(i))).collect()
        };
        refused(kernel, &bound(None), Params::default()).await;
        refused(kernel, &bound(None), Params::from_words([u32::MAX; 16])).await;
        refused(kernel, &bound(None)[..last], operation.params()).await;
        for i in 0..=last {
            refused(kernel, &bound(Some(i)), operation.params()).await;
        }
        let mut alias = bound(None);
        alias[0].0 = &output;
        refused(kernel, &alias, operation.params()).await;
    }
    // The same, right.
    let whole = [(&input, 0..400), (&output, 0..400)];
    launch(device, &Operation::StridedCopy(copy), &whole).await.expect("runs");
    assert!(read(device, &output, 0..2048).await[..400] == [1; 400]);
}

fn parts(elements: u64) -> impl Iterator<Item = Range<u64>> {
    (0..elements).step_by(STEP as usize).map(move |start| start..elements.min(start + STEP))
}

/// A buffer with these bytes, and some more: kernels may bind and write whole words.
async fn filled<D: Device>(device: &D, bytes: &[u8]) -> D::Buffer {
    let buffer = device.alloc((bytes.len() as u64).next_multiple_of(16)).expect("allocates");
    write(device, &buffer, 0, bytes).await;
    buffer
}

async fn launch<D: Device>(device: &D, operation: &Operation, bindings: &[(&D::Buffer, Range<u64>)]) -> Result<()> {
    run(device, operation.kernel(), bindings, operation.params()).await
}

async fn run<D: Device>(
    device: &D,
    kernel: Kernel,
    bindings: &[(&D::Buffer, Range<u64>)],
    params: Params,
) -> Result<()> {
    let bindings: Vec<_> =
        bindings.iter().map(|(buffer, range)| Binding { buffer: *buffer, range: range.clone() }).collect();
    let mut batch = device.batch();
    device.launch(&mut batch, Launch { kernel, bindings: &bindings, params });
    device.wait(device.submit(batch)?).await.map(drop)
}
