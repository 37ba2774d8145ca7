//! Tensors in a CUDA device for other frameworks.

use super::DeviceTensor;
use crate::{
    Error, Result,
    device::{
        CudaBuffer, Device,
        cuda::{Dlpack, DlpackElement},
    },
    tensor::DType,
};

impl<D: Device<Buffer = CudaBuffer>> DeviceTensor<D> {
    /// The tensor for another framework of this process, by DLPack; it holds a handle to the memory. Types of less than a byte, and
    /// such as DLPack does not know, are errors.
    pub fn to_dlpack(&self) -> Result<Dlpack> {
        let metadata = self.metadata();
        let element = element(metadata.dtype()).ok_or(Error::Usage("DLPack does not know the element type"))?;
        self.buffer().to_dlpack(self.offset(), element, metadata.shape().extents())
    }
}

/// `DLDataType` of a type.
fn element(dtype: DType) -> Option<DlpackElement> {
    let code = match dtype {
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => 0,
        DType::U8 | DType::U16 | DType::U32 | DType::U64 => 1,
        DType::F16 | DType::F32 | DType::F64 => 2,
        DType::BF16 => 4,
        DType::C64 => 5,
        DType::BOOL => 6,
        DType::F8_E4M3 => 10,
        DType::F8_E4M3FNUZ => 11,
        DType::F8_E5M2 => 12,
        DType::F8_E5M2FNUZ => 13,
        DType::F8_E8M0 => 14,
        _ => return None,
    };
    u8::try_from(dtype.bits()).ok().map(|bits| DlpackElement::new(code, bits))
}
