//! Keeps one known line of a graphics library out of standard error, which is ours and has one line for each error.
//!
//! Mesa's device-selection layer asks a display that nobody needs, and where `XDG_RUNTIME_DIR` is not set the Wayland
//! library complains of that on standard error whenever adapters are listed. Whatever else is said meanwhile is passed on.

/// Runs `work`; what it writes to standard error comes out after it, without the known line.
#[cfg(target_os = "linux")]
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> T {
    if std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| std::path::Path::new(&folder).is_absolute()) {
        return work();
    }
    // Where standard error cannot be set aside the line is seen, and no harm is done.
    let _aside = Aside::set().ok();
    work()
}

/// Elsewhere nothing is known to complain.
#[cfg(not(target_os = "linux"))]
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(target_os = "linux")]
const KNOWN: &[u8] = b"error: XDG_RUNTIME_DIR is invalid or not set in the environment.";

/// Standard error, set aside until this is dropped, and the file that stands in for it.
#[cfg(target_os = "linux")]
struct Aside {
    kept: std::os::fd::OwnedFd,
    stand_in: std::fs::File,
}

#[cfg(target_os = "linux")]
impl Aside {
    fn set() -> std::io::Result<Self> {
        use std::os::fd::AsFd;
        let aside = Aside { kept: std::io::stderr().as_fd().try_clone_to_owned()?, stand_in: tempfile::tempfile()? };
        rustix::stdio::dup2_stderr(&aside.stand_in)?;
        Ok(aside)
    }
}

#[cfg(target_os = "linux")]
impl Drop for Aside {
    fn drop(&mut self) {
        use std::io::{Read, Seek, Write};
        // Nobody is left to tell when standard error is gone.
        let _ = rustix::stdio::dup2_stderr(&self.kept);
        let mut said = Vec::new();
        if self.stand_in.rewind().and_then(|()| self.stand_in.read_to_end(&mut said)).is_ok() {
            let _ = std::io::stderr().write_all(&without_known(&said));
        }
    }
}

#[cfg(target_os = "linux")]
fn without_known(said: &[u8]) -> Vec<u8> {
    said.split_inclusive(|&byte| byte == b'\n')
        .filter(|line| line.trim_ascii_end() != KNOWN)
        .flatten()
        .copied()
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_known_line_is_kept_out() {
        let said =
            [b"one\n".as_slice(), KNOWN, b"\nMESA: error: \xff\n", KNOWN, b" \n", b"not ", KNOWN, b"\nlast"].concat();
        let left = [b"one\nMESA: error: \xff\nnot ".as_slice(), KNOWN, b"\nlast"].concat();
        assert_eq!(without_known(&said), left);
    }
}
