//! Identities.

use std::sync::Arc;

use wasm_bindgen::prelude::*;

use super::failure::{Outcome, thrown};
use crate::identity::{self, PublicKey, TrustPolicy};

/// An identity: an ML-DSA-65 key to prove who one is, an ML-KEM-768 key to receive sealed files. The secret seeds stay in wasm memory
/// and are erased by `free()`.
#[wasm_bindgen]
pub struct Identity(pub(super) Arc<identity::Identity>);

#[wasm_bindgen]
impl Identity {
    /// A fresh one.
    pub fn generate() -> Outcome<Identity> {
        identity::Identity::generate().map(Arc::new).map(Identity).map_err(thrown)
    }

    /// Reads the two PKCS#8 blocks that `pqc-gpu identity new` writes (RFC 9881, RFC 9935).
    #[wasm_bindgen(js_name = fromPem)]
    pub fn from_pem(pem: &str) -> Outcome<Identity> {
        identity::Identity::from_pem(pem).map(Arc::new).map(Identity).map_err(thrown)
    }

    /// Writes the secret keys as two PKCS#8 blocks. A JavaScript string cannot be erased.
    #[wasm_bindgen(js_name = toPem)]
    pub fn to_pem(&self) -> Outcome<String> {
        self.0.to_pem().map(|pem| pem.to_string()).map_err(thrown)
    }

    /// The public keys as two SPKI blocks, as in a .pub.pem file.
    #[wasm_bindgen(getter, js_name = publicPem)]
    pub fn public_pem(&self) -> Outcome<String> {
        self.0.public().to_pem().map_err(thrown)
    }

    /// `did:pqaid:` and the SHA3-256 of the ML-DSA-65 public key in hex.
    #[wasm_bindgen(getter)]
    pub fn did(&self) -> String {
        self.0.public_key().key_id().to_string()
    }
}

/// Whom to trust: the ML-DSA-65 keys in these PEM texts; undefined accepts anyone.
pub(super) fn trust(pems: Option<Vec<String>>) -> Outcome<TrustPolicy> {
    let Some(pems) = pems else { return Ok(TrustPolicy::AcceptAny) };
    let keys = pems.iter().map(|pem| PublicKey::from_pem(pem)).collect::<Result<_, _>>();
    keys.map(TrustPolicy::Pinned).map_err(thrown)
}
