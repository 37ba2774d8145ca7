//! PEM by the book (RFC 7468, RFC 4648), so that the fuzzer can put any DER into a block.

use std::fmt::Write;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One block, lines of 64 characters.
pub fn encode(label: &str, der: &[u8]) -> String {
    let mut base64 = String::new();
    for three in der.chunks(3) {
        let word = three.iter().chain([0; 2].iter()).take(3).fold(0, |word, &byte| word << 8 | usize::from(byte));
        for i in 0..4 {
            let digit = if i <= three.len() { ALPHABET[word >> (18 - 6 * i) & 63] } else { b'=' };
            base64.push(char::from(digit));
        }
    }
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        let _ = writeln!(text, "{}", String::from_utf8_lossy(line));
    }
    let _ = writeln!(text, "-----END {label}-----");
    text
}
