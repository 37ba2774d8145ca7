//! Sealing from known coins, and the secrets of an opened file: for committed vectors, fuzzing, and attacks by recipients.
//!
//! Hazardous: coins used twice give two files the same keys and nonces. Exists only with the feature `conformance`;
//! nothing in the library or the program calls it.

use zeroize::Zeroizing;

use super::{PlainModel, RecipientKey, SealedModel, Sealing, cobblestone::SALT_BYTES, coins::Coins, file_key};
use crate::{Error, Result, channel::coins::Hedge, identity::Identity};

/// Every random byte of a sealing.
#[derive(Clone)]
pub struct KnownCoins {
    /// The file key.
    pub file_key: Zeroizing<[u8; 32]>,
    /// The manifest's key 2.
    pub model_id: [u8; 32],
    /// One a tensor.
    pub salts: Vec<[u8; SALT_BYTES]>,
    /// m of ML-KEM's encapsulation (FIPS 203, algorithm 20), one a recipient, in the order they are given.
    pub encapsulations: Vec<Zeroizing<[u8; 32]>>,
    /// ML-DSA-65's rnd for the publisher's signature (FIPS 204, algorithm 2).
    pub signing_rnd: Zeroizing<[u8; 32]>,
}

/// [`Sealing::new`] with known coins. The manifest is signed by `ml-dsa`, which takes rnd from outside.
pub fn sealing_with_known_coins<'a>(
    model: &'a PlainModel<'a>,
    publisher: &'a Identity,
    recipients: &[RecipientKey],
    release: u64,
    known: KnownCoins,
) -> Result<Sealing<'a>> {
    if known.salts.len() != model.tensors().len() || known.encapsulations.len() != recipients.len() {
        return Err(Error::Usage("one salt a tensor and one encapsulation a recipient"));
    }
    let hedge = Hedge { known: Some(known.signing_rnd.clone()) };
    Sealing::from_coins(model, publisher, recipients, release, Coins { hedge, known: Some(known) })
}

/// What a recipient holds after unwrapping.
pub struct Secrets {
    /// The file key.
    pub file_key: Zeroizing<[u8; 32]>,
    /// Expand(file key, "pqgt recipients v1", 64).
    pub recipients_key: Zeroizing<[u8; 64]>,
    /// Expand(file key, "pqgt body v1", 32).
    pub body_key: Zeroizing<[u8; 32]>,
    /// Of each tensor.
    pub bodies: Vec<BodySecrets>,
}

/// What a tensor's chunks are sealed under.
pub struct BodySecrets {
    /// The CBOR array \[publisher, model id, index, metadata\].
    pub context: Vec<u8>,
    /// AES-256 key.
    pub key: Zeroizing<[u8; 32]>,
    /// Nonce of chunk 0.
    pub base_nonce: [u8; 12],
}

/// Every secret of a file that was opened.
pub fn secrets<S: super::Source>(model: &SealedModel<S>) -> Result<Secrets> {
    let file_key = &model.unwrapped().file_key;
    let bodies = (0..model.manifest().tensors().len() as u32).map(|tensor| {
        let body = model.body(tensor)?;
        Ok(BodySecrets {
            context: file_key::context(model.manifest(), tensor, body.metadata()),
            key: body.derived().key.clone(),
            base_nonce: *body.derived().base_nonce,
        })
    });
    Ok(Secrets {
        file_key: Zeroizing::new(*file_key.as_bytes()),
        recipients_key: file_key.recipients_key(),
        body_key: file_key.body_key(),
        bodies: bodies.collect::<Result<_>>()?,
    })
}
