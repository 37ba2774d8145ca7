//! Safetensors files as models to seal: one file, or shards under a `model.safetensors.index.json`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    ops::Range,
    path::Path,
};

use safetensors::tensor::Metadata;

use super::{
    MappedFile, PlainModel,
    manifest::{MAX_FILES, MAX_MANIFEST_BYTES, ModelFile, is_file_name},
};
use crate::{Result, error::SealedFailure, tensor::TensorMetadata};

/// The header's length stands in the first eight bytes, little-endian.
const LENGTH_BYTES: usize = 8;

/// A model's files, mapped. They must be left alone while they are.
pub struct SafetensorsModel {
    shards: Vec<Shard>,
    index: Vec<u8>,
}

struct Shard {
    name: String,
    file: MappedFile,
    header: Vec<u8>,
    metadata: BTreeMap<String, String>,
    /// In the order of their data.
    tensors: Vec<(String, crate::DType, Vec<u64>, Range<usize>)>,
}

impl SafetensorsModel {
    /// Opens a safetensors file or, where `path` ends in `.json`, an index and the shards beside it that it names.
    ///
    /// Fails with [`SealedFailure::Model`] where a file cannot be read, is not of the format, has holes or overlaps, or a shard
    /// lacks a tensor that the index finds in it.
    pub fn open(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension == "json") {
            return Ok(Self::open_index(path)?);
        }
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        Ok(SafetensorsModel { shards: vec![Shard::open(path, &name)?], index: Vec::new() })
    }

    fn open_index(path: &Path) -> Result<Self, SealedFailure> {
        let mut index = Vec::new();
        let file = File::open(path).map_err(|error| about(path, error))?;
        file.take(MAX_MANIFEST_BYTES as u64 + 1).read_to_end(&mut index).map_err(|error| about(path, error))?;
        if index.len() > MAX_MANIFEST_BYTES {
            return Err(about(path, "longer than 67,108,864 bytes"));
        }
        let parsed: Index = serde_json::from_slice(&index).map_err(|error| about(path, error))?;
        let names: BTreeSet<&str> = parsed.weight_map.values().map(String::as_str).collect();
        if names.is_empty() || names.len() > MAX_FILES {
            return Err(about(path, "names no shards, or more than 65,536"));
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        let shard = |name: &&str| {
            if !is_file_name(name) {
                return Err(about(path, format_args!("{name:?} is not the plain name of a file beside it")));
            }
            Shard::open(&directory.join(name), name)
        };
        let shards = names.iter().map(shard).collect::<Result<Vec<_>, _>>()?;
        for shard in &shards {
            let own: BTreeSet<&str> = shard.tensors.iter().map(|(name, ..)| name.as_str()).collect();
            let mut named = parsed.weight_map.iter().filter(|(_, file)| **file == shard.name);
            if let Some((missing, _)) = named.find(|(name, _)| !own.contains(name.as_str())) {
                return Err(about(path, format_args!("finds tensor {missing:?} in {}, which has none", shard.name)));
            }
        }
        Ok(SafetensorsModel { shards, index })
    }

    /// The model, to be sealed. Tensor ids are the tensors' numbers in it.
    pub fn plain(&self) -> Result<PlainModel<'_>> {
        let mut tensors = Vec::new();
        for shard in &self.shards {
            for (name, dtype, extents, range) in &shard.tensors {
                let metadata = TensorMetadata::new(tensors.len().to_string(), name, *dtype, extents.clone());
                let metadata = metadata
                    .map_err(|error| SealedFailure::Model(format!("{}: tensor {name:?}: {error}", shard.name)))?;
                tensors.push((metadata, &shard.file.as_bytes()[range.clone()]));
            }
        }
        let file = |shard: &Shard| ModelFile {
            name: shard.name.clone(),
            header: shard.header.clone(),
            tensors: shard.tensors.len() as u32,
        };
        let files = self.shards.iter().map(file).collect();
        let metadata = self.shards.first().map(|shard| shard.metadata.clone()).unwrap_or_default();
        PlainModel::from_files(metadata, tensors, files, self.index.clone())
    }
}

#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Shard {
    fn open(path: &Path, name: &str) -> Result<Self, SealedFailure> {
        let file = MappedFile::open(path).map_err(|error| about(path, error))?;
        if !is_file_name(name) {
            return Err(about(path, "its name cannot stand in a manifest; give it a plain one"));
        }
        let whole = file.as_bytes();
        let length = whole.first_chunk::<LENGTH_BYTES>().ok_or_else(|| about(path, "shorter than 8 bytes"))?;
        let length = u64::from_le_bytes(*length);
        if length > MAX_MANIFEST_BYTES as u64 {
            return Err(about(path, "its header is longer than 67,108,864 bytes, or it is not a safetensors file"));
        }
        let start = LENGTH_BYTES + length as usize;
        // Copied, so that what is parsed stays what it was: the mapped file may change.
        let header = whole.get(..start).ok_or_else(|| about(path, "it ends within its header"))?.to_vec();
        // Refuses holes, overlaps, and sizes that are not those of the shapes.
        let parsed: Metadata = serde_json::from_slice(&header[LENGTH_BYTES..]).map_err(|error| about(path, error))?;
        if parsed.data_len() as u64 != (whole.len() - start) as u64 {
            return Err(about(path, "its length is not what its header says"));
        }
        // By name where there are no data to tell them apart: the crate's own order then changes from run to run.
        let mut named: Vec<_> = parsed.tensors().into_iter().collect();
        named.sort_by(|(a_name, a), (b_name, b)| (a.data_offsets, a_name).cmp(&(b.data_offsets, b_name)));
        let tensors = named.into_iter().map(|(name, info)| {
            let (from, to) = info.data_offsets;
            let extents = info.shape.iter().map(|&extent| extent as u64).collect();
            let dtype = dtype(info.dtype)
                .ok_or_else(|| about(path, format_args!("tensor {name:?} has a type not known here")))?;
            Ok((name, dtype, extents, start + from..start + to))
        });
        let tensors = tensors.collect::<Result<_, SealedFailure>>()?;
        let metadata = parsed.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(Shard { name: name.into(), header, metadata, tensors, file })
    }
}

/// This library's element types bear the format's names.
fn dtype(dtype: safetensors::Dtype) -> Option<crate::DType> {
    let name: Cow<'_, str> = match serde_json::to_value(dtype) {
        Ok(serde_json::Value::String(name)) => name.into(),
        _ => return None,
    };
    name.parse().ok()
}

fn about(path: &Path, why: impl core::fmt::Display) -> SealedFailure {
    SealedFailure::Model(format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_without_data_have_one_order() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("model.safetensors");
        let empty = |name: char| format!(r#""{name}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#);
        let header = format!("{{{}}}", "hbgdcefa".chars().map(empty).collect::<Vec<_>>().join(","));
        let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        std::fs::write(&path, file).expect("written");
        let model = SafetensorsModel::open(&path).expect("model");
        let names: String =
            model.plain().expect("plain").tensors().iter().map(|(metadata, _)| metadata.name()).collect();
        assert_eq!(names, "abcdefgh");
    }
}
