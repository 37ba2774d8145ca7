//! Tensors for other frameworks, by DLPack (dmlc/dlpack, include/dlpack/dlpack.h): the `DLManagedTensor` of all its versions, with
//! the element codes of 1.1.

use core::{
    ffi::c_void,
    ptr::{self, NonNull},
};

use super::CudaBuffer;
use crate::{Error, Result};

/// `kDLCUDA`.
const CUDA: i32 = 2;

/// An element type: DLPack's code and the size in bits; one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct DlpackElement {
    /// `DLDataTypeCode`: 0 signed, 1 unsigned, 2 IEEE float, 4 bfloat, 5 complex, 6 bool, 7 to 14 floats of 8 bits.
    pub code: u8,
    /// Size of an element.
    pub bits: u8,
    lanes: u16,
}

impl DlpackElement {
    /// An element of whole bytes.
    pub const fn new(code: u8, bits: u8) -> Self {
        DlpackElement { code, bits, lanes: 1 }
    }
}

/// `DLTensor`.
#[repr(C)]
struct Tensor {
    data: *mut c_void,
    device_type: i32,
    device_id: i32,
    dimensions: i32,
    element: DlpackElement,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

/// `DLManagedTensor`.
#[repr(C)]
struct Managed {
    tensor: Tensor,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Managed)>,
}

/// What a tensor holds until its deleter is called.
struct Held {
    managed: Managed,
    _buffer: CudaBuffer,
    shape: Vec<i64>,
    strides: Vec<i64>,
}

/// A `DLManagedTensor` on its way to another framework. Its deleter, which that framework calls, drops its handle to the memory; memory of
/// the library's own is erased with the last one.
pub struct Dlpack(NonNull<Managed>);

// SAFETY: it owns what it points to, whose deleter may run on any thread: handles to buffers are Send.
unsafe impl Send for Dlpack {}

impl Dlpack {
    /// The tensor, row-major, for `torch.utils.dlpack.from_dlpack` and its like: the pointer in a capsule named "dltensor". Whoever takes
    /// it calls its deleter.
    pub fn into_raw(self) -> *mut c_void {
        let raw = self.0.as_ptr().cast();
        core::mem::forget(self);
        raw
    }
}

impl Drop for Dlpack {
    fn drop(&mut self) {
        // SAFETY: nobody else has taken it.
        unsafe { delete(self.0.as_ptr()) };
    }
}

unsafe extern "C" fn delete(managed: *mut Managed) {
    if !managed.is_null() {
        // SAFETY: `context` is the box that `to_dlpack` let go of, and a deleter is called once.
        drop(unsafe { Box::from_raw((*managed).context.cast::<Held>()) });
    }
}

impl CudaBuffer {
    /// A row-major tensor of these extents that starts at an offset. What is in it must be final: the device's work on it was
    /// waited for, and its tensor released.
    pub fn to_dlpack(&self, offset: u64, element: DlpackElement, extents: &[u64]) -> Result<Dlpack> {
        const TOO_LARGE: Error = Error::Usage("the tensor does not fit its buffer");
        if element.bits == 0 || !element.bits.is_multiple_of(8) {
            return Err(Error::Usage("DLPack has no packed elements of less than a byte"));
        }
        let bytes = extents.iter().try_fold(u64::from(element.bits) / 8, |bytes, &extent| bytes.checked_mul(extent));
        let end = bytes.and_then(|bytes| bytes.checked_add(offset)).filter(|&end| end <= self.size());
        end.ok_or(TOO_LARGE)?;
        let shape = extents.iter().map(|&extent| i64::try_from(extent)).collect::<Result<Vec<_>, _>>();
        let shape = shape.map_err(|_| TOO_LARGE)?;
        let mut strides = vec![1i64; shape.len()];
        for i in (1..shape.len()).rev() {
            strides[i - 1] = strides[i].checked_mul(shape[i].max(1)).ok_or(TOO_LARGE)?;
        }
        let tensor = Tensor {
            data: ptr::with_exposed_provenance_mut((self.pointer() + offset) as usize),
            device_type: CUDA,
            device_id: self.device(),
            dimensions: i32::try_from(shape.len()).map_err(|_| TOO_LARGE)?,
            element,
            shape: ptr::null_mut(),
            strides: ptr::null_mut(),
            byte_offset: 0,
        };
        let managed = Managed { tensor, context: ptr::null_mut(), deleter: Some(delete) };
        let held = Box::into_raw(Box::new(Held { managed, _buffer: self.clone(), shape, strides }));
        // SAFETY: just let go of, and nobody else has it; vectors stay where their elements are.
        unsafe {
            (*held).managed.context = held.cast();
            (*held).managed.tensor.shape = (*held).shape.as_mut_ptr();
            (*held).managed.tensor.strides = (*held).strides.as_mut_ptr();
            Ok(Dlpack(NonNull::new_unchecked(&raw mut (*held).managed)))
        }
    }
}

// The layout that other frameworks read, on 64 bits.
#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Tensor>() == 48 && size_of::<Managed>() == 64);
    assert!(core::mem::offset_of!(Tensor, shape) == 24 && core::mem::offset_of!(Managed, deleter) == 56);
};
