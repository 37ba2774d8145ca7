//! Where things of a batch lie: its parameters in one buffer, its read-backs in another.

use core::ops::Range;

use super::{Command, Memory};

/// Size of the parameters: 16 words.
pub(in super::super) const PARAMS_BYTES: u64 = 64;

/// The parameters of all dispatches, one at every multiple of `stride`, words little-endian.
pub(in super::super) fn params<B, S>(commands: &[Command<B, S>], stride: u64) -> Vec<u8> {
    let dispatches = commands.iter().filter_map(|command| match command {
        Command::Dispatch(dispatch) => Some(&dispatch.params),
        _ => None,
    });
    let mut bytes = Vec::new();
    for params in dispatches {
        let end = bytes.len() + stride as usize;
        params.words().iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes.resize(end, 0);
    }
    bytes
}

/// How much is read back.
pub(in super::super) fn read_bytes<B, S>(commands: &[Command<B, S>]) -> u64 {
    let read = |command: &Command<B, S>| match command {
        Command::CopyOut { range, .. } => words(range).end - words(range).start,
        _ => 0,
    };
    commands.iter().map(read).sum()
}

/// The whole words that a part of a buffer touches.
pub(in super::super) fn words(range: &Range<u64>) -> Range<u64> {
    range.start / 4 * 4..range.end.next_multiple_of(4)
}

/// How much of a buffer is bound from the part's start: whole blocks, or at least whole words, of what is there.
pub(in super::super) fn bound(buffer: &impl Memory, range: &Range<u64>) -> u64 {
    let end = match range.end.next_multiple_of(16) {
        end if end <= buffer.size() => end,
        _ => range.end.next_multiple_of(4).min(buffer.size()),
    };
    end - range.start
}

/// So many workgroups as columns and rows of at most `limit` columns.
pub(in super::super) fn columns(workgroups: u32, limit: u32) -> (u32, u32) {
    let columns = workgroups.min(limit).max(1);
    (columns, workgroups.div_ceil(columns))
}
