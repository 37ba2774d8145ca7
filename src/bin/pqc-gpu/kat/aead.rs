//! AES-256-GCM (SP 800-38D) on the device's kernels.

use pqc_gpu_driver::{
    block_on,
    device::Device,
    transfer::hazmat::{BodyParams, open_body, seal_body},
};
use serde::Deserialize;

use super::set::{Expected, Hex, Set, Tally};
use crate::failure::Failure;

pub(super) type Tests = Set<Parameters, Test>;

/// Sizes in bits.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    key_size: u64,
    iv_size: u64,
    tag_size: u64,
}

#[derive(Deserialize)]
pub(super) struct Test {
    key: Hex,
    iv: Hex,
    aad: Hex,
    msg: Hex,
    ct: Hex,
    tag: Hex,
}

/// Runs the tests with 256-bit keys, 96-bit nonces and 128-bit tags.
pub(super) fn run<D: Device>(device: &D, tests: &Tests) -> Result<Tally, Failure> {
    let ours = |group: &Parameters| (group.key_size, group.iv_size, group.tag_size) == (256, 96, 128);
    tests.run(ours, |_, test, expected| holds(device, test, expected))
}

fn holds<D: Device>(device: &D, test: &Test, expected: Expected) -> Result<bool, Failure> {
    // A test that breaks its group's sizes is rejected as every caller of the kernels would.
    let (Ok(key), Ok(nonce), 16) =
        (test.key.0.as_slice().try_into(), test.iv.0.as_slice().try_into(), test.tag.0.len())
    else {
        return Ok(expected.is(false));
    };
    // A chunk longer than message and ciphertext: the body is one chunk, which is ciphertext ‖ tag.
    let longest = test.msg.0.len().max(test.ct.0.len()) + 1;
    let chunk_bytes =
        u32::try_from(longest.next_multiple_of(16)).map_err(|_| Failure::usage("a message is too long"))?;
    let params = BodyParams { key, nonce, aad: &test.aad.0, chunk_bytes };
    let body = [&test.ct.0[..], &test.tag.0].concat();
    let opened = block_on(open_body(device, params, &body))?;
    match expected {
        Expected::Valid => {
            let sealed = block_on(seal_body(device, params, &test.msg.0))?;
            Ok(opened.as_ref() == Some(&test.msg.0) && sealed == body)
        }
        // No plaintext at all may come out, not merely another one.
        Expected::Invalid => Ok(opened.is_none()),
        Expected::Acceptable => Ok(true),
    }
}
