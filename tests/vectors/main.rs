//! The committed vectors of the channel: computed by the book, replayed by the library.
//!
//! `PQC_GPU_WRITE_VECTORS=1` writes tests/vectors/channel.json anew.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/independent.rs"]
mod independent;

mod book;
mod file;
mod inputs;
mod json;
mod refusals;

/// Nothing of the library runs here.
#[test]
fn the_book_gives_every_byte_of_the_file() {
    let computed = file::compute();
    if std::env::var("PQC_GPU_WRITE_VECTORS").is_ok_and(|value| value == "1") {
        std::fs::write(file::path(), &computed).unwrap();
    }
    let committed = std::fs::read_to_string(file::path()).unwrap();
    for (number, (committed, computed)) in committed.lines().zip(computed.lines()).enumerate() {
        let start = |line: &str| line.chars().take(120).collect::<String>();
        assert!(committed == computed, "line {}: {}\nnot {}", number + 1, start(committed), start(computed));
    }
    assert_eq!(committed.len(), computed.len());
    assert!(committed.len() < 400_000, "the file has {} bytes", committed.len());
}
