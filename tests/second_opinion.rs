//! Two implementations of each algorithm, held against each other in both directions.
//!
//! Natively the channel runs `ml-kem` and aws-lc-rs, in the browser `ml-kem`, `ml-dsa` and `aes-gcm`: they must agree.
// Expanded ML-KEM keys are deprecated in favour of seeds; here they are only compared.
#![allow(deprecated, clippy::unwrap_used, missing_docs)]

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    encoding::{AsDer, PublicKeyX509Der},
    kem,
    signature::{KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey},
};
use ml_dsa::MlDsa65;
use ml_kem::{
    ExpandedKeyEncoding,
    kem::{Decapsulate, KeyExport},
    ml_kem_768,
};
use pkcs8::{LineEnding, SecretDocument};
use pqc_gpu_driver::identity::{Identity, PublicIdentity, PublicKey};

/// Bytes without pattern, the same in every run.
fn bytes<const N: usize>(label: &str, number: u64) -> [u8; N] {
    let mut out = [0; N];
    hkdf::Hkdf::<sha2::Sha512>::new(Some(label.as_bytes()), &number.to_be_bytes()).expand(b"", &mut out).unwrap();
    out
}

/// The same ML-KEM-768 key in `ml-kem` and, by way of its expanded form, in aws-lc-rs.
fn kem_keys(number: u64) -> (ml_kem_768::DecapsulationKey, kem::DecapsulationKey) {
    let ours = ml_kem_768::DecapsulationKey::from_seed(bytes("kem", number).into());
    // aws-lc-rs has no seeds, so the expanded form is the only bridge.
    let expanded = ours.to_expanded_bytes();
    let theirs = kem::DecapsulationKey::new(&kem::ML_KEM_768, &expanded).unwrap();
    (ours, theirs)
}

#[test]
fn ml_kem_encapsulated_by_one_is_decapsulated_by_the_other() {
    for number in 0..40 {
        let (ours, theirs) = kem_keys(number);
        let public: [u8; 1184] = ours.encapsulation_key().to_bytes().into();

        let (ciphertext, secret) = ours.encapsulation_key().encapsulate_deterministic(&bytes("m", number).into());
        let opened = theirs.decapsulate(ciphertext.as_slice().into()).unwrap();
        assert_eq!(opened.as_ref(), secret.as_slice());

        let (ciphertext, secret) =
            kem::EncapsulationKey::new(&kem::ML_KEM_768, &public).unwrap().encapsulate().unwrap();
        let mut wire: [u8; 1088] = ciphertext.as_ref().try_into().unwrap();
        assert_eq!(ours.decapsulate(&wire.into()).as_slice(), secret.as_ref());

        // Implicit rejection gives the same secret in both, too, and not the right one.
        wire[number as usize * 27] ^= 1;
        let rejected = theirs.decapsulate(wire.as_slice().into()).unwrap();
        assert_eq!(ours.decapsulate(&wire.into()).as_slice(), rejected.as_ref());
        assert_ne!(rejected.as_ref(), secret.as_ref());
    }
}

#[test]
fn ml_kem_keys_made_by_the_other_are_ours_as_well() {
    for _ in 0..10 {
        let theirs = kem::DecapsulationKey::generate(&kem::ML_KEM_768).unwrap();
        let expanded: [u8; 2400] = theirs.key_bytes().unwrap().as_ref().try_into().unwrap();
        let ours = ml_kem_768::DecapsulationKey::from_expanded_bytes(&expanded.into()).unwrap();
        let public = theirs.encapsulation_key().unwrap().key_bytes().unwrap();
        assert_eq!(ours.encapsulation_key().to_bytes().as_slice(), public.as_ref());
        let (ciphertext, secret) = theirs.encapsulation_key().unwrap().encapsulate().unwrap();
        let wire: [u8; 1088] = ciphertext.as_ref().try_into().unwrap();
        assert_eq!(ours.decapsulate(&wire.into()).as_slice(), secret.as_ref());
    }
}

#[test]
fn ml_dsa_keys_from_the_same_seed_are_the_same() {
    for number in 0..20 {
        let seed = bytes("dsa", number);
        let ours = ml_dsa::SigningKey::<MlDsa65>::from_seed(&seed.into());
        let theirs = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &seed).unwrap();
        let public = ours.expanded_key().verifying_key().encode();
        assert_eq!(public.as_slice(), theirs.public_key().as_ref());
        let identity = Identity::from_seeds(seed.into(), bytes::<64>("kem", number).into()).unwrap();
        assert_eq!(identity.public_key().as_bytes().as_slice(), theirs.public_key().as_ref());
        let (kem, _) = kem_keys(number);
        assert_eq!(identity.public().encapsulation_key().as_slice(), kem.encapsulation_key().to_bytes().as_slice());
    }
}

#[test]
fn ml_dsa_signed_by_one_is_verified_by_the_other() {
    for number in 0..20u64 {
        let seed = bytes("dsa", number);
        let ours = ml_dsa::SigningKey::<MlDsa65>::from_seed(&seed.into());
        let theirs = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &seed).unwrap();
        let message = vec![number as u8; [0, 1, 64, 135, 136, 137, 5000][number as usize % 7]];
        let our_verify = |message: &[u8], signature: &[u8]| {
            let signature = ml_dsa::Signature::try_from(signature);
            signature.is_ok_and(|s| ours.expanded_key().verifying_key().verify_with_context(message, &[], &s))
        };
        let their_verify = |message: &[u8], signature: &[u8]| {
            UnparsedPublicKey::new(&ML_DSA_65, theirs.public_key().as_ref()).verify(message, signature).is_ok()
        };

        let hedged = ours.expanded_key().sign_randomized(&message, &[], &mut getrandom::SysRng).unwrap().encode();
        let plain = ours.expanded_key().sign_deterministic(&message, &[]).unwrap().encode();
        let mut other = vec![0; 3309];
        theirs.sign(&message, &mut other).unwrap();
        for mut signature in [hedged.to_vec(), plain.to_vec(), other] {
            assert!(our_verify(&message, &signature) && their_verify(&message, &signature));
            let another = [&message[..], b"x"].concat();
            assert!(!our_verify(&another, &signature) && !their_verify(&another, &signature));
            // c~, z, and the hints' padding and counts.
            for at in [0, 47, 48, 2000, 3247, 3248, 3302, 3308] {
                signature[at] ^= 1;
                assert!(!our_verify(&message, &signature) && !their_verify(&message, &signature), "byte {at}");
                signature[at] ^= 1;
            }
        }
        // A context is part of what is signed; aws-lc-rs, like our messages, has the empty one.
        let with_context = ours.expanded_key().sign_deterministic(&message, b"context").unwrap().encode();
        assert!(!our_verify(&message, &with_context) && !their_verify(&message, &with_context));
    }
}

fn blocks(pem: &str) -> Vec<SecretDocument> {
    let parts = pem.split_inclusive("-----\n").collect::<Vec<_>>();
    parts.chunks(2).map(|pair| SecretDocument::from_pem(&pair.concat()).unwrap().1).collect()
}

#[test]
fn key_files_are_read_by_the_other_and_theirs_by_us() {
    let identity = Identity::from_seeds(bytes::<32>("file", 1).into(), bytes::<64>("file", 2).into()).unwrap();
    let files = blocks(&identity.to_pem().unwrap());
    assert_eq!(files.len(), 2);
    let theirs = PqdsaKeyPair::from_pkcs8(&ML_DSA_65_SIGNING, files[0].as_bytes()).unwrap();
    assert_eq!(theirs.public_key().as_ref(), identity.public_key().as_bytes());

    let document = theirs.to_pkcs8v1().unwrap();
    let pem = SecretDocument::try_from(document.as_ref()).unwrap().to_pem("PRIVATE KEY", LineEnding::LF).unwrap();
    assert_eq!(Identity::import_pem(&pem).unwrap().public_key(), identity.public_key());

    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(theirs.public_key()).unwrap();
    let pem = SecretDocument::try_from(public.as_ref()).unwrap().to_pem("PUBLIC KEY", LineEnding::LF).unwrap();
    assert_eq!(PublicKey::from_pem(&pem).unwrap(), *identity.public_key());
    let ours = identity.public().to_pem().unwrap();
    assert!(ours.starts_with(&*pem), "the same bytes in our public file");
    assert_eq!(PublicIdentity::from_pem(&ours).unwrap(), *identity.public());
}

#[test]
fn aes_gcm_agrees_at_awkward_lengths() {
    let lengths =
        [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 1000, 4095, 16383, 16384, 16385, 70001];
    for (number, length) in lengths.into_iter().enumerate() {
        for aad_length in [0, 1, 16, 20, 32, 33, 200] {
            let key: [u8; 32] = bytes("aes", number as u64);
            let nonce: [u8; 12] = bytes("nonce", aad_length as u64);
            let aad = vec![7; aad_length];
            let plaintext: Vec<u8> = (0..length).map(|i| (i * 31 % 253) as u8).collect();

            let ours = Aes256Gcm::new(&key.into());
            let theirs = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
            let mut sealed = plaintext.clone();
            let tag = ours.encrypt_inout_detached(&nonce.into(), &aad, sealed.as_mut_slice().into()).unwrap();
            sealed.extend(tag);
            let mut other = plaintext.clone();
            let unique = Nonce::assume_unique_for_key(nonce);
            theirs.seal_in_place_append_tag(unique, Aad::from(&aad), &mut other).unwrap();
            assert_eq!(sealed, other, "{length} bytes, {aad_length} of aad");

            let unique = Nonce::assume_unique_for_key(nonce);
            assert_eq!(theirs.open_in_place(unique, Aad::from(&aad), &mut sealed).unwrap(), plaintext);
            let (body, tag) = other.split_at_mut(length);
            let tag = <[u8; 16]>::try_from(&*tag).unwrap();
            ours.decrypt_inout_detached(&nonce.into(), &aad, body.into(), &tag.into()).unwrap();
            assert_eq!(body, plaintext);
        }
    }
}
