//! Driver attestations: one encoding, and nothing passes but what its signer said and the policy allows.

use std::sync::OnceLock;

use pqc_gpu_driver::attest::{DriverAttestation, DriverAttestationVerifier, DriverModule, ModuleDigest, Policy};

use crate::honest;

const NOW: u64 = 1_800_000_000;
const MODULE: &[u8] = b"the module's file";
const NAME: &str = "gpu.ko";
const FLOOR: u64 = 5;
const MAX_AGE: u64 = 1000;

/// The first byte chooses: an attestation; or a payload, which the trusted signer signs whatever it says.
pub fn check(data: &[u8]) -> bool {
    let Some((kind, data)) = data.split_first() else { return false };
    let bytes = if *kind == 0 { data.to_vec() } else { signed(data) };
    let verified = verifier().verify_or_raise(&bytes, MODULE, NOW).is_ok();
    let Ok(attestation) = DriverAttestation::decode(&bytes) else {
        assert!(!verified, "verified and does not decode");
        return false;
    };
    assert_eq!(attestation.as_bytes(), bytes);
    assert!(bytes.len() <= 64 << 10);
    assert_eq!(payload_of(&attestation), payload(&bytes), "another encoding was accepted");
    assert!(attestation.signing_time() <= attestation.validity().not_before);
    assert!(attestation.validity().not_before <= attestation.validity().not_after);

    let (module, validity) = (attestation.module(), attestation.validity());
    let allowed = attestation.signer() == honest::identities()[0].public_key().key_id()
        && module.name() == NAME
        && module.security_version() >= FLOOR
        && module.digest() == DriverModule::hash_module_bytes(MODULE)
        && (validity.not_before..=validity.not_after).contains(&NOW)
        && (NOW - MAX_AGE..=NOW).contains(&attestation.signing_time());
    // Of others' signatures the fuzzer knows those of the seeds alone.
    assert!(!verified || allowed, "verified against the policy");
    assert!(*kind == 0 || verified == allowed, "signed, allowed and not verified");
    verified
}

fn verifier() -> &'static DriverAttestationVerifier {
    static VERIFIER: OnceLock<DriverAttestationVerifier> = OnceLock::new();
    VERIFIER.get_or_init(|| {
        let mut policy = Policy {
            trusted_signers: vec![honest::identities()[0].public_key().clone()],
            name: Some(NAME.into()),
            max_age_seconds: Some(MAX_AGE),
            ..Policy::default()
        };
        policy.minimum_security_versions.insert(NAME.into(), FLOOR);
        DriverAttestationVerifier::new(policy)
    })
}

/// RFC 8949, section 3: a major type and its argument in the shortest form.
fn head(major: u8, argument: u64) -> Vec<u8> {
    let (major, bytes) = (major << 5, argument.to_be_bytes());
    match argument {
        0..=23 => vec![major | argument as u8],
        24..=0xff => vec![major | 24, bytes[7]],
        0x100..=0xffff => [&[major | 25], &bytes[6..]].concat(),
        0x1_0000..=0xffff_ffff => [&[major | 26], &bytes[4..]].concat(),
        _ => [&[major | 27], &bytes[..]].concat(),
    }
}

fn string(major: u8, bytes: &[u8]) -> Vec<u8> {
    [&head(major, bytes.len() as u64), bytes].concat()
}

/// docs/attestation.md: {1: name, 2: version, 3: target, 4: digest, 5: size, 6: security version, 7: not before,
/// 8: not after, 9: signing time}.
pub fn encode(texts: [&str; 3], digest: ModuleDigest, numbers: [u64; 4]) -> Vec<u8> {
    let mut out = head(5, 9);
    for (key, text) in (1..).zip(texts) {
        out.extend([head(0, key), string(3, text.as_bytes())].concat());
    }
    out.extend([head(0, 4), string(2, &digest.sha3_256)].concat());
    for (key, number) in (5..).zip([digest.size].into_iter().chain(numbers)) {
        out.extend([head(0, key), head(0, number)].concat());
    }
    out
}

fn payload_of(attestation: &DriverAttestation) -> Vec<u8> {
    let (module, validity) = (attestation.module(), attestation.validity());
    let numbers = [module.security_version(), validity.not_before, validity.not_after, attestation.signing_time()];
    encode([module.name(), module.version(), module.target()], module.digest(), numbers)
}

/// Tag 18, array of four, a protected header of 41 bytes with its head, an empty map; then the payload's head.
const BEFORE_PAYLOAD: usize = 1 + 1 + 2 + PROTECTED + 1;
const PROTECTED: usize = 1 + 1 + 2 + 1 + 2 + 32;
const SIGNATURE: usize = 3 + 3309;

fn payload(bytes: &[u8]) -> &[u8] {
    let payload = &bytes[BEFORE_PAYLOAD..bytes.len() - SIGNATURE];
    let head = [1, 2, 3, 5, 9][match payload[0] & 31 {
        short @ 24..=27 => usize::from(short) - 23,
        _ => 0,
    }];
    &payload[head..]
}

/// COSE_Sign1 (RFC 9052, section 4.4) over any payload, by the trusted signer.
pub fn signed(payload: &[u8]) -> Vec<u8> {
    let id = honest::identities()[0].public_key().key_id();
    let protected = [&[0xa2, 1, 0x38, 48, 4][..], &string(2, id.as_bytes())].concat();
    let to_sign =
        [head(4, 4), string(3, b"Signature1"), string(2, &protected), string(2, b"pqgt driver v1"), string(2, payload)];
    let mut signature = vec![0; 3309];
    honest::signers()[0].sign(&to_sign.concat(), &mut signature).expect("signs");
    [vec![0xd2, 0x84], string(2, &protected), vec![0xa0], string(2, payload), string(2, &signature)].concat()
}

/// What passes.
pub fn good_payload() -> Vec<u8> {
    let digest = DriverModule::hash_module_bytes(MODULE);
    encode([NAME, "550.54.14", "linux-x86_64 6.12"], digest, [7, NOW - 10, NOW + 86_400, NOW - 20])
}
