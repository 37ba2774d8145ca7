//! Operations that move elements and change none: permute, transpose, slice.

use core::ops::Range;

use super::{
    DeviceTensor,
    work::{Work, bind, units_a_launch},
};
use crate::{
    Error, Result,
    device::Device,
    kernel::{Operation, StridedCopy},
    tensor::Shape,
};

/// The largest number of dimensions that these operations take.
pub const MAX_RANK: usize = 4;
/// The largest number of elements that these operations take: 2³² − 1.
pub const MAX_ELEMENTS: u64 = u32::MAX as u64;

/// Puts dimensions into another order: dimension i of the result is dimension `axes[i]` of the tensor.
///
/// For elements of 1, 2, 4 or 8 bytes, up to [`MAX_RANK`] dimensions and [`MAX_ELEMENTS`]. Fails with [`Error::Usage`] beyond that, or
/// where `axes` does not name every dimension once; with [`Error::Backend`] where the device fails.
pub async fn permute<D: Device>(device: &D, tensor: &DeviceTensor<D>, axes: &[usize]) -> Result<DeviceTensor<D>> {
    let source = Source::of(tensor)?;
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..source.extents.len()) {
        return Err(Error::Usage("a permutation names every dimension of the tensor once"));
    }
    let pick = |of: &[u64]| axes.iter().map(|&axis| of[axis]).collect();
    copy(device, tensor, &source, View { offset: 0, extents: pick(&source.extents), strides: pick(&source.strides) })
        .await
}

/// Exchanges the last two dimensions: [`permute`] for matrices, and for batches of them.
pub async fn transpose<D: Device>(device: &D, tensor: &DeviceTensor<D>) -> Result<DeviceTensor<D>> {
    let rank = tensor.metadata().shape().extents().len();
    if rank < 2 {
        return Err(Error::Usage("only tensors of two dimensions or more can be transposed"));
    }
    let mut axes: Vec<usize> = (0..rank).collect();
    axes.swap(rank - 2, rank - 1);
    permute(device, tensor, &axes).await
}

/// Takes a range of each dimension, outermost first.
///
/// For elements of 1, 2, 4 or 8 bytes, up to [`MAX_RANK`] dimensions and [`MAX_ELEMENTS`]. Fails with [`Error::Usage`] beyond that, or
/// where the ranges are not one a dimension, each within it; with [`Error::Backend`] where the device fails.
pub async fn slice<D: Device>(device: &D, tensor: &DeviceTensor<D>, ranges: &[Range<u64>]) -> Result<DeviceTensor<D>> {
    let source = Source::of(tensor)?;
    let within = |(range, &extent): (&Range<u64>, &u64)| range.start <= range.end && range.end <= extent;
    if ranges.len() != source.extents.len() || !ranges.iter().zip(&source.extents).all(within) {
        return Err(Error::Usage("a slice is one range for each dimension, each within it"));
    }
    let extents: Vec<u64> = ranges.iter().map(|range| range.end - range.start).collect();
    // Without elements there is none to start at.
    let starts = ranges.iter().zip(&source.strides).map(|(range, stride)| range.start * stride);
    let offset = if extents.contains(&0) { 0 } else { starts.sum() };
    copy(device, tensor, &source, View { offset, extents, strides: source.strides.clone() }).await
}

/// How a tensor lies.
struct Source {
    element_bytes: u64,
    extents: Vec<u64>,
    /// In elements. Zeros for a tensor without any.
    strides: Vec<u64>,
}

impl Source {
    fn of<D: Device>(tensor: &DeviceTensor<D>) -> Result<Self> {
        let metadata = tensor.metadata();
        let extents = metadata.shape().extents().to_vec();
        if extents.len() > MAX_RANK {
            return Err(Error::Usage("tensors of more than 4 dimensions can be neither permuted nor sliced"));
        }
        if !matches!(metadata.dtype().bits(), 8 | 16 | 32 | 64) {
            return Err(Error::Usage("elements smaller than a byte can be neither permuted nor sliced"));
        }
        let element_bytes = metadata.dtype().bits() / 8;
        let elements = metadata.size_bytes() / element_bytes;
        if elements > MAX_ELEMENTS {
            return Err(Error::Usage("tensors of 2^32 elements or more can be neither permuted nor sliced"));
        }
        // Products of extents none of which is 0, so none is more than all.
        let after = |i: usize| if elements == 0 { 0 } else { extents[i + 1..].iter().product() };
        let strides = (0..extents.len()).map(after).collect();
        Ok(Source { element_bytes, extents, strides })
    }
}

/// What is wanted of a tensor: at (c₀, c₁, …) its element `offset` + Σ cᵢ × `strides[i]`.
struct View {
    offset: u64,
    extents: Vec<u64>,
    strides: Vec<u64>,
}

impl View {
    /// To four dimensions, with such of extent 1 before.
    fn padded(of: &[u64], with: u32) -> [u32; MAX_RANK] {
        let missing = MAX_RANK - of.len();
        core::array::from_fn(|i| if i < missing { with } else { of[i - missing] as u32 })
    }

    /// The first and the last of the tensor's elements that elements `part` of the result may come from.
    fn span(&self, part: &Range<u64>) -> (u64, u64) {
        let (mut first, mut last) = (self.offset, self.offset);
        let mut below: u64 = self.extents.iter().product();
        let (mut from, mut to) = (part.start, part.end - 1);
        let mut together = true;
        for (&extent, &stride) in self.extents.iter().zip(&self.strides) {
            below /= extent;
            // Once the two ends differ, every place further in occurs.
            let (low, high) = if together { (from / below, to / below) } else { (0, extent - 1) };
            (first, last) = (first + low * stride, last + high * stride);
            together &= low == high;
            (from, to) = (from % below, to % below);
        }
        (first, last)
    }
}

async fn copy<D: Device>(device: &D, tensor: &DeviceTensor<D>, source: &Source, view: View) -> Result<DeviceTensor<D>> {
    let metadata = tensor.metadata();
    let mut work = Work::new(device, tensor, metadata.dtype(), Shape::from(&view.extents[..]))?;
    let bytes = source.element_bytes;
    let (all, there) = (work_elements(&view), metadata.size_bytes() / bytes);
    let step = units_a_launch(device, bytes)?;
    let alignment = device.info().binding_alignment.max(1);
    for start in (0..all).step_by(step as usize) {
        let part = start..all.min(start + step);
        let (first, last) = view.span(&part);
        // A part of the result that comes from more than one binding takes is filled by a launch for each.
        for window in (first / alignment * alignment..last + 1).step_by(step as usize) {
            let window = window..there.min(window + step).min(last + 1);
            let operation = Operation::StridedCopy(StridedCopy {
                count: (part.end - part.start) as u32,
                first: part.start as u32,
                element_bytes: bytes as u32,
                offset: view.offset as u32,
                window_first: window.start as u32,
                window_count: (window.end - window.start) as u32,
                extents: View::padded(&view.extents, 1),
                strides: View::padded(&view.strides, 0),
            });
            let input = bind(tensor, window.start * bytes..window.end * bytes);
            work.launch(&operation, vec![input], part.start * bytes..part.end * bytes);
        }
    }
    work.finish().await
}

fn work_elements(view: &View) -> u64 {
    // A tensor's, so within 32 bits; but of extents that may be zero beside others of any size.
    if view.extents.contains(&0) { 0 } else { view.extents.iter().product() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The span of every part holds every element that the part comes from, and is no wider than it must be at a part of one.
    #[test]
    fn spans_hold_what_parts_come_from() {
        let view = View { offset: 7, extents: vec![3, 4, 5], strides: vec![1, 15, 3] };
        let source = |i: u64| 7 + i / 20 + i / 5 % 4 * 15 + i % 5 * 3;
        for start in 0..60 {
            assert_eq!(view.span(&(start..start + 1)), (source(start), source(start)));
            for end in start + 1..=60 {
                let (first, last) = view.span(&(start..end));
                assert!((start..end).all(|i| (first..=last).contains(&source(i))), "{start}..{end}");
            }
        }
        let scalar = View { offset: 5, extents: vec![], strides: vec![] };
        assert_eq!(scalar.span(&(0..1)), (5, 5));
    }
}
