//! The program's policy files: nothing is passed over, and a mistake has a line.

use std::{cell::Cell, collections::BTreeSet, fmt::Write};

use pqc_gpu_driver::{attest::Policy, identity::PublicKey};

use crate::honest;

#[path = "../../src/bin/pqc-gpu/driver/policy/parse.rs"]
mod parse;

/// Any text.
pub fn check(data: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(data) else { return false };
    let asked = Cell::new(0);
    match parse::parse(text, |name| key_file(name, &asked)) {
        Ok(policy) => {
            assert_eq!(policy.trusted_signers.len(), asked.get(), "a signer was made up or passed over");
            // Written out by another hand and read again, it is the same policy.
            let again = parse::parse(&written(&policy), |name| key_file(name, &asked));
            assert_eq!(again.expect("reads"), policy);
            true
        }
        Err(wrong) => {
            assert!((1..=text.matches('\n').count() + 1).contains(&wrong.line), "line {}", wrong.line);
            assert!(!wrong.what.is_empty());
            false
        }
    }
}

/// Two files have keys in them.
fn key_file(name: &str, asked: &Cell<usize>) -> Result<PublicKey, String> {
    let which = ["vendor.pub.pem", "other.pub.pem"].iter().position(|known| *known == name);
    let which = which.ok_or_else(|| "no such file".to_owned())?;
    asked.set(asked.get() + 1);
    Ok(honest::identities()[which].public_key().clone())
}

fn written(policy: &Policy) -> String {
    let mut out = String::new();
    let signers = policy.trusted_signers.iter().map(|key| {
        let which = honest::identities().iter().position(|identity| identity.public_key() == key);
        ["vendor.pub.pem", "other.pub.pem"][which.expect("one of the two")].to_owned()
    });
    let _ = writeln!(out, "trusted_signers = {}", list(signers));
    let revoked: BTreeSet<_> = policy.revoked_signers.iter().map(|id| id.did()).collect();
    let _ = writeln!(out, "revoked_signers = {}", list(revoked.into_iter()));
    let hex = |digest: &[u8; 32]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let _ = writeln!(out, "revoked_digests = {}", list(policy.revoked_digests.iter().map(hex)));
    for (key, value) in [("name", &policy.name), ("target", &policy.target)] {
        if let Some(value) = value {
            let _ = writeln!(out, "{key} = {}", quoted(value));
        }
    }
    if let Some(seconds) = policy.max_age_seconds {
        let _ = writeln!(out, "max_age_seconds = {seconds}");
    }
    out.push_str("[minimum_security_version]\n");
    for (name, version) in &policy.minimum_security_versions {
        let _ = writeln!(out, "{} = {version}", quoted(name));
    }
    out
}

fn list(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.map(|entry| quoted(&entry)).collect::<Vec<_>>().join(", "))
}

/// A basic string, everything but letters and digits escaped.
fn quoted(text: &str) -> String {
    let escape = |c: char| if c.is_ascii_alphanumeric() { c.into() } else { format!("\\U{:08X}", u32::from(c)) };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}
