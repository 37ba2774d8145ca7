//! Opened tensors.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::{
    device::{WebDevice, web::GpuBuffer},
    sealed::Roots,
    tensor::TensorMetadata,
    transfer::DeviceTensor,
};

/// A tensor that was verified and opened: in a `GPUBuffer`, or, without WebGPU, in JavaScript's memory.
#[wasm_bindgen]
pub struct Tensor {
    metadata: TensorMetadata,
    pub(super) place: Place,
    roots: Option<Roots>,
}

/// Where a tensor is.
pub(super) enum Place {
    /// On the GPU; the last handle to memory of the library's own erases it.
    Gpu(DeviceTensor<WebDevice>),
    /// In JavaScript's memory, erased by `free()`.
    Host(Uint8Array),
}

impl Tensor {
    pub(super) fn new(metadata: TensorMetadata, place: Place, roots: Option<Roots>) -> Self {
        Tensor { metadata, place, roots }
    }

    pub(super) fn metadata(&self) -> &TensorMetadata {
        &self.metadata
    }
}

#[wasm_bindgen]
impl Tensor {
    /// Its name.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.metadata.name().into()
    }

    /// Its identifier.
    #[wasm_bindgen(getter)]
    pub fn id(&self) -> String {
        self.metadata.tensor_id().into()
    }

    /// Its element type, by safetensors' name.
    #[wasm_bindgen(getter)]
    pub fn dtype(&self) -> String {
        self.metadata.dtype().name().into()
    }

    /// Its extents, outermost first.
    #[wasm_bindgen(getter)]
    pub fn shape(&self) -> Vec<f64> {
        self.metadata.shape().extents().iter().map(|&extent| extent as f64).collect()
    }

    /// Its length.
    #[wasm_bindgen(getter, js_name = byteLength)]
    pub fn byte_length(&self) -> f64 {
        self.metadata.size_bytes() as f64
    }

    /// The buffer it lies in, where it lies on the GPU.
    #[wasm_bindgen(getter)]
    pub fn buffer(&self) -> Option<GpuBuffer> {
        match &self.place {
            Place::Gpu(tensor) => Some(tensor.buffer().raw().clone()),
            Place::Host(_) => None,
        }
    }

    /// Where in the buffer it starts.
    #[wasm_bindgen(getter)]
    pub fn offset(&self) -> f64 {
        match &self.place {
            Place::Gpu(tensor) => tensor.offset() as f64,
            Place::Host(_) => 0.0,
        }
    }

    /// Its bytes, where it lies in memory.
    #[wasm_bindgen(getter)]
    pub fn bytes(&self) -> Option<Uint8Array> {
        match &self.place {
            Place::Gpu(_) => None,
            Place::Host(bytes) => Some(bytes.clone()),
        }
    }

    /// Whether it was compared with the publisher's root. False too for what came over a channel, which has none.
    #[wasm_bindgen(getter, js_name = rootChecked)]
    pub fn root_checked(&self) -> bool {
        self.roots == Some(Roots::Check)
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        if let Place::Host(bytes) = &self.place {
            bytes.fill(0, 0, bytes.length());
        }
    }
}
