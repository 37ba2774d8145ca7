//! Manifests: one encoding, and places that follow from the tensors.

use std::collections::BTreeSet;

use pqc_gpu_driver::sealed::Manifest;

pub fn check(data: &[u8]) -> bool {
    let Ok(manifest) = Manifest::decode(data) else { return false };
    assert!(manifest.encode() == data);
    let (mut end, mut names) = (0u128, BTreeSet::new());
    for tensor in manifest.tensors() {
        let bytes = u128::from(tensor.metadata().size_bytes());
        assert_eq!(u128::from(tensor.offset()), end.div_ceil(4096) * 4096);
        assert_eq!(u128::from(tensor.sealed_bytes()), bytes + 16 * (bytes / 16384 + 1));
        end = u128::from(tensor.offset()) + u128::from(tensor.sealed_bytes());
        assert!(names.insert(tensor.metadata().name()));
    }
    assert_eq!(u128::from(manifest.bodies_bytes()), end);
    let (mut names, mut tensors) = (BTreeSet::new(), 0u64);
    for (i, file) in manifest.files().iter().enumerate() {
        let name = file.name();
        assert!(!name.is_empty() && name.len() < 256 && name != "." && name != "..");
        assert!(!name.contains(|c: char| c == '/' || c == '\\' || c.is_control()));
        assert!(names.insert(name));
        let own = manifest.tensors_of_file(i).expect("has this file");
        assert_eq!((u64::from(own.start), own.len() as u64), (tensors, u64::from(file.tensors())));
        tensors = own.end.into();
    }
    assert!(manifest.files().is_empty() || tensors == manifest.tensors().len() as u64);
    true
}
