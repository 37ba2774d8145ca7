//! Cobblestone-256 messages (c2sp.org/chunked-encryption) on the device's kernels.

use std::io::Read;

use flate2::read::ZlibDecoder;
use pqc_gpu_driver::{
    block_on,
    device::Device,
    kernel::CHUNK_BYTES,
    sealed::cobblestone::{self, Derived, HEADER_BYTES, SALT_BYTES},
    transfer::hazmat::{BodyParams, open_body, seal_body},
};
use serde::Deserialize;
use sha2::{Digest, Sha512};

use super::set::{Expected, Hex, Set, Tally};
use crate::failure::Failure;

pub(super) type Tests = Set<Parameters, Test>;

/// The longest message that is unpacked: zlib packs a thousand bytes into one.
const MESSAGE_BYTES: u64 = 256 << 20;

#[derive(Deserialize)]
pub(super) struct Parameters {
    aead: String,
    sha: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Test {
    key: Hex,
    ctx: Hex,
    /// Packed with zlib.
    ct: Hex,
    aead_key: Option<Hex>,
    base_nonce: Option<Hex>,
    msg_length: Option<u64>,
    msg_sha512: Option<Hex>,
}

/// Runs the tests with AES-256-GCM and SHA-512.
pub(super) fn run<D: Device>(device: &D, tests: &Tests) -> Result<Tally, Failure> {
    let ours = |group: &Parameters| (group.aead.as_str(), group.sha.as_str()) == ("AEAD_AES_256_GCM", "SHA-512");
    tests.run(ours, |_, test, expected| holds(device, test, expected))
}

fn holds<D: Device>(device: &D, test: &Test, expected: Expected) -> Result<bool, Failure> {
    let message = test.unpack()?;
    let (Ok(input_key), Some((header, body))) =
        (test.key.0.as_slice().try_into(), message.split_at_checked(HEADER_BYTES))
    else {
        return Ok(expected.is(false));
    };
    let (salt, commitment) = header.split_at(SALT_BYTES);
    let salt = salt.try_into().map_err(|_| Failure::other("the header's halves do not add up"))?;
    let derived = cobblestone::derive(input_key, salt, &test.ctx.0);
    // Where the file tells what must be derived, another key is wrong even if it rejects what must be rejected.
    if !test.derives(&derived) {
        return Ok(false);
    }
    if !derived.commits_to(commitment) {
        return Ok(expected.is(false));
    }
    let params =
        BodyParams { key: &derived.key, nonce: *derived.base_nonce, aad: &[], chunk_bytes: CHUNK_BYTES as u32 };
    let Some(plaintext) = block_on(open_body(device, params, body))? else { return Ok(expected.is(false)) };
    // The way back as well: the same body must come out of the seal kernel.
    let accepted = test.is_message(&plaintext) && block_on(seal_body(device, params, &plaintext))? == body;
    // Opened at all is too much for a message that must be rejected.
    Ok(expected != Expected::Invalid && expected.is(accepted))
}

impl Test {
    fn unpack(&self) -> Result<Vec<u8>, Failure> {
        let mut message = Vec::new();
        ZlibDecoder::new(&self.ct.0[..])
            .take(MESSAGE_BYTES + 1)
            .read_to_end(&mut message)
            .map_err(|_| Failure::usage("the ciphertext is not zlib's"))?;
        match message.len() as u64 > MESSAGE_BYTES {
            true => Err(Failure::usage(format!("the ciphertext is longer than {MESSAGE_BYTES} bytes"))),
            false => Ok(message),
        }
    }

    fn derives(&self, derived: &Derived) -> bool {
        self.aead_key.as_ref().is_none_or(|key| key.0 == *derived.key)
            && self.base_nonce.as_ref().is_none_or(|nonce| nonce.0 == *derived.base_nonce)
    }

    fn is_message(&self, plaintext: &[u8]) -> bool {
        self.msg_length.is_none_or(|length| length == plaintext.len() as u64)
            && self.msg_sha512.as_ref().is_some_and(|digest| digest.0 == Sha512::digest(plaintext).as_slice())
    }
}
