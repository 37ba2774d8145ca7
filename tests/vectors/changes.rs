//! Makes the changes that the file names.

use serde_json::Value;

use crate::{
    independent::{aes_open, aes_seal},
    json::from_hex,
    replay::Case,
};

/// A handshake message, changed. `other` is the same message of the case named.
pub fn message(
    case: Case<'_>,
    name: &str,
    message: Vec<u8>,
    refusal: &Value,
    other: impl FnOnce() -> Vec<u8>,
) -> Vec<u8> {
    if refusal["opened_offset"].is_u64() {
        return sealed_again(case, name, &message, refusal);
    }
    let mut changed = record(message, refusal, other);
    if refusal["length_field"] == "changed too" {
        let length = (changed.len() - 12) as u32;
        changed[8..12].copy_from_slice(&length.to_be_bytes());
    }
    changed
}

/// Bytes as they cross, changed.
pub fn record(mut bytes: Vec<u8>, refusal: &Value, other: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let number = |name: &str| refusal[name].as_u64().map(|number| number as usize);
    if refusal["from_case"].is_string() {
        bytes = other();
    }
    if let Some(offset) = number("offset") {
        bytes[offset] ^= from_hex(refusal["xor"].as_str().unwrap())[0];
    }
    if let Some(cut) = number("cut") {
        bytes.truncate(bytes.len() - cut);
    }
    if let Some(zeros) = number("append_zeros") {
        bytes.resize(bytes.len() + zeros, 0);
    }
    bytes
}

fn sealed_again(case: Case<'_>, name: &str, message: &[u8], refusal: &Value) -> Vec<u8> {
    let (role, clear) = if name == "m2" { ("device", 12 + 32 + 1088) } else { ("host", 12) };
    let mut aad = case.hex("/messages/m1");
    if name == "m3" {
        aad.extend(&case.hex("/messages/m2")[..12 + 32 + 1088]);
        aad.extend(case.hex("/opened/m2"));
    }
    aad.extend(&message[..clear]);
    let (key, iv) = (case.array(&format!("/secrets/{role}/key")), case.array(&format!("/secrets/{role}/iv")));
    let mut plaintext = aes_open(&key, iv, &aad, &message[clear..]).unwrap();
    assert_eq!(plaintext, case.hex(&format!("/opened/{name}")));
    plaintext[refusal["opened_offset"].as_u64().unwrap() as usize] ^= from_hex(refusal["xor"].as_str().unwrap())[0];
    [message[..clear].to_vec(), aes_seal(&key, iv, &aad, &plaintext)].concat()
}
