//! A tensor past 4 GiB, where offsets no longer fit 32 bits.
#![allow(dead_code)] // each test binary uses its part

use pqc_gpu_driver::channel::chunk::CHUNK_BYTES;

/// 4 GiB, a chunk, and a ragged end.
pub(crate) const BYTES: u64 = (4 << 30) + CHUNK_BYTES + 5;

/// Bytes that tell where they belong: repeated only after 2^32 × 8 bytes.
pub(crate) fn pattern(at: u64, length: usize) -> Vec<u8> {
    let first = at / 8;
    let mut bytes = Vec::with_capacity(length + 16);
    for word in first..=(at + length as u64) / 8 {
        bytes.extend((word.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes());
    }
    bytes.drain(..(at % 8) as usize);
    bytes.truncate(length);
    bytes
}

/// The most memory this process has held, in KiB, where the system tells.
pub(crate) fn high_water() -> Option<u64> {
    line("/proc/self/status", "VmHWM:")
}

/// What can be had without swapping, in KiB, where the system tells.
pub(crate) fn available() -> Option<u64> {
    line("/proc/meminfo", "MemAvailable:")
}

fn line(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}
