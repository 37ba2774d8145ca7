//! The two files of an identity, written whole or not at all.

use std::{
    ffi::OsString,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile, TempPath};

use crate::{
    failure::Failure,
    output::{self, shown},
};

/// Where an identity's files are.
pub(super) struct KeyPaths {
    directory: PathBuf,
    /// PATH.pem.
    pub(super) private: PathBuf,
    /// PATH.pub.pem.
    pub(super) public: PathBuf,
}

impl KeyPaths {
    /// Appends the endings to a path that names a file in a directory that exists.
    pub(super) fn new(path: &Path) -> Result<Self, Failure> {
        // Path itself passes over a slash or dot at the end, and would so turn a directory into a file's name.
        let text = path.as_os_str().as_encoded_bytes();
        let last = text.rsplit(|&byte| std::path::is_separator(byte as char)).next().unwrap_or_default();
        let name = match path.file_name() {
            Some(name) if !matches!(last, b"" | b"." | b"..") => name,
            _ => {
                return Err(Failure::usage(format!(
                    "{:?} is no file name; give a path such as keys/alice, and keys/alice.pem will be written",
                    shown(path)
                )));
            }
        };
        if name.as_encoded_bytes().ends_with(b".pem") {
            return Err(Failure::usage(format!(
                "leave .pem off {}: both file names are made of the path",
                shown(path)
            )));
        }
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        if !directory.is_dir() {
            return Err(Failure::usage(format!("there is no directory {}; make it first", shown(&directory))));
        }
        let with = |ending: &str| {
            let mut whole = OsString::from(path);
            whole.push(ending);
            PathBuf::from(whole)
        };
        Ok(KeyPaths { directory, private: with(".pem"), public: with(".pub.pem") })
    }

    /// Fails if either file is there, or anything else under its name.
    pub(super) fn check_absent(&self) -> Result<(), Failure> {
        match [&self.private, &self.public].into_iter().find(|path| path.symlink_metadata().is_ok()) {
            Some(path) => Err(exists(path)),
            None => Ok(()),
        }
    }

    /// Writes both files, or neither; no one but the owner can read the private one at any time.
    ///
    /// Only with `force` are files replaced, and if anything fails they are put back.
    pub(super) fn write(&self, private: &str, public: &str, force: bool) -> Result<(), Failure> {
        let private = self.stage(private, &self.private, 0o600)?;
        let public = self.stage(public, &self.public, 0o644)?;
        let mut replaced = Vec::new();
        let done = match force {
            true => self.set_aside(&mut replaced).and_then(|()| self.appear(private, public)),
            false => self.appear(private, public),
        };
        if let Err(failure) = done {
            replaced.into_iter().for_each(Replaced::put_back);
            return Err(failure);
        }
        // A key that others are told of must survive a crash; not every file system can promise it.
        #[cfg(unix)]
        let _ = fs::File::open(&self.directory).and_then(|directory| directory.sync_all());
        Ok(())
    }

    fn stage(&self, text: &str, path: &Path, mode: u32) -> Result<NamedTempFile, Failure> {
        let mut builder = Builder::new();
        builder.prefix(".pqc-gpu-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        #[cfg(not(unix))]
        let _ = mode;
        let write = || -> io::Result<NamedTempFile> {
            let mut file = builder.tempfile_in(&self.directory)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        write().map_err(|error| Failure::writing(path, error))
    }

    fn appear(&self, private: NamedTempFile, public: NamedTempFile) -> Result<(), Failure> {
        // Neither replaces what another process may have put there since the check.
        let refused = |path: &Path, error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(path),
            _ => Failure::writing(path, error),
        };
        private.persist_noclobber(&self.private).map_err(|failed| refused(&self.private, failed.error))?;
        if let Err(failed) = public.persist_noclobber(&self.public) {
            let failure = refused(&self.public, failed.error);
            return match fs::remove_file(&self.private) {
                Ok(()) => Err(failure),
                Err(_) => Err(failure.about(format!("{} is left without its public half", shown(&self.private)))),
            };
        }
        Ok(())
    }

    /// Moves what is there out of the way. What is dropped of `replaced` is gone for good.
    fn set_aside(&self, replaced: &mut Vec<Replaced>) -> Result<(), Failure> {
        for path in [&self.private, &self.public] {
            let Ok(metadata) = path.symlink_metadata() else { continue };
            if metadata.is_dir() {
                return Err(Failure::usage(format!("{} is a directory, which --force does not replace", shown(path))));
            }
            let aside = || -> io::Result<TempPath> {
                let aside = Builder::new().prefix(".pqc-gpu-old-").tempfile_in(&self.directory)?.into_temp_path();
                fs::rename(path, &aside)?;
                Ok(aside)
            };
            let aside = aside().map_err(|error| Failure::writing(path, error))?;
            replaced.push(Replaced { aside, path: path.clone() });
        }
        Ok(())
    }
}

/// A file that was moved out of the way; dropped, it is deleted.
struct Replaced {
    aside: TempPath,
    path: PathBuf,
}

impl Replaced {
    /// If even this fails, the file stays under its other name.
    fn put_back(self) {
        if let Err(left) = self.aside.persist_noclobber(&self.path) {
            let kept = left.path.keep().map(|kept| shown(&kept)).unwrap_or_default();
            output::note(format!("{} could not be put back; it is {kept}", shown(&self.path)));
        }
    }
}

/// Tells the owner of a secret key that others can read.
pub(crate) fn warn_if_exposed(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let exposed = fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o077 != 0);
        if exposed {
            output::note(format!("warning: others can use the secret key in {0}; chmod 600 {0}", shown(path)));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("{} exists and is not overwritten; choose another path or give --force", shown(path)))
}
