//! Lengths, offsets and counts that lie; padding; truncation.

use pqc_gpu_driver::{Error, TrustPolicy, block_on, error::SealedFailure, sealed::Front};

use crate::{
    book::{self, Line},
    inputs::{inputs, tensor, three},
    refused, trust,
};

fn read(file: &[u8]) -> SealedFailure {
    match block_on(Front::read(file)).map(drop) {
        Err(Error::SealedFile(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sealed_absurd_lengths_in_the_prefix() {
    let file = book::seal(&three()).file;
    for (at, lengths) in [(8, [0, 67_108_865, 1 << 31, u32::MAX]), (12, [0, 1_048_577, 1 << 31, u32::MAX])] {
        for length in lengths {
            let mut lies = file.clone();
            lies[at..at + 4].copy_from_slice(&length.to_be_bytes());
            assert!(matches!(read(&lies), SealedFailure::Malformed(why) if why.contains("length is not from")));
        }
    }
    // Within the limits, but not within the file; parts of the file read as others.
    for (at, length) in [(8, 67_108_864u32), (12, 1_048_576)] {
        let mut lies = file.clone();
        lies[at..at + 4].copy_from_slice(&length.to_be_bytes());
        assert_eq!(read(&lies), SealedFailure::Malformed("the file ends within its front"));
    }
    for change in [1, 2, 100, u32::MAX, u32::MAX - 9] {
        for at in [8, 12] {
            let mut lies = file.clone();
            let length = u32::from_be_bytes(lies[at..at + 4].try_into().unwrap()).wrapping_add(change);
            lies[at..at + 4].copy_from_slice(&length.to_be_bytes());
            read(&lies);
        }
    }
    for bytes in 0..16 {
        assert_eq!(read(&file[..bytes]), SealedFailure::Malformed("too short for a sealed file"));
    }
}

#[test]
fn sealed_ten_gigabytes_in_a_small_file() {
    // The publisher himself says so: nothing is taken for it, and nothing wraps around.
    for (shape, size) in [(vec![10_000_000_000], 10_000_000_000u64), (vec![1 << 36], 1 << 36)] {
        let inputs = inputs(vec![tensor(0, "huge", "U8", &shape, 100)]);
        let honest = book::seal(&inputs);
        let mut lines = honest.lines.clone();
        lines[0].length = size + 16 * (size / 16384 + 1);
        let sealed = book::sign(&inputs, honest.bodies, lines.clone());
        let expected = sealed.front.len() as u64 + lines[0].length;
        let failure = SealedFailure::Length { expected, found: sealed.file.len() as u64 };
        refused(&sealed.file, &trust(&inputs), true, &failure);
    }
}

#[test]
fn sealed_sizes_that_overflow() {
    for shape in [vec![u64::MAX], vec![1 << 32, 1 << 32], vec![(1 << 36) + 1], vec![u64::MAX; 64], vec![1; 65]] {
        let inputs = inputs(vec![tensor(0, "huge", "F64", &shape, 100)]);
        let why = "a tensor's metadata is not that of a tensor (docs/protocol.md)";
        refused(&book::seal(&inputs).file, &trust(&inputs), true, &SealedFailure::Malformed(why));
    }
}

/// A tensor's line altered by a publisher whom somebody trusts.
#[track_caller]
fn line(tensor: usize, alter: impl Fn(&mut Line), why: &'static str) {
    let inputs = three();
    let sealed = book::seal(&inputs);
    let mut lines = sealed.lines.clone();
    alter(&mut lines[tensor]);
    let file = book::sign(&inputs, sealed.bodies, lines).file;
    for trust in [trust(&inputs), TrustPolicy::AcceptAny] {
        refused(&file, &trust, true, &SealedFailure::Malformed(why));
    }
}

#[test]
fn sealed_offsets_that_overlap_or_overflow() {
    let why = "a body's offset is not the one that follows from the bodies before it";
    for offset in [1, 4095, 4097, 8192, 1 << 63, u64::MAX, u64::MAX - 4095, 0u64.wrapping_sub(4096)] {
        (0..3).for_each(|tensor| {
            let own = [0, 4096, 8192][tensor];
            if offset != own {
                line(tensor, |line| line.offset = offset, why);
            }
        });
    }
    // On top of each other.
    line(1, |line| line.offset = 0, why);
    line(2, |line| line.offset = 4096, why);
}

#[test]
fn sealed_lengths_that_are_not_the_tensors() {
    let why = "a body's length is not the one that follows from its tensor";
    for change in [1, 16, u64::MAX, 16400, 1 << 63] {
        (0..3).for_each(|tensor| line(tensor, |line| line.length = line.length.wrapping_add(change), why));
    }
}

#[test]
fn sealed_places_that_are_not_the_tensors() {
    let why = "the manifest does not have the form of docs/sealed-format.md";
    for index in [1, 2, 1 << 32, u64::MAX] {
        line(0, |line| line.index = index, why);
    }
}

#[test]
fn sealed_padding_that_is_not_zero() {
    let inputs = three();
    let sealed = book::seal(&inputs);
    let used = 16 + sealed.manifest.len() + 1952 + 3309 + sealed.recipients.len() + 64;
    let start = sealed.front.len();
    let mut gaps = vec![used..start];
    for pair in sealed.lines.windows(2) {
        gaps.push(start + (pair[0].offset + pair[0].length) as usize..start + pair[1].offset as usize);
    }
    assert!(gaps.iter().all(|gap| gap.len() > 100));
    for gap in gaps {
        for at in [gap.start, gap.start + gap.len() / 2, gap.end - 1] {
            for value in [1, 0x80, 0xff] {
                let mut file = sealed.file.clone();
                file[at] = value;
                refused(&file, &trust(&inputs), true, &SealedFailure::Padding(at as u64));
            }
        }
    }
}

#[test]
fn sealed_files_cut_and_extended() {
    let inputs = three();
    let file = book::seal(&inputs).file;
    let trust = trust(&inputs);
    let expected = file.len() as u64;
    for cut in (0..file.len()).step_by(997).chain(file.len() - 40..file.len()) {
        assert!(block_on(Front::read(&file[..cut])).is_err(), "cut at {cut}");
    }
    let shorter = SealedFailure::Length { expected, found: expected - 1 };
    refused(&file[..file.len() - 1], &trust, true, &shorter);
    for more in [1, 16, 4096, 16400] {
        let longer = [&file[..], &vec![0; more]].concat();
        let failure = SealedFailure::Length { expected, found: expected + more as u64 };
        refused(&longer, &trust, true, &failure);
    }
}

#[test]
fn sealed_other_magic_version_or_reserved_bytes() {
    let inputs = three();
    let file = book::seal(&inputs).file;
    let with = |at: usize, value: u8| {
        let mut file = file.clone();
        file[at] = value;
        read(&file)
    };
    assert!(matches!(with(0, b'p'), SealedFailure::Malformed(_)));
    assert_eq!(with(4, 2), SealedFailure::Version(2));
    assert_eq!(with(4, 0), SealedFailure::Version(0));
    for at in 5..8 {
        assert_eq!(with(at, 1), SealedFailure::Malformed("bytes 5 to 7 are not zero"));
    }
}
