//! Compiled shaders: in memory only, each at its first use.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::{super::wgsl::PARAMS_BYTES, errors::Scope};
use crate::{
    Result,
    kernel::wgsl::{Binding, Forms, Shader},
};

pub(super) struct Pipelines {
    forms: Forms,
    compiled: Vec<Compiled>,
}

#[derive(Default)]
struct Compiled {
    pipeline: OnceLock<Pipeline>,
    /// Held while it is compiled, so that others wait for it.
    compiling: Mutex<()>,
}

pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) bindings: wgpu::BindGroupLayout,
}

impl Pipelines {
    pub(super) fn new(forms: Forms) -> Self {
        Pipelines { forms, compiled: Shader::ALL.iter().map(|_| Compiled::default()).collect() }
    }

    /// What could not be compiled is tried again: memory may have been short.
    pub(super) fn of(&self, device: &wgpu::Device, shader: Shader) -> Result<&Pipeline> {
        let Compiled { pipeline, compiling } = &self.compiled[shader.index()];
        if let Some(pipeline) = pipeline.get() {
            return Ok(pipeline);
        }
        let _compiling = compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = pipeline.get() {
            return Ok(pipeline);
        }
        let compiled = compile(device, shader, self.forms)?;
        Ok(pipeline.get_or_init(|| compiled))
    }
}

fn compile(device: &wgpu::Device, shader: Shader, forms: Forms) -> Result<Pipeline> {
    let scope = Scope::open(device);
    let label = Some(shader.name());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label,
        source: wgpu::ShaderSource::Wgsl(shader.source_in(forms).into()),
    });
    let entry = |binding: u32, ty, has_dynamic_offset, min: u64| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: core::num::NonZero::new(min) },
        count: None,
    };
    let buffer = |(number, &(_, bound)): (u32, &(usize, Binding))| {
        let ty = match bound {
            Binding::Uniform => wgpu::BufferBindingType::Uniform,
            Binding::Read | Binding::Write => wgpu::BufferBindingType::Storage { read_only: bound == Binding::Read },
        };
        entry(number, ty, false, 0)
    };
    let params = entry(0, wgpu::BufferBindingType::Uniform, true, PARAMS_BYTES);
    let entries: Vec<_> = [params].into_iter().chain((1..).zip(shader.bindings()).map(buffer)).collect();
    let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(&bindings)],
        immediate_size: 0,
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&layout),
        module: &module,
        entry_point: Some(shader.name()),
        // Every shader writes what it reads of its workgroup's memory.
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    });
    scope.close()?;
    Ok(Pipeline { pipeline, bindings })
}
