//! Model files: safetensors, mapped; or the small model the program carries.

use std::{borrow::Cow, ops::Range, path::Path};

use pqc_gpu_driver::{TensorMetadata, sealed::MappedFile};
use safetensors::tensor::Metadata;

use crate::{failure::Failure, output::shown};

/// Digits, recognised by a small network: real weights of seven element types, trained by examples/digits/train.py.
static BUILT_IN: &[u8] = include_bytes!("../../../examples/digits/digits.safetensors");

/// The header's length stands in the first eight bytes, little-endian.
const LENGTH_BYTES: usize = 8;
/// As the safetensors library has it.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// A model, its tensors in the order of the file.
pub(crate) struct Model {
    name: String,
    bytes: Bytes,
    tensors: Vec<(TensorMetadata, Range<usize>)>,
}

enum Bytes {
    Mapped(MappedFile),
    BuiltIn,
}

impl Model {
    /// Opens a safetensors file, or the built-in model.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Self::parse("digits (built in)".into(), Bytes::BuiltIn) };
        let file = MappedFile::open(path).map_err(|error| Failure::reading(path, error))?;
        Self::parse(shown(path), Bytes::Mapped(file)).map_err(|failure| failure.about(path.display()))
    }

    fn parse(name: String, bytes: Bytes) -> Result<Self, Failure> {
        let whole = bytes.as_slice();
        let malformed = |why: &str| Failure::usage(format!("not a safetensors file: {why}"));
        let length = whole.first_chunk::<LENGTH_BYTES>().ok_or_else(|| malformed("shorter than 8 bytes"))?;
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER_BYTES {
            return Err(malformed("its header would be longer than 100 MB"));
        }
        let start = LENGTH_BYTES + length as usize;
        // Copied, so that what is parsed stays what it was: the mapped file may change.
        let header = whole.get(LENGTH_BYTES..start).ok_or_else(|| malformed("it ends within its header"))?.to_vec();
        let header: Metadata = serde_json::from_slice(&header).map_err(|error| malformed(&error.to_string()))?;
        if header.data_len() as u64 != (whole.len() - start) as u64 {
            return Err(malformed("its length is not what its header says"));
        }
        let names = header.offset_keys();
        let tensors = names.iter().enumerate().filter_map(|(index, name)| {
            let info = header.info(name)?;
            let (from, to) = info.data_offsets;
            let extents: Vec<u64> = info.shape.iter().map(|&extent| extent as u64).collect();
            let metadata = dtype(info.dtype)
                .and_then(|dtype| TensorMetadata::new(index.to_string(), name, dtype, extents).map_err(Failure::from));
            let metadata = metadata.map_err(|failure| failure.about(format_args!("tensor {name}")));
            Some(metadata.map(|metadata| (metadata, start + from..start + to)))
        });
        let tensors = tensors.collect::<Result<_, _>>()?;
        Ok(Model { name, tensors, bytes })
    }

    /// What to call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its tensors.
    pub(crate) fn tensors(&self) -> impl ExactSizeIterator<Item = Tensor<'_>> {
        let bytes = self.bytes.as_slice();
        self.tensors.iter().map(move |(metadata, range)| Tensor { metadata, bytes: &bytes[range.clone()] })
    }

    /// The sum of its tensors' sizes.
    pub(crate) fn tensor_bytes(&self) -> u64 {
        self.tensors.iter().map(|(metadata, _)| metadata.size_bytes()).sum()
    }
}

/// A tensor in the file.
#[derive(Clone, Copy)]
pub(crate) struct Tensor<'a> {
    pub(crate) metadata: &'a TensorMetadata,
    pub(crate) bytes: &'a [u8],
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Mapped(file) => file.as_bytes(),
            Bytes::BuiltIn => BUILT_IN,
        }
    }
}

/// The library's element types bear the format's names.
fn dtype(dtype: safetensors::Dtype) -> Result<pqc_gpu_driver::DType, Failure> {
    let name: Cow<'_, str> = match serde_json::to_value(dtype) {
        Ok(serde_json::Value::String(name)) => name.into(),
        _ => "".into(),
    };
    name.parse().map_err(|_| Failure::usage(format!("element type {name} is not known here")))
}
