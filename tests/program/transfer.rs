//! `transfer` and `bench`: the contract, every way to tamper, models good and malformed.

use std::{collections::HashMap, fs, path::Path};

use safetensors::{Dtype, tensor::TensorView};

use super::{
    devices::{first_gpu, has_gpu},
    support::{Run, run, software_adapter},
};

const TAMPER: [&str; 7] = ["ciphertext", "tag", "metadata", "sequence", "replay", "reflect", "truncate"];

#[test]
fn the_built_in_model_crosses_and_comes_back() {
    let run = run(&["transfer", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let device = &first_gpu();
    assert!(run.stderr.contains(&format!("auto chose {device}")), "auto says what it chose: {run:?}");
    contract(&run, device, 12, 44_544);
}

#[test]
fn the_model_crosses_to_a_wgpu_adapter_and_no_edit_gets_through() {
    let Some(adapter) = software_adapter() else { return };
    let crossed = run(&["transfer", "--device", adapter, "--json"]);
    assert_eq!((crossed.code, crossed.stderr.as_str()), (0, ""));
    contract(&crossed, adapter, 12, 44_544);
    for how in TAMPER {
        let run = run(&["transfer", "--device", adapter, "--json", "--tamper", how]);
        assert_eq!((run.code, &run.json()["tamper"]), (1, &how.into()), "{how}: {run:?}");
        assert!(run.json()["rejected"].as_u64() >= Some(1), "{how}: {run:?}");
    }
}

#[test]
fn software_adapters_are_taken_by_name_only() {
    let Some(adapter) = software_adapter() else { return };
    // Part of its name, in any case, is enough.
    assert_eq!(run(&["transfer", "--device", "wgpu:LLVMpipe (llvm", "--json"]).json()["device"], adapter);
    if !has_gpu() {
        let absent = run(&["transfer", "--device", "wgpu"]);
        let why = absent.fails_with(3);
        assert!(why.contains("Vulkan driver") && why.contains(adapter) && why.contains("--device cpu"), "{why}");
        run(&["transfer", "--device", "wgpu:0"]).fails_with(3);
    }
}

#[test]
fn people_get_a_table() {
    let run = run(&["transfer", "--device", "cpu"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for line in ["verified          12", "rejected          0", "ML-KEM-768+ML-DSA-65+AES-256-GCM"] {
        assert!(run.stdout.contains(line), "{line}: {run:?}");
    }
}

#[test]
fn every_way_to_tamper_is_refused() {
    for how in TAMPER {
        let run = run(&["transfer", "--device", "cpu", "--json", "--tamper", how]);
        assert_eq!(run.code, 1, "{how}: {run:?}");
        let report = run.json();
        assert!(report["rejected"].as_u64() >= Some(1), "{how}: {report}");
        assert!(report["verified"].as_u64() < Some(12), "{how}: {report}");
        assert_eq!(report["tamper"], how);
        let why = report["rejection"].as_str().expect("a reason");
        let expected = match how {
            "sequence" => "gap",
            "replay" => "replay",
            "reflect" => "reflected",
            "truncate" => "truncated",
            _ => "authentication failed",
        };
        assert!(why.contains(expected), "{how}: {why}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    }
}

#[test]
fn tensors_of_every_type_and_shape_cross() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("model.safetensors");
    let bytes: Vec<u8> = (0..70_000u32).map(|i| (i % 253) as u8).collect();
    let view =
        |dtype, shape: &[usize], length: usize| TensorView::new(dtype, shape.to_vec(), &bytes[..length]).expect("view");
    let tensors = HashMap::from([
        ("i64", view(Dtype::I64, &[3, 5], 120)),
        ("scalar", view(Dtype::F64, &[], 8)),
        ("empty", view(Dtype::F32, &[0, 7], 0)),
        ("bool", view(Dtype::BOOL, &[16384], 16384)),
        ("bf16", view(Dtype::BF16, &[8192], 16384)),
        ("f8", view(Dtype::F8_E4M3, &[70_000], 70_000)),
        ("f4", view(Dtype::F4, &[6], 3)),
        ("grüße \u{1b}[31m", view(Dtype::U16, &[1], 2)),
    ]);
    let total: usize = tensors.values().map(|tensor| tensor.data().len()).sum();
    safetensors::serialize_to_file(&tensors, None, &path).expect("writes");
    let sent = run(&["transfer", text(&path), "--device", "cpu", "--json"]);
    assert_eq!(sent.code, 0, "{sent:?}");
    contract(&sent, "cpu", 8, total as u64);
    for how in TAMPER {
        assert_eq!(run(&["transfer", text(&path), "--tamper", how, "--json"]).code, 1, "{how}");
    }
}

#[test]
fn a_model_without_tensors_is_no_failure_but_cannot_be_tampered_with() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("empty.safetensors");
    safetensors::serialize_to_file(HashMap::<String, TensorView<'_>>::new(), None, &path).expect("writes");
    let sent = run(&["transfer", text(&path), "--device", "cpu", "--json"]);
    assert_eq!(sent.code, 0, "{sent:?}");
    assert_eq!(sent.json()["tensors"], 0);
    run(&["transfer", text(&path), "--device", "cpu", "--tamper", "tag"]).fails_with(2);
}

#[test]
fn what_is_no_model_is_one_line_and_exit_code_2() {
    let folder = tempfile::tempdir().expect("folder");
    let header = |json: &str| [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
    let whole = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/digits/digits.safetensors")).expect("reads");
    let long_name = format!(r#"{{"{}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#, "n".repeat(5000));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("short", vec![1, 2, 3]),
        ("text", b"this is not a model, it is a text of some length".to_vec()),
        ("length", u64::MAX.to_le_bytes().to_vec()),
        ("longest", [&100_000_000u64.to_le_bytes()[..], b"{}"].concat()),
        ("json", header("{")),
        ("array", header("[]")),
        ("utf8", [&2u64.to_le_bytes()[..], &[0xff, 0xfe]].concat()),
        ("cut", whole[..whole.len() - 1].to_vec()),
        ("extended", [&whole[..], &[0]].concat()),
        ("dtype", header(r#"{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,1]}}"#)),
        ("offsets", header(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[5,1]}}"#)),
        (
            "overlap",
            header(
                r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
            ),
        ),
        ("shape", header(r#"{"a":{"dtype":"U8","shape":[18446744073709551615,9],"data_offsets":[0,1]}}"#)),
        (
            "huge",
            header(r#"{"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}}"#),
        ),
        ("negative", header(r#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#)),
        ("name", [header(&long_name), vec![0]].concat()),
    ];
    for (name, bytes) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("writes");
        run(&["transfer", text(&path), "--device", "cpu"]).fails_with(2);
    }
    run(&["transfer", text(folder.path()), "--device", "cpu"]).fails_with(2);
    run(&["transfer", text(&folder.path().join("absent")), "--device", "cpu"]).fails_with(2);
}

#[test]
fn absent_devices_and_wrong_words() {
    for device in ["wgpu:99", "wgpu:no such adapter", "cuda:98", "cuda:99", "rocm"] {
        run(&["transfer", "--device", device]).fails_with(3);
        run(&["bench", "--device", device]).fails_with(3);
    }
    for words in
        [&["transfer", "--device", "gpu"][..], &["transfer", "--tamper", "everything"], &["bench", "--size", "0"]]
    {
        let run = run(words);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
    }
}

/// The object that docs/program.md promises of a model that came through.
#[track_caller]
fn contract(run: &Run, device: &str, tensors: u64, bytes: u64) {
    let report = run.json();
    let count = |key: &str| report[key].as_u64().unwrap_or_else(|| panic!("{key}: {report}"));
    assert_eq!((count("tensors"), count("bytes"), count("verified"), count("rejected")), (tensors, bytes, tensors, 0));
    assert_eq!(report["device"], device);
    assert_eq!(report["suite"], "ML-KEM-768+ML-DSA-65+AES-256-GCM+HKDF-SHA-512");
    for key in ["plain_upload_gbps", "sealed_upload_gbps", "ratio", "host_seal_gbps"] {
        assert!(report[key].as_f64() > Some(0.0), "{key}: {report}");
    }
    assert!(count("peak_host_bytes") > 0);
    assert_eq!(report.as_object().expect("object").len(), 11, "{report}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
