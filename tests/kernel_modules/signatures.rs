//! What verifies, and what must not.

use pqc_gpu_driver::{
    Error,
    attest::kernel_module::{Certificate, KernelModule, Kind, SignatureAlgorithm, SignerId},
    error::ModuleFailure,
};
use sha2::{Digest, Sha512};

use super::ko::*;

fn verify(module: &[u8], certificate: &[u8]) -> Result<(), Error> {
    KernelModule::read(module)?.verify(&Certificate::read(certificate)?).map(drop)
}

#[track_caller]
fn not_verified(module: &[u8], certificate: &[u8]) -> String {
    match verify(module, certificate) {
        Err(Error::KernelModule(ModuleFailure::NotVerified(reason))) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_algorithm_verifies_and_is_told_by_its_kind() {
    use SignatureAlgorithm::*;
    let expected = [
        (Key::ml_dsa(44), MlDsa44, Kind::PostQuantum),
        (Key::ml_dsa(65), MlDsa65, Kind::PostQuantum),
        (Key::ml_dsa(87), MlDsa87, Kind::PostQuantum),
        (Key::rsa(), Rsa, Kind::Classical),
        (Key::p384(), Ecdsa, Kind::Classical),
    ];
    for (key, algorithm, kind) in expected {
        let (module, certificate) = (module(), key.certificate("kernel key"));
        let cms = Cms::new(&key, "kernel key", &module);
        let by_key_id = Cms { version: 3, id: tlv(0x80, b"key"), ..cms.clone() };
        for cms in [&cms, &by_key_id] {
            let signed = append(&module, &cms.build());
            let read = KernelModule::read(&signed).unwrap();
            assert_eq!((read.signed_content(), read.image()), (&module[..], &signed[..]));
            let signer = read.verify(&Certificate::read(&certificate).unwrap()).unwrap();
            assert_eq!((signer.algorithm(), signer.algorithm().kind()), (algorithm, kind));
            assert!(!signer.has_signed_attributes());
            match signer.id() {
                SignerId::IssuerAndSerial { issuer, serial, .. } => {
                    assert_eq!((issuer.as_str(), &serial[..]), ("CN=kernel key", &[0x12, 0x34][..]));
                }
                SignerId::KeyId(id) => assert_eq!(id, b"key"),
                other => panic!("{other:?}"),
            }
            // Every byte of the module is signed, the first and the last as well.
            for at in [0x28, 100, module.len() - 1] {
                let mut altered = signed.clone();
                altered[at] ^= 1;
                assert!(verify(&altered, &certificate).is_err(), "{algorithm} at {at}");
            }
        }
    }
}

#[test]
fn signed_attributes_stand_for_the_content() {
    let (key, module) = (Key::ml_dsa(65), module());
    let certificate = key.certificate("s");
    let cms = Cms::new(&key, "s", &module);
    let digest = Sha512::digest(&module);
    let good = cms.clone().over(&key, attributes(&digest));
    let signed = append(&module, &good.build());
    assert!(KernelModule::read(&signed).unwrap().signature().unwrap().signers()[0].has_signed_attributes());
    verify(&signed, &certificate).unwrap();
    // In any order: signed are the bytes as they came. Others among them are signed as well.
    let [first, second] = [attributes(&digest)[..26].to_vec(), attributes(&digest)[26..].to_vec()];
    let extra = attribute("1.2.840.113549.1.9.5", &tlv(0x17, b"260101000000Z"));
    let reversed = cms.clone().over(&key, [second.clone(), extra, first.clone()].concat());
    verify(&append(&module, &reversed.build()), &certificate).unwrap();

    // Another module's attributes, honestly signed.
    let other = cms.clone().over(&key, attributes(&Sha512::digest(b"another")));
    assert!(not_verified(&append(&module, &other.build()), &certificate).contains("altered"));
    // The digest is right and the attributes are not signed.
    let unsigned = Cms { attributes: Some(attributes(&digest)), ..cms.clone() };
    assert!(not_verified(&append(&module, &unsigned.build()), &certificate).contains("wrong"));
    // The attributes' signature without the attributes is one over other content (RFC 9882's and RFC 5652's warning).
    let stripped = Cms { attributes: None, ..good.clone() };
    assert!(not_verified(&append(&module, &stripped.build()), &certificate).contains("wrong"));
    // A digest that is broken or not known.
    for digest in ["1.3.14.3.2.26", "1.2.3.4"] {
        let weak = Cms { digest, ..good.clone() };
        assert!(not_verified(&append(&module, &weak.build()), &certificate).contains("not verified here"));
    }
    // Missing, twice, of another type of content: not read at all.
    for bad in [
        first.clone(),
        second.clone(),
        [&first[..], &second, &second].concat(),
        [attribute("1.2.840.113549.1.9.3", &oid("1.2.3")), second.clone()].concat(),
        [first.clone(), attribute("1.2.840.113549.1.9.4", &[tlv(4, &digest), tlv(4, &digest)].concat())].concat(),
        vec![],
    ] {
        let bent = append(&module, &cms.clone().over(&key, bad).build());
        let refused = KernelModule::read(&bent).unwrap_err();
        assert!(matches!(refused, Error::KernelModule(ModuleFailure::Signature(_))), "{refused:?}");
    }
}

#[test]
fn another_key_or_certificate_does_not_verify() {
    let (key, thief, module) = (Key::ml_dsa(65), Key::ml_dsa(65), module());
    let signed = append(&module, &Cms::new(&key, "vendor", &module).build());
    verify(&signed, &key.certificate("vendor")).unwrap();
    // Another issuer; another serial number; the same names with another key.
    assert!(not_verified(&signed, &key.certificate("other")).contains("CN=other"));
    let serial = Cms { id: sequence(&[&name("vendor"), &tlv(2, &[0x12, 0x35])]), ..Cms::new(&key, "vendor", &module) };
    assert!(not_verified(&append(&module, &serial.build()), &key.certificate("vendor")).contains("no signer"));
    assert!(not_verified(&signed, &thief.certificate("vendor")).contains("wrong"));
    let key_id = Cms { version: 3, id: tlv(0x80, b"yek"), ..Cms::new(&key, "vendor", &module) };
    assert!(not_verified(&append(&module, &key_id.build()), &key.certificate("vendor")).contains("no signer"));
    // The thief signs in the vendor's name.
    let forged = append(&module, &Cms::new(&thief, "vendor", &module).build());
    assert!(not_verified(&forged, &key.certificate("vendor")).contains("wrong"));
    // Signed for another purpose: ML-DSA with a message that the module is only a part of.
    let longer = Cms { signature: key.sign(&[&module[..], &[0]].concat()), ..Cms::new(&key, "vendor", &module) };
    assert!(not_verified(&append(&module, &longer.build()), &key.certificate("vendor")).contains("wrong"));
    assert!(not_verified(&module, &key.certificate("vendor")).contains("not signed"));
}

#[test]
fn labels_do_not_make_a_signature_post_quantum() {
    let (rsa, ml_dsa, module) = (Key::rsa(), Key::ml_dsa(65), module());
    // RSA labelled ML-DSA-65 has the wrong length, and is told as nothing.
    let labelled = Cms { algorithm: ml_dsa.algorithm.clone(), ..Cms::new(&rsa, "s", &module) };
    let refused = KernelModule::read(&append(&module, &labelled.build())).map(drop).unwrap_err();
    assert!(matches!(refused, Error::KernelModule(ModuleFailure::Signature(_))), "{refused:?}");
    // Padded to the right length it is read, and does not verify with either key.
    let mut padded = labelled.clone();
    padded.signature.resize(3309, 0);
    let padded = append(&module, &padded.build());
    assert!(not_verified(&padded, &rsa.certificate("s")).contains("not verified here"));
    assert!(not_verified(&padded, &ml_dsa.certificate("s")).contains("wrong"));
    // ML-DSA labelled RSA, ML-DSA-65 with a certificate for ML-DSA-87, ML-DSA with parameters.
    let as_rsa = Cms { algorithm: rsa.algorithm.clone(), digest: SHA256, ..Cms::new(&ml_dsa, "s", &module) };
    assert!(not_verified(&append(&module, &as_rsa.build()), &ml_dsa.certificate("s")).contains("not verified here"));
    let signed = append(&module, &Cms::new(&ml_dsa, "s", &module).build());
    assert!(not_verified(&signed, &Key::ml_dsa(87).certificate("s")).contains("not verified here"));
    let parameters = sequence(&[&oid(ML_DSA_65), &tlv(5, &[])]);
    let parameters = Cms { algorithm: parameters, ..Cms::new(&ml_dsa, "s", &module) };
    assert!(KernelModule::read(&append(&module, &parameters.build())).is_err());
    // RSA with SHA-1, and with a digest that its own name contradicts.
    let sha1 = Cms { digest: "1.3.14.3.2.26", ..Cms::new(&rsa, "s", &module) };
    assert!(not_verified(&append(&module, &sha1.build()), &rsa.certificate("s")).contains("SHA-1"));
    let contrary = sequence(&[&oid("1.2.840.113549.1.1.13"), &tlv(5, &[])]);
    let contrary = Cms { algorithm: contrary, ..Cms::new(&rsa, "s", &module) };
    assert!(KernelModule::read(&append(&module, &contrary.build())).is_err());
    // What nobody here knows is told as unknown, and SLH-DSA as what it is.
    for (name, kind) in [("1.2.3.4", Kind::Unknown), ("2.16.840.1.101.3.4.3.20", Kind::PostQuantum)] {
        let other = Cms { algorithm: sequence(&[&oid(name)]), ..Cms::new(&rsa, "s", &module) };
        let other = append(&module, &other.build());
        let read = KernelModule::read(&other).unwrap();
        assert_eq!(read.signature().unwrap().signers()[0].algorithm().kind(), kind);
        assert!(not_verified(&other, &rsa.certificate("s")).contains("not verified here"));
    }
}

#[test]
fn of_several_signers_the_certificates_own_counts() {
    let (old, new, thief, module) = (Key::rsa(), Key::ml_dsa(65), Key::ml_dsa(65), module());
    let content = sequence(&[&oid(DATA)]);
    let by = |key: &Key, name: &str| Cms::new(key, name, &module).signer();
    let both = append(&module, &wrap(&content, &[by(&old, "old"), by(&new, "new")].concat()));
    let read = KernelModule::read(&both).unwrap();
    assert_eq!(read.signature().unwrap().signers().len(), 2);
    verify(&both, &old.certificate("old")).unwrap();
    verify(&both, &new.certificate("new")).unwrap();
    not_verified(&both, &thief.certificate("thief"));
    // A good signature by somebody else vouches for nobody but him.
    let mixed = append(&module, &wrap(&content, &[by(&thief, "thief"), by(&thief, "new")].concat()));
    assert!(not_verified(&mixed, &new.certificate("new")).contains("wrong"));
    let nine = Cms { signers: 9, ..Cms::new(&old, "old", &module) };
    assert!(KernelModule::read(&append(&module, &nine.build())).is_err());
    let none = Cms { signers: 0, ..Cms::new(&old, "old", &module) };
    assert!(KernelModule::read(&append(&module, &none.build())).is_err());
}

#[test]
fn certificates_that_are_none() {
    let key = Key::ml_dsa(65);
    let good = key.certificate("s");
    let certificate = Certificate::read(&good).unwrap();
    assert_eq!(
        (certificate.subject(), certificate.issuer(), certificate.serial()),
        ("CN=s", "CN=s", &[0x12, 0x34][..])
    );
    let short = Key { key: key.key[1..].to_vec(), ..Key::ml_dsa(65) };
    let parameters = Key { spki: sequence(&[&oid(ML_DSA_65), &tlv(5, &[])]), ..Key::ml_dsa(65) };
    let ed25519 = Key { spki: sequence(&[&oid("1.3.101.112")]), key: vec![1; 32], ..Key::ml_dsa(65) };
    for bad in [
        vec![],
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
        good[..good.len() - 1].to_vec(),
        [&good[..], &[0]].concat(),
        vec![0x30; 1 << 17],
        short.certificate("s"),
        parameters.certificate("s"),
        ed25519.certificate("s"),
    ] {
        let refused = Certificate::read(&bad).unwrap_err();
        assert!(matches!(refused, Error::KernelModule(ModuleFailure::Certificate(_))), "{refused:?}");
    }
}
