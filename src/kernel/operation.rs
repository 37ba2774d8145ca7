//! What the tensor kernels are asked to do: how each reads the 16 words of its [`Params`].
//!
//! Elements and words are little-endian. Every kernel is constant-time in what it reads: which bytes it touches follows
//! from these parameters alone.

use super::{Kernel, Params, StridedCopy};

/// An element type that casts know. Its number is the one in the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Element {
    /// IEEE 754 binary32.
    F32 = 0,
    /// IEEE 754 binary16.
    F16 = 1,
    /// Upper half of a binary32.
    BF16 = 2,
    /// Signed byte, two's complement.
    I8 = 3,
    /// Unsigned byte.
    U8 = 4,
}

impl Element {
    /// Every element type.
    pub const ALL: [Element; 5] = [Element::F32, Element::F16, Element::BF16, Element::I8, Element::U8];

    /// Size of one.
    pub const fn bytes(self) -> u32 {
        match self {
            Element::F32 => 4,
            Element::F16 | Element::BF16 => 2,
            Element::I8 | Element::U8 => 1,
        }
    }
}

/// A quantized format of GGML's: blocks of 32 elements, each with its own scale d.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum BlockFormat {
    /// d as binary16, then 32 signed bytes q: 34 bytes. Element i is q\[i\] × d.
    Q8_0 = 34,
    /// d as binary16, then 16 bytes of two numbers q from 0 to 15: 18 bytes. Elements 0 to 15 are the low halves,
    /// elements 16 to 31 the high halves; each is (q − 8) × d.
    Q4_0 = 18,
}

impl BlockFormat {
    /// Elements of a block.
    pub const ELEMENTS: u32 = 32;

    /// Bytes of a block, which is also the format's number in the parameters.
    pub const fn bytes(self) -> u32 {
        self as u32
    }
}

/// A launch of a tensor kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Of [`Kernel::CastElements`].
    CastElements {
        /// How many.
        count: u32,
        /// What the input holds.
        from: Element,
        /// What the output gets.
        to: Element,
    },
    /// Of [`Kernel::DequantizeBlocks`].
    DequantizeBlocks {
        /// How many blocks.
        blocks: u32,
        /// Their format.
        format: BlockFormat,
    },
    /// Of [`Kernel::DequantizeChannels`]. Bound element e is of channel ((first_inner + e) ÷ inner + first_channel) mod channels.
    DequantizeChannels {
        /// How many elements are bound.
        count: u32,
        /// Elements between one channel and the next.
        inner: u32,
        /// How many channels.
        channels: u32,
        /// Where in its channel the first bound element stands.
        first_inner: u32,
        /// The first bound element's channel.
        first_channel: u32,
        /// Whether bytes are signed.
        signed: bool,
        /// Whether zero points are bound; else there are none, and what is bound in their place is not read.
        zero_points: bool,
    },
    /// Of [`Kernel::StridedCopy`].
    StridedCopy(StridedCopy),
}

impl Operation {
    /// The kernel.
    pub fn kernel(&self) -> Kernel {
        match self {
            Operation::CastElements { .. } => Kernel::CastElements,
            Operation::DequantizeBlocks { .. } => Kernel::DequantizeBlocks,
            Operation::DequantizeChannels { .. } => Kernel::DequantizeChannels,
            Operation::StridedCopy(_) => Kernel::StridedCopy,
        }
    }

    /// The parameters of its launch.
    pub fn params(&self) -> Params {
        let mut words = [0; 16];
        let mut put = |values: &[u32]| words[..values.len()].copy_from_slice(values);
        match *self {
            Operation::CastElements { count, from, to } => put(&[count, from as u32, to as u32]),
            Operation::DequantizeBlocks { blocks, format } => put(&[blocks, format.bytes()]),
            Operation::DequantizeChannels {
                count,
                inner,
                channels,
                first_inner,
                first_channel,
                signed,
                zero_points,
            } => put(&[count, inner, channels, first_inner, first_channel, signed.into(), zero_points.into()]),
            Operation::StridedCopy(StridedCopy {
                count,
                first,
                element_bytes,
                offset,
                window_first,
                window_count,
                extents: [e0, e1, e2, e3],
                strides: [s0, s1, s2, s3],
            }) => {
                let bound = [count, first, element_bytes, offset, window_first, window_count, 0, 0];
                let dimensions = [e0, e1, e2, e3, s0, s1, s2, s3];
                put(&core::array::from_fn::<_, 16, _>(|i| if i < 8 { bound[i] } else { dimensions[i - 8] }));
            }
        }
        Params::from_words(words)
    }

    /// What a launch asks for. None where the kernel is no tensor kernel, or could not do it: an unknown type, nothing
    /// bound, an index beyond 32 bits.
    pub fn read(kernel: Kernel, params: &Params) -> Option<Self> {
        let words = params.words();
        let operation = match kernel {
            Kernel::CastElements => {
                let element = |word: u32| Element::ALL.get(word as usize).copied();
                Operation::CastElements { count: words[0], from: element(words[1])?, to: element(words[2])? }
            }
            Kernel::DequantizeBlocks => {
                let format = [BlockFormat::Q8_0, BlockFormat::Q4_0].into_iter().find(|f| f.bytes() == words[1])?;
                Operation::DequantizeBlocks { blocks: words[0], format }
            }
            Kernel::DequantizeChannels => {
                let [count, inner, channels, first_inner, first_channel, signed, zero_points, ..] = words;
                let (signed, zero_points) = (flag(signed)?, flag(zero_points)?);
                let last = u64::from(first_inner) + u64::from(count);
                if first_inner >= inner || first_channel >= channels || last > u64::from(u32::MAX) {
                    return None;
                }
                first_channel.checked_add(last as u32 / inner)?;
                Operation::DequantizeChannels {
                    count,
                    inner,
                    channels,
                    first_inner,
                    first_channel,
                    signed,
                    zero_points,
                }
            }
            Kernel::StridedCopy => Operation::StridedCopy(StridedCopy::read(words)?),
            _ => return None,
        };
        (operation.output_bytes() > 0 && operation.output_bytes() / 4 < u64::from(u32::MAX)).then_some(operation)
    }

    /// The bytes that it writes.
    pub fn output_bytes(&self) -> u64 {
        let bytes = |count: u32, each: u32| u64::from(count) * u64::from(each);
        match *self {
            Operation::CastElements { count, to, .. } => bytes(count, to.bytes()),
            Operation::DequantizeBlocks { blocks, .. } => bytes(blocks, 4 * BlockFormat::ELEMENTS),
            Operation::DequantizeChannels { count, .. } => bytes(count, 4),
            Operation::StridedCopy(StridedCopy { count, element_bytes, .. }) => bytes(count, element_bytes),
        }
    }

    /// The least that each binding holds, in the order of [`Kernel::bindings`].
    pub fn bound_bytes(&self) -> Vec<u64> {
        let bytes = |count: u32, each: u32| u64::from(count) * u64::from(each);
        let mut bound = match *self {
            Operation::CastElements { count, from, .. } => vec![bytes(count, from.bytes())],
            Operation::DequantizeBlocks { blocks, format } => vec![bytes(blocks, format.bytes())],
            Operation::DequantizeChannels { count, channels, zero_points, .. } => {
                vec![bytes(count, 1), bytes(channels, 4), bytes(channels, zero_points.into())]
            }
            Operation::StridedCopy(StridedCopy { window_count, element_bytes, .. }) => {
                vec![bytes(window_count, element_bytes)]
            }
        };
        bound.push(self.output_bytes());
        bound
    }
}

fn flag(word: u32) -> Option<bool> {
    match word {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: StridedCopy = StridedCopy {
        count: 24,
        first: 0,
        element_bytes: 2,
        offset: 0,
        window_first: 0,
        window_count: 24,
        extents: [1, 2, 3, 4],
        strides: [24, 1, 2, 6],
    };

    #[test]
    fn operations_are_read_as_they_were_asked_for() {
        let channels = Operation::DequantizeChannels {
            count: 60,
            inner: 5,
            channels: 3,
            first_inner: 4,
            first_channel: 2,
            signed: true,
            zero_points: false,
        };
        let blocks = Operation::DequantizeBlocks { blocks: 3, format: BlockFormat::Q4_0 };
        let cast = Operation::CastElements { count: 7, from: Element::BF16, to: Element::I8 };
        for (operation, bound) in [
            (cast, vec![14, 7]),
            (blocks, vec![54, 384]),
            (channels, vec![60, 12, 0, 240]),
            (Operation::StridedCopy(COPY), vec![48, 48]),
        ] {
            assert_eq!(Operation::read(operation.kernel(), &operation.params()), Some(operation));
            assert_eq!(operation.bound_bytes(), bound);
            assert_eq!(operation.kernel().bindings().len(), bound.len());
        }
    }

    #[test]
    fn what_no_kernel_can_do_is_not_read() {
        let refused = |kernel, words: &[u32]| {
            let params = Params::from_words(core::array::from_fn(|i| words.get(i).copied().unwrap_or_default()));
            assert_eq!(Operation::read(kernel, &params), None, "{kernel:?} {words:?}");
        };
        refused(Kernel::Open, &[1, 0, 0]);
        refused(Kernel::CastElements, &[0, 0, 0]);
        refused(Kernel::CastElements, &[1, 5, 0]);
        refused(Kernel::CastElements, &[1, 0, u32::MAX]);
        refused(Kernel::DequantizeBlocks, &[1, 32]);
        refused(Kernel::DequantizeBlocks, &[u32::MAX, 34]);
        // Nothing between channels, no channels, beyond the channel, no such channel, past 32 bits, no flag.
        refused(Kernel::DequantizeChannels, &[1, 0, 1, 0, 0, 0, 0]);
        refused(Kernel::DequantizeChannels, &[1, 1, 0, 0, 0, 0, 0]);
        refused(Kernel::DequantizeChannels, &[1, 1, 1, 1, 0, 0, 0]);
        refused(Kernel::DequantizeChannels, &[1, 1, 1, 0, 1, 0, 0]);
        refused(Kernel::DequantizeChannels, &[u32::MAX, 2, 1, 1, 0, 0, 0]);
        refused(Kernel::DequantizeChannels, &[1, 1, 1, 0, 0, 2, 0]);
        for wrong in [
            StridedCopy { count: 25, ..COPY },
            StridedCopy { first: 1, ..COPY },
            StridedCopy { element_bytes: 3, ..COPY },
            StridedCopy { extents: [1, 0, 3, 4], ..COPY },
            StridedCopy { extents: [1 << 16, 1 << 16, 1, 1], ..COPY },
            StridedCopy { offset: u32::MAX, ..COPY },
            StridedCopy { strides: [0, u32::MAX, 1, 1], ..COPY },
            StridedCopy { window_first: u32::MAX, ..COPY },
        ] {
            refused(Kernel::StridedCopy, &Operation::StridedCopy(wrong).params().words());
        }
    }
}
