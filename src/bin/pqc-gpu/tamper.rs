//! What a wire can do to a record: the edits of `transfer --tamper`, made on the bytes between the two ends.

use std::ops::Range;

use pqc_gpu_driver::channel::{chunk::SEALED_CHUNK_BYTES, record::HEADER_BYTES, suite::TAG_BYTES};

/// `--tamper`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tamper {
    /// Flip a bit of the ciphertext.
    Ciphertext,
    /// Flip a bit of the last tag.
    Tag,
    /// Change a character of the tensor's metadata.
    Metadata,
    /// Raise the record's sequence number.
    Sequence,
    /// Deliver the record twice.
    Replay,
    /// Deliver the record to the end that sent it.
    Reflect,
    /// Cut the record's last chunk off and close the transport.
    Truncate,
}

impl Tamper {
    /// The mode's name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Tamper::Ciphertext => "ciphertext",
            Tamper::Tag => "tag",
            Tamper::Metadata => "metadata",
            Tamper::Sequence => "sequence",
            Tamper::Replay => "replay",
            Tamper::Reflect => "reflect",
            Tamper::Truncate => "truncate",
        }
    }

    /// Edits header and metadata (`wire` ends with them; a KEY_UPDATE may stand before).
    pub(crate) fn edit_prelude(self, wire: &mut [u8], metadata_bytes: usize) {
        let Some(header) = wire.len().checked_sub(HEADER_BYTES + metadata_bytes) else { return };
        match self {
            // The sequence number's last byte (docs/protocol.md, Records).
            Tamper::Sequence => wire[header + 55] = wire[header + 55].wrapping_add(1),
            // {1: id, …}: the id's first character, which stays a digit and the metadata canonical, so that nothing
            // but the tags can tell.
            Tamper::Metadata => wire[header + HEADER_BYTES + 3] ^= 1,
            _ => {}
        }
    }

    /// Edits a part of the sealed body, which is `body_bytes` long. False where the wire ends before this part does.
    pub(crate) fn edit_body(self, part: Range<u64>, wire: &mut [u8], body_bytes: u64) -> bool {
        let last_chunk = (body_bytes - 1) / SEALED_CHUNK_BYTES * SEALED_CHUNK_BYTES;
        let flip = match self {
            Tamper::Ciphertext if body_bytes > TAG_BYTES as u64 => Some(0),
            // An empty tensor has no ciphertext but its tag.
            Tamper::Ciphertext | Tamper::Tag => Some(body_bytes - TAG_BYTES as u64 / 2),
            _ => None,
        };
        if let Some(at) = flip.filter(|at| part.contains(at)) {
            wire[(at - part.start) as usize] ^= 0x40;
        }
        self != Tamper::Truncate || part.end <= last_chunk
    }
}
