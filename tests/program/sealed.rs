//! `seal`, `inspect`, `verify`, `open`, `rewrap` and `load` on files.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{Run, run, software_adapter};

pub(crate) const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/digits/digits.safetensors");

/// A folder with everybody's keys in `keys`, and nothing else yet.
pub(crate) struct Bench(TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Bench(tempfile::tempdir().expect("a folder"));
        fs::create_dir(bench.at("keys")).expect("makes");
        for who in ["publisher", "alice", "bob"] {
            assert_eq!(run(&["identity", "new", &bench.at(&format!("keys/{who}"))]).code, 0);
        }
        bench
    }

    pub(crate) fn at(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    pub(crate) fn public(&self, who: &str) -> String {
        self.at(&format!("keys/{who}.pub.pem"))
    }

    pub(crate) fn secret(&self, who: &str) -> String {
        self.at(&format!("keys/{who}.pem"))
    }

    /// By the publisher, for alice.
    pub(crate) fn seal(&self, model: &str, output: &str, more: &[&str]) -> Run {
        let (alice, publisher, output) = (self.public("alice"), self.secret("publisher"), self.at(output));
        let arguments = ["seal", model, "--to", &alice, "--sign-with", &publisher, "-o", &output, "--json"];
        run(&[&arguments[..], more].concat())
    }

    /// With a trusted publisher.
    pub(crate) fn with(&self, command: &str, file: &str, who: &str, more: &[&str]) -> Run {
        let (identity, trust) = (self.secret(who), self.public("publisher"));
        run(&[&[command, file, "--identity", &identity, "--trust", &trust, "--json"][..], more].concat())
    }

    pub(crate) fn open(&self, file: &str, who: &str, output: &str) -> Run {
        self.with("open", &self.at(file), who, &["-o", &self.at(output)])
    }

    pub(crate) fn verify(&self, file: &str, more: &[&str]) -> Run {
        let (file, trust) = (self.at(file), self.public("publisher"));
        run(&[&["verify", &file, "--trust", &trust, "--json"][..], more].concat())
    }

    /// Everything in the folder, hidden files as well.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("reads");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    /// A sealed file, to be changed.
    pub(crate) fn change(&self, file: &str, output: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.at(file)).expect("reads");
        change(&mut bytes);
        fs::write(self.at(output), bytes).expect("writes");
    }
}

#[cfg(unix)]
fn mode(path: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

#[test]
fn a_model_is_sealed_shown_verified_and_opened() {
    let bench = Bench::new();
    let sealed = bench.seal(DIGITS, "m.pqgs", &["--release", "3"]);
    assert_eq!((sealed.code, sealed.stderr.as_str()), (0, ""), "{sealed:?}");
    let facts = sealed.json();
    assert_eq!((&facts["tensors"], &facts["bytes"], &facts["release"]), (&json!(12), &json!(44_544), &json!(3)));
    assert_eq!(facts["recipients"].as_array().map(Vec::len), Some(1));
    assert_eq!(facts["sealed_bytes"].as_u64(), Some(fs::metadata(bench.at("m.pqgs")).expect("there").len()));
    let publisher = run(&["identity", "show", &bench.public("publisher"), "--json"]).json();
    assert_eq!(facts["publisher"], publisher["did"]);

    let inspected = run(&["inspect", &bench.at("m.pqgs"), "--json"]);
    assert_eq!((inspected.code, inspected.stderr.as_str()), (0, ""));
    let shown = inspected.json();
    for field in ["file", "model_id", "publisher", "release", "recipients", "tensors", "bytes"] {
        assert_eq!(shown[field], facts[field], "{field}");
    }
    assert_eq!((&shown["signed"], &shown["files"]), (&json!(true), &json!(["digits.safetensors"])));
    assert_eq!(shown["contents"][1]["shape"], json!([16, 1, 3, 3]));
    assert_eq!(shown["metadata"]["name"], "digits");
    assert!(run(&["inspect", &bench.at("m.pqgs")]).stdout.contains("conv1.weight      F32   [16, 1, 3, 3]     576"));

    let verified = bench.verify("m.pqgs", &["--min-release", "3"]);
    assert_eq!((verified.code, verified.stderr.as_str()), (0, ""), "{verified:?}");
    let report = verified.json();
    assert_eq!((&report["verified"], &report["rejected"]), (&json!(12), &json!(0)));
    assert_eq!((&report["trust"], &report["roots"]), (&json!("pinned"), &json!("checked")));

    let opened = bench.open("m.pqgs", "alice", "out.safetensors");
    assert_eq!((opened.code, opened.stderr.as_str()), (0, ""), "{opened:?}");
    assert_eq!((&opened.json()["verified"], &opened.json()["trust"]), (&json!(12), &json!("pinned")));
    assert!(fs::read(bench.at("out.safetensors")).expect("reads") == fs::read(DIGITS).expect("reads"));
    assert_eq!(bench.names(), ["keys", "m.pqgs", "out.safetensors"]);
    #[cfg(unix)]
    assert_eq!((mode(&bench.at("m.pqgs")) & 0o600, mode(&bench.at("out.safetensors"))), (0o600, 0o600));

    let any = run(&["verify", &bench.at("m.pqgs"), "--trust", "any", "--json"]);
    assert_eq!((any.code, &any.json()["trust"]), (0, &json!("any")));
    assert!(any.stderr.contains("anybody can sign"), "{any:?}");
    let table = run(&["verify", &bench.at("m.pqgs"), "--trust", &bench.public("publisher")]);
    assert!(table.stdout.contains("verified    12"), "{table:?}");
}

#[test]
fn who_is_not_meant_or_not_trusted_gets_nothing() {
    let bench = Bench::new();
    assert_eq!(bench.seal(DIGITS, "m.pqgs", &[]).code, 0);
    let before = bench.names();
    let (file, out) = (bench.at("m.pqgs"), bench.at("out"));
    assert!(bench.open("m.pqgs", "bob", "out").fails_with(1).contains("not sealed for"));
    let (identity, bob) = (bench.secret("alice"), bench.public("bob"));
    let other = run(&["open", &file, "--identity", &identity, "--trust", &bob, "-o", &out, "--json"]);
    assert!(other.fails_with(1).contains("not trusted"));
    let old = bench.with("open", &file, "alice", &["-o", &out, "--min-release", "1"]);
    assert!(old.fails_with(1).contains("older than the minimum"));
    assert!(bench.verify("m.pqgs", &["--min-release", "1"]).fails_with(1).contains("older"));
    bench.with("load", &file, "bob", &["--device", "cpu"]).fails_with(1);
    // Trust and identity are never taken for granted.
    for call in [
        &["open", &file, "--identity", &identity, "-o", &out][..],
        &["open", &file, "--trust", "any", "-o", &out],
        &["verify", &file],
        &["load", &file, "--identity", &identity],
        &["seal", DIGITS, "--sign-with", &identity, "-o", &out],
        &["seal", DIGITS, "--to", &bob, "-o", &out],
        &["rewrap", &file, "--identity", &identity],
    ] {
        assert_eq!(run(call).code, 2, "{call:?}");
    }
    assert_eq!(bench.names(), before);
}

#[test]
fn outputs_are_not_overwritten_by_accident() {
    let bench = Bench::new();
    assert_eq!(bench.seal(DIGITS, "m.pqgs", &[]).code, 0);
    let first = fs::read(bench.at("m.pqgs")).expect("reads");
    bench.seal(DIGITS, "m.pqgs", &[]).fails_with(2);
    assert!(fs::read(bench.at("m.pqgs")).expect("reads") == first);
    assert_eq!(bench.seal(DIGITS, "m.pqgs", &["--force"]).code, 0);
    assert!(fs::read(bench.at("m.pqgs")).expect("reads") != first);
    // --force replaces the like by the like: no model by its sealed file, and no sealed file by a model.
    fs::copy(DIGITS, bench.at("model.safetensors")).expect("copies");
    let model = bench.at("model.safetensors");
    assert!(bench.seal(&model, "model.safetensors", &["--force"]).fails_with(2).contains("no sealed file"));
    let (file, forced) = (bench.at("m.pqgs"), ["--force", "-o"]);
    let over = bench.with("open", &file, "alice", &[&forced[..], &[&file]].concat());
    assert!(over.fails_with(2).contains("is a sealed file"));
    bench.open("m.pqgs", "alice", "model.safetensors").fails_with(2);
    assert_eq!(bench.with("open", &file, "alice", &[&forced[..], &[&model]].concat()).code, 0);
    for output in ["absent/m.pqgs", "keys/", "keys"] {
        bench.seal(DIGITS, output, &["--force"]).fails_with(2);
    }
    assert_eq!(bench.names(), ["keys", "m.pqgs", "model.safetensors"]);
}

#[test]
fn what_was_altered_is_refused_and_leaves_nothing() {
    let bench = Bench::new();
    assert_eq!(bench.seal(DIGITS, "m.pqgs", &[]).code, 0);
    let shown = run(&["inspect", &bench.at("m.pqgs"), "--json"]).json();
    let size = fs::metadata(bench.at("m.pqgs")).expect("there").len() as usize;
    let last = shown["contents"][11].clone();
    let (offset, sealed) =
        (last["offset"].as_u64().expect("a number"), last["sealed_bytes"].as_u64().expect("a number"));
    let bodies = size - (offset + sealed) as usize;
    // The third tensor's first byte: two were verified before it.
    let third = bodies + shown["contents"][2]["offset"].as_u64().expect("a number") as usize;
    bench.change("m.pqgs", "bad", |bytes| bytes[third] ^= 1);
    let before = bench.names();
    for refused in [bench.verify("bad", &[]), bench.open("bad", "alice", "out")] {
        assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{refused:?}");
        let report = refused.json();
        assert_eq!((&report["verified"], &report["rejected"]), (&json!(2), &json!(10)), "{report}");
        assert!(report["rejection"].is_string(), "{report}");
        assert!(refused.stderr.contains("conv1.bias"), "{refused:?}");
    }
    let refused = bench.with("load", &bench.at("bad"), "alice", &["--device", "cpu"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.json()["rejected"].as_u64() >= Some(1), "{refused:?}");
    assert!(refused.stderr.contains("conv1.bias"), "{refused:?}");

    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, i32, Change); 8] = [
        ("magic", 2, |bytes| bytes[0] ^= 1),
        ("version", 2, |bytes| bytes[4] = 2),
        ("a front alone", 2, |bytes| bytes.truncate(100)),
        ("nothing", 2, Vec::clear),
        ("signature", 1, |bytes| {
            let manifest = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
            bytes[16 + manifest + 1952] ^= 1;
        }),
        ("recipients' MAC", 1, |bytes| {
            let words: Vec<_> =
                bytes[8..16].chunks(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]])).collect();
            bytes[16 + 1952 + 3309 + (words[0] + words[1]) as usize] ^= 1;
        }),
        ("cut off", 1, |bytes| bytes.truncate(bytes.len() - 1)),
        ("appended", 1, |bytes| bytes.push(0)),
    ];
    for (name, code, change) in cases {
        bench.change("m.pqgs", "bad", change);
        bench.open("bad", "alice", "out").fails_with(code);
        bench.with("load", &bench.at("bad"), "alice", &["--device", "cpu"]).fails_with(code);
        let rewrapped = bench.with("rewrap", &bench.at("bad"), "alice", &["--add", &bench.public("bob")]);
        rewrapped.fails_with(code);
        // The MAC is for those who hold the file key.
        if name != "recipients' MAC" {
            bench.verify("bad", &[]).fails_with(code);
            let inspected = run(&["inspect", &bench.at("bad"), "--json"]);
            assert_eq!(inspected.code, code, "{name}: {inspected:?}");
        }
        assert_eq!(bench.names(), before, "{name}");
    }
    run(&["inspect", &bench.at("nowhere")]).fails_with(2);
    run(&["inspect", &bench.at("keys")]).fails_with(2);
}

#[test]
fn recipients_come_and_go_and_nothing_else_changes() {
    let bench = Bench::new();
    assert_eq!(bench.seal(DIGITS, "m.pqgs", &[]).code, 0);
    let (file, bob) = (bench.at("m.pqgs"), bench.public("bob"));
    let original = fs::read(&file).expect("reads");
    #[cfg(unix)]
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o640)).expect("sets");
    let added = bench.with("rewrap", &file, "alice", &["--add", &bob]);
    assert_eq!((added.code, added.stderr.as_str()), (0, ""), "{added:?}");
    let report = added.json();
    assert_eq!((&report["added"], &report["removed"], &report["trust"]), (&json!(1), &json!(0), &json!("pinned")));
    let ids: Vec<Value> = report["recipients"].as_array().expect("a list").clone();
    assert_eq!(ids.len(), 2);
    #[cfg(unix)]
    assert_eq!(mode(&file), 0o640);
    for who in ["alice", "bob"] {
        assert_eq!(bench.open("m.pqgs", who, who).code, 0);
    }
    let changed = fs::read(&file).expect("reads");
    assert!(changed.ends_with(&original[original.len() - 80_000..]), "bodies stay as they are");

    // By alice's key-id, to another file.
    let own = run(&["inspect", &file, "--json"]).json()["recipients"].clone();
    assert_eq!(own, Value::Array(ids.clone()));
    let alice = run(&[
        "rewrap",
        &file,
        "--identity",
        &bench.secret("bob"),
        "--remove",
        &bench.public("alice"),
        "-o",
        &bench.at("n.pqgs"),
        "--json",
    ]);
    assert_eq!(alice.code, 0, "{alice:?}");
    assert!(alice.stderr.contains("not whose it is"), "{alice:?}");
    let left = alice.json()["recipients"][0].clone();
    let gone = ids.iter().find(|id| **id != left).and_then(Value::as_str).expect("alice's");
    bench.open("n.pqgs", "alice", "no").fails_with(1);
    assert_eq!(bench.open("n.pqgs", "bob", "yes").code, 0);
    let by_id = bench.with("rewrap", &file, "bob", &["--remove", gone, "--force", "-o", &bench.at("n.pqgs")]);
    assert_eq!((by_id.code, by_id.json()["recipients"].clone()), (0, json!([left])), "{by_id:?}");

    let before = fs::read(bench.at("n.pqgs")).expect("reads");
    let new = bench.at("n.pqgs");
    for (change, says) in [
        (["--remove", left.as_str().expect("text")], "last recipient"),
        (["--remove", gone], "not sealed for it"),
        (["--add", &bob], "already"),
        (["--remove", "did:pqaid:00"], "signing key"),
        (["--add", "absent.pub.pem"], "absent.pub.pem"),
    ] {
        assert!(bench.with("rewrap", &new, "bob", &change).fails_with(2).contains(says), "{change:?}");
    }
    assert!(fs::read(&new).expect("reads") == before);
    assert_eq!(bench.names(), ["alice", "bob", "keys", "m.pqgs", "n.pqgs", "yes"]);
}

#[cfg(unix)]
#[test]
fn a_link_is_kept_and_what_it_leads_to_replaced() {
    let bench = Bench::new();
    assert_eq!(bench.seal(DIGITS, "m.pqgs", &[]).code, 0);
    std::os::unix::fs::symlink("m.pqgs", bench.at("link")).expect("links");
    let added = bench.with("rewrap", &bench.at("link"), "alice", &["--add", &bench.public("bob")]);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(fs::symlink_metadata(bench.at("link")).expect("there").is_symlink());
    assert_eq!(bench.open("m.pqgs", "bob", "out").code, 0);
}

/// The digits model as two shards and their index.
fn shards(folder: &Path) {
    let whole = fs::read(DIGITS).expect("reads");
    let model = safetensors::SafeTensors::deserialize(&whole).expect("a model");
    let mut tensors = model.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut map = serde_json::Map::new();
    for (number, half) in [(1, &tensors[..5]), (2, &tensors[5..])] {
        let name = format!("model-0000{number}-of-00002.safetensors");
        let views = half.iter().map(|(name, view)| (name.clone(), view));
        let metadata = [("format".to_owned(), "pt".to_owned())].into();
        let bytes = safetensors::serialize(views, Some(metadata)).expect("serializes");
        fs::write(folder.join(&name), bytes).expect("writes");
        map.extend(half.iter().map(|(tensor, _)| (tensor.clone(), json!(name))));
    }
    let index = json!({"metadata": {"total_size": 44_544}, "weight_map": map});
    let index = serde_json::to_string_pretty(&index).expect("JSON");
    fs::write(folder.join("model.safetensors.index.json"), index).expect("writes");
}

#[test]
fn shards_are_sealed_and_loaded_as_one() {
    let bench = Bench::new();
    fs::create_dir(bench.at("model")).expect("makes");
    shards(Path::new(&bench.at("model")));
    assert_eq!(bench.seal(&bench.at("model"), "m.pqgs", &[]).code, 0);
    let shown = run(&["inspect", &bench.at("m.pqgs"), "--json"]).json();
    assert_eq!((shown["files"].as_array().map(Vec::len), &shown["tensors"]), (Some(2), &json!(12)));
    let opened = bench.open("m.pqgs", "alice", "opened");
    assert_eq!(opened.code, 0, "{opened:?}");
    for entry in fs::read_dir(bench.at("model")).expect("reads") {
        let path = entry.expect("an entry").path();
        let back = Path::new(&bench.at("opened")).join(path.file_name().expect("a name"));
        assert!(fs::read(&path).expect("reads") == fs::read(&back).expect("reads"), "{}", back.display());
        #[cfg(unix)]
        assert_eq!(mode(back.to_str().expect("UTF-8")), 0o600);
    }
    #[cfg(unix)]
    assert_eq!(mode(&bench.at("opened")), 0o700);
    let loaded = bench.with("load", &bench.at("m.pqgs"), "alice", &["--device", "cpu"]);
    assert_eq!((loaded.code, &loaded.json()["verified"]), (0, &json!(12)), "{loaded:?}");

    // A folder is not replaced, and of one that is refused nothing is left.
    bench.open("m.pqgs", "alice", "opened").fails_with(2);
    let file = bench.at("m.pqgs");
    bench.with("open", &file, "alice", &["--force", "-o", &bench.at("opened")]).fails_with(2);
    bench.change("m.pqgs", "bad", |bytes| *bytes.last_mut().expect("a byte") ^= 1);
    assert_eq!(bench.open("bad", "alice", "out").code, 1);
    // By its index, and not without it.
    let index = format!("{}/model.safetensors.index.json", bench.at("model"));
    assert_eq!(bench.seal(&index, "again.pqgs", &[]).code, 0);
    fs::remove_file(&index).expect("removes");
    assert!(bench.seal(&bench.at("model"), "no.pqgs", &[]).fails_with(2).contains("neither"));
    assert_eq!(bench.names(), ["again.pqgs", "bad", "keys", "m.pqgs", "model", "opened"]);
}

#[test]
fn a_sealed_file_is_loaded_and_the_promise_is_told() {
    let bench = Bench::new();
    assert_eq!(bench.seal(DIGITS, "m.pqgs", &[]).code, 0);
    loads(&bench, "cpu");
    let file = bench.at("m.pqgs");
    bench.with("load", &file, "alice", &["--device", "cuda:98"]).fails_with(3);
    let table = run(&[
        "load",
        &file,
        "--device",
        "cpu",
        "--identity",
        &bench.secret("alice"),
        "--trust",
        &bench.public("publisher"),
    ]);
    for line in ["verified          12", "roots             checked", "nobody on network"] {
        assert!(table.stdout.contains(line), "{line}: {table:?}");
    }
}

#[test]
fn a_sealed_file_is_loaded_on_a_wgpu_adapter() {
    let Some(adapter) = software_adapter() else { return };
    let bench = Bench::new();
    assert_eq!(bench.seal(DIGITS, "m.pqgs", &[]).code, 0);
    loads(&bench, adapter);
    bench.change("m.pqgs", "bad", |bytes| *bytes.last_mut().expect("a byte") ^= 1);
    let refused = bench.with("load", &bench.at("bad"), "alice", &["--device", adapter]);
    assert_eq!((refused.code, &refused.json()["verified"]), (1, &json!(11)), "{refused:?}");
}

fn loads(bench: &Bench, device: &str) {
    let loaded = bench.with("load", &bench.at("m.pqgs"), "alice", &["--device", device]);
    assert_eq!((loaded.code, loaded.stderr.as_str()), (0, ""), "{loaded:?}");
    let report = loaded.json();
    assert_eq!((&report["device"], &report["verified"]), (&json!(device), &json!(12)));
    assert_eq!(
        (&report["roots"], &report["rejected"], &report["bytes"]),
        (&json!("checked"), &json!(0), &json!(44_544))
    );
    assert!(report["gbps"].as_f64() > Some(0.0) && report["peak_host_bytes"].as_u64() > Some(0), "{report}");
    // No device here keeps plaintext out of host RAM, and none says so.
    assert!(!report["promise"].as_str().expect("text").contains("host RAM"), "{report}");
    let skipped = bench.with("load", &bench.at("m.pqgs"), "alice", &["--device", device, "--skip-roots"]);
    assert_eq!((skipped.code, &skipped.json()["roots"]), (0, &json!("skipped")), "{skipped:?}");
    assert!(skipped.stderr.contains("another recipient"), "{skipped:?}");
}
