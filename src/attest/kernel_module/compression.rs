//! Modules are shipped plain or compressed whole: CONFIG_MODULE_COMPRESS_GZIP, _XZ and _ZSTD.

use std::{borrow::Cow, fmt, io::Read};

use crate::error::ModuleFailure;

/// How a module file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all: `.ko`.
    None,
    /// RFC 1952: `.ko.gz`.
    Gzip,
    /// The .xz format: `.ko.xz`.
    Xz,
    /// RFC 8878: `.ko.zst`.
    Zstd,
}

/// The xz decoder's memory, its dictionary above all. The kernel's build takes 1 MiB dictionaries, `xz -9` 64 MiB.
const XZ_MEMORY_KIB: u32 = 128 << 10;

impl Compression {
    /// By the file's first bytes.
    pub fn of(file: &[u8]) -> Self {
        match file {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// The whole content, of at most `limit` bytes. Memory grows with what comes out, never with what a header says.
    pub(super) fn decompress(self, file: &[u8], limit: u64) -> Result<Cow<'_, [u8]>, ModuleFailure> {
        let fail = |reason: String| ModuleFailure::Compression { format: self.name(), reason };
        let (content, rest) = match self {
            Compression::None => return Ok(Cow::Borrowed(file)),
            Compression::Gzip => {
                let mut decoder = flate2::bufread::GzDecoder::new(file);
                (drain(&mut decoder, limit), decoder.into_inner())
            }
            Compression::Xz => {
                let mut decoder = lzma_rust2::XzReader::new_mem_limit(file, false, XZ_MEMORY_KIB);
                (drain(&mut decoder, limit), decoder.into_inner())
            }
            Compression::Zstd => {
                let mut decoder =
                    ruzstd::decoding::StreamingDecoder::new(file).map_err(|error| fail(error.to_string()))?;
                let content = drain(&mut decoder, limit);
                let (rest, frame) = decoder.into_parts();
                let told = frame.get_checksum_from_data();
                // The decoder leaves the comparison to its caller.
                if matches!(content, Ok(Some(_))) && told.is_some() && told != frame.get_calculated_checksum() {
                    return Err(fail("the checksum is wrong".into()));
                }
                (content, rest)
            }
        };
        match content {
            Err(error) => Err(fail(error.to_string())),
            Ok(None) => Err(ModuleFailure::TooLong { limit }),
            Ok(Some(_)) if !rest.is_empty() => Err(fail("more bytes follow its end".into())),
            Ok(Some(content)) => Ok(Cow::Owned(content)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Xz => "xz",
            Compression::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// All that comes out; None if that is more than `limit` bytes.
fn drain(decoder: &mut impl Read, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    decoder.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= limit).then_some(content))
}
