//! `driver hash`, `attest`, `verify` and `show`.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{Run, run};

const DIGEST_ABC: &str = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532";

/// A vendor, a module and a policy that trusts the vendor.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Bench(tempfile::tempdir().expect("a directory"));
        assert_eq!(run(&["identity", "new", &bench.at("vendor")]).code, 0);
        bench.write("module.ko", "abc");
        bench.policy("");
        bench
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).expect("writes");
    }

    fn policy(&self, more: &str) {
        self.write("policy.toml", &format!("trusted_signers = [\"vendor.pub.pem\"]\n{more}"));
    }

    fn attest(&self, security_version: u64, output: &str, more: &[&str]) -> Run {
        let (file, identity, output) = (self.at("module.ko"), self.at("vendor.pem"), self.at(output));
        let number = security_version.to_string();
        let mut arguments = vec!["driver", "attest", &file, "--identity", &identity, "--name", "module.ko"];
        arguments.extend(["--version", "1.0", "--target", "linux", "--security-version", &number, "-o", &output]);
        arguments.extend(["--not-after", "2100-01-01T00:00:00Z", "--json"]);
        arguments.extend(more);
        run(&arguments)
    }

    fn verify(&self, attestation: &str, more: &[&str]) -> Run {
        let (file, attestation, policy) = (self.at("module.ko"), self.at(attestation), self.at("policy.toml"));
        let mut arguments = vec!["driver", "verify", &file, "--attestation", &attestation, "--policy", &policy];
        arguments.extend(more);
        run(&arguments)
    }

    /// Names of the checks that failed, after an exit code of 1.
    #[track_caller]
    fn refusals(&self, attestation: &str) -> Vec<String> {
        let refused = self.verify(attestation, &["--json"]);
        assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{refused:?}");
        let json = refused.json();
        assert_eq!(json["verified"], false);
        let checks = json["checks"].as_array().expect("checks").iter();
        let failed = checks.filter(|check| check["outcome"] == "failed");
        failed.map(|check| check["check"].as_str().expect("a name").to_owned()).collect()
    }
}

#[test]
fn an_attested_module_verifies_and_another_does_not() {
    let bench = Bench::new();
    let hashed = run(&["driver", "hash", &bench.at("module.ko"), "--json"]);
    assert_eq!((&hashed.json()["sha3_256"], &hashed.json()["size"]), (&json!(DIGEST_ABC), &json!(3)));
    let made = bench.attest(7, "a.cose", &[]);
    assert_eq!((made.code, made.stderr.as_str()), (0, ""), "{made:?}");
    let claims = made.json();
    assert_eq!((&claims["sha3_256"], &claims["security_version"]), (&json!(DIGEST_ABC), &json!(7)));
    assert_eq!(run(&["driver", "show", &bench.at("a.cose"), "--json"]).json(), claims);
    assert!(run(&["driver", "show", &bench.at("a.cose")]).stdout.contains("2100-01-01T00:00:00Z"));
    bench.attest(7, "a.cose", &[]).fails_with(2);

    let verified = bench.verify("a.cose", &["--json"]);
    assert_eq!((verified.code, verified.stderr.as_str()), (0, ""), "{verified:?}");
    let json = verified.json();
    assert_eq!((&json["verified"], &json["floor_raised"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!(json["attestation"], claims);
    assert!(bench.verify("a.cose", &[]).stdout.contains("signature"));

    bench.write("module.ko", "abd");
    assert_eq!(bench.refusals("a.cose"), ["digest"]);
    bench.write("module.ko", "abcd");
    assert_eq!(bench.refusals("a.cose"), ["digest", "size"]);
    bench.write("b.cose", "no attestation");
    assert_eq!(bench.refusals("b.cose"), ["form"]);
    run(&["driver", "show", &bench.at("b.cose")]).fails_with(2);
    run(&["driver", "hash", &bench.at("absent")]).fails_with(2);
}

#[test]
fn attack_a09_rollback_between_runs() {
    let bench = Bench::new();
    assert_eq!(bench.attest(8, "new.cose", &[]).code, 0);
    assert_eq!(bench.attest(7, "old.cose", &[]).code, 0);
    assert_eq!(bench.verify("old.cose", &["--no-state"]).code, 0);
    assert!(!fs::exists(bench.at("policy.toml.state")).expect("asks"), "--no-state leaves nothing");
    assert_eq!(bench.verify("old.cose", &[]).code, 0);
    assert_eq!(bench.verify("new.cose", &[]).code, 0);
    assert_eq!(bench.refusals("old.cose"), ["security version"]);
    assert_eq!(bench.verify("new.cose", &["--json"]).json()["floor_raised"], false);
    // The policy's own floor counts where it is higher.
    bench.policy("[minimum_security_version]\n\"module.ko\" = 9\n");
    assert_eq!(bench.refusals("new.cose"), ["security version"]);
    // A state that cannot be read is not a state that remembers nothing.
    bench.policy("");
    bench.write("policy.toml.state", "{");
    assert!(bench.verify("old.cose", &[]).fails_with(2).contains("policy.toml.state"));
}

#[test]
fn attack_a16_private_key_files_and_paths() {
    let bench = Bench::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(bench.at("vendor.pem")).expect("exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // A module's name is never a path: only the path asked for is written.
    assert_eq!(bench.attest(1, "a.cose", &["--name", "../../escaped"]).code, 2, "twice the same argument");
    let (file, identity, output) = (bench.at("module.ko"), bench.at("vendor.pem"), bench.at("b.cose"));
    let mut arguments = vec!["driver", "attest", &file, "--identity", &identity, "--name", "../../escaped"];
    arguments.extend(["--version", "1", "--target", "t", "--security-version", "1", "--not-after", "9999999999"]);
    arguments.extend(["-o", &output]);
    assert_eq!(run(&arguments).code, 0);
    assert_eq!(bench.verify("b.cose", &[]).code, 0);
    let mut names: Vec<_> = fs::read_dir(bench.0.path())
        .expect("reads")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    let expected = ["b.cose", "module.ko", "policy.toml", "policy.toml.state", "policy.toml.state.lock"];
    assert_eq!(names, [&expected[..], &["vendor.pem", "vendor.pub.pem"]].concat());
}

#[test]
fn attack_a21_bad_configuration() {
    let bench = Bench::new();
    assert_eq!(bench.attest(7, "a.cose", &[]).code, 0);
    for (policy, says) in [
        ("", "trusted_signers"),
        ("trusted_signers = [\"vendor.pub.pem\"]\ntrusted_signer = []\n", "line 2"),
        ("trusted_signers = [\"\"]\n", "line 1"),
        ("\ntrusted_signers = [\"absent.pem\"]\n", "line 2"),
        ("trusted_signers = [\"vendor.pem\"]\n", "line 1"),
        ("trusted_signers = \"any\"\n", "line 1"),
        ("trusted_signers = []\nrevoked_digests = [\"00\"]\n", "line 2"),
        ("trusted_signers = []\nrevoked_signers = [\"did:web:x\"]\n", "line 2"),
        ("trusted_signers = []\n[minimum_security_version]\nx = -1\n", "line 3"),
        ("trusted_signers = []\nmax_age_seconds = 1.5\n", "line 2"),
        ("trusted_signers = [\n", "line"),
    ] {
        bench.write("policy.toml", policy);
        let refused = bench.verify("a.cose", &[]);
        assert!(refused.fails_with(2).contains(says), "{policy:?}: {refused:?}");
        assert!(!refused.stderr.contains("BEGIN"), "no key is printed");
    }
    // No signer is nobody; and nothing made up for it.
    bench.write("policy.toml", "trusted_signers = []\n");
    let refused = bench.verify("a.cose", &["--json"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("trusts nobody"));
    for bad in ["2027-01-01", "soon", "1999-01-01T00:00:00Z"] {
        let made = bench.attest(7, "b.cose", &["--not-before", bad]);
        assert_eq!((made.code, made.stdout.as_str()), (2, ""), "{made:?}");
    }
    assert!(!fs::exists(bench.at("b.cose")).expect("asks"));
}
