//! Signatures written otherwise: one signature has one encoding (FIPS 204, algorithm 21), so nobody but the signer makes
//! a second one that verifies.

use ml_dsa::{MlDsa65, Signature, VerifyingKey};
use pqc_gpu_driver::attest::{DriverAttestationVerifier, DriverAttester, DriverModule, Policy, Validity};

use super::common::*;

const MODULE: &[u8] = b"a module";
const NOW: u64 = 1_800_000_000;
/// ω indices of the hint's ones, then for each of k polynomials how many indices there are up to it (FIPS 204, table 1).
const OMEGA: usize = 55;
const K: usize = 6;
/// z: five polynomials of 256 coefficients of 20 bits, behind c̃.
const Z: std::ops::Range<usize> = 48..48 + 5 * 640;

type Rewrite = fn(&mut [u8]) -> bool;

/// Each says whether there was something to rewrite.
const REWRITTEN: [(&str, Rewrite); 8] = [
    ("two indices of one polynomial change places", |signature| {
        let Some(at) = pair(hint(signature)) else { return false };
        hint(signature).swap(at, at + 1);
        true
    }),
    ("an index stands twice", |signature| {
        let Some(at) = pair(hint(signature)) else { return false };
        hint(signature)[at + 1] = hint(signature)[at];
        true
    }),
    ("an unused place is not zero", |signature| {
        let hint = hint(signature);
        let used = usize::from(hint[OMEGA + K - 1]);
        if used < OMEGA {
            hint[OMEGA - 1] = 1;
        }
        used < OMEGA
    }),
    ("more ones than there are places", |signature| {
        hint(signature)[OMEGA + K - 1] = OMEGA as u8 + 1;
        true
    }),
    ("more ones than bytes in the signature", |signature| {
        hint(signature)[OMEGA + K - 1] = 255;
        true
    }),
    ("the count goes down", |signature| {
        let hint = hint(signature);
        let down = hint[OMEGA] > 0;
        hint[OMEGA + 1] = hint[OMEGA].saturating_sub(1);
        down
    }),
    // 2^19 - 0xfffff = -(2^19 - 1), beyond γ1 - β = 2^19 - 196.
    ("a coefficient of z is too large", |signature| {
        signature[Z][..2].fill(0xff);
        signature[Z][2] |= 0x0f;
        true
    }),
    ("all coefficients of z are too large", |signature| {
        signature[Z].fill(0);
        true
    }),
];

fn hint(signature: &mut [u8]) -> &mut [u8] {
    let start = signature.len() - OMEGA - K;
    &mut signature[start..]
}

/// Where two indices of one polynomial stand next to each other.
fn pair(hint: &mut [u8]) -> Option<usize> {
    let mut start = 0;
    for &end in &hint[OMEGA..] {
        if usize::from(end) >= start + 2 {
            return Some(start);
        }
        start = end.into();
    }
    None
}

#[test]
fn beyond_signatures_in_another_encoding() {
    let [signer, _] = identities();
    let verifier = DriverAttestationVerifier::new(Policy {
        trusted_signers: vec![signer.public_key().clone()],
        ..Policy::default()
    });
    let module = DriverModule::new("gpu.ko", "1", "linux", DriverModule::hash_module_bytes(MODULE), 1).unwrap();
    let validity = Validity { not_before: NOW, not_after: NOW + 60 };
    let mut rewritten = [0; REWRITTEN.len()];
    for _ in 0..20 {
        let attestation = DriverAttester::new(signer).attest(&module, validity, NOW).unwrap();
        verifier.verify_or_raise(attestation.as_bytes(), MODULE, NOW).unwrap();
        for ((what, rewrite), count) in REWRITTEN.iter().zip(&mut rewritten) {
            let mut bytes = attestation.as_bytes().to_vec();
            let signature = bytes.len() - 3309;
            if rewrite(&mut bytes[signature..]) {
                assert!(verifier.verify_or_raise(&bytes, MODULE, NOW).is_err(), "{what}");
                *count += 1;
            }
        }
    }
    assert!(rewritten.iter().all(|&count| count > 0), "{rewritten:?}");
}

/// The same by `ml-dsa`, which verifies where there is no aws-lc-rs (wasm).
#[test]
fn beyond_signatures_in_another_encoding_by_the_second_implementation() {
    let key = ml_dsa::SigningKey::<MlDsa65>::from_seed(&[1; 32].into());
    let public: VerifyingKey<MlDsa65> = key.expanded_key().verifying_key();
    let mut rewritten = [0; REWRITTEN.len()];
    for number in 0..20u8 {
        let good = key.expanded_key().sign_deterministic(&[number], &[]).unwrap().encode();
        let verifies = |bytes: &[u8]| {
            Signature::try_from(bytes).is_ok_and(|signature| public.verify_with_context(&[number], &[], &signature))
        };
        assert!(verifies(&good));
        for ((what, rewrite), count) in REWRITTEN.iter().zip(&mut rewritten) {
            let mut bytes = good.to_vec();
            if rewrite(&mut bytes) {
                assert!(!verifies(&bytes), "{what}");
                *count += 1;
            }
        }
    }
    assert!(rewritten.iter().all(|&count| count > 0), "{rewritten:?}");
}
