//! The WGSL shaders are valid by naga's rules, under WebGPU's default limits and without any extension.
#![allow(missing_docs)]

use naga::valid::{Capabilities, ValidationFlags, Validator};
use pqc_gpu_driver::kernel::wgsl::Shader;

#[test]
fn every_shader_is_valid() {
    for &shader in Shader::ALL {
        let source = shader.source();
        let module = naga::front::wgsl::parse_str(&source)
            .unwrap_or_else(|error| panic!("{shader:?}: {}", error.emit_to_string(&source)));
        Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|error| panic!("{shader:?}: {}", error.emit_to_string(&source)));
        let entry = module.entry_points.iter().find(|entry| entry.name == shader.name());
        assert!(entry.is_some(), "{shader:?} has its entry point");
    }
}
