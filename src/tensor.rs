//! What a tensor is, apart from its bytes: element type, shape, names, and their one canonical encoding.
//!
//! Metadata travels readable and authenticated: routers and allocators need it before any key is at hand,
//! and every chunk's tag binds it. Do not put secrets into a tensor's name.

use core::{fmt, str::FromStr};

use crate::{Error, Result};

/// The largest tensor that one record carries: 64 GiB.
pub const MAX_TENSOR_BYTES: u64 = 64 << 30;
/// The longest encoded metadata: 4096 bytes.
pub const MAX_METADATA_BYTES: usize = 4096;
/// The largest number of dimensions.
pub const MAX_RANK: usize = 64;

macro_rules! dtypes {
    ($($(#[$doc:meta])* $variant:ident, $bits:literal, $name:literal $(, $alias:literal)*;)*) => {
        /// The element types of the safetensors format, under its names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types)]
        #[non_exhaustive]
        pub enum DType { $($(#[$doc])* $variant,)* }

        impl DType {
            /// Every element type.
            pub const ALL: &'static [DType] = &[$(DType::$variant,)*];

            /// Size of one element in bits; 4 and 6 occur.
            pub const fn bits(self) -> u64 {
                match self { $(DType::$variant => $bits,)* }
            }

            /// The safetensors name, as it stands in encoded metadata.
            pub const fn name(self) -> &'static str {
                match self { $(DType::$variant => $name,)* }
            }
        }

        impl FromStr for DType {
            type Err = Error;

            /// Reads a safetensors name ("F32") or the usual long name ("float32").
            fn from_str(name: &str) -> Result<Self> {
                match name {
                    $($name $(| $alias)* => Ok(DType::$variant),)*
                    _ => Err(Error::Metadata("unknown element type")),
                }
            }
        }
    };
}

dtypes! {
    /// Boolean, one byte an element.
    BOOL, 8, "BOOL", "bool";
    /// OCP microscaling 4-bit float, two elements a byte.
    F4, 4, "F4", "float4";
    /// OCP microscaling 6-bit float, 2 exponent bits.
    F6_E2M3, 6, "F6_E2M3";
    /// OCP microscaling 6-bit float, 3 exponent bits.
    F6_E3M2, 6, "F6_E3M2";
    /// Unsigned 8-bit integer.
    U8, 8, "U8", "uint8";
    /// Signed 8-bit integer.
    I8, 8, "I8", "int8";
    /// 8-bit float, 5 exponent bits.
    F8_E5M2, 8, "F8_E5M2", "float8_e5m2";
    /// 8-bit float, 4 exponent bits.
    F8_E4M3, 8, "F8_E4M3", "float8_e4m3fn";
    /// OCP microscaling 8-bit exponent.
    F8_E8M0, 8, "F8_E8M0", "float8_e8m0fnu";
    /// 8-bit float, 4 exponent bits, no negative zero.
    F8_E4M3FNUZ, 8, "F8_E4M3FNUZ", "float8_e4m3fnuz";
    /// 8-bit float, 5 exponent bits, no negative zero.
    F8_E5M2FNUZ, 8, "F8_E5M2FNUZ", "float8_e5m2fnuz";
    /// Signed 16-bit integer.
    I16, 16, "I16", "int16";
    /// Unsigned 16-bit integer.
    U16, 16, "U16", "uint16";
    /// IEEE 754 binary16.
    F16, 16, "F16", "float16";
    /// Upper half of an IEEE 754 binary32.
    BF16, 16, "BF16", "bfloat16";
    /// Signed 32-bit integer.
    I32, 32, "I32", "int32";
    /// Unsigned 32-bit integer.
    U32, 32, "U32", "uint32";
    /// IEEE 754 binary32.
    F32, 32, "F32", "float32";
    /// Complex of two binary32.
    C64, 64, "C64", "complex64";
    /// IEEE 754 binary64.
    F64, 64, "F64", "float64";
    /// Signed 64-bit integer.
    I64, 64, "I64", "int64";
    /// Unsigned 64-bit integer.
    U64, 64, "U64", "uint64";
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Extents, outermost first. Empty for a scalar; a zero extent makes an empty tensor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<u64>);

impl Shape {
    /// The extents.
    pub fn extents(&self) -> &[u64] {
        &self.0
    }

    /// The number of bytes of a tensor of this shape: ∏ extents × element bits ÷ 8.
    ///
    /// Fails with [`Error::Metadata`] on overflow, past [`MAX_TENSOR_BYTES`], or when elements smaller
    /// than a byte do not fill whole bytes.
    pub fn size_bytes(&self, dtype: DType) -> Result<u64> {
        if self.0.len() > MAX_RANK {
            return Err(Error::Metadata("more than 64 dimensions"));
        }
        // A zero extent makes the product zero whatever the others are, also past what would overflow.
        if self.0.contains(&0) {
            return Ok(0);
        }
        let bits = self
            .0
            .iter()
            .try_fold(dtype.bits(), |bits, &extent| bits.checked_mul(extent))
            .ok_or(Error::Metadata("the shape's size overflows"))?;
        if bits % 8 != 0 {
            return Err(Error::Metadata("elements smaller than a byte must fill whole bytes"));
        }
        if bits / 8 > MAX_TENSOR_BYTES {
            return Err(Error::Metadata("larger than 64 GiB, the most one record carries"));
        }
        Ok(bits / 8)
    }
}

impl<T: Into<Vec<u64>>> From<T> for Shape {
    fn from(extents: T) -> Self {
        Shape(extents.into())
    }
}

/// The non-secret description of a tensor. It travels readable, and every tag binds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorMetadata {
    tensor_id: String,
    name: String,
    dtype: DType,
    shape: Shape,
    size_bytes: u64,
}

impl TensorMetadata {
    /// Describes a tensor; its size in bytes follows from `dtype` and `shape`.
    ///
    /// Fails with [`Error::Metadata`] where the size is impossible ([`Shape::size_bytes`]) or the
    /// encoding would pass [`MAX_METADATA_BYTES`].
    pub fn new(
        tensor_id: impl Into<String>,
        name: impl Into<String>,
        dtype: DType,
        shape: impl Into<Shape>,
    ) -> Result<Self> {
        let (tensor_id, name, shape) = (tensor_id.into(), name.into(), shape.into());
        let size_bytes = shape.size_bytes(dtype)?;
        let metadata = TensorMetadata { tensor_id, name, dtype, shape, size_bytes };
        if metadata.encode().len() > MAX_METADATA_BYTES {
            return Err(Error::Metadata("longer than 4096 bytes when encoded; shorten the names"));
        }
        Ok(metadata)
    }

    /// The caller's identifier of the tensor.
    pub fn tensor_id(&self) -> &str {
        &self.tensor_id
    }

    /// The tensor's name in its model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The tensor's size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The canonical encoding: CBOR (RFC 8949, core deterministic encoding, section 4.2.1) of the map
    /// {1: tensor id, 2: name, 3: element type's safetensors name, 4: \[extents\]}.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = minicbor::Encoder::new(Vec::with_capacity(64 + self.tensor_id.len() + self.name.len()));
        let written = (|| {
            out.map(4)?.u8(1)?.str(&self.tensor_id)?.u8(2)?.str(&self.name)?;
            out.u8(3)?.str(self.dtype.name())?.u8(4)?.array(self.shape.0.len() as u64)?;
            self.shape.0.iter().try_for_each(|&extent| out.u64(extent).map(drop))
        })();
        debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
        out.into_writer()
    }

    /// Reads the canonical encoding, and nothing but it: what decodes must encode to the same bytes.
    ///
    /// Fails with [`Error::Metadata`] on anything else: unknown or repeated keys, other integer or
    /// length forms, trailing bytes, invalid UTF-8, an impossible shape.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_METADATA_BYTES {
            return Err(Error::Metadata("longer than 4096 bytes"));
        }
        let metadata = Self::decode_next(&mut minicbor::Decoder::new(bytes))?;
        if metadata.encode() != bytes {
            return Err(Error::Metadata("not in canonical form"));
        }
        Ok(metadata)
    }

    /// Reads metadata that stands within other CBOR, in whatever form: the caller compares encodings.
    pub(crate) fn decode_next(input: &mut minicbor::Decoder<'_>) -> Result<Self> {
        Self::decode_lenient(input).map_err(|e| match e {
            DecodeError::Metadata(error) => error,
            DecodeError::Cbor => Error::Metadata("not the CBOR map {1: id, 2: name, 3: type, 4: shape}"),
        })
    }

    fn decode_lenient(input: &mut minicbor::Decoder<'_>) -> Result<Self, DecodeError> {
        expect(input.map()? == Some(4))?;
        expect(input.u8()? == 1)?;
        let tensor_id = input.str()?;
        expect(input.u8()? == 2)?;
        let name = input.str()?;
        expect(input.u8()? == 3)?;
        let dtype: DType = input.str()?.parse()?;
        expect(input.u8()? == 4)?;
        let rank = input.array()?.filter(|&rank| rank <= MAX_RANK as u64).ok_or(DecodeError::Cbor)?;
        let extents = (0..rank).map(|_| input.u64()).collect::<Result<Vec<_>, _>>()?;
        Ok(TensorMetadata::new(tensor_id, name, dtype, extents)?)
    }
}

enum DecodeError {
    Cbor,
    Metadata(Error),
}

impl From<minicbor::decode::Error> for DecodeError {
    fn from(_: minicbor::decode::Error) -> Self {
        DecodeError::Cbor
    }
}

impl From<Error> for DecodeError {
    fn from(error: Error) -> Self {
        DecodeError::Metadata(error)
    }
}

fn expect(holds: bool) -> Result<(), DecodeError> {
    if holds { Ok(()) } else { Err(DecodeError::Cbor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TensorMetadata {
        TensorMetadata::new("layer_0.q_proj", "model.layers.0.weight", DType::F32, [1024]).expect("valid")
    }

    #[test]
    fn encoding_is_exact_and_round_trips() {
        let metadata = TensorMetadata::new("a", "b", DType::I8, [2, 300]).expect("valid");
        assert_eq!(
            metadata.encode(),
            [0xa4, 1, 0x61, b'a', 2, 0x61, b'b', 3, 0x62, b'I', b'8', 4, 0x82, 2, 0x19, 1, 44]
        );
        assert_eq!(TensorMetadata::decode(&metadata.encode()), Ok(metadata));
        for dtype in DType::ALL {
            let metadata = TensorMetadata::new("", "é", *dtype, [0]).expect("valid");
            assert_eq!(TensorMetadata::decode(&metadata.encode()), Ok(metadata));
            assert_eq!(dtype.name().parse(), Ok(*dtype));
        }
    }

    #[test]
    fn sizes_are_checked() {
        let size = |dtype, shape: &[u64]| Shape::from(shape).size_bytes(dtype);
        assert_eq!(size(DType::F32, &[]), Ok(4));
        assert_eq!(size(DType::F32, &[0, u64::MAX, u64::MAX]), Ok(0));
        assert_eq!(size(DType::F4, &[6]), Ok(3));
        assert!(size(DType::F4, &[3]).is_err());
        assert!(size(DType::F6_E2M3, &[2]).is_err());
        assert_eq!(size(DType::F6_E2M3, &[4]), Ok(3));
        assert_eq!(size(DType::U8, &[MAX_TENSOR_BYTES]), Ok(MAX_TENSOR_BYTES));
        assert!(size(DType::U8, &[MAX_TENSOR_BYTES + 1]).is_err());
        assert!(size(DType::U8, &[1 << 40]).is_err());
        assert!(size(DType::F64, &[u64::MAX, u64::MAX]).is_err());
        assert!(size(DType::U8, &[1; 65]).is_err());
    }

    #[test]
    fn only_the_canonical_form_decodes() {
        let good = sample().encode();
        for cut in 0..good.len() {
            assert!(TensorMetadata::decode(&good[..cut]).is_err(), "cut at {cut}");
        }
        assert!(TensorMetadata::decode(&[&good[..], &[0]].concat()).is_err(), "trailing byte");
        let mut long_integer = good.clone();
        // Key 1 written as the two-byte 0x18 0x01.
        long_integer.splice(1..2, [0x18, 0x01]);
        assert!(TensorMetadata::decode(&long_integer).is_err());
        let mut indefinite = good.clone();
        indefinite[0] = 0xbf;
        indefinite.push(0xff);
        assert!(TensorMetadata::decode(&indefinite).is_err());
        let alias = [0xa4, 1, 0x60, 2, 0x60, 3, 0x64, b'i', b'n', b't', b'8', 4, 0x80];
        assert_eq!(TensorMetadata::decode(&alias), Err(Error::Metadata("not in canonical form")));
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        assert!(TensorMetadata::new("x".repeat(4096), "", DType::U8, [1]).is_err());
        assert!(TensorMetadata::new("x".repeat(4000), "", DType::U8, [1]).is_ok());
    }
}
