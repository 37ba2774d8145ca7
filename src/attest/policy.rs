//! Whom and what a verifier accepts.

use std::collections::{BTreeMap, BTreeSet};

use super::VerificationResult;
use crate::identity::{KeyId, PublicKey};

/// What an attestation must meet. The default trusts nobody, so it refuses everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The public keys whose statements are believed, whole: a key-id alone cannot be pinned. None means nobody,
    /// never anyone.
    pub trusted_signers: Vec<PublicKey>,
    /// Signers whose statements are refused, whenever they were made, though they be trusted.
    pub revoked_signers: BTreeSet<KeyId>,
    /// SHA3-256 digests of modules that are refused, though they be attested.
    pub revoked_digests: BTreeSet<[u8; 32]>,
    /// The name a module must have, to the byte. Without one any name passes, and the result says so.
    pub name: Option<String>,
    /// The target a module must have, to the byte. Without one any target passes, and the result says so.
    pub target: Option<String>,
    /// How many seconds ago a statement may have been signed. Without one its own validity decides alone.
    pub max_age_seconds: Option<u64>,
    /// The least security version, by module name: the floor below which a module is a rollback. Keep it between
    /// runs, and [`raise`](Policy::raise) it.
    pub minimum_security_versions: BTreeMap<String, u64>,
}

impl Policy {
    /// Raises the floor of a verified module's name to its security version. Says whether the floor moved; a result
    /// that did not pass moves nothing, and nothing ever lowers it.
    ///
    /// Any trusted signer can thereby raise the floor of any name that the policy accepts.
    pub fn raise(&mut self, verified: &VerificationResult) -> bool {
        let Some(module) = verified.attestation().map(|attestation| attestation.module()) else { return false };
        let floor = self.floor(module.name());
        if floor.is_some_and(|floor| floor >= module.security_version()) {
            return false;
        }
        self.minimum_security_versions.insert(module.name().to_owned(), module.security_version());
        true
    }

    pub(super) fn floor(&self, name: &str) -> Option<u64> {
        self.minimum_security_versions.get(name).copied()
    }
}
