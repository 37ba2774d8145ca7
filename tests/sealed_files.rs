//! Sealed files from safetensors and back: every source, shards, rows, reads that fail, models that cannot be sealed.
#![cfg(feature = "safetensors")]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "sealed_files/models.rs"]
mod models;
#[path = "sealed_files/sources.rs"]
mod sources;

use std::{fs, io::Cursor, path::Path};

use pqc_gpu_driver::{
    Identity,
    identity::TrustPolicy,
    sealed::{PlainModel, RecipientKey, Sealing},
};

fn key(identity: &Identity) -> RecipientKey {
    RecipientKey::from(identity.public())
}

fn identity(seed: u8) -> Identity {
    Identity::from_seeds(zeroize::Zeroizing::new([seed; 32]), zeroize::Zeroizing::new([seed; 64])).unwrap()
}

/// The publisher is identity 1; 2 and 3 receive.
fn trust() -> TrustPolicy {
    TrustPolicy::pin(identity(1).public_key().clone())
}

fn bytes(count: usize, seed: usize) -> Vec<u8> {
    (0..count).map(|i| ((i + seed) * 31 % 251) as u8).collect()
}

/// Writes a safetensors file of bytes, one row of 4 a line where the count allows it.
fn write_safetensors(path: &Path, tensors: &[(&str, usize)]) -> Vec<u8> {
    let data: Vec<_> = tensors.iter().enumerate().map(|(i, (_, count))| bytes(*count, i)).collect();
    let views = tensors.iter().zip(&data).map(|((name, count), bytes)| {
        let shape = if count % 4 == 0 { vec![count / 4, 4] } else { vec![*count] };
        (*name, safetensors::tensor::TensorView::new(safetensors::Dtype::U8, shape, bytes).unwrap())
    });
    let metadata = [("format".to_string(), "pt".to_string())].into();
    let file = safetensors::serialize(views, Some(metadata)).unwrap();
    fs::write(path, &file).unwrap();
    file
}

fn seal(model: &PlainModel<'_>, recipients: &[RecipientKey]) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let publisher = identity(1);
    let sealing = Sealing::new(model, &publisher, recipients, 7).unwrap();
    let (expected, mut sealed) = (sealing.file_bytes(), 0);
    sealing.write(&mut out, |bytes| sealed += bytes).unwrap();
    assert_eq!(out.get_ref().len() as u64, expected);
    assert_eq!(sealed, model.tensor_bytes());
    out.into_inner()
}
