//! Compiled shaders: in memory only, each at its first use.

use core::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Object};
use wasm_bindgen::JsValue;

use super::{
    super::wgsl::PARAMS_BYTES,
    bindings::{COMPUTE, GpuDevice, dictionary},
};
use crate::kernel::wgsl::{Binding, Forms, Shader};

#[derive(Default)]
pub(super) struct Pipelines(RefCell<Vec<Option<Rc<Pipeline>>>>);

pub(super) struct Pipeline {
    pub(super) pipeline: Object,
    pub(super) bindings: Object,
}

impl Pipelines {
    /// What could not be compiled surfaces as an error of the batch that uses it.
    pub(super) fn of(&self, device: &GpuDevice, shader: Shader) -> Rc<Pipeline> {
        let mut compiled = self.0.borrow_mut();
        compiled.resize(Shader::ALL.len(), None);
        Rc::clone(compiled[shader.index()].get_or_insert_with(|| Rc::new(compile(device, shader))))
    }

    /// After a failure all are compiled again: what could not be compiled cannot be told from what could.
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }
}

fn compile(device: &GpuDevice, shader: Shader) -> Pipeline {
    let label = JsValue::from(shader.name());
    let module = device.create_shader_module(&dictionary([
        ("label", label.clone()),
        ("code", shader.source_in(Forms::default()).into()),
    ]));
    let entry = |binding: u32, buffer: Object| -> JsValue {
        dictionary([("binding", binding.into()), ("visibility", COMPUTE.into()), ("buffer", buffer.into())]).into()
    };
    let params = dictionary([
        ("type", "uniform".into()),
        ("hasDynamicOffset", true.into()),
        ("minBindingSize", (PARAMS_BYTES as f64).into()),
    ]);
    let entries = Array::of1(&entry(0, params));
    for (number, &(_, bound)) in (1..).zip(shader.bindings()) {
        let kind = match bound {
            Binding::Uniform => "uniform",
            Binding::Read => "read-only-storage",
            Binding::Write => "storage",
        };
        entries.push(&entry(number, dictionary([("type", kind.into())])));
    }
    let bindings =
        device.create_bind_group_layout(&dictionary([("label", label.clone()), ("entries", entries.into())]));
    let layouts = Array::of1(&bindings);
    let layout =
        device.create_pipeline_layout(&dictionary([("label", label.clone()), ("bindGroupLayouts", layouts.into())]));
    let stage = dictionary([("module", module.into()), ("entryPoint", shader.name().into())]);
    let pipeline = device.create_compute_pipeline(&dictionary([
        ("label", label),
        ("layout", layout.into()),
        ("compute", stage.into()),
    ]));
    Pipeline { pipeline, bindings }
}
