//! Casts, from what the formats' bits stand for (IEEE 754-2019, sections 3.4 and 4.3.1).
//!
//! Values are exact: a binary64 holds every value of the formats here, and every one between two of them that matters.

use crate::kernel::Element;

/// A binary format: a sign bit, then the biased exponent, then the fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    exponent_bits: u32,
    fraction_bits: u32,
}

/// IEEE 754's binary16.
pub const BINARY16: Format = Format { exponent_bits: 5, fraction_bits: 10 };
/// bfloat16, binary32's upper half.
pub const BFLOAT16: Format = Format { exponent_bits: 8, fraction_bits: 7 };
/// IEEE 754's binary32.
pub const BINARY32: Format = Format { exponent_bits: 8, fraction_bits: 23 };

impl Format {
    /// The sign bit.
    #[must_use]
    pub fn sign(self) -> u32 {
        1 << (self.exponent_bits + self.fraction_bits)
    }

    /// The bits of infinity; what lies between them and the sign bit are NaNs.
    #[must_use]
    pub fn infinity(self) -> u32 {
        ((1 << self.exponent_bits) - 1) << self.fraction_bits
    }

    /// What bits below [`Format::infinity`] stand for (section 3.4, items c to e). Those of infinity give the power of two
    /// behind the largest finite value.
    #[must_use]
    pub fn value(self, bits: u32) -> f64 {
        let bias = (1 << (self.exponent_bits - 1)) - 1;
        let exponent = (bits >> self.fraction_bits) as i32;
        let fraction = bits & ((1 << self.fraction_bits) - 1);
        let scale = |exponent: i32| 2f64.powi(exponent - bias - self.fraction_bits as i32);
        match exponent {
            0 => f64::from(fraction) * scale(1),
            _ => f64::from(fraction + (1 << self.fraction_bits)) * scale(exponent),
        }
    }

    /// The bits of the value nearest to a magnitude, of two equally near the one whose last bit is 0 (roundTiesToEven, section
    /// 4.3.1). What rounds to the power of two behind the largest finite value is infinite.
    #[must_use]
    pub fn nearest(self, magnitude: f64) -> u32 {
        // Magnitudes rise with their bits.
        let (mut low, mut high) = (0, self.infinity());
        if magnitude >= self.value(high) {
            return high;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.value(middle) <= magnitude {
                low = middle;
            } else {
                high = middle;
            }
        }
        let (below, above) = (magnitude - self.value(low), self.value(high) - magnitude);
        match below.total_cmp(&above) {
            std::cmp::Ordering::Less => low,
            std::cmp::Ordering::Greater => high,
            std::cmp::Ordering::Equal => low + (low & 1),
        }
    }
}

/// Casts little-endian elements, as [`crate::ops::cast`] says.
#[must_use]
pub fn cast(input: &[u8], from: Element, to: Element) -> Vec<u8> {
    if from == to || (from.bytes() == 1 && to.bytes() == 1) {
        return input.to_vec();
    }
    let elements = input.chunks_exact(from.bytes() as usize);
    let cast_one = |element: &[u8]| {
        let bits = element.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        let cast = match format(from) {
            Some(format) => cast_float(bits, format, to),
            None if from == Element::I8 => cast_value(f64::from(bits as i8), to),
            None => cast_value(f64::from(bits), to),
        };
        cast.to_le_bytes()[..to.bytes() as usize].to_vec()
    };
    elements.flat_map(cast_one).collect()
}

fn format(element: Element) -> Option<Format> {
    match element {
        Element::F32 => Some(BINARY32),
        Element::F16 => Some(BINARY16),
        Element::BF16 => Some(BFLOAT16),
        Element::I8 | Element::U8 => None,
    }
}

fn cast_float(bits: u32, from: Format, to: Element) -> u32 {
    let magnitude = bits & (from.sign() - 1);
    let sign = if bits & from.sign() == 0 { 1.0 } else { -1.0 };
    if magnitude > from.infinity() {
        return cast_nan(sign, magnitude - from.infinity(), from, to);
    }
    let value = if magnitude == from.infinity() { f64::INFINITY } else { from.value(magnitude) };
    cast_value(sign * value, to)
}

/// A NaN stays one and becomes quiet: its fraction's highest bit is 1 (section 6.2.1). In an integer it is 0.
fn cast_nan(sign: f64, payload: u32, from: Format, to: Element) -> u32 {
    let Some(to) = format(to) else { return 0 };
    let aligned = (u64::from(payload) << to.fraction_bits >> from.fraction_bits) as u32;
    let quiet = 1 << (to.fraction_bits - 1);
    to.infinity() | quiet | aligned | if sign < 0.0 { to.sign() } else { 0 }
}

fn cast_value(value: f64, to: Element) -> u32 {
    match format(to) {
        Some(format) => format.nearest(value.abs()) | if value.is_sign_negative() { format.sign() } else { 0 },
        None if to == Element::I8 => value.trunc().clamp(-128.0, 127.0) as i8 as u8 as u32,
        None => value.trunc().clamp(0.0, 255.0) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_formats() {
        assert_eq!(BINARY16.value(0x3c00), 1.0);
        assert_eq!(BINARY16.value(0x7bff), 65504.0);
        assert_eq!(BINARY16.value(1), 2f64.powi(-24));
        assert_eq!(BINARY16.value(0x3555), 0.333_251_953_125);
        assert_eq!(BFLOAT16.value(0x4049), 3.140_625);
        assert_eq!((BFLOAT16.infinity(), BINARY32.infinity()), (0x7f80, 0x7f80_0000));
        for bits in [0, 1, 0x7f_ffff, 0x80_0000, 0x3f80_0000, 0x4049_0fdb, 0x7f7f_ffff] {
            assert_eq!(BINARY32.value(bits), f64::from(f32::from_bits(bits)));
        }
    }

    /// Rust's own conversion from binary64 to binary32 rounds as this one does.
    #[test]
    fn nearest_is_what_the_processor_gives() {
        for i in 0..20_000u64 {
            let value = f64::from_bits(0x3600_0000_0000_0000 + i * 0x0000_29a5_b6c7_d8e9);
            assert_eq!(BINARY32.nearest(value), (value as f32).to_bits(), "{value:e}");
        }
        for (value, bits) in [(65519.9, 0x7bff), (65520.0, 0x7c00), (1e9, 0x7c00), (f64::INFINITY, 0x7c00)] {
            assert_eq!(BINARY16.nearest(value), bits);
        }
        // Half of the least subnormal is a tie with 0, which is even; three halves of it with 2.
        let least = BINARY16.value(1);
        for (value, bits) in [(least * 0.5, 0), (least * 0.500_001, 1), (least * 1.5, 2), (least * 2.5, 2)] {
            assert_eq!(BINARY16.nearest(value), bits);
        }
    }

    #[test]
    fn casts_are_those_of_rust() {
        for value in [0.0f32, -0.0, 0.99, -0.99, 1.5, -1.5, 127.9, 128.0, -128.9, -129.0, 255.5, 256.0, 1e30, -1e30] {
            let bytes = value.to_le_bytes();
            assert_eq!(cast(&bytes, Element::F32, Element::I8), [value as i8 as u8], "{value}");
            assert_eq!(cast(&bytes, Element::F32, Element::U8), [value as u8], "{value}");
        }
        assert_eq!(cast(&[0, 0, 0xc0, 0xff], Element::F32, Element::I8), [0]);
        assert_eq!(cast(&[0x01, 0x60, 0x80, 0xff], Element::F32, Element::F16), [0x03, 0xfe]);
        assert_eq!(cast(&[0x01, 0xfc], Element::F16, Element::F32), [0, 0x20, 0xc0, 0xff]);
        assert_eq!(cast(&[0xff], Element::I8, Element::F32), (-1f32).to_le_bytes());
        assert_eq!(cast(&[0xff], Element::I8, Element::U8), [0xff]);
    }
}
