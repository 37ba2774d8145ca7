//! The part of WebGPU's interface that is used here (W3C WebGPU, sections 4 to 19), by hand: web-sys has it only under a
//! compiler flag, which every crate that depends on this one would have to set.

use js_sys::{ArrayBuffer, Object, Promise};
use wasm_bindgen::prelude::*;

/// Bits of `GPUBufferUsage`.
pub(super) mod usage {
    pub(crate) const MAP_READ: u32 = 0x0001;
    pub(crate) const MAP_WRITE: u32 = 0x0002;
    pub(crate) const COPY_SRC: u32 = 0x0004;
    pub(crate) const COPY_DST: u32 = 0x0008;
    pub(crate) const UNIFORM: u32 = 0x0040;
    pub(crate) const STORAGE: u32 = 0x0080;
}

/// Bits of `GPUMapMode`.
pub(super) mod map_mode {
    pub(crate) const READ: u32 = 1;
    pub(crate) const WRITE: u32 = 2;
}

/// `GPUShaderStage.COMPUTE`.
pub(super) const COMPUTE: u32 = 4;

/// A dictionary.
pub(super) fn dictionary<const N: usize>(entries: [(&str, JsValue); N]) -> Object {
    let object = Object::new();
    for (key, value) in entries {
        // A plain object takes every property.
        let _ = js_sys::Reflect::set(&object, &key.into(), &value);
    }
    object
}

/// The global `navigator.gpu` of a page or a worker, where there is one.
pub(super) fn gpu() -> Option<Gpu> {
    let property = |of: &JsValue, name: &str| js_sys::Reflect::get(of, &name.into()).ok().filter(|v| v.is_object());
    property(&js_sys::global(), "navigator").and_then(|n| property(&n, "gpu")).map(JsCast::unchecked_into)
}

#[wasm_bindgen]
extern "C" {
    pub(super) type Gpu;
    #[wasm_bindgen(method, js_name = requestAdapter, catch)]
    pub(super) fn request_adapter(this: &Gpu, options: &Object) -> Result<Promise, JsValue>;

    pub(super) type GpuAdapter;
    #[wasm_bindgen(method, getter)]
    pub(super) fn limits(this: &GpuAdapter) -> GpuLimits;
    #[wasm_bindgen(method, js_name = requestDevice, catch)]
    pub(super) fn request_device(this: &GpuAdapter, descriptor: &Object) -> Result<Promise, JsValue>;

    pub(super) type GpuLimits;
    #[wasm_bindgen(method, getter, js_name = maxBufferSize)]
    pub(super) fn max_buffer_size(this: &GpuLimits) -> f64;
    #[wasm_bindgen(method, getter, js_name = maxStorageBufferBindingSize)]
    pub(super) fn max_storage_buffer_binding_size(this: &GpuLimits) -> f64;
    #[wasm_bindgen(method, getter, js_name = minStorageBufferOffsetAlignment)]
    pub(super) fn min_storage_buffer_offset_alignment(this: &GpuLimits) -> f64;
    #[wasm_bindgen(method, getter, js_name = minUniformBufferOffsetAlignment)]
    pub(super) fn min_uniform_buffer_offset_alignment(this: &GpuLimits) -> f64;
    #[wasm_bindgen(method, getter, js_name = maxComputeWorkgroupsPerDimension)]
    pub(super) fn max_compute_workgroups_per_dimension(this: &GpuLimits) -> f64;

    pub(super) type GpuAdapterInfo;
    #[wasm_bindgen(method, getter)]
    pub(super) fn vendor(this: &GpuAdapterInfo) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn architecture(this: &GpuAdapterInfo) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn description(this: &GpuAdapterInfo) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = isFallbackAdapter)]
    pub(super) fn is_fallback_adapter(this: &GpuAdapterInfo) -> Option<bool>;

    /// `GPUDevice`.
    #[wasm_bindgen(js_name = GPUDevice, typescript_type = "GPUDevice")]
    #[derive(Clone, Debug)]
    pub type GpuDevice;
    #[wasm_bindgen(method, getter)]
    pub(super) fn limits(this: &GpuDevice) -> GpuLimits;
    #[wasm_bindgen(method, getter, js_name = adapterInfo)]
    pub(super) fn adapter_info(this: &GpuDevice) -> Option<GpuAdapterInfo>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn queue(this: &GpuDevice) -> GpuQueue;
    #[wasm_bindgen(method, getter)]
    pub(super) fn lost(this: &GpuDevice) -> Promise;
    #[wasm_bindgen(method, js_name = pushErrorScope)]
    pub(super) fn push_error_scope(this: &GpuDevice, filter: &str);
    #[wasm_bindgen(method, js_name = popErrorScope)]
    pub(super) fn pop_error_scope(this: &GpuDevice) -> Promise;
    #[wasm_bindgen(method, js_name = createBuffer, catch)]
    pub(super) fn create_buffer(this: &GpuDevice, descriptor: &Object) -> Result<GpuBuffer, JsValue>;
    #[wasm_bindgen(method, js_name = createShaderModule)]
    pub(super) fn create_shader_module(this: &GpuDevice, descriptor: &Object) -> Object;
    #[wasm_bindgen(method, js_name = createBindGroupLayout)]
    pub(super) fn create_bind_group_layout(this: &GpuDevice, descriptor: &Object) -> Object;
    #[wasm_bindgen(method, js_name = createPipelineLayout)]
    pub(super) fn create_pipeline_layout(this: &GpuDevice, descriptor: &Object) -> Object;
    #[wasm_bindgen(method, js_name = createComputePipeline)]
    pub(super) fn create_compute_pipeline(this: &GpuDevice, descriptor: &Object) -> Object;
    #[wasm_bindgen(method, js_name = createBindGroup)]
    pub(super) fn create_bind_group(this: &GpuDevice, descriptor: &Object) -> Object;
    #[wasm_bindgen(method, js_name = createCommandEncoder)]
    pub(super) fn create_command_encoder(this: &GpuDevice) -> GpuCommandEncoder;

    pub(super) type GpuDeviceLostInfo;
    #[wasm_bindgen(method, getter)]
    pub(super) fn reason(this: &GpuDeviceLostInfo) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn message(this: &GpuDeviceLostInfo) -> Option<String>;

    pub(super) type GpuQueue;
    #[wasm_bindgen(method)]
    pub(super) fn submit(this: &GpuQueue, commands: &js_sys::Array);

    /// `GPUBuffer`.
    #[wasm_bindgen(js_name = GPUBuffer, typescript_type = "GPUBuffer")]
    #[derive(Clone, Debug, PartialEq)]
    pub type GpuBuffer;
    #[wasm_bindgen(method, getter)]
    pub(super) fn size(this: &GpuBuffer) -> f64;
    #[wasm_bindgen(method, getter)]
    pub(super) fn usage(this: &GpuBuffer) -> u32;
    #[wasm_bindgen(method, js_name = mapAsync)]
    pub(super) fn map_async(this: &GpuBuffer, mode: u32) -> Promise;
    #[wasm_bindgen(method, js_name = getMappedRange, catch)]
    pub(super) fn get_mapped_range(this: &GpuBuffer) -> Result<ArrayBuffer, JsValue>;
    #[wasm_bindgen(method)]
    pub(super) fn unmap(this: &GpuBuffer);
    #[wasm_bindgen(method)]
    pub(super) fn destroy(this: &GpuBuffer);

    pub(super) type GpuCommandEncoder;
    #[wasm_bindgen(method, js_name = beginComputePass)]
    pub(super) fn begin_compute_pass(this: &GpuCommandEncoder) -> GpuComputePass;
    #[wasm_bindgen(method, js_name = copyBufferToBuffer)]
    pub(super) fn copy_buffer_to_buffer(
        this: &GpuCommandEncoder,
        from: &GpuBuffer,
        from_offset: f64,
        to: &GpuBuffer,
        to_offset: f64,
        bytes: f64,
    );
    #[wasm_bindgen(method, js_name = clearBuffer)]
    pub(super) fn clear_buffer(this: &GpuCommandEncoder, buffer: &GpuBuffer, offset: f64, bytes: f64);
    #[wasm_bindgen(method)]
    pub(super) fn finish(this: &GpuCommandEncoder) -> Object;

    pub(super) type GpuComputePass;
    #[wasm_bindgen(method, js_name = setPipeline)]
    pub(super) fn set_pipeline(this: &GpuComputePass, pipeline: &Object);
    #[wasm_bindgen(method, js_name = setBindGroup)]
    pub(super) fn set_bind_group(this: &GpuComputePass, index: u32, group: &Object, offsets: &js_sys::Array);
    #[wasm_bindgen(method, js_name = dispatchWorkgroups)]
    pub(super) fn dispatch_workgroups(this: &GpuComputePass, x: u32, y: u32);
    #[wasm_bindgen(method)]
    pub(super) fn end(this: &GpuComputePass);
}
