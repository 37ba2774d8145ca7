//! Keeps one known line of a graphics library out of standard error, which is ours and has one line for each error.
//!
//! Mesa's device-selection layer asks a display that nobody needs, and where `XDG_RUNTIME_DIR` is not set the Wayland
//! library complains of that on standard error whenever adapters are listed. Whatever else is said meanwhile is passed on.

/// Runs `work`; what it writes to standard error comes out after it, without the known line.
#[cfg(target_os = "linux")]
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> T {
    if std::env::var_os("XDG_RUNTIME_DIR").is_some() {
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
const KNOWN: &str = "error: XDG_RUNTIME_DIR is invalid or not set in the environment.";

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
            let text = String::from_utf8_lossy(&said);
            let others: String = text.split_inclusive('\n').filter(|line| line.trim_end() != KNOWN).collect();
            let _ = std::io::stderr().write_all(others.as_bytes());
        }
    }
}
