//! Recipients stripped, injected, exchanged; rewraps made of such files.

use pqc_gpu_driver::{
    Error, block_on,
    error::SealedFailure,
    sealed::{RecipientKey, Roots, SealedModel},
};

use crate::{
    book::{self, Inputs, Sealed},
    coins, identity,
    inputs::three,
    kem_seed, open, trust,
};

fn entry(inputs: &Inputs, who: &str, file_key: &[u8; 32], manifest: &[u8]) -> Vec<u8> {
    let at = ["alice", "bob", "carol"].iter().position(|name| *name == who).unwrap();
    let m = inputs.recipients.get(at).map_or(coins("m carol"), |(_, m)| *m);
    book::recipient(&book::encapsulation_key(&kem_seed(who)), &m, file_key, manifest)
}

/// The file with these recipients; with a MAC of the file key given, else with the MAC as it was.
fn with(inputs: &Inputs, sealed: &Sealed, recipients: Vec<u8>, mac_key: Option<&[u8; 32]>) -> Vec<u8> {
    let mac = match mac_key {
        Some(key) => book::mac(&book::expand(key, b"pqgt recipients v1"), &sealed.manifest, &recipients),
        None => sealed.mac.clone(),
    };
    let front = book::front(&sealed.manifest, &sealed.public_key, &sealed.signature, &recipients, &mac);
    let whole = book::sign(inputs, sealed.bodies.clone(), sealed.lines.clone());
    [&front, &whole.file[whole.front.len()..]].concat()
}

/// Nobody opens it, and so nobody rewraps it.
#[track_caller]
fn refused(file: &[u8], inputs: &Inputs, who: &str, expected: SealedFailure) {
    assert_eq!(open(file, who, &trust(inputs), Roots::Check), Err(expected.into()));
}

#[test]
fn sealed_recipients_stripped() {
    let inputs = three();
    let sealed = book::seal(&inputs);
    let alone = |who| book::join(vec![entry(&inputs, who, &inputs.file_key, &sealed.manifest)]);
    for who in ["alice", "bob"] {
        refused(&with(&inputs, &sealed, alone(who), None), &inputs, who, SealedFailure::Recipients);
    }
    let bob = RecipientKey::from(identity("bob").public()).id().to_string();
    let stripped = with(&inputs, &sealed, alone("alice"), None);
    refused(&stripped, &inputs, "bob", SealedFailure::NotARecipient(bob));
    let nobody = SealedFailure::Malformed("there is no recipient");
    refused(&with(&inputs, &sealed, book::join(vec![]), None), &inputs, "alice", nobody);
}

#[test]
fn sealed_recipients_injected() {
    let inputs = three();
    let sealed = book::seal(&inputs);
    let honest = |who| entry(&inputs, who, &inputs.file_key, &sealed.manifest);
    // Carol puts herself there, with any file key, for she does not know the right one.
    let carol = entry(&inputs, "carol", &[7; 32], &sealed.manifest);
    let file = with(&inputs, &sealed, book::join(vec![honest("alice"), honest("bob"), carol.clone()]), None);
    for who in ["alice", "bob", "carol"] {
        refused(&file, &inputs, who, SealedFailure::Recipients);
    }
    // A rewrap of such a file does not come to pass, so that it is never laundered.
    assert!(block_on(SealedModel::open(&file[..], &identity("alice"), &trust(&inputs), 0)).is_err());
    // Twice the same, or out of order, is another form.
    let order = SealedFailure::Malformed("a recipient stands there twice, or out of order");
    let twice = book::join(vec![honest("alice"), honest("alice")]);
    refused(&with(&inputs, &sealed, twice, Some(&inputs.file_key)), &inputs, "alice", order.clone());
    let mut entries = vec![honest("alice"), honest("bob")];
    entries.sort();
    let reversed = [&[0x82][..], &entries[1], &entries[0]].concat();
    refused(&with(&inputs, &sealed, reversed, Some(&inputs.file_key)), &inputs, "alice", order);
}

#[test]
fn sealed_another_file_key_put_in() {
    let inputs = three();
    let sealed = book::seal(&inputs);
    // Encapsulation keys are public: anybody can wrap a key of his own for Alice, with a MAC that holds under it.
    let own = [9; 32];
    let entries = ["alice", "carol"].map(|who| entry(&inputs, who, &own, &sealed.manifest));
    let file = with(&inputs, &sealed, book::join(entries.into()), Some(&own));
    // Nothing in the file was sealed under it.
    refused(&file, &inputs, "alice", SealedFailure::Commitment(0));
    let model = block_on(SealedModel::open(&file[..], &identity("alice"), &trust(&inputs), 0)).unwrap();
    let bob = RecipientKey::from(identity("bob").public());
    assert_eq!(model.rewrapped_front(&[bob], &[]), Err(SealedFailure::Commitment(0).into()));
}

#[test]
fn sealed_a_recipient_admits_another() {
    let inputs = three();
    let sealed = book::seal(&inputs);
    // Recipients are trusted with that, says the format; manifest and bodies stay the publisher's.
    let entries = ["alice", "carol"].map(|who| entry(&inputs, who, &inputs.file_key, &sealed.manifest));
    let file = with(&inputs, &sealed, book::join(entries.into()), Some(&inputs.file_key));
    assert_eq!(open(&file, "carol", &trust(&inputs), Roots::Check).unwrap()[1], inputs.tensors[1].plaintext);
    assert!(open(&file, "bob", &trust(&inputs), Roots::Check).is_err());
}

#[test]
fn sealed_rewraps_are_by_the_book_and_of_recipients() {
    let inputs = three();
    let sealed = book::seal(&inputs);
    let model = block_on(SealedModel::open(&sealed.file[..], &identity("alice"), &trust(&inputs), 0)).unwrap();
    let key = |who| RecipientKey::from(identity(who).public());
    let mut file = Vec::new();
    block_on(model.write_rewrapped(&[key("carol")], &[key("bob").id()], &mut file, |_| ())).unwrap();
    // Manifest, key, signature and bodies byte for byte.
    let fixed = sealed.manifest.len() + 1952 + 3309;
    assert_eq!(file[16..16 + fixed], sealed.file[16..16 + fixed]);
    assert_eq!(file[file.len() - 36_000..], sealed.file[sealed.file.len() - 36_000..]);
    assert!(open(&file, "carol", &trust(&inputs), Roots::Check).is_ok());
    assert!(open(&file, "alice", &trust(&inputs), Roots::Check).is_ok());
    assert!(matches!(
        open(&file, "bob", &trust(&inputs), Roots::Check),
        Err(Error::SealedFile(SealedFailure::NotARecipient(_)))
    ));
    // A stranger is not removed, a recipient not added, the last one kept.
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(key);
    for (add, remove) in [
        (vec![], vec![carol.id()]),
        (vec![bob.clone()], vec![]),
        (vec![carol.clone(), carol.clone()], vec![]),
        (vec![], vec![alice.id(), bob.id()]),
        (vec![], vec![bob.id(), bob.id()]),
    ] {
        assert!(matches!(model.rewrapped_front(&add, &remove), Err(Error::Usage(_))), "{add:?} {remove:?}");
    }
}
