//! Sealed files from safetensors and back, over every source.
#![cfg(feature = "safetensors")]
#![allow(missing_docs, clippy::unwrap_used)]
#![cfg(not(target_arch = "wasm32"))]

use std::{
    collections::BTreeMap,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use pqc_gpu_driver::{
    DType, Error, Identity, TensorMetadata, TrustPolicy, block_on,
    error::SealedFailure,
    sealed::{
        MappedFile, PlainModel, RecipientKey, Roots, SealedModel, Sealing, SeekSource, Source,
        safetensors::SafetensorsModel, verify,
    },
};

fn key(identity: &Identity) -> RecipientKey {
    RecipientKey::from(identity.public())
}

fn bytes(count: usize, seed: usize) -> Vec<u8> {
    (0..count).map(|i| ((i + seed) * 31 % 251) as u8).collect()
}

/// Writes a safetensors file of U8 tensors with these names and lengths.
fn write_safetensors(path: &Path, tensors: &[(&str, usize)]) -> Vec<u8> {
    let data: Vec<_> = tensors.iter().enumerate().map(|(i, (_, count))| bytes(*count, i)).collect();
    let views = tensors.iter().zip(&data).map(|((name, count), bytes)| {
        (*name, safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![*count], bytes).unwrap())
    });
    let metadata = [("format".to_string(), "pt".to_string())].into();
    let file = safetensors::serialize(views, Some(metadata)).unwrap();
    fs::write(path, &file).unwrap();
    file
}

fn seal(model: &PlainModel<'_>, publisher: &Identity, recipients: &[RecipientKey]) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let sealing = Sealing::new(model, publisher, recipients, 7).unwrap();
    let (expected, mut sealed) = (sealing.file_bytes(), 0);
    sealing.write(&mut out, |bytes| sealed += bytes).unwrap();
    assert_eq!(out.get_ref().len() as u64, expected);
    assert_eq!(sealed, model.tensor_bytes());
    out.into_inner()
}

#[test]
fn files_come_back_bit_for_bit_from_every_source() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    let tensors = [("a", 0), ("b", 100), ("c", 16384), ("d", 9_000_000), ("e", 40_000), ("f", 1)];
    let original = write_safetensors(&path, &tensors);
    let (publisher, alice, bob) =
        (Identity::generate().unwrap(), Identity::generate().unwrap(), Identity::generate().unwrap());
    let model = SafetensorsModel::open(&path).unwrap();
    let sealed = seal(&model.plain().unwrap(), &publisher, &[key(&alice), key(&bob)]);
    let at = directory.path().join("sealed");
    fs::write(&at, &sealed).unwrap();

    fn opens(source: impl Source, identity: &Identity, publisher: &Identity, original: &[u8]) {
        let trust = TrustPolicy::pin(publisher.public_key().clone());
        let model = block_on(SealedModel::open(source, identity, &trust, 7)).unwrap();
        assert_eq!(model.manifest().files().len(), 1);
        let mut out = Vec::new();
        assert_eq!(block_on(model.write_file(0, &mut out, Roots::Check, |_| ())).unwrap(), Roots::Check);
        assert!(out == original);
    }
    opens(sealed.clone(), &alice, &publisher, &original);
    opens(&sealed, &bob, &publisher, &original);
    opens(MappedFile::open(&at).unwrap(), &alice, &publisher, &original);
    opens(SeekSource::new(fs::File::open(&at).unwrap()).unwrap(), &alice, &publisher, &original);
    opens(SeekSource::new(Cursor::new(sealed.clone())).unwrap(), &alice, &publisher, &original);

    let mut seen = 0;
    let verified = block_on(verify(&sealed, &TrustPolicy::AcceptAny, 0, |bytes| seen += bytes)).unwrap();
    assert!(!verified.publisher_is_pinned());
    assert_eq!(seen, verified.manifest().tensors().iter().map(|tensor| tensor.sealed_bytes()).sum::<u64>());
}
