//! Where a sealed file's bytes come from: memory, a file, anything that seeks; storage behind a network by the same trait.

use core::future::{Ready, ready};
use std::{
    io::{Read, Seek, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    error::SealedFailure,
    parallel::{MaybeSend, MaybeSync},
};

/// Bytes at random access. Nothing that comes from one is believed before it was verified.
pub trait Source: MaybeSend + MaybeSync {
    /// How many bytes there are; asked of the storage once, when the source was made.
    fn size(&self) -> u64;

    /// Fills `into` with the bytes from `offset` on, or fails with [`SealedFailure::Read`], which the caller may try again.
    ///
    /// Takes `&self`: as many reads may be under way as [`Source::reads_in_flight`] says. A future may be dropped at any time.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> impl Future<Output = Result<(), SealedFailure>> + MaybeSend;

    /// How many reads are worth having under way at once. One where reading is done when the future is first polled.
    fn reads_in_flight(&self) -> usize {
        1
    }

    /// All the bytes, where they lie in memory. A file that is mapped may change: whoever reads bytes here copies them
    /// once and looks at the copy only.
    fn resident(&self) -> Option<&[u8]> {
        None
    }
}

impl Source for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> impl Future<Output = Result<(), SealedFailure>> + MaybeSend {
        let range = usize::try_from(offset).ok().and_then(|start| self.get(start..)?.get(..into.len()));
        ready(range.map(|bytes| into.copy_from_slice(bytes)).ok_or_else(ends_before))
    }

    fn resident(&self) -> Option<&[u8]> {
        Some(self)
    }
}

macro_rules! resident {
    ($($(#[$condition:meta])* $source:ty, $as_bytes:ident;)*) => {$(
        $(#[$condition])*
        impl Source for $source {
            fn size(&self) -> u64 {
                self.$as_bytes().len() as u64
            }

            fn read_at(
                &self,
                offset: u64,
                into: &mut [u8],
            ) -> impl Future<Output = Result<(), SealedFailure>> + MaybeSend {
                self.$as_bytes().read_at(offset, into)
            }

            fn resident(&self) -> Option<&[u8]> {
                Some(self.$as_bytes())
            }
        }
    )*};
}

resident! {
    Vec<u8>, as_slice;
    #[cfg(not(target_arch = "wasm32"))]
    super::MappedFile, as_bytes;
}

macro_rules! behind {
    ($([$($lifetime:lifetime)?] $pointer:ty),*) => {$(
        impl<$($lifetime,)? S: Source + ?Sized> Source for $pointer {
            fn size(&self) -> u64 {
                (**self).size()
            }

            fn read_at(
                &self,
                offset: u64,
                into: &mut [u8],
            ) -> impl Future<Output = Result<(), SealedFailure>> + MaybeSend {
                (**self).read_at(offset, into)
            }

            fn reads_in_flight(&self) -> usize {
                (**self).reads_in_flight()
            }

            fn resident(&self) -> Option<&[u8]> {
                (**self).resident()
            }
        }
    )*};
}

behind!(['s] &'s S, [] Arc<S>);

/// Anything that reads and seeks, a file for one. Reads wait where they are made.
#[derive(Debug)]
pub struct SeekSource<R> {
    reader: Mutex<R>,
    size: u64,
}

impl<R: Read + Seek + MaybeSend> SeekSource<R> {
    /// Asks where the end is.
    pub fn new(mut reader: R) -> Result<Self, SealedFailure> {
        let size = reader.seek(SeekFrom::End(0)).map_err(read_failed)?;
        Ok(SeekSource { reader: Mutex::new(reader), size })
    }

    fn read_now(&self, offset: u64, into: &mut [u8]) -> Result<(), SealedFailure> {
        if offset.checked_add(into.len() as u64).is_none_or(|end| end > self.size) {
            return Err(ends_before());
        }
        // Each read seeks first, so one that failed or panicked leaves nothing behind.
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.seek(SeekFrom::Start(offset)).map_err(read_failed)?;
        reader.read_exact(into).map_err(read_failed)
    }
}

impl<R: Read + Seek + MaybeSend> Source for SeekSource<R>
where
    SeekSource<R>: MaybeSync,
{
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> impl Future<Output = Result<(), SealedFailure>> + MaybeSend {
        done(self.read_now(offset, into))
    }
}

fn done(result: Result<(), SealedFailure>) -> Ready<Result<(), SealedFailure>> {
    ready(result)
}

fn ends_before() -> SealedFailure {
    SealedFailure::Read("the source ends before the bytes asked for".into())
}

pub(super) fn read_failed(error: std::io::Error) -> SealedFailure {
    SealedFailure::Read(error.to_string())
}
