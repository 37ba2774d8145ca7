//! The policy's text, whatever it was read from. What is wrong in it is named with its line; nothing in it is passed
//! over.

use std::{collections::BTreeMap, ops::Range};

use pqc_gpu_driver::{
    attest::Policy,
    identity::{KeyId, PublicKey},
};
use serde::Deserialize;
use toml::Spanned;

/// The file's keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    trusted_signers: Vec<Spanned<String>>,
    #[serde(default)]
    revoked_signers: Vec<Spanned<String>>,
    #[serde(default)]
    revoked_digests: Vec<Spanned<String>>,
    name: Option<String>,
    target: Option<String>,
    max_age_seconds: Option<u64>,
    #[serde(default)]
    minimum_security_version: BTreeMap<String, u64>,
}

/// What cannot be used, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) what: String,
}

/// Reads a policy. `key_file` gives the key in the file that a signer is named by.
pub(super) fn parse(text: &str, key_file: impl Fn(&str) -> Result<PublicKey, String>) -> Result<Policy, Wrong> {
    let wrong = |at: Option<Range<usize>>, what: String| {
        let before = at.map_or(0, |at| at.start.min(text.len()));
        Wrong { line: 1 + text.as_bytes()[..before].iter().filter(|&&byte| byte == b'\n').count(), what }
    };
    let file: File = toml::from_str(text).map_err(|error| {
        let key = error.span().and_then(|at| text.get(at)).map(|at| at.lines().next().unwrap_or_default().trim());
        let near = key.filter(|near| !near.is_empty() && near.len() < 60).map(|near| format!(" (at {near})"));
        wrong(error.span(), format!("{}{}", error.message().replace('\n', ", "), near.unwrap_or_default()))
    })?;

    let mut policy = Policy {
        name: file.name,
        target: file.target,
        max_age_seconds: file.max_age_seconds,
        minimum_security_versions: file.minimum_security_version,
        ..Policy::default()
    };
    for entry in file.trusted_signers {
        let at = |why: String| wrong(Some(entry.span()), format!("trusted_signers: {why}"));
        if entry.get_ref().is_empty() {
            return Err(at("a path is empty".into()));
        }
        policy.trusted_signers.push(key_file(entry.get_ref()).map_err(at)?);
    }
    for entry in file.revoked_signers {
        let id: KeyId =
            entry.get_ref().parse().map_err(|error| wrong(Some(entry.span()), format!("revoked_signers: {error}")))?;
        policy.revoked_signers.insert(id);
    }
    for entry in file.revoked_digests {
        let Some(digest) = digest(entry.get_ref()) else {
            let what = "revoked_digests: a SHA3-256 digest has 64 lower-case hex digits".into();
            return Err(wrong(Some(entry.span()), what));
        };
        policy.revoked_digests.insert(digest);
    }
    Ok(policy)
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.bytes().map(|byte| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    });
    let digits: Vec<u8> = digits.collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect();
    if digits.len() != 64 { None } else { bytes.try_into().ok() }
}
