//! Attacks on sealed files, by whoever stores them, by recipients, and by publishers that nobody pinned.
//!
//! Those who lie write their files from docs/sealed-format.md alone (`tests/common/sealed_book.rs`).
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/sealed_book.rs"]
mod book;
mod bytes;
mod cbor;
#[path = "../common/sealed_inputs.rs"]
mod inputs;
mod lengths;
mod recipients;
mod splices;

use pqc_gpu_driver::{
    Error, Identity, Result, TrustPolicy, block_on,
    error::SealedFailure,
    identity::PublicKey,
    sealed::{Roots, SealedModel, verify},
};
use zeroize::Zeroizing;

use book::Inputs;
use inputs::{coins, kem_seed};

/// Everything here together takes no more, whatever lengths files announce: past it the process aborts.
#[global_allocator]
static MEMORY: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, 1 << 30);

fn identity(who: &str) -> Identity {
    Identity::from_seeds(Zeroizing::new(coins(&format!("{who} signs"))), Zeroizing::new(kem_seed(who))).unwrap()
}

fn trust(inputs: &Inputs) -> TrustPolicy {
    TrustPolicy::pin(PublicKey::from_bytes(&book::public_key(&inputs.publisher_seed)).unwrap())
}

/// What a recipient gets who reads everything: all tensors' bytes.
fn open(file: &[u8], who: &str, trust: &TrustPolicy, roots: Roots) -> Result<Vec<Vec<u8>>> {
    block_on(async {
        let model = SealedModel::open(file, &identity(who), trust, 0).await?;
        let mut tensors = Vec::new();
        for tensor in 0..model.manifest().tensors().len() as u32 {
            let opened = model.open_tensor(tensor, roots).await?;
            assert_eq!(opened.roots, roots);
            tensors.push(opened.bytes);
        }
        Ok(tensors)
    })
}

/// Refused by whoever opens it, and by `verify` too if it can see what is wrong without a key.
#[track_caller]
fn refused(file: &[u8], trust: &TrustPolicy, without_key: bool, expected: &SealedFailure) {
    judged(file, trust, expected, without_key.then_some(expected));
}

/// Refused by whoever opens it for one reason, and perhaps by `verify` for another.
#[track_caller]
fn judged(file: &[u8], trust: &TrustPolicy, opened: &SealedFailure, verified: Option<&SealedFailure>) {
    let failure = |error| match error {
        Error::SealedFile(failure) => failure,
        other => panic!("{other}"),
    };
    let open = open(file, "alice", trust, Roots::Check).map_err(failure);
    assert_eq!(open.as_ref().err(), Some(opened));
    let verify = block_on(verify(file, trust, 0, |_| ())).map_err(failure);
    assert_eq!(verify.as_ref().err(), verified);
}

#[test]
fn what_is_attacked_opens() {
    let inputs = inputs::three();
    let sealed = book::seal(&inputs);
    let plain: Vec<_> = inputs.tensors.iter().map(|tensor| tensor.plaintext.clone()).collect();
    for who in ["alice", "bob"] {
        for roots in [Roots::Check, Roots::Skip] {
            assert_eq!(open(&sealed.file, who, &trust(&inputs), roots).unwrap(), plain);
        }
    }
    block_on(verify(&sealed.file[..], &trust(&inputs), 300, |_| ())).unwrap();
}
