//! `driver load`: the bytes that were verified are the bytes that are handed over.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{Run, run};
use crate::ko;

/// A vendor, whom the policy trusts, and a module.
struct Bench(TempDir);

impl Bench {
    fn new(module: &[u8]) -> Self {
        let bench = Bench(tempfile::tempdir().expect("a folder"));
        assert_eq!(run(&["identity", "new", &bench.at("vendor")]).code, 0);
        bench.write("policy.toml", b"trusted_signers = [\"vendor.pub.pem\"]\n");
        bench.write("toy.ko", module);
        bench
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.at(name), bytes).expect("writes");
    }

    fn attest(&self, output: &str, security_version: u64) {
        let (file, identity, output) = (self.at("toy.ko"), self.at("vendor.pem"), self.at(output));
        let number = security_version.to_string();
        let mut arguments = vec!["driver", "attest", &file, "--identity", &identity, "--name", "toy.ko", "-o", &output];
        arguments.extend(["--version", "1", "--target", "linux", "--security-version", &number]);
        arguments.extend(["--not-after", "2100-01-01T00:00:00Z"]);
        let made = run(&arguments);
        assert_eq!(made.code, 0, "{made:?}");
    }

    fn load(&self, file: &str, attestation: &str, more: &[&str]) -> Run {
        let (file, attestation, policy) = (self.at(file), self.at(attestation), self.at("policy.toml"));
        let mut arguments = vec!["driver", "load", &file, "--attestation", &attestation, "--policy", &policy, "--json"];
        arguments.extend(more);
        run(&arguments)
    }
}

#[test]
fn a_dry_run_stops_before_the_kernel() {
    let module = ko::signed().0;
    let bench = Bench::new(&module);
    bench.attest("toy.cose", 7);
    let dry = bench.load("toy.ko", "toy.cose", &["--dry-run", "--params", "modeset=1"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(dry.stderr.contains("stopped before"), "{dry:?}");
    let json = dry.json();
    let told = [&json["verified"], &json["loaded"], &json["dry_run"], &json["floor_raised"]].map(Value::as_bool);
    assert_eq!(told, [Some(true), Some(false), Some(true), Some(true)]);
    assert_eq!(json["module"]["sha3_256"], json["attestation"]["sha3_256"]);
    assert_eq!(
        (&json["module"]["name"], &json["module"]["signers"][0]["kind"]),
        (&json!("toy"), &json!("post-quantum"))
    );
    let people = run(&[
        "driver",
        "load",
        &bench.at("toy.ko"),
        "--attestation",
        &bench.at("toy.cose"),
        "--policy",
        &bench.at("policy.toml"),
        "--dry-run",
    ]);
    assert!(people.stdout.contains("digest") && people.stdout.ends_with("loaded              no\n"), "{people:?}");
}

#[test]
fn a_module_that_does_not_verify_is_not_handed_over() {
    let bench = Bench::new(&ko::module());
    bench.attest("new.cose", 8);
    bench.attest("old.cose", 7);
    for more in [&["--dry-run"][..], &[]] {
        // Altered by a byte; the rollback; another's attestation, in which no policy trusts.
        let mut altered = ko::module();
        altered[100] ^= 1;
        bench.write("altered.ko", &altered);
        for (file, attestation) in [("altered.ko", "new.cose"), ("toy.ko", "old.cose"), ("toy.ko", "toy.ko")] {
            assert_eq!(bench.load("toy.ko", "new.cose", &["--dry-run"]).code, 0);
            let refused = bench.load(file, attestation, more);
            assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{refused:?}");
            let json = refused.json();
            assert_eq!(
                (&json["verified"], &json["loaded"], &json["module"]),
                (&json!(false), &json!(false), &Value::Null)
            );
        }
    }
    // Attested, but no module: the kernel is not asked.
    bench.write("toy.ko", b"attested text");
    bench.attest("text.cose", 9);
    assert!(bench.load("toy.ko", "text.cose", &[]).fails_with(2).contains("ELF"));
}

#[test]
fn the_attestation_is_of_the_file_as_shipped_and_the_kernel_gets_it_decompressed() {
    let module = ko::module();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, &module).expect("writes");
    let bench = Bench::new(&encoder.finish().expect("finishes"));
    bench.attest("toy.cose", 7);
    let json = bench.load("toy.ko", "toy.cose", &["--dry-run"]).json();
    assert_eq!(json["module"]["compression"], "gzip");
    assert_eq!(json["module"]["sha3_256"], json["attestation"]["sha3_256"]);
    bench.write("plain.ko", &module);
    let plain = run(&["driver", "hash", &bench.at("plain.ko"), "--json"]).json();
    assert_eq!(json["module"]["image_sha3_256"], plain["sha3_256"]);
    // The same module in another form is another file.
    assert_eq!(bench.load("plain.ko", "toy.cose", &["--dry-run"]).code, 1);
}

/// A pipe gives its bytes once: a loader that read again, to verify or to load, would hang or find nothing.
#[cfg(unix)]
#[test]
fn the_file_is_read_once() {
    let bench = Bench::new(&ko::module());
    bench.attest("toy.cose", 7);
    let pipe = bench.at("pipe.ko");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let writer = std::thread::spawn(move || fs::write(pipe, ko::module()));
    let loaded = bench.load("pipe.ko", "toy.cose", &["--dry-run"]);
    assert_eq!((loaded.code, &loaded.json()["verified"]), (0, &json!(true)), "{loaded:?}");
    writer.join().expect("ends").expect("writes");
}

/// The toy is an ELF file that no kernel links, so nothing is loaded, whoever runs this.
#[test]
fn the_kernels_refusal_has_a_remedy() {
    let bench = Bench::new(&ko::module());
    bench.attest("toy.cose", 7);
    let refused = bench.load("toy.ko", "toy.cose", &[]);
    let json = refused.json();
    assert_eq!((&json["verified"], &json["loaded"], &json["dry_run"]), (&json!(true), &json!(false), &json!(false)));
    // Kernels that take signed modules alone refuse this one for that, which is a failed verification.
    let enforced = refused.stderr.contains("does not accept the signature");
    assert_eq!(refused.code, if enforced { 1 } else { 4 }, "{refused:?}");
    assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    println!("{}", refused.stderr);
}
