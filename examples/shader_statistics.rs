//! What a Vulkan driver's compiler makes of the shaders: instructions, registers, spills.
//!
//! ```sh
//! cargo run --example shader_statistics -- ADAPTER [SHADER]
//! ```
//!
//! The adapter need not be there: Mesa compiles for AMD GPUs that are not, as in
//! `RADV_FORCE_FAMILY=navi21 cargo run --example shader_statistics -- NAVI21`.
#![allow(unsafe_code)] // Vulkan's interface is C's

use std::{error::Error, ffi::CStr, ffi::CString};

use ash::vk;
use naga::{
    back::spv,
    proc::{BoundsCheckPolicies, BoundsCheckPolicy},
    valid::{Capabilities, ValidationFlags, Validator},
};
use pqc_gpu_driver::kernel::wgsl::{AesForm, Binding, Forms, GhashForm, Shader};

const OTHER_FORMS: Forms = Forms { aes: AesForm::Planes, ghash: GhashForm::Products };
const WIDE: Forms = Forms { aes: AesForm::Bitslice, ghash: GhashForm::Wide };

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let only = std::env::args().nth(2);
    // SAFETY: nothing else in this process uses Vulkan, every handle comes from the call before, and what they are made of outlives
    // the calls; the process ends without destroying them.
    unsafe {
        let entry = ash::Entry::load()?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_2);
        let instance =
            entry.create_instance(&vk::InstanceCreateInfo::default().application_info(&application), None)?;
        let name = |physical: &vk::PhysicalDevice| {
            let properties = instance.get_physical_device_properties(*physical);
            properties.device_name_as_c_str().map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
        };
        let devices = instance.enumerate_physical_devices()?;
        let physical = *devices.iter().find(|device| name(device).contains(&wanted)).ok_or_else(|| {
            format!("no adapter named {wanted:?}; there are {:?}", devices.iter().map(name).collect::<Vec<_>>())
        })?;
        println!("{}", name(&physical));
        let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
        let extensions = [ash::khr::pipeline_executable_properties::NAME.as_ptr()];
        let wide = vk::PhysicalDeviceFeatures::default().shader_int64(true);
        let mut told =
            vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
        let create = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_extension_names(&extensions)
            .enabled_features(&wide)
            .push_next(&mut told);
        let device = instance.create_device(physical, &create, None)?;
        let executables = ash::khr::pipeline_executable_properties::Device::new(&instance, &device);
        for &shader in Shader::ALL.iter().filter(|shader| only.as_deref().is_none_or(|only| only == shader.name())) {
            for forms in [Forms::default(), OTHER_FORMS, WIDE] {
                println!("\n{shader:?} {forms:?}");
                let words = spirv(shader, forms)?;
                let module = device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(&words), None)?;
                let entry_point = CString::new(shader.name())?;
                let layout = layout(&device, shader)?;
                let stage = vk::PipelineShaderStageCreateInfo::default()
                    .stage(vk::ShaderStageFlags::COMPUTE)
                    .module(module)
                    .name(&entry_point);
                let create = vk::ComputePipelineCreateInfo::default()
                    .flags(vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR)
                    .stage(stage)
                    .layout(layout);
                let pipeline = device
                    .create_compute_pipelines(vk::PipelineCache::null(), &[create], None)
                    .map_err(|(_, error)| error)?[0];
                for statistic in executables
                    .get_pipeline_executable_statistics(&vk::PipelineExecutableInfoKHR::default().pipeline(pipeline))?
                {
                    let label = CStr::from_ptr(statistic.name.as_ptr()).to_string_lossy();
                    println!("  {label:<32} {}", statistic.value.u64);
                }
            }
        }
    }
    Ok(())
}

/// As wgpu compiles them: accesses beyond a binding's end are moved into it.
fn spirv(shader: Shader, forms: Forms) -> Result<Vec<u32>, Box<dyn Error>> {
    let module = naga::front::wgsl::parse_str(&shader.source_in(forms))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::SHADER_INT64).validate(&module)?;
    let restrict = BoundsCheckPolicy::Restrict;
    let options = spv::Options {
        bounds_check_policies: BoundsCheckPolicies {
            index: restrict,
            buffer: restrict,
            image_load: restrict,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        ..spv::Options::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: shader.name().into() };
    Ok(spv::write_vec(&module, &info, &options, Some(&pipeline))?)
}

/// Parameters, then what the shader binds.
unsafe fn layout(device: &ash::Device, shader: Shader) -> Result<vk::PipelineLayout, vk::Result> {
    let binding = |binding, kind| {
        vk::DescriptorSetLayoutBinding::default()
            .binding(binding)
            .descriptor_type(kind)
            .descriptor_count(1)
            .stage_flags(vk::ShaderStageFlags::COMPUTE)
    };
    let mut bindings = vec![binding(0, vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC)];
    bindings.extend((1..).zip(shader.bindings()).map(|(number, &(_, bound))| {
        let kind = match bound {
            Binding::Uniform => vk::DescriptorType::UNIFORM_BUFFER,
            Binding::Read | Binding::Write => vk::DescriptorType::STORAGE_BUFFER,
        };
        binding(number, kind)
    }));
    // SAFETY: as the caller promises for its device.
    unsafe {
        let set = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let sets = [device.create_descriptor_set_layout(&set, None)?];
        device.create_pipeline_layout(&vk::PipelineLayoutCreateInfo::default().set_layouts(&sets), None)
    }
}
