//! Who is believed, and about what.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use pqc_gpu_driver::{
    Identity,
    attest::{
        Check, DriverAttestation, DriverAttestationVerifier, DriverAttester, DriverModule, NotChecked, Outcome, Policy,
        Validity,
    },
    identity::{KeyId, PublicIdentity, PublicKey},
};

use super::forge::*;

#[test]
fn the_forge_forges_what_the_library_makes() {
    assert!(verify(&Forge::new(VENDOR).finish()).passed());
    assert!(verify(honest(7).as_bytes()).passed());
}

#[test]
fn attack_a01_attackers_key_under_the_vendors_did() {
    // The vendor's key-id in the header, the attacker's signature: the key that is verified with is the pinned one.
    let mut forge = Forge::new(OTHER);
    forge.protected = Forge::new(VENDOR).protected;
    refused_at(&verify(&forge.finish()), Check::Signature);
    // And under its own name the attacker is nobody.
    let result = verify(&Forge::new(OTHER).finish());
    refused_at(&result, Check::SignerTrusted);
    assert_eq!(result.outcome(Check::Signature), &Outcome::NotChecked(NotChecked::NoKey));
}

#[test]
fn attack_a02_signing_time_not_signed() {
    let forge = Forge::new(VENDOR);
    let signature = forge.sign(&forge.signed_bytes());
    // An older signing time, and a longer validity, under the same signature.
    for numbers in [[7, NOW, NOW + 100, NOW - 1], [7, NOW, NOW + 101, NOW], [8, NOW, NOW + 100, NOW]] {
        let bent = Forge { payload: payload(numbers), ..Forge::new(VENDOR) };
        refused_at(&verify(&bent.with_signature(&signature)), Check::Signature);
    }
}

#[test]
fn attack_a03_ed25519_labelled_ml_dsa() {
    let forge = Forge::new(VENDOR);
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let signature = pair.sign(&forge.signed_bytes());
    UnparsedPublicKey::new(&ED25519, pair.public_key()).verify(&forge.signed_bytes(), signature.as_ref()).unwrap();
    refused_at(&verify(&forge.with_signature(signature.as_ref())), Check::Form);
    let padded = [signature.as_ref(), &[0; 3309 - 64]].concat();
    refused_at(&verify(&forge.with_signature(&padded)), Check::Signature);
    // Nor can its key be pinned.
    assert!(PublicKey::from_bytes(pair.public_key().as_ref()).is_err());
}

#[test]
fn attack_a05_stub_verify_returns_true() {
    let forge = Forge::new(VENDOR);
    for stub in
        [vec![0; 3309], vec![0xff; 3309], forge.sign(b"something else"), Forge::new(OTHER).sign(&forge.signed_bytes())]
    {
        refused_at(&verify(&forge.with_signature(&stub)), Check::Signature);
    }
}

#[test]
fn attack_a06_no_allow_list_means_trusted() {
    let result = verify_with(Policy::default(), honest(7).as_bytes());
    refused_at(&result, Check::SignerTrusted);
    // Unlike for peers there is no way to say "anyone": the policy's only field for it is a list of whole keys.
    let other = Policy { trusted_signers: vec![identity(OTHER).public_key().clone()], ..Policy::default() };
    refused_at(&verify_with(other, honest(7).as_bytes()), Check::SignerTrusted);
}

#[test]
fn attack_a07_module_bytes_optional() {
    // There is no call without them (`src/attacks.rs`), and no module is not any module.
    let verifier = DriverAttestationVerifier::new(policy());
    refused_at(&verifier.verify(honest(7).as_bytes(), &b""[..], NOW), Check::Digest);
    assert!(verifier.verify_or_raise(honest(7).as_bytes(), &b""[..], NOW).is_err());
    assert!(verifier.verify_or_raise(honest(7).as_bytes(), MODULE, NOW).is_ok());
}

#[test]
fn attack_a08_size_not_compared() {
    // A digest and a size that were measured elsewhere, and do not belong together.
    let mut measured = DriverModule::hash_module_bytes(MODULE);
    measured.size += 1;
    let result = DriverAttestationVerifier::new(policy()).verify(honest(7).as_bytes(), measured, NOW);
    refused_at(&result, Check::Size);
    assert_eq!(result.outcome(Check::Digest), &Outcome::Passed);
}

#[test]
fn attack_a09_rollback() {
    let mut policy = policy();
    assert!(policy.raise(&verify_with(policy.clone(), honest(8).as_bytes())));
    refused_at(&verify_with(policy.clone(), honest(7).as_bytes()), Check::SecurityVersion);
    // What is refused does not lower the floor, and the same version passes again.
    assert!(!policy.raise(&verify_with(policy.clone(), honest(7).as_bytes())));
    assert!(verify_with(policy.clone(), honest(8).as_bytes()).passed());
    // An attestation that does not pass does not raise it either: nobody locks others out with a forgery.
    let high = Forge { payload: payload([u64::MAX, NOW, NOW + 100, NOW]), ..Forge::new(VENDOR) };
    let result = verify_with(policy.clone(), &high.with_signature(&[0; 3309]));
    assert!(!policy.raise(&result));
    assert_eq!(policy.minimum_security_versions["nvidia.ko"], 8);
}

#[test]
fn attack_a10_no_expiry_revocation_freshness() {
    let made = honest(7);
    let at = |policy, now| DriverAttestationVerifier::new(policy).verify(made.as_bytes(), MODULE, now);
    assert!(at(policy(), NOW + 100).passed());
    for now in [0, NOW - 1, NOW + 101, u64::MAX] {
        refused_at(&at(policy(), now), Check::Validity);
    }
    let signer = Policy { revoked_signers: [made.signer()].into(), ..policy() };
    refused_at(&at(signer, NOW), Check::SignerNotRevoked);
    let digest = Policy { revoked_digests: [made.module().digest().sha3_256].into(), ..policy() };
    refused_at(&at(digest, NOW), Check::DigestNotRevoked);
    let fresh = Policy { max_age_seconds: Some(50), ..policy() };
    assert!(at(fresh.clone(), NOW + 50).passed());
    refused_at(&at(fresh, NOW + 51), Check::Age);
}

#[test]
fn attack_a11_name_and_target_not_checked() {
    let name = Policy { name: Some("amdgpu.ko".into()), ..policy() };
    refused_at(&verify_with(name, honest(7).as_bytes()), Check::Name);
    // To the byte: no case folding, no trimming, no look-alikes.
    for target in ["linux-x86_64 ", "Linux-x86_64", "linux-x86_6", "linux-x86\u{2010}64"] {
        let target = Policy { target: Some(target.into()), ..policy() };
        refused_at(&verify_with(target, honest(7).as_bytes()), Check::Target);
    }
    // Where the policy asks for none, the result does not say that it was checked.
    let outcome = Outcome::NotChecked(NotChecked::NotInPolicy);
    assert_eq!(verify(honest(7).as_bytes()).outcome(Check::Name), &outcome);
}

#[test]
fn attack_a13_ambiguous_framing() {
    // The same characters, cut elsewhere: other bytes, so that no signature holds for both.
    let sign = |version: &str, target: &str| {
        let validity = Validity { not_before: NOW, not_after: NOW + 100 };
        let attestation = DriverAttester::new(&identity(VENDOR)).attest(&module(version, target, 7), validity, NOW);
        attestation.unwrap().as_bytes().to_vec()
    };
    let (first, second) = (sign("a:b", "c"), sign("a", "b:c"));
    let cut = first.len() - 3309;
    assert_ne!(first[..cut], second[..cut]);
    refused_at(&verify(&[&second[..cut], &first[cut..]].concat()), Check::Signature);
    let read = DriverAttestation::decode(&first).unwrap();
    assert_eq!((read.module().version(), read.module().target()), ("a:b", "c"));
}

#[test]
fn attack_a15_import_keeps_a_forged_did() {
    // A key-id comes from a key's bytes alone: what the text beside the key says is not read.
    let identity = identity(OTHER);
    let vendor = super::forge::identity(VENDOR).public_key().key_id();
    let pem = identity.to_pem().unwrap();
    let forged = format!("did: {vendor}\n{}", *pem);
    for text in [
        forged,
        pem.replace("-----BEGIN PRIVATE KEY-----\n", &format!("-----BEGIN PRIVATE KEY-----\nDID: {vendor}\n\n")),
    ] {
        assert!(
            Identity::import_pem(&text).is_err()
                || Identity::import_pem(&text).unwrap().public_key().key_id() != vendor
        );
    }
    let imported = Identity::import_pem(&pem).unwrap();
    assert_eq!(imported.public_key().key_id(), identity.public_key().key_id());
    let public = PublicIdentity::from_pem(&identity.public().to_pem().unwrap()).unwrap();
    assert_eq!(public.signing_key().key_id(), identity.public_key().key_id());
}

#[test]
fn attack_a16_private_key_file_readable_by_others() {
    // The library writes no files: it gives text that erases itself. Modes and paths are the program's
    // (`tests/program/driver.rs`), and a module's name is never a path. As text it is kept and compared, no more.
    let module = DriverModule::new("../../etc/passwd", "1", "t", MODULE, 1).unwrap();
    let validity = Validity { not_before: NOW, not_after: NOW };
    let made = DriverAttester::new(&identity(VENDOR)).attest(&module, validity, NOW).unwrap();
    assert_eq!(DriverAttestation::decode(made.as_bytes()).unwrap().module().name(), "../../etc/passwd");
    let public: KeyId = made.signer();
    assert!(!public.did().contains(['/', '\\', '.']));
}

#[test]
fn attack_a17_delegation_chain_always_true() {
    // Nobody signs for another: an attestation has one signature, by a pinned key. A chain in its header
    // (x5chain, 33) is refused though its place is not covered by the signature, and so is a second signer.
    let mut forge = Forge::new(OTHER);
    let chain = Forge::new(VENDOR).finish();
    forge.unprotected = cbor(|out| drop(out.map(1).unwrap().u8(33).unwrap().bytes(&chain)));
    refused_at(&verify(&forge.finish()), Check::Form);
    let countersigned = [Forge::new(OTHER).finish(), chain].concat();
    refused_at(&verify(&countersigned), Check::Form);
}

#[test]
fn attack_a18_empty_public_key() {
    for bad in [&[][..], &[0; 1951], &[0; 1953]] {
        assert!(PublicKey::from_bytes(bad).is_err());
    }
    assert!(PublicKey::from_pem("").is_err());
    // A key of zeros is a key, of nobody; no signature of zeros verifies under it.
    let zeros = PublicKey::from_bytes(&[0; 1952]).unwrap();
    let mut forge = Forge::new(OTHER);
    forge.protected = cbor(|out| {
        drop(out.map(2).unwrap().u8(1).unwrap().i8(-49).unwrap().u8(4).unwrap().bytes(zeros.key_id().as_bytes()))
    });
    let policy = Policy { trusted_signers: vec![zeros], ..Policy::default() };
    for signature in [vec![0; 3309], forge.sign(&forge.signed_bytes())] {
        refused_at(&verify_with(policy.clone(), &forge.with_signature(&signature)), Check::Signature);
    }
}

#[test]
fn attack_a19_self_checks_always_true() {
    // Every check can fail, and one that fails decides. (`src/attacks.rs`: no result can be made by hand.)
    let good = verify(honest(7).as_bytes());
    assert_eq!(good.checks().count(), Check::ALL.len());
    let bad = verify_with(Policy::default(), b"");
    assert!(bad.checks().all(|(_, outcome)| outcome != &Outcome::Passed));
    assert!(bad.into_result().is_err() && good.into_result().is_ok());
}
