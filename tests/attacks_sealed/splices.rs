//! Parts of one file, or of two, put together otherwise.

use pqc_gpu_driver::{Error, TrustPolicy, error::SealedFailure, sealed::Roots};

use crate::{
    book::{self, Body, Inputs, Sealed},
    inputs::{coins, plaintext, tensor, three},
    judged, open, refused, trust,
};

/// Another model of the same publisher, for the same recipients, of the same shape.
fn another(inputs: &Inputs) -> Inputs {
    let mut other = inputs.clone();
    other.file_key = coins("another file key");
    other.model_id = coins("another model id");
    other.tensors.iter_mut().for_each(|tensor| tensor.plaintext.reverse());
    other
}

/// The file of these parts, bodies padded to their places.
fn with_bodies(front: &[u8], bodies: &[Body]) -> Vec<u8> {
    let mut file = front.to_vec();
    for body in bodies {
        file.resize(file.len().next_multiple_of(4096), 0);
        file.extend(body.chunks.concat());
    }
    file
}

#[test]
fn sealed_bodies_of_another_file() {
    let inputs = three();
    let (mine, other) = (book::seal(&inputs), book::seal(&another(&inputs)));
    for tensor in 0..3u32 {
        let mut bodies = mine.bodies.clone();
        bodies[tensor as usize] = other.bodies[tensor as usize].clone();
        let file = with_bodies(&mine.front, &bodies);
        assert_eq!(file.len(), mine.file.len());
        let failure = SealedFailure::Ciphertext(tensor);
        judged(&file, &trust(&inputs), &failure, Some(&SealedFailure::Root(tensor)));
        assert_eq!(open(&file, "alice", &trust(&inputs), Roots::Skip), Err(failure.into()));
    }
}

#[test]
fn sealed_fronts_of_another_file() {
    let inputs = three();
    let (mine, other) = (book::seal(&inputs), book::seal(&another(&inputs)));
    let trust = &trust(&inputs);
    let front = |manifest: &Sealed, signature: &Sealed, recipients: &Sealed, mac: &Sealed| {
        let key = &mine.public_key;
        let front = book::front(&manifest.manifest, key, &signature.signature, &recipients.recipients, &mac.mac);
        with_bodies(&front, &mine.bodies)
    };
    refused(&front(&mine, &other, &mine, &mine), trust, true, &SealedFailure::Signature);
    refused(&front(&other, &mine, &mine, &mine), trust, true, &SealedFailure::Signature);
    // Recipients of another file: wrapped under another manifest.
    refused(&front(&mine, &mine, &other, &mine), trust, false, &SealedFailure::Unwrap);
    refused(&front(&mine, &mine, &other, &other), trust, false, &SealedFailure::Unwrap);
    refused(&front(&mine, &mine, &mine, &other), trust, false, &SealedFailure::Recipients);
    // The other's whole front is the other file's, and these are not its bodies.
    judged(&front(&other, &other, &other, &other), trust, &SealedFailure::Ciphertext(0), Some(&SealedFailure::Root(0)));
}

#[test]
fn sealed_tensors_swapped() {
    let mut inputs = three();
    inputs.tensors.push(tensor(3, "twin", "U8", &[7, 5000], 35_000));
    inputs.files[0].2 = 4;
    let sealed = book::seal(&inputs);
    let (mut bodies, mut lines) = (sealed.bodies.clone(), sealed.lines.clone());
    bodies.swap(2, 3);
    judged(
        &with_bodies(&sealed.front, &bodies),
        &trust(&inputs),
        &SealedFailure::Ciphertext(2),
        Some(&SealedFailure::Root(2)),
    );
    // With their lines, by the publisher himself: names and places are bound to the key by the context.
    let swapped = |lines| book::sign(&inputs, bodies.clone(), lines).file;
    let (second, third) = (lines[2].clone(), lines[3].clone());
    (lines[2].header, lines[2].root) = (third.header.clone(), third.root.clone());
    (lines[3].header, lines[3].root) = (second.header, second.root);
    refused(&swapped(lines.clone()), &trust(&inputs), false, &SealedFailure::Commitment(2));
    let mut names = lines;
    let metadata = names[2].metadata.clone();
    names[2].metadata = std::mem::replace(&mut names[3].metadata, metadata);
    refused(&swapped(names), &trust(&inputs), false, &SealedFailure::Commitment(2));
}

#[test]
fn sealed_chunks_swapped_dropped_repeated() {
    let inputs = three();
    let sealed = book::seal(&inputs);
    let long = &sealed.bodies[2].chunks;
    for chunks in [[1, 0, 2], [0, 0, 2], [1, 1, 2]] {
        let mut bodies = sealed.bodies.clone();
        bodies[2].chunks = chunks.map(|at| long[at].clone()).into();
        judged(
            &with_bodies(&sealed.front, &bodies),
            &trust(&inputs),
            &SealedFailure::Ciphertext(2),
            Some(&SealedFailure::Root(2)),
        );
    }
}

#[test]
fn sealed_bodies_resigned_as_ones_own() {
    let inputs = three();
    let mine = book::seal(&inputs);
    // Mallory is a recipient, so he has the file key; he signs the same lines and bodies with a key of his own.
    let mut mallory = inputs.clone();
    mallory.publisher_seed = coins("mallory");
    let stolen = book::sign(&mallory, mine.bodies.clone(), mine.lines.clone());
    let opened = open(&stolen.file, "alice", &trust(&inputs), Roots::Check);
    let own = crate::PublicKey::from_bytes(&stolen.public_key).unwrap();
    assert_eq!(opened, Err(SealedFailure::Untrusted(own.key_id()).into()));
    // Accepted by name, the publisher is in every tensor's context, so that nothing opens as his.
    refused(&stolen.file, &TrustPolicy::AcceptAny, false, &SealedFailure::Commitment(0));
    // Under the publisher's name, with his own key or the publisher's beside it.
    let front = |key: &[u8]| {
        let signature = book::signature(&mallory.publisher_seed, &mallory.signing_rnd, &mine.manifest);
        with_bodies(&book::front(&mine.manifest, key, &signature, &mine.recipients, &mine.mac), &mine.bodies)
    };
    for trust in [trust(&inputs), TrustPolicy::AcceptAny] {
        let named = SealedFailure::Malformed("the publisher's key is not the one that the manifest names");
        refused(&front(&stolen.public_key), &trust, true, &named);
        refused(&front(&mine.public_key), &trust, true, &SealedFailure::Signature);
    }
}

#[test]
fn sealed_an_older_release() {
    let inputs = three();
    let sealed = book::seal(&inputs);
    let front = |minimum| {
        let front = crate::block_on(pqc_gpu_driver::sealed::Front::read(&sealed.file[..])).unwrap();
        front.verify(&trust(&inputs), minimum).map(drop)
    };
    assert_eq!(front(300), Ok(()));
    assert_eq!(front(301), Err(Error::SealedFile(SealedFailure::Release { found: 300, minimum: 301 })));
    // Counted up by somebody else, it is not signed.
    let mut newer = inputs.clone();
    newer.release = 301;
    let manifest = book::manifest(&newer, &sealed.public_key, &sealed.lines);
    let front = book::front(&manifest, &sealed.public_key, &sealed.signature, &sealed.recipients, &sealed.mac);
    refused(&with_bodies(&front, &sealed.bodies), &trust(&inputs), true, &SealedFailure::Signature);
}

#[test]
fn sealed_a_recipient_alters_weights() {
    let inputs = three();
    let mut sealed = book::seal(&inputs);
    // Alice has the file key, hence every tensor's: the tags of what she puts there are right.
    let mut altered = plaintext(35_000);
    altered[20_000] ^= 1;
    let long = &mut sealed.bodies[2];
    long.chunks = book::chunks(&long.key, &long.base_nonce, &altered);
    let file = with_bodies(&sealed.front, &sealed.bodies);
    refused(&file, &trust(&inputs), true, &SealedFailure::Root(2));
    // Who skips roots gets it, and is told so (`open` compares the result's `roots`).
    assert_eq!(open(&file, "bob", &trust(&inputs), Roots::Skip).unwrap()[2], altered);
}
