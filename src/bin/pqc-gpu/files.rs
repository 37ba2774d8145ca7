//! Small files, read whole.

use std::{fs::File, io::Read, path::Path};

use zeroize::Zeroizing;

use crate::{failure::Failure, output::shown};

/// The longest key file that is read; the longest real one, OpenSSL's with expanded keys, has about 10 kB.
const KEY_FILE_BYTES: u64 = 64 << 10;

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| Failure::reading(path, error))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Failure::reading(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::usage(format!("cannot use {}: it is longer than {limit} bytes", shown(path))));
    }
    Ok(bytes)
}

/// Reads a PEM file, which may hold secrets.
pub(crate) fn read_pem(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let file = File::open(path).map_err(|error| Failure::reading(path, error))?;
    // Room for all of it from the start: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES as usize + 1));
    file.take(KEY_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| Failure::reading(path, error))?;
    if bytes.len() as u64 > KEY_FILE_BYTES {
        return Err(Failure::usage(format!("cannot use {}: too long for a key file", shown(path))));
    }
    match str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.into())),
        Err(_) => Err(Failure::usage(format!("cannot use {}: not a PEM file", shown(path)))),
    }
}
