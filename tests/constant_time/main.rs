//! Constant time, shown: no branch, loop bound, address or other operation of varying time in a shader depends on keys,
//! plaintext or the state of a hash.
//!
//! A pass over naga's IR, the form that wgpu compiles, follows what is computed from the secrets that subjects.rs names.
//! That it finds leaks is shown on leaks planted in the same shaders; what it can not show stands in docs/kernels.md.
#![allow(missing_docs, clippy::unwrap_used)]

mod blocks;
mod clean;
mod operators;
mod planted;
mod report;
mod subjects;
mod taint;
mod walk;

use pqc_gpu_driver::kernel::wgsl::{AesForm, Forms, GhashForm, Shader};
use subjects::Subject;

#[test]
fn every_shader_is_constant_time() {
    for aes in [AesForm::Bitslice, AesForm::Planes] {
        for ghash in [GhashForm::Bits, GhashForm::Products, GhashForm::Wide] {
            for &shader in Shader::ALL {
                holds(&Subject::in_forms(shader, Forms { aes, ghash }));
            }
        }
    }
}

/// Nothing leaks, and `declassify` is called where the table says and nowhere else.
fn holds(subject: &Subject) {
    let name = &subject.name;
    let report = taint::examine(subject).unwrap_or_else(|error| panic!("{name}: {error}"));
    let leaks: Vec<String> = report.leaks.iter().map(ToString::to_string).collect();
    assert!(leaks.is_empty(), "{name} leaks:\n{}", leaks.join("\n"));
    let declassified: Vec<_> = report.declassified.iter().map(|(f, call)| (f.as_str(), call.as_str())).collect();
    assert_eq!(declassified, subject.declassifies, "{name}: where it calls declassify");
}
