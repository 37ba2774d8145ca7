//! A signed statement about a module, and who makes it.

use super::{
    DriverModule,
    cose::{Parts, Statement},
};
use crate::{
    Error, Result,
    identity::{Identity, KeyId, PublicKey},
};

/// When an attestation holds, both ends included, in seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: u64,
    /// The last second.
    pub not_after: u64,
}

impl Validity {
    /// Nobody can vouch for the time before he signed, so a window begins at the signing time or after it.
    pub(super) fn is_possible(&self, signing_time: u64) -> bool {
        signing_time <= self.not_before && self.not_before <= self.not_after
    }

    pub(super) fn contains(&self, now: u64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// A statement about a driver module with its signature: COSE_Sign1 with ML-DSA-65 (docs/attestation.md).
///
/// Whoever holds one has read it, no more: only [`DriverAttestationVerifier`] says whether it is to be believed.
///
/// [`DriverAttestationVerifier`]: super::DriverAttestationVerifier
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverAttestation {
    signer: KeyId,
    statement: Statement,
    bytes: Vec<u8>,
}

impl DriverAttestation {
    /// Reads an attestation in its one encoding. **Nothing is verified**: what it says is a claim.
    ///
    /// Fails with [`Error::DriverAttestation`] on any other bytes, and panics on none.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let Parts { signer, statement, .. } = Parts::decode(bytes)?;
        Ok(DriverAttestation { signer, statement, bytes: bytes.to_vec() })
    }

    /// The encoding, as it is stored and as a device presents it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key-id of the key it says it was signed with.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// The module it speaks of.
    pub fn module(&self) -> &DriverModule {
        &self.statement.module
    }

    /// When it holds.
    pub fn validity(&self) -> Validity {
        self.statement.validity
    }

    /// When it was signed, in seconds since 1970.
    pub fn signing_time(&self) -> u64 {
        self.statement.signing_time
    }

    /// Whether the signature is this key's (FIPS 204, algorithm 3).
    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        let id = key.key_id();
        // The kid is recomputed from the pinned key, in what is verified as well.
        id == self.signer
            && Parts::decode(&self.bytes)
                .is_ok_and(|parts| key.verifies(&parts.statement.signed_bytes(&id), &parts.signature))
    }
}

/// Signs statements about modules.
#[derive(Debug, Clone, Copy)]
pub struct DriverAttester<'a> {
    identity: &'a Identity,
}

impl<'a> DriverAttester<'a> {
    /// Signs with this identity's ML-DSA-65 key.
    pub fn new(identity: &'a Identity) -> Self {
        DriverAttester { identity }
    }

    /// Signs a statement about `module` at `signing_time` (seconds since 1970; the caller's clock is believed).
    ///
    /// Fails with [`Error::Usage`] unless signing time ≤ not-before ≤ not-after.
    pub fn attest(&self, module: &DriverModule, validity: Validity, signing_time: u64) -> Result<DriverAttestation> {
        if !validity.is_possible(signing_time) {
            return Err(Error::Usage(
                "an attestation begins at its signing time or later, and ends no earlier than it begins",
            ));
        }
        let statement = Statement { module: module.clone(), validity, signing_time };
        let signer = self.identity.public_key().key_id();
        let signature = self.identity.sign(&statement.signed_bytes(&signer))?;
        let bytes = Parts { signer, statement: statement.clone(), signature }.encode();
        Ok(DriverAttestation { signer, statement, bytes })
    }
}
