//! A copy by strides: what permute, transpose and slice are.

/// Output element (c₀, c₁, c₂, c₃) is input element `offset` + Σ cᵢ × `strides[i]`. What is bound of the output is `count`
/// elements from the `first` on, in row-major order; of the input, `window_count` elements from `window_first` on. Output
/// elements whose input is not bound are left as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StridedCopy {
    /// Output elements bound.
    pub count: u32,
    /// The first of them.
    pub first: u32,
    /// Size of an element: 1, 2, 4 or 8.
    pub element_bytes: u32,
    /// The input element that comes first.
    pub offset: u32,
    /// The first input element bound.
    pub window_first: u32,
    /// Input elements bound.
    pub window_count: u32,
    /// The output's extents, outermost first.
    pub extents: [u32; 4],
    /// Input elements between neighbours in each dimension of the output.
    pub strides: [u32; 4],
}

impl StridedCopy {
    /// None where an index would pass 32 bits: 2³² − 1 elements are the most on either side.
    pub(super) fn read(words: [u32; 16]) -> Option<Self> {
        let [count, first, element_bytes, offset, window_first, window_count, _, _, dimensions @ ..] = words;
        let [e0, e1, e2, e3, s0, s1, s2, s3] = dimensions;
        let copy = StridedCopy {
            count,
            first,
            element_bytes,
            offset,
            window_first,
            window_count,
            extents: [e0, e1, e2, e3],
            strides: [s0, s1, s2, s3],
        };
        let elements = copy.extents.iter().try_fold(1u32, |product, &extent| product.checked_mul(extent))?;
        let mut last = offset;
        for (extent, stride) in copy.extents.into_iter().zip(copy.strides) {
            last = last.checked_add(extent.checked_sub(1)?.checked_mul(stride)?)?;
        }
        let bound = first.checked_add(count)? <= elements && window_first.checked_add(window_count).is_some();
        (bound && matches!(element_bytes, 1 | 2 | 4 | 8)).then_some(copy)
    }

    /// The input element of an output element.
    pub(crate) fn source(&self, index: u32) -> u32 {
        let mut rest = index;
        let mut source = self.offset;
        for (extent, stride) in self.extents.into_iter().zip(self.strides).rev() {
            source += rest % extent * stride;
            rest /= extent;
        }
        source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_say_where_elements_come_from() {
        let copy = StridedCopy {
            count: 24,
            first: 0,
            element_bytes: 2,
            offset: 0,
            window_first: 0,
            window_count: 24,
            extents: [1, 2, 3, 4],
            strides: [24, 1, 2, 6],
        };
        let sources: Vec<u32> = (0..24).map(|i| copy.source(i)).collect();
        assert_eq!(sources[..8], [0, 6, 12, 18, 2, 8, 14, 20]);
        assert_eq!(sources[23], 1 + 2 * 2 + 3 * 6);
    }
}
