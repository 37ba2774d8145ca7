//! A tensor past 4 GiB, sealed and opened by the host with flat memory. Alone in its process, whose high-water mark it
//! reads.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "common/large.rs"]
mod large;

use large::{BYTES, high_water, pattern};
use pqc_gpu_driver::{DType, TensorMetadata, establish_channel};

/// Chunks in a piece.
const PIECE: u32 = 256;

#[test]
fn past_4_gib_with_flat_memory() {
    let before = high_water();
    let (host, guest) = establish_channel("host", "device").unwrap();
    let metadata = TensorMetadata::new("0", "large", DType::U8, [BYTES]).unwrap();
    let mut sealing = host.seal(&metadata).unwrap();
    let (header, encoded) = sealing.prelude().split_at(64);
    let mut opening = guest.reserve(header, encoded).unwrap().opening();
    let mut total = 0;
    while let Some(piece) = sealing.next_piece(PIECE) {
        let (plain, sealed) = (piece.plaintext(), piece.sealed());
        assert_eq!(plain.start, total);
        let content = pattern(plain.start, (plain.end - plain.start) as usize);
        let mut wire = vec![0; (sealed.end - sealed.start) as usize];
        piece.seal(&content, &mut wire).unwrap();
        let mut opened = vec![0; content.len()];
        opening.open_piece(PIECE, &wire, &mut opened).unwrap();
        assert!(opened == content, "at {total}");
        total = plain.end;
    }
    assert_eq!(total, BYTES);
    sealing.finish().unwrap();
    assert_eq!(opening.finish().unwrap(), metadata);
    if let (Some(before), Some(after)) = (before, high_water()) {
        assert!(after - before < 256 << 10, "memory grew by {} KiB", after - before);
    }
}
