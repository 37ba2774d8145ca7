//! The libraries in front of GPU drivers, libcuda and libamdhip64, where the dynamic linker looks for them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{inspect::line, measure, report::hex};
use crate::files;

/// What is looked for: names that begin so.
const LIBRARIES: [&str; 2] = ["libcuda.so.1", "libamdhip64.so"];
/// Where the linker looks besides its cache, and where ROCm installs itself.
const FOLDERS: [&str; 9] = [
    "lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "lib64",
    "usr/lib64",
    "lib",
    "usr/lib",
    "opt/rocm/lib",
];
const CACHE_BYTES: u64 = 64 << 20;
/// PATH_MAX.
const PATH_BYTES: usize = 4096;

/// One library file, under the first name it was found by.
#[derive(Serialize)]
pub(super) struct Library {
    name: String,
    path: String,
    /// The file that the path leads to.
    resolved: Option<String>,
    sha3_256: Option<String>,
    size: Option<u64>,
    unreadable: Option<String>,
}

/// Every file that the linker's cache or the standard folders name, each once.
pub(super) fn find(root: &Path, notes: &mut Vec<String>) -> Vec<Library> {
    let cache = root.join("etc/ld.so.cache");
    let mut paths = match files::read(&cache, CACHE_BYTES).ok().map(|bytes| cached(&bytes)) {
        Some(Some(paths)) => paths.into_iter().map(|path| root.join(path.trim_start_matches('/'))).collect(),
        Some(None) => {
            notes.push("/etc/ld.so.cache is not of the form glibc-ld.so.cache1.1; only standard folders count".into());
            Vec::new()
        }
        None => {
            notes.push("there is no /etc/ld.so.cache; only standard folders count".into());
            Vec::new()
        }
    };
    for folder in FOLDERS {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        found.retain(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_wanted));
        found.sort();
        paths.extend(found);
    }
    let mut seen = BTreeSet::new();
    let new = |path: &PathBuf| seen.insert(path.canonicalize().unwrap_or(path.clone()));
    paths.into_iter().filter(new).map(|path| Library::of(root, &path)).collect()
}

/// Those looked for of which there is none.
pub(super) fn absent(libraries: &[Library]) -> impl Iterator<Item = String> {
    let is_there = |name: &&str| libraries.iter().any(|library| library.name.starts_with(name));
    LIBRARIES.into_iter().filter(move |name| !is_there(name)).map(str::to_owned)
}

/// A path as it is below the root.
pub(super) fn within(root: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(root).unwrap_or(path);
    Path::new("/").join(inner).to_string_lossy().into_owned()
}

impl Library {
    fn of(root: &Path, path: &Path) -> Self {
        let resolved = path.canonicalize();
        let below = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let measured = measure(path);
        Library {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path: within(root, path),
            resolved: resolved.ok().map(|resolved| within(&below, &resolved)),
            sha3_256: measured.as_ref().ok().map(|measured| hex(&measured.sha3_256)),
            size: measured.as_ref().ok().map(|measured| measured.size),
            unreadable: measured.err().map(|failure| failure.to_string()),
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![line("library", &self.name), line("path", &self.path)];
        let resolved = self.resolved.as_ref().filter(|resolved| **resolved != self.path);
        lines.extend(resolved.map(|resolved| line("leads to", resolved)));
        lines.extend(self.sha3_256.iter().map(|digest| line("sha3-256", digest)));
        lines.extend(self.size.map(|size| line("size", &size.to_string())));
        lines.extend(self.unreadable.iter().map(|why| line("unreadable", why)));
        lines
    }
}

fn is_wanted(name: &str) -> bool {
    LIBRARIES.iter().any(|wanted| {
        let version = name.strip_prefix(wanted);
        version.is_some_and(|version| version.is_empty() || version.starts_with('.'))
    })
}

/// The paths of wanted libraries in the linker's cache (glibc's sysdeps/generic/dl-cache.h, struct cache_file_new);
/// None if it is not one, or one of another byte order.
fn cached(file: &[u8]) -> Option<Vec<String>> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    // Before glibc 2.32 it followed an older form of itself.
    let start = file.windows(MAGIC.len()).position(|window| window == MAGIC)?;
    let cache = &file[start..];
    let number = |at: usize| Some(u32::from_ne_bytes(cache.get(at..at + 4)?.try_into().ok()?) as usize);
    let text = |at: usize| {
        let bytes = cache.get(at..)?;
        let bytes = bytes[..bytes.len().min(PATH_BYTES)].split(|&byte| byte == 0).next()?;
        str::from_utf8(bytes).ok()
    };
    let entries = number(20)?;
    // Flags: 0 says nothing, 2 little-endian, 3 big-endian.
    let native = if cfg!(target_endian = "little") { 2 } else { 3 };
    if ![0, native].contains(&(cache.get(28)? & 3)) || entries > cache.len() / ENTRY {
        return None;
    }
    let mut paths = Vec::new();
    for entry in 0..entries {
        let at = HEADER + entry * ENTRY;
        let name = number(at + 4)?;
        if text(name).is_some_and(is_wanted) {
            paths.push(text(number(at + 8)?)?.to_owned());
        }
    }
    Some(paths)
}
