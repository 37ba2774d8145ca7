//! The WGSL shaders are valid by naga's rules, under WebGPU's default limits and without any extension.
#![allow(missing_docs)]

use naga::valid::{Capabilities, ValidationFlags, Validator};
use pqc_gpu_driver::kernel::wgsl::{AesForm, Forms, GhashForm, Shader};

#[test]
fn every_shader_is_valid() {
    let [planes, wide] = [
        Forms { aes: AesForm::Planes, ghash: GhashForm::Products },
        Forms { aes: AesForm::Bitslice, ghash: GhashForm::Wide },
    ];
    for (forms, &shader) in
        [Forms::default(), planes, wide].iter().flat_map(|forms| Shader::ALL.iter().map(move |s| (forms, s)))
    {
        let source = shader.source_in(*forms);
        let module = naga::front::wgsl::parse_str(&source)
            .unwrap_or_else(|error| panic!("{shader:?}: {}", error.emit_to_string(&source)));
        let capabilities = match forms.ghash {
            GhashForm::Wide => Capabilities::SHADER_INT64,
            _ => Capabilities::empty(),
        };
        Validator::new(ValidationFlags::all(), capabilities)
            .validate(&module)
            .unwrap_or_else(|error| panic!("{shader:?}: {}", error.emit_to_string(&source)));
        let entry = module.entry_points.iter().find(|entry| entry.name == shader.name());
        assert!(entry.is_some(), "{shader:?} has its entry point");
    }
}
