//! `--identity` and `--trust`: whose end this is, and whom it believes.

use std::path::{Path, PathBuf};

use pqc_gpu_driver::{Identity, TrustPolicy, identity::PublicKey};

use crate::{failure::Failure, files, identity::warn_if_exposed, output::shown};

/// Reads a secret key file.
pub(crate) fn identity(path: &Path) -> Result<Identity, Failure> {
    let text = files::read_pem(path)?;
    let identity =
        Identity::from_pem(&text).map_err(|error| Failure::from(error).about(format!("cannot use {}", shown(path))))?;
    warn_if_exposed(path);
    Ok(identity)
}

/// What `--trust` can say.
#[derive(Debug, Clone)]
pub(crate) enum Trust {
    Any,
    Key(PathBuf),
}

impl From<&str> for Trust {
    /// A file of this name is `./any`.
    fn from(text: &str) -> Self {
        if text == "any" { Trust::Any } else { Trust::Key(text.into()) }
    }
}

/// The policy of one or several `--trust`.
pub(crate) fn trust(given: &[Trust]) -> Result<TrustPolicy, Failure> {
    let mut keys = Vec::new();
    for trust in given {
        match trust {
            Trust::Any if given.len() > 1 => {
                return Err(Failure::usage("--trust any leaves no meaning to another --trust; give one of them"));
            }
            Trust::Any => return Ok(TrustPolicy::AcceptAny),
            Trust::Key(path) => {
                let text = files::read_pem(path)?;
                let key = PublicKey::from_pem(&text)
                    .map_err(|error| Failure::from(error).about(format!("cannot use {}", shown(path))))?;
                keys.push(key);
            }
        }
    }
    Ok(TrustPolicy::Pinned(keys))
}
