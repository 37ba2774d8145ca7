//! Contents stored and not compressed, in the three formats of kernel modules: written by hand, so that no compressor is needed.

/// The longest stored run that all three have.
const RUN: usize = 0xffff;

/// RFC 1952, around stored blocks of RFC 1951.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    for (last, run) in runs(content) {
        let length = run.len() as u16;
        out.push(u8::from(last));
        out.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        out.extend(run);
    }
    out.extend([crc32(content), content.len() as u32].map(u32::to_le_bytes).concat());
    out
}

/// RFC 8878: one segment of raw blocks.
pub fn zstd(content: &[u8]) -> Vec<u8> {
    let mut out = [&[0x28, 0xb5, 0x2f, 0xfd, 0xa0][..], &(content.len() as u32).to_le_bytes()].concat();
    for (last, run) in runs(content) {
        out.extend(&(u32::from(last) | (run.len() as u32) << 3).to_le_bytes()[..3]);
        out.extend(run);
    }
    out
}

/// The .xz format 1.2: one block of uncompressed LZMA2 chunks, no check.
pub fn xz(content: &[u8]) -> Vec<u8> {
    let with_crc = |bytes: &[u8]| [bytes, &crc32(bytes).to_le_bytes()].concat();
    let padded = |mut bytes: Vec<u8>| {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let mut block = with_crc(&[2, 0, 0x21, 1, 0, 0, 0, 0]);
    for (number, (_, run)) in runs(content).enumerate().filter(|(_, (_, run))| !run.is_empty()) {
        block.push(if number == 0 { 1 } else { 2 });
        block.extend(((run.len() - 1) as u16).to_be_bytes());
        block.extend(run);
    }
    block.push(0);
    let index = [&[0, 1][..], &number(block.len()), &number(content.len())].concat();
    let index = with_crc(&padded(index));
    let footer = [&(index.len() as u32 / 4 - 1).to_le_bytes()[..], &[0, 0]].concat();
    [
        &[&b"\xfd7zXZ\0"[..], &with_crc(&[0, 0])].concat(),
        &padded(block),
        &index,
        &crc32(&footer).to_le_bytes()[..],
        &footer,
        b"YZ",
    ]
    .concat()
}

/// At least one run, and whether it is the last.
fn runs(content: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    let count = content.len().div_ceil(RUN).max(1);
    (0..count).map(move |at| (at + 1 == count, &content[at * RUN..content.len().min((at + 1) * RUN)]))
}

/// Seven bits a byte, the lowest first.
fn number(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & !(crc & 1).wrapping_sub(1)))
    })
}
