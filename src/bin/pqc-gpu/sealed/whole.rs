//! Outputs that appear under their name when they are whole, or never.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Mutex, Once, PoisonError},
    time::Duration,
};

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::{
    failure::Failure,
    output::{self, shown},
};

const PREFIX: &str = ".pqc-gpu-";

/// What a file is, which says who may read it and what it may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Ciphertext: everybody may read it. With `--force` it replaces a sealed file and nothing else.
    Sealed,
    /// Plaintext: for its owner alone. With `--force` it replaces anything but a sealed file.
    Plain,
}

/// A file on its way. Dropped before [`WholeFile::appear`] it leaves nothing.
pub(super) struct WholeFile {
    staged: NamedTempFile,
    path: PathBuf,
    replace: bool,
}

/// Fails where `path` cannot be written to, before any work is done for it.
pub(super) fn check(path: &Path, content: Content, force: bool) -> Result<(), Failure> {
    let text = path.as_os_str().as_encoded_bytes();
    let slash = text.last().is_some_and(|&byte| std::path::is_separator(byte as char));
    if slash || path.file_name().is_none() {
        return Err(Failure::usage(format!("{:?} is no file name", shown(path))));
    }
    if !directory(path).is_dir() {
        return Err(Failure::usage(format!("there is no directory {}; make it first", shown(directory(path)))));
    }
    match path.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(_) if !force => Err(exists(path)),
        Ok(found) if !found.is_file() => {
            Err(Failure::usage(format!("{} is no regular file, and --force replaces no other", shown(path))))
        }
        Ok(_) if is_sealed(path)? != (content == Content::Sealed) => Err(Failure::usage(match content {
            Content::Sealed => format!("{} is no sealed file, and --force replaces no other", shown(path)),
            Content::Plain => format!("{} is a sealed file, which --force does not replace", shown(path)),
        })),
        Ok(_) => Ok(()),
    }
}

impl WholeFile {
    /// Begins a file that will be at `path`, where nothing is unless `force` was given.
    pub(super) fn new(path: &Path, content: Content, force: bool) -> Result<Self, Failure> {
        check(path, content, force)?;
        Self::stage(path, if content == Content::Sealed { 0o644 } else { 0o600 }, force)
    }

    /// Begins a file that will take the place of the one at `path`, with the same permissions.
    pub(super) fn in_place_of(path: &Path) -> Result<Self, Failure> {
        // The file that a link leads to is replaced, not the link.
        let path = path.canonicalize().map_err(|error| Failure::reading(path, error))?;
        let permissions = path.metadata().map_err(|error| Failure::reading(&path, error))?.permissions();
        let file = Self::stage(&path, 0o600, true)?;
        file.staged.as_file().set_permissions(permissions).map_err(|error| Failure::writing(&path, error))?;
        Ok(file)
    }

    fn stage(path: &Path, mode: u32, replace: bool) -> Result<Self, Failure> {
        let mut builder = Builder::new();
        builder.prefix(PREFIX);
        permit(&mut builder, mode);
        let staged = builder.tempfile_in(directory(path)).map_err(|error| Failure::writing(path, error))?;
        removed_on_signals(staged.path());
        Ok(WholeFile { staged, path: path.into(), replace })
    }

    /// What to write to.
    pub(super) fn file(&mut self) -> &mut File {
        self.staged.as_file_mut()
    }

    /// Gives it its name: all of it is on the disk then.
    pub(super) fn appear(self) -> Result<(), Failure> {
        let WholeFile { staged, path, replace } = self;
        staged.as_file().sync_all().map_err(|error| Failure::writing(&path, error))?;
        let named = if replace { staged.persist(&path) } else { staged.persist_noclobber(&path) };
        named.map_err(|failed| match failed.error.kind() {
            io::ErrorKind::AlreadyExists => exists(&path),
            _ => Failure::writing(&path, failed.error),
        })?;
        done(&path);
        Ok(())
    }
}

/// A folder of plaintext files on its way. Dropped before [`WholeFolder::appear`] it leaves nothing.
pub(super) struct WholeFolder {
    staged: TempDir,
    path: PathBuf,
}

impl WholeFolder {
    /// Begins a folder that will be at `path`, where nothing is.
    pub(super) fn new(path: &Path) -> Result<Self, Failure> {
        // A name that ends in a slash is that of a folder.
        let path: PathBuf = path.components().collect();
        check(&path, Content::Plain, false)?;
        let mut builder = Builder::new();
        builder.prefix(PREFIX);
        permit(&mut builder, 0o700);
        let staged = builder.tempdir_in(directory(&path)).map_err(|error| Failure::writing(&path, error))?;
        removed_on_signals(staged.path());
        Ok(WholeFolder { staged, path })
    }

    /// A new file in it, which its owner alone may read.
    pub(super) fn file(&self, name: &str) -> Result<File, Failure> {
        let path = self.staged.path().join(name);
        // What is a plain name elsewhere may lead out of the folder on another system.
        if path.parent() != Some(self.staged.path()) || path.file_name().is_none_or(|last| last != name) {
            return Err(Failure::usage(format!("{name:?} is no name for a file here")));
        }
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(|error| Failure::writing(&path, error))
    }

    /// Gives it its name: its files are on the disk then.
    pub(super) fn appear(self) -> Result<(), Failure> {
        // Another process may have put something there since the check. An empty folder is all that this would replace.
        if self.path.symlink_metadata().is_ok() {
            return Err(exists(&self.path));
        }
        fs::rename(self.staged.path(), &self.path).map_err(|error| Failure::writing(&self.path, error))?;
        done(&self.path);
        let _ = self.staged.keep();
        Ok(())
    }
}

/// Whether a file starts as sealed ones do.
fn is_sealed(path: &Path) -> Result<bool, Failure> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4).read_to_end(&mut start));
    read.map_err(|error| Failure::reading(path, error))?;
    Ok(start == b"PQGS")
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("{} exists and is not overwritten; choose another path or give --force", shown(path)))
}

fn permit(builder: &mut Builder<'_, '_>, mode: u32) {
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(mode));
    #[cfg(not(unix))]
    let _ = (builder, mode);
}

/// What is to be removed if a signal ends the program now.
static STAGED: Mutex<Option<PathBuf>> = Mutex::new(None);

fn removed_on_signals(path: &Path) {
    static HANDLER: Once = Once::new();
    *STAGED.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.into());
    // Where no handler can be set a signal leaves the file under its temporary name.
    HANDLER.call_once(|| drop(ctrlc::set_handler(interrupted)));
}

fn interrupted() {
    let staged = STAGED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &*staged {
        // The other thread may still make files in a folder, so once is not always enough.
        for _ in 0..100 {
            let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            if removed.is_ok() || path.symlink_metadata().is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    output::note("interrupted: nothing was written");
    std::process::exit(4);
}

/// The output has its name.
fn done(path: &Path) {
    *STAGED.lock().unwrap_or_else(PoisonError::into_inner) = None;
    // The name must survive a crash, too; not every file system can promise it.
    #[cfg(unix)]
    let _ = File::open(directory(path)).and_then(|directory| directory.sync_all());
    #[cfg(not(unix))]
    let _ = path;
}
