//! Files read in place.
//!
//! A model may be larger than memory, so it is mapped and each tensor read from the page cache, once.
// Mapping is unsafe because another process can change the file under the map, which `&[u8]` promises cannot
// happen. What that can do here: bytes read twice can differ, and reading past a truncation ends the process
// (SIGBUS). So every byte is read once, on its way into a seal or a digest, and no decision rests on an earlier
// look at bytes that are read again; a changed file then gives other bytes, never another memory access, for the
// map's length was fixed when it was made. Truncation costs availability, which is not promised.
#![allow(unsafe_code)]

use std::{
    fs::{self, File, Metadata},
    io,
    path::Path,
};

use memmap2::Mmap;

/// A regular file, mapped for reading.
///
/// The file must be left alone while it is mapped: a change shows as other bytes, and truncation ends the process
/// when a byte past the new end is read.
#[derive(Debug)]
pub struct MappedFile {
    /// None for an empty file, which not every system can map.
    map: Option<Mmap>,
}

impl MappedFile {
    /// Maps a file.
    ///
    /// Fails as [`File::open`] does, with [`io::ErrorKind::IsADirectory`] for a directory and with
    /// [`io::ErrorKind::InvalidInput`] for pipes, sockets and devices, which cannot be mapped.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        // Asked before opening: to open a pipe would wait for its writer.
        check_regular(&fs::metadata(path)?)?;
        let file = File::open(path)?;
        // And asked of what was opened, for the name may mean another file by now.
        let metadata = file.metadata()?;
        check_regular(&metadata)?;
        if metadata.len() == 0 {
            return Ok(MappedFile { map: None });
        }
        // SAFETY: the mapping is read-only and private to this value; see the top of this file for what a
        // concurrent writer can do and why nothing here depends on it.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(MappedFile { map: Some(map) })
    }

    /// The file's bytes. Read each of them once only: a second look may show others.
    pub fn as_bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

fn check_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory; give a file"));
    }
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "is not a regular file and cannot be mapped; copy it to one",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_mapped_whole_also_empty_ones() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("file");
        for content in [&b""[..], b"x", &[7; 70_001]] {
            fs::write(&path, content).expect("writes");
            assert_eq!(MappedFile::open(&path).expect("maps").as_bytes(), content);
        }
    }

    #[test]
    fn what_cannot_be_mapped_is_refused_by_name() {
        let directory = tempfile::tempdir().expect("directory");
        let kind = |path: &Path| MappedFile::open(path).expect_err("no map").kind();
        assert_eq!(kind(directory.path()), io::ErrorKind::IsADirectory);
        assert_eq!(kind(&directory.path().join("absent")), io::ErrorKind::NotFound);
        #[cfg(unix)]
        assert_eq!(kind(Path::new("/dev/null")), io::ErrorKind::InvalidInput);
    }
}
