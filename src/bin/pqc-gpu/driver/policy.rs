//! The policy file, and the key files that it names.

mod parse;

use std::path::Path;

use pqc_gpu_driver::{attest::Policy, identity::PublicKey};

use crate::{
    failure::Failure,
    files,
    output::{self, shown},
};

const FILE_BYTES: u64 = 1 << 20;

/// Reads a policy, and the keys that it names.
pub(super) fn read(path: &Path) -> Result<Policy, Failure> {
    let bytes = files::read(path, FILE_BYTES)?;
    let Ok(text) = str::from_utf8(&bytes) else {
        return Err(Failure::usage(format!("cannot use {}: not UTF-8", shown(path))));
    };
    let beside = path.parent().unwrap_or(Path::new(""));
    let key_file = |name: &str| {
        let key = beside.join(name);
        let text = files::read_pem(&key).map_err(|failure| failure.to_string())?;
        PublicKey::from_pem(&text).map_err(|error| format!("{}: {error}", shown(&key)))
    };
    let policy = parse::parse(text, key_file)
        .map_err(|wrong| Failure::usage(format!("cannot use {}: line {}: {}", shown(path), wrong.line, wrong.what)))?;
    if policy.trusted_signers.is_empty() {
        output::note(format!("warning: {} trusts nobody, so nothing can pass", shown(path)));
    }
    Ok(policy)
}
