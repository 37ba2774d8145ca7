//! Sealing straight into staging slots, on all cores.

use crate::{
    Error, Result,
    channel::{chunk::SEALED_CHUNK_BYTES, session::Sealing},
    device::{Slot, SlotWriter},
    parallel,
};

/// Seals the next `sealed_bytes` of a record's body into a slot: the source of [`super::Transfer::begin_open`] where the
/// host's end of the channel is in this process. `plaintext` is the whole tensor; each byte of it is read once.
///
/// Slots of ordinary memory are sealed into directly. Slots that can only be written are filled by several threads,
/// each through 16 KiB of its own.
pub fn seal_into_slot<S: Slot>(sealing: &mut Sealing, plaintext: &[u8], slot: &mut S, sealed_bytes: u64) -> Result<()> {
    let chunks = sealed_bytes.div_ceil(SEALED_CHUNK_BYTES) as u32;
    {
        let mut writers = slot.writers(&[sealed_bytes])?;
        if let Some(memory) = writers.first_mut().and_then(SlotWriter::as_memory) {
            let piece = sealing.next_piece(chunks).ok_or(TOO_MUCH)?;
            let from = part(plaintext, piece.plaintext())?;
            return piece.seal(from, memory);
        }
    }
    let each = chunks.div_ceil(parallel::threads() as u32).max(1);
    let mut pieces = Vec::new();
    let mut left = chunks;
    while left > 0 {
        pieces.push(sealing.next_piece(each.min(left)).ok_or(TOO_MUCH)?);
        left -= each.min(left);
    }
    let lengths: Vec<u64> = pieces.iter().map(|piece| piece.sealed().end - piece.sealed().start).collect();
    let work: Vec<_> = pieces.into_iter().zip(slot.writers(&lengths)?).collect();
    parallel::each(work, |(piece, mut writer)| {
        let from = part(plaintext, piece.plaintext())?;
        let mut written = Ok(());
        piece.seal_each(from, |offset, sealed| {
            if written.is_ok() {
                written = writer.write(offset, sealed);
            }
        })?;
        written
    })
}

fn part(plaintext: &[u8], range: core::ops::Range<u64>) -> Result<&[u8]> {
    plaintext.get(range.start as usize..range.end as usize).ok_or(TOO_MUCH)
}

const TOO_MUCH: Error = Error::Usage("the slot was to take more than the tensor has");
