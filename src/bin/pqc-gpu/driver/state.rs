//! What is remembered between runs: the highest security version seen, by module name.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
};

use pqc_gpu_driver::attest::Policy;
use serde::{Deserialize, Serialize};

use super::stage;
use crate::{failure::Failure, files, output::shown};

const FILE_BYTES: u64 = 16 << 20;

/// The file POLICY.toml.state, locked.
pub(super) struct State {
    path: PathBuf,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    minimum_security_version: BTreeMap<String, u64>,
}

impl State {
    /// Raises the policy's floors to what is remembered. A state that cannot be read is an error: going on without
    /// it would forget what it protects from.
    pub(super) fn open(policy_path: &Path, policy: &mut Policy) -> Result<Self, Failure> {
        let (path, lock_path) = (with(policy_path, ".state"), with(policy_path, ".state.lock"));
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(|error| {
            Failure::writing(&lock_path, error).about("the state beside the policy is not to be used; --no-state?")
        })?;
        if path.symlink_metadata().is_ok() {
            let bytes = files::read(&path, FILE_BYTES)?;
            let remembered: Remembered = serde_json::from_slice(&bytes).map_err(|error| {
                Failure::usage(format!(
                    "cannot use {}: {error}; restore it, since without it old modules pass again",
                    shown(&path)
                ))
            })?;
            for (name, version) in remembered.minimum_security_version {
                let floor = policy.minimum_security_versions.entry(name).or_insert(version);
                *floor = version.max(*floor);
            }
        }
        Ok(State { path, _lock: lock })
    }

    /// Replaces the file, whole or not at all.
    pub(super) fn write(self, policy: &Policy) -> Result<(), Failure> {
        let remembered = Remembered { minimum_security_version: policy.minimum_security_versions.clone() };
        let text = serde_json::to_string_pretty(&remembered)
            .map_err(|error| Failure::other(format!("cannot write JSON: {error}")))?;
        let file = stage(&self.path, (text + "\n").as_bytes())?;
        file.persist(&self.path).map(drop).map_err(|failed| Failure::writing(&self.path, failed.error))
    }
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut whole = OsString::from(path);
    whole.push(ending);
    PathBuf::from(whole)
}
