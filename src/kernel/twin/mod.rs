//! Reference twins: AES-256, GHASH, AES-256-GCM and the chunked body, written straight from the
//! standards, one step of the text after the other.
//!
//! The fast kernels are tested against these, so they are made to be read beside the standard,
//! not to be quick. They are **not constant time**: tables are indexed and branches are taken by
//! secrets, tags are compared with `==` and nothing is wiped. No device and no caller outside of
//! tests may run them on a real key.
//!
//! Those of the tensor kernels compute with exact values, or go through elements one by one.
//!
//! Standards: FIPS 197 (update 1, 2023), NIST SP 800-38D (2007), RFC 5869, the C2SP
//! specification `chunked-encryption` and IEEE 754-2019. A *chunk* is the unit that is sealed by one call of GCM; a
//! *block* is always the 16 bytes of AES.

pub mod aes;
pub mod chunked;
pub mod gcm;
pub mod ghash;
pub mod numbers;
pub mod order;
pub mod quantized;

/// The bytes written in hexadecimal in `text`, which has to hold exactly `N` of them.
#[cfg(test)]
fn from_hex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal"))
}
