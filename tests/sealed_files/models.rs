use std::{collections::BTreeMap, fs, path::Path};

use pqc_gpu_driver::{
    DType, Error, TensorMetadata, block_on,
    error::SealedFailure,
    sealed::{PlainModel, RecipientKey, Roots, SealedModel, Sealing, safetensors::SafetensorsModel},
};

use crate::{identity, key, seal, trust, write_safetensors};

/// Why a file cannot be sealed.
#[track_caller]
fn refused(path: &Path) -> String {
    match SafetensorsModel::open(path).map(drop) {
        Err(Error::SealedFile(SealedFailure::Model(why))) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn shards_are_sealed_as_one_and_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let shards = [
        write_safetensors(&at("model-00001-of-00002.safetensors"), &[("a", 10), ("b", 70_000)]),
        write_safetensors(&at("model-00002-of-00002.safetensors"), &[("c", 3), ("d", 0)]),
    ];
    let index = br#"{"metadata": {"total_size": 70013},
        "weight_map": {"c": "model-00002-of-00002.safetensors", "a": "model-00001-of-00002.safetensors",
                       "d": "model-00002-of-00002.safetensors", "b": "model-00001-of-00002.safetensors"}}"#;
    fs::write(at("model.safetensors.index.json"), index).unwrap();
    let files = SafetensorsModel::open(&at("model.safetensors.index.json")).unwrap();
    let sealed = seal(&files.plain().unwrap(), &[key(&identity(2))]);

    let model = block_on(SealedModel::open(&sealed, &identity(2), &trust(), 0)).unwrap();
    assert_eq!(model.manifest().index(), index);
    assert_eq!(model.manifest().metadata().get("format").map(String::as_str), Some("pt"));
    assert_eq!(model.manifest().position("c"), Some(2));
    for (file, original) in shards.iter().enumerate() {
        let mut out = Vec::new();
        block_on(model.write_file(file, &mut out, Roots::Check, |_| ())).unwrap();
        assert!(&out == original);
        assert!(model.manifest().files()[file].name().starts_with(&format!("model-0000{}", file + 1)));
    }
}

#[test]
fn indexes_that_lie_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let index = directory.path().join("model.safetensors.index.json");
    write_safetensors(&directory.path().join("one.safetensors"), &[("a", 10)]);
    let refused = |json: &str| {
        fs::write(&index, json).unwrap();
        refused(&index)
    };
    assert!(refused(r#"{"weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}"#).contains("which has none"));
    assert!(refused(r#"{"weight_map": {"a": "two.safetensors"}}"#).contains("two.safetensors"));
    assert!(refused(r#"{"weight_map": {}}"#).contains("names no shards"));
    for name in ["../one.safetensors", "/etc/passwd", "..", "a\\\\b"] {
        assert!(refused(&format!(r#"{{"weight_map": {{"a": "{name}"}}}}"#)).contains("plain name"), "{name}");
    }
    for json in ["", "[]", "{}", r#"{"weight_map": []}"#, r#"{"weight_map": {"a": 1}}"#] {
        refused(json);
    }
}

#[test]
fn one_name_in_two_shards_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    write_safetensors(&at("1.safetensors"), &[("a", 10), ("b", 1)]);
    write_safetensors(&at("2.safetensors"), &[("a", 10), ("c", 1)]);
    fs::write(at("index.json"), r#"{"weight_map": {"b": "1.safetensors", "c": "2.safetensors"}}"#).unwrap();
    let files = SafetensorsModel::open(&at("index.json")).unwrap();
    let (plain, publisher) = (files.plain().unwrap(), identity(1));
    let failed = Sealing::new(&plain, &publisher, &[key(&identity(2))], 0).map(drop);
    assert_eq!(failed, Err(SealedFailure::Model("two tensors have one name".into()).into()));
}

#[test]
fn files_with_holes_overlaps_or_lies_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    let refused = |json: &str, data: usize| {
        let file = [&(json.len() as u64).to_le_bytes(), json.as_bytes(), &vec![0; data]].concat();
        fs::write(&path, file).unwrap();
        refused(&path)
    };
    let tensors = |a: [u64; 2], b: [u64; 2]| {
        let entry = |[from, to]: [u64; 2]| {
            format!(r#"{{"dtype":"U8","shape":[{}],"data_offsets":[{from},{to}]}}"#, to.wrapping_sub(from))
        };
        format!(r#"{{"a":{},"b":{}}}"#, entry(a), entry(b))
    };
    let good = tensors([0, 10], [10, 20]);
    fs::write(&path, [&(good.len() as u64).to_le_bytes(), good.as_bytes(), &[0; 20]].concat()).unwrap();
    assert!(SafetensorsModel::open(&path).is_ok());
    // A hole between, before, behind; an overlap; twice the same bytes; backwards.
    refused(&tensors([0, 10], [11, 21]), 21);
    refused(&tensors([1, 10], [10, 20]), 20);
    assert!(refused(&good, 21).contains("its length is not what its header says"));
    assert!(refused(&good, 19).contains("its length is not what its header says"));
    refused(&tensors([0, 10], [9, 19]), 19);
    refused(&tensors([0, 10], [0, 10]), 10);
    refused(r#"{"a":{"dtype":"U8","shape":[10],"data_offsets":[10,0]}}"#, 10);
    refused(r#"{"a":{"dtype":"F32","shape":[10],"data_offsets":[0,10]}}"#, 10);
    refused(r#"{"a":{"dtype":"Q9","shape":[10],"data_offsets":[0,10]}}"#, 10);
    refused(r#"{"a":{"dtype":"U8","shape":[18446744073709551615,2],"data_offsets":[0,10]}}"#, 10);
    refused("{", 0);
    for file in [&b""[..], b"1234567", &[255; 16], &[9, 0, 0, 0, 0, 0, 0, 0, b'{', b'}']] {
        fs::write(&path, file).unwrap();
        self::refused(&path);
    }
    self::refused(directory.path());
    self::refused(&directory.path().join("absent.safetensors"));
}

#[test]
fn recipients_are_one_at_least_and_none_twice() {
    let model = PlainModel::new(BTreeMap::new(), Vec::new()).unwrap();
    let (publisher, alice) = (identity(1), key(&identity(2)));
    let sealing = |recipients: &[RecipientKey]| Sealing::new(&model, &publisher, recipients, 0).map(drop);
    assert_eq!(sealing(&[]), Err(SealedFailure::Malformed("there is no recipient").into()));
    let twice = "a recipient stands there twice, or out of order";
    assert_eq!(sealing(&[alice.clone(), alice.clone()]), Err(SealedFailure::Malformed(twice).into()));
    assert_eq!(sealing(&[alice]), Ok(()));
}

#[test]
fn models_without_files_or_tensors_are_models() {
    let empty = PlainModel::new([("k".into(), "v".into())].into(), Vec::new()).unwrap();
    let sealed = seal(&empty, &[key(&identity(2))]);
    assert_eq!(sealed.len() % 4096, 0);
    let model = block_on(SealedModel::open(&sealed, &identity(2), &trust(), 0)).unwrap();
    assert!(model.manifest().tensors().is_empty() && model.manifest().files().is_empty());
    assert!(block_on(model.ciphertexts(0..0).unwrap().next()).unwrap().is_none());
    let mut rewrapped = Vec::new();
    block_on(model.write_rewrapped(&[key(&identity(3))], &[], &mut rewrapped, |_| ())).unwrap();
    assert!(block_on(SealedModel::open(&rewrapped, &identity(3), &trust(), 0)).is_ok());

    let metadata = TensorMetadata::new("x", "t", DType::U8, [3]).unwrap();
    assert!(PlainModel::new(BTreeMap::new(), vec![(metadata.clone(), &[1, 2])]).is_err());
    let plain = PlainModel::new(BTreeMap::new(), vec![(metadata, &[1, 2, 3])]).unwrap();
    let sealed = seal(&plain, &[key(&identity(2))]);
    let model = block_on(SealedModel::open(&sealed, &identity(2), &trust(), 0)).unwrap();
    assert_eq!(block_on(model.open_tensor(0, Roots::Check)).unwrap().bytes, [1, 2, 3]);
}

#[test]
fn two_sealings_share_nothing() {
    let metadata = TensorMetadata::new("x", "t", DType::U8, [64]).unwrap();
    let plain = PlainModel::new(BTreeMap::new(), vec![(metadata, &[0; 64])]).unwrap();
    let [one, other] = [(); 2].map(|()| seal(&plain, &[key(&identity(2))]));
    let open = |file: &Vec<u8>| block_on(SealedModel::open(file.clone(), &identity(2), &trust(), 0)).unwrap();
    let (one, other) = (open(&one), open(&other));
    assert_ne!(one.manifest().model_id(), other.manifest().model_id());
    assert_ne!(one.manifest().tensors()[0].header()[..24], other.manifest().tensors()[0].header()[..24]);
    let [one, other] = [one, other].map(|model| model.source()[model.body_range(0).unwrap().start as usize..].to_vec());
    assert_ne!(one, other);
}

#[test]
fn recipient_keys_are_checked_and_read_from_pem() {
    let alice = identity(2);
    let pem = alice.public().to_pem().unwrap();
    assert_eq!(RecipientKey::from_pem(&pem).unwrap(), key(&alice));
    assert!(RecipientKey::from_pem(&alice.to_pem().unwrap()).is_err());
    let signing_only = &pem[..pem.find("-----END").unwrap() + 25];
    assert!(RecipientKey::from_pem(signing_only.trim()).is_err());
    let mut bytes = *key(&alice).as_bytes();
    assert!(RecipientKey::from_bytes(&bytes).is_ok() && RecipientKey::from_bytes(&bytes[1..]).is_err());
    // A coefficient of 3329 (FIPS 203, section 7.2).
    (bytes[0], bytes[1]) = (0x01, bytes[1] & 0xf0 | 0x0d);
    assert!(RecipientKey::from_bytes(&bytes).is_err());
}
