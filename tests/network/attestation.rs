//! The attestation that a device end presents, and the host's policy.

use super::ends::{Keys, Server};
use crate::support::run;

/// `mallory` stands for the vendor: a key that is neither end's.
fn attest(keys: &Keys, security_version: &str, output: &str) -> String {
    let (module, output) = (keys.text("module.ko"), keys.text(output));
    std::fs::write(&module, "abc").unwrap();
    let identity = keys.text("mallory.pem");
    let mut arguments = vec!["driver", "attest", &module, "--identity", &identity, "--name", "module.ko"];
    arguments.extend(["--version", "1.0", "--target", "linux", "--security-version", security_version]);
    arguments.extend(["--not-after", "2100-01-01T00:00:00Z", "-o", &output]);
    assert_eq!(run(&arguments).code, 0);
    output
}

#[test]
fn a_host_with_a_policy_takes_only_what_it_accepts() {
    let keys = Keys::new();
    let (old, new) = (attest(&keys, "6", "old.cose"), attest(&keys, "7", "new.cose"));
    let policy = keys.text("policy.toml");
    std::fs::write(&policy, "trusted_signers = [\"mallory.pub.pem\"]\n").unwrap();
    std::fs::write(keys.path("nobody.toml"), "trusted_signers = [\"alice.pub.pem\"]\n").unwrap();
    std::fs::write(keys.path("other.ko"), "another").unwrap();
    let (module, other, nobody) = (keys.text("module.ko"), keys.text("other.ko"), keys.text("nobody.toml"));

    let server = Server::start(&keys, &[]);
    let none = keys.transfer(server.address, &["--policy", &policy, "--module", &module]);
    assert!(none.fails_with(1).contains("presented none"));
    assert_eq!(keys.transfer(server.address, &["--json"]).code, 0, "without a policy none is asked for");
    server.stop();

    let server = Server::start(&keys, &["--attestation", &old]);
    let with = |policy: &str, module: &str| keys.transfer(server.address, &["--policy", policy, "--module", module]);
    assert_eq!(with(&policy, &module).code, 0);
    assert!(with(&policy, &other).fails_with(1).contains("digest"));
    assert!(with(&nobody, &module).fails_with(1).contains("not among the trusted signers"));
    // Without the module its file is compared with nothing, which is told; all else is judged.
    let unseen = keys.transfer(server.address, &["--policy", &policy, "--json"]);
    assert_eq!(unseen.code, 0, "{unseen:?}");
    assert!(unseen.stderr.contains("compared with no file"), "{unseen:?}");
    let unseen = keys.transfer(server.address, &["--policy", &nobody]);
    assert!(unseen.code == 1 && unseen.stderr.contains("not among the trusted signers"), "{unseen:?}");
    server.stop();

    // What has once been seen at version 7 is refused at 6, in whatever process.
    let server = Server::start(&keys, &["--attestation", &new]);
    assert_eq!(keys.transfer(server.address, &["--policy", &policy, "--module", &module]).code, 0);
    server.stop();
    let server = Server::start(&keys, &["--attestation", &old]);
    let rolled_back = keys.transfer(server.address, &["--policy", &policy, "--module", &module]);
    assert!(rolled_back.fails_with(1).contains("rollback"));
    let judged = run(&["driver", "verify", &module, "--attestation", &old, "--policy", &policy]);
    assert_eq!(judged.code, 1, "the floor is the one driver verify keeps: {judged:?}");
    assert_eq!(server.stop().json()["clients"], 0, "the host ended before M3");
}
