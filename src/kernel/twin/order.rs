//! Elements in another order: from one place of the result to the next, outermost dimension first.

use core::ops::Range;

/// Every place of a tensor, in the order in which its elements lie.
pub fn places(extents: &[u64]) -> impl Iterator<Item = Vec<u64>> {
    let count: u64 = if extents.contains(&0) { 0 } else { extents.iter().product() };
    (0..count).map(|index| {
        let mut rest = index;
        let mut place: Vec<u64> = extents
            .iter()
            .rev()
            .map(|extent| {
                let c = rest % extent;
                rest /= extent;
                c
            })
            .collect();
        place.reverse();
        place
    })
}

/// Where the element at a place starts.
fn at(place: &[u64], extents: &[u64], element_bytes: usize) -> usize {
    let index = place.iter().zip(extents).fold(0, |index, (c, extent)| index * extent + c);
    index as usize * element_bytes
}

/// Dimension i of the result is dimension `axes[i]` of the input.
#[must_use]
pub fn permute(input: &[u8], element_bytes: usize, extents: &[u64], axes: &[usize]) -> Vec<u8> {
    let permuted: Vec<u64> = axes.iter().map(|&axis| extents[axis]).collect();
    let mut out = Vec::new();
    for place in places(&permuted) {
        let mut source = vec![0; extents.len()];
        for (&axis, c) in axes.iter().zip(place) {
            source[axis] = c;
        }
        let start = at(&source, extents, element_bytes);
        out.extend(&input[start..start + element_bytes]);
    }
    out
}

/// A range of each dimension.
#[must_use]
pub fn slice(input: &[u8], element_bytes: usize, extents: &[u64], ranges: &[Range<u64>]) -> Vec<u8> {
    let inside = |place: &Vec<u64>| place.iter().zip(ranges).all(|(c, range)| range.contains(c));
    let starts = places(extents).filter(inside).map(|place| at(&place, extents, element_bytes));
    starts.flat_map(|start| input[start..start + element_bytes].to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_are_transposed_and_cut() {
        let matrix = *b"abcdef";
        assert_eq!(permute(&matrix, 1, &[2, 3], &[1, 0]), b"adbecf");
        assert_eq!(permute(&matrix, 2, &[1, 3], &[1, 0]), b"abcdef");
        assert_eq!(slice(&matrix, 1, &[2, 3], &[0..2, 1..3]), b"bcef");
        assert_eq!(slice(&matrix, 1, &[2, 3], &[1..1, 0..3]), b"");
        assert_eq!(slice(&matrix, 6, &[], &[]), b"abcdef");
        assert!(places(&[2, 2]).eq([[0, 0], [0, 1], [1, 0], [1, 1]]));
        assert_eq!(places(&[3, 0, u64::MAX]).count(), 0);
    }
}
