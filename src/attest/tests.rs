use zeroize::Zeroizing;

use super::*;
use crate::{Error, Identity, error::AttestationFailure};

const NOW: u64 = 1_800_000_000;
const WINDOW: Validity = Validity { not_before: NOW, not_after: NOW + 1000 };
const MODULE: &[u8] = b"module";

fn vendor() -> Identity {
    Identity::from_seeds(Zeroizing::new([3; 32]), Zeroizing::new([4; 64])).expect("seeds")
}

fn module() -> DriverModule {
    DriverModule::new("nvidia.ko", "1", "linux", MODULE, 7).expect("a module")
}

fn attestation() -> DriverAttestation {
    DriverAttester::new(&vendor()).attest(&module(), WINDOW, NOW).expect("signs")
}

fn policy() -> Policy {
    Policy { trusted_signers: vec![vendor().public_key().clone()], ..Policy::default() }
}

#[test]
fn attestations_round_trip_and_the_envelope_is_exact() {
    let made = attestation();
    assert_eq!(DriverAttestation::decode(made.as_bytes()), Ok(made.clone()));
    let head =
        [&[0xd2, 0x84, 0x58, 39, 0xa2, 1, 0x38, 48, 4, 0x58, 32][..], made.signer().as_bytes(), &[0xa0]].concat();
    assert_eq!(made.as_bytes()[..head.len()], head);
    let payload = [
        &[0xa9, 1, 0x69][..],
        b"nvidia.ko",
        &[2, 0x61, b'1', 3, 0x65],
        b"linux",
        &[4, 0x58, 32],
        &module().digest().sha3_256,
        &[5, 6, 6, 7, 7, 0x1a],
        &(NOW as u32).to_be_bytes(),
        &[8, 0x1a],
        &(NOW as u32 + 1000).to_be_bytes(),
        &[9, 0x1a],
        &(NOW as u32).to_be_bytes(),
    ]
    .concat();
    let rest = &made.as_bytes()[head.len()..];
    assert_eq!(rest[..2], [0x58, payload.len() as u8]);
    assert_eq!(rest[2..2 + payload.len()], payload);
    assert_eq!(rest[2 + payload.len()..][..3], [0x59, 0x0c, 0xed]);
    assert_eq!(rest.len(), 2 + payload.len() + 3 + 3309);
}

#[test]
fn hashing_in_pieces_is_hashing() {
    let mut hasher = ModuleHasher::default();
    MODULE.chunks(2).for_each(|piece| hasher.update(piece));
    assert_eq!(hasher.finish(), DriverModule::hash_module_bytes(MODULE));
    assert_eq!(DriverModule::hash_module_bytes(MODULE).size, 6);
}

#[test]
fn what_cannot_be_stated_is_refused() {
    let long = "x".repeat(256);
    for bad in ["", "a\nb", "\u{1b}[2J", &long] {
        for texts in [[bad, "1", "t"], ["n", bad, "t"], ["n", "1", bad]] {
            let [name, version, target] = texts;
            assert!(matches!(DriverModule::new(name, version, target, MODULE, 1), Err(Error::Usage(_))), "{texts:?}");
        }
    }
    assert!(DriverModule::new(&long[1..], "1", "t", MODULE, 1).is_ok());
    let vendor = vendor();
    for (not_before, not_after) in [(NOW - 1, NOW + 1), (NOW + 2, NOW + 1), (0, u64::MAX)] {
        let made = DriverAttester::new(&vendor).attest(&module(), Validity { not_before, not_after }, NOW);
        assert!(matches!(made, Err(Error::Usage(_))));
    }
}

#[test]
fn every_check_is_named_and_counts() {
    let made = attestation();
    let judge = |policy: Policy, module: &[u8], now| {
        DriverAttestationVerifier::new(policy).verify(made.as_bytes(), module, now)
    };
    let failed = |result: &VerificationResult| -> Vec<Check> {
        assert_eq!(result.passed(), result.attestation().is_some());
        let failed = |(check, outcome): (Check, &Outcome)| matches!(outcome, Outcome::Failed(_)).then_some(check);
        result.checks().filter_map(failed).collect()
    };
    let result = judge(policy(), MODULE, NOW);
    assert!(result.passed());
    assert_eq!(result.outcome(Check::Name), &Outcome::NotChecked(NotChecked::NotInPolicy));

    let exact = Policy {
        name: Some("nvidia.ko".into()),
        target: Some("linux".into()),
        max_age_seconds: Some(1000),
        minimum_security_versions: [("nvidia.ko".to_owned(), 7)].into(),
        ..policy()
    };
    for now in [NOW, NOW + 1000] {
        assert!(judge(exact.clone(), MODULE, now).checks().all(|(_, outcome)| outcome == &Outcome::Passed));
    }
    assert_eq!(failed(&judge(Policy::default(), MODULE, NOW)), [Check::SignerTrusted]);
    let id = vendor().public_key().key_id();
    assert_eq!(
        failed(&judge(Policy { revoked_signers: [id].into(), ..policy() }, MODULE, NOW)),
        [Check::SignerNotRevoked]
    );
    assert_eq!(failed(&judge(policy(), b"elludom", NOW)), [Check::Digest, Check::Size]);
    assert_eq!(failed(&judge(policy(), b"elubom", NOW)), [Check::Digest]);
    let name = Policy { name: Some("nvidia.k".into()), ..exact.clone() };
    assert_eq!(failed(&judge(name, MODULE, NOW)), [Check::Name]);
    let target = Policy { target: Some("Linux".into()), ..exact.clone() };
    assert_eq!(failed(&judge(target, MODULE, NOW)), [Check::Target]);
    assert_eq!(failed(&judge(policy(), MODULE, NOW - 1)), [Check::Validity]);
    assert_eq!(failed(&judge(policy(), MODULE, NOW + 1001)), [Check::Validity]);
    let age = Policy { max_age_seconds: Some(9), ..policy() };
    assert_eq!(failed(&judge(age.clone(), MODULE, NOW + 10)), [Check::Age]);
    assert_eq!(failed(&judge(age, MODULE, 0)), [Check::Validity, Check::Age]);
    let floor = Policy { minimum_security_versions: [("nvidia.ko".to_owned(), 8)].into(), ..policy() };
    assert_eq!(failed(&judge(floor, MODULE, NOW)), [Check::SecurityVersion]);
    let revoked = Policy { revoked_digests: [module().digest().sha3_256].into(), ..policy() };
    assert_eq!(failed(&judge(revoked.clone(), MODULE, NOW)), [Check::DigestNotRevoked]);
    let error = judge(revoked, MODULE, NOW).into_result();
    let reason = "the module is revoked".to_owned();
    assert_eq!(error, Err(AttestationFailure::Refused { check: "digest not revoked", reason }.into()));
}

#[test]
fn a_new_result_has_not_passed() {
    assert!(!VerificationResult::new().passed());
    assert!(VerificationResult::new().into_result().is_err());
    for (index, check) in Check::ALL.into_iter().enumerate() {
        assert_eq!(check as usize, index);
    }
}

#[test]
fn floors_rise_and_never_fall() {
    let made = attestation();
    let verify =
        |policy: &Policy, now| DriverAttestationVerifier::new(policy.clone()).verify(made.as_bytes(), MODULE, now);
    let mut policy = policy();
    assert!(!policy.clone().raise(&verify(&policy, NOW - 1)), "what did not pass raises nothing");
    let result = verify(&policy, NOW);
    assert!(policy.raise(&result) && !policy.raise(&result));
    assert_eq!(policy.minimum_security_versions["nvidia.ko"], 7);
    policy.minimum_security_versions.insert("nvidia.ko".into(), 9);
    assert!(!policy.raise(&result));
    assert_eq!(policy.minimum_security_versions["nvidia.ko"], 9);
}
