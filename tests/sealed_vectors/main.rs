//! The committed vector of sealed files: computed by the book, sealed and opened by the library.
//!
//! `PQC_GPU_WRITE_VECTORS=1 cargo test --test sealed_vectors book` writes tests/vectors/sealed.json anew.
#![cfg(feature = "safetensors")]
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/sealed_book.rs"]
mod book;
#[path = "../common/sealed_inputs.rs"]
mod inputs;
#[path = "../vectors/json.rs"]
#[allow(dead_code)]
mod json;

use std::{fs, io::Cursor, path::PathBuf};

use pqc_gpu_driver::{
    Identity, TrustPolicy, block_on,
    identity::PublicKey,
    sealed::{
        RecipientKey, Roots, SealedModel,
        hazmat::{KnownCoins, sealing_with_known_coins, secrets},
        safetensors::SafetensorsModel,
        tree, verify,
    },
};
use serde_json::Value;
use zeroize::Zeroizing;

use book::{Inputs, Sealed, encapsulation_key, leaf, seal, sha3};
use json::{Json, Json::Number, from_hex, hex, text};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/sealed.json")
}

fn compute(inputs: &Inputs, sealed: &Sealed) -> String {
    let recipient = |(seed, m): &([u8; 64], [u8; 32])| {
        let key = encapsulation_key(seed);
        Json::Object(vec![
            ("kem_seed", hex(seed)),
            ("encapsulation_key", hex(&key)),
            ("key_id", hex(sha3(&[&key]))),
            ("encapsulation_m", hex(m)),
        ])
    };
    let tensor = |((tensor, body), line): ((&book::Tensor, &book::Body), &book::Line)| {
        Json::Object(vec![
            ("id", text(&tensor.id)),
            ("name", text(&tensor.name)),
            ("dtype", text(tensor.dtype)),
            ("shape", Json::Row(tensor.shape.iter().map(|&extent| Number(extent)).collect())),
            ("plaintext_bytes", Number(tensor.plaintext.len() as u64)),
            ("plaintext_sha3_256", hex(sha3(&[&tensor.plaintext]))),
            ("salt", hex(tensor.salt)),
            ("metadata", hex(&line.metadata)),
            ("context", hex(&body.context)),
            ("key", hex(body.key)),
            ("base_nonce", hex(body.base_nonce)),
            ("commitment", hex(body.commitment)),
            ("offset", Number(line.offset)),
            ("length", Number(line.length)),
            ("leaves", Json::List(body.chunks.iter().map(|chunk| hex(leaf(chunk))).collect())),
            ("root", hex(&line.root)),
        ])
    };
    let tensors = inputs.tensors.iter().zip(&sealed.bodies).zip(&sealed.lines).map(tensor).collect();
    let file = |(name, header, tensors): &(String, Vec<u8>, u64)| {
        Json::Object(vec![("name", text(name)), ("header", hex(header)), ("tensors", Number(*tensors))])
    };
    let pair = |(key, value): &(String, String)| Json::Row(vec![text(key), text(value)]);
    let object = vec![
        (
            "format",
            text("sealed model files, version 1: docs/sealed-format.md, whose section Vector describes this file"),
        ),
        ("publisher_seed", hex(inputs.publisher_seed)),
        ("publisher_key", hex(&sealed.public_key)),
        ("signing_rnd", hex(inputs.signing_rnd)),
        ("file_key", hex(inputs.file_key)),
        ("model_id", hex(inputs.model_id)),
        ("release", Number(inputs.release)),
        ("metadata", Json::List(inputs.metadata.iter().map(pair).collect())),
        ("recipients", Json::List(inputs.recipients.iter().map(recipient).collect())),
        ("recipients_key", hex(sealed.recipients_key)),
        ("body_key", hex(sealed.body_key)),
        ("tensors", Json::List(tensors)),
        ("files", Json::List(inputs.files.iter().map(file).collect())),
        ("index", hex(&inputs.index)),
        ("manifest", hex(&sealed.manifest)),
        ("manifest_sha3_256", hex(sha3(&[&sealed.manifest]))),
        ("signature", hex(&sealed.signature)),
        ("recipients_part", hex(&sealed.recipients)),
        ("recipients_mac", hex(&sealed.mac)),
        ("bodies_start", Number(sealed.front.len() as u64)),
        ("file", hex(&sealed.file)),
    ];
    Json::Object(object).print()
}

/// Nothing of the library runs here.
#[test]
fn the_book_gives_every_byte_of_the_vector() {
    let inputs = inputs::three();
    let computed = compute(&inputs, &seal(&inputs));
    if std::env::var("PQC_GPU_WRITE_VECTORS").is_ok_and(|value| value == "1") {
        fs::write(path(), &computed).unwrap();
    }
    let committed = fs::read_to_string(path()).unwrap();
    for (number, (committed, computed)) in committed.lines().zip(computed.lines()).enumerate() {
        let start = |line: &str| line.chars().take(120).collect::<String>();
        assert!(committed == computed, "line {}: {}\nnot {}", number + 1, start(committed), start(computed));
    }
    assert_eq!(committed.len(), computed.len());
    assert!(committed.len() < 200_000, "the file has {} bytes", committed.len());
}

fn committed() -> Value {
    serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    from_hex(value.as_str().unwrap())
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

/// As docs/sealed-format.md has it.
fn plaintext(tensor: &Value) -> Vec<u8> {
    (0..tensor["plaintext_bytes"].as_u64().unwrap()).map(|i| ((7 * i + 13) % 251) as u8).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[test]
fn the_library_seals_every_byte_of_the_vector() {
    let vector = committed();
    let directory = tempfile::tempdir().unwrap();
    let file = &vector["files"][0];
    let path = directory.path().join(file["name"].as_str().unwrap());
    let data = list(&vector["tensors"]).iter().flat_map(plaintext);
    fs::write(&path, bytes(&file["header"]).into_iter().chain(data).collect::<Vec<_>>()).unwrap();
    let files = SafetensorsModel::open(&path).unwrap();
    let model = files.plain().unwrap();

    let publisher =
        Identity::from_seeds(Zeroizing::new(array(&vector["publisher_seed"])), Zeroizing::new([0; 64])).unwrap();
    let recipients = list(&vector["recipients"]);
    let keys = recipients.iter().map(|recipient| RecipientKey::from_bytes(&bytes(&recipient["encapsulation_key"])));
    let coins = KnownCoins {
        file_key: Zeroizing::new(array(&vector["file_key"])),
        model_id: array(&vector["model_id"]),
        salts: list(&vector["tensors"]).iter().map(|tensor| array(&tensor["salt"])).collect(),
        encapsulations: recipients.iter().map(|one| Zeroizing::new(array(&one["encapsulation_m"]))).collect(),
        signing_rnd: Zeroizing::new(array(&vector["signing_rnd"])),
    };
    let release = vector["release"].as_u64().unwrap();
    let keys = keys.collect::<Result<Vec<_>, _>>().unwrap();
    let sealing = sealing_with_known_coins(&model, &publisher, &keys, release, coins).unwrap();
    let mut sealed = Cursor::new(Vec::new());
    sealing.write(&mut sealed, |_| ()).unwrap();
    assert!(sealed.into_inner() == bytes(&vector["file"]));
}

#[test]
fn the_library_opens_the_vector() {
    let vector = committed();
    let file = bytes(&vector["file"]);
    let trust = TrustPolicy::pin(PublicKey::from_bytes(&bytes(&vector["publisher_key"])).unwrap());
    let front = block_on(verify(&file, &trust, 300, |_| ())).unwrap();
    assert_eq!(front.manifest().encode(), bytes(&vector["manifest"]));
    assert_eq!(Some(front.bodies_start()), vector["bodies_start"].as_u64());
    for recipient in list(&vector["recipients"]) {
        let kem_seed = Zeroizing::new(array(&recipient["kem_seed"]));
        let identity = Identity::from_seeds(Zeroizing::new([1; 32]), kem_seed).unwrap();
        assert_eq!(RecipientKey::from(identity.public()).id().to_string(), recipient["key_id"]);
        let model = block_on(SealedModel::open(&file, &identity, &trust, 300)).unwrap();
        let found = secrets(&model).unwrap();
        assert_eq!(*found.file_key, array(&vector["file_key"]));
        assert_eq!(*found.recipients_key, array(&vector["recipients_key"]));
        assert_eq!(*found.body_key, array(&vector["body_key"]));
        for (i, (tensor, found)) in list(&vector["tensors"]).iter().zip(&found.bodies).enumerate() {
            assert_eq!(found.context, bytes(&tensor["context"]));
            assert_eq!((*found.key, found.base_nonce), (array(&tensor["key"]), array(&tensor["base_nonce"])));
            let line = &model.manifest().tensors()[i];
            assert_eq!(line.header().to_vec(), [bytes(&tensor["salt"]), bytes(&tensor["commitment"])].concat());
            assert_eq!(Some(line.offset()), tensor["offset"].as_u64());
            assert_eq!(Some(line.sealed_bytes()), tensor["length"].as_u64());
            let leaves = list(&tensor["leaves"]).iter().map(array).collect();
            assert_eq!((line.root(), tree::root(leaves)), (&array(&tensor["root"]), array(&tensor["root"])));
            let opened = block_on(model.open_tensor(i as u32, Roots::Check)).unwrap();
            assert_eq!(opened.bytes, plaintext(tensor));
        }
    }
}
