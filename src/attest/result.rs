//! What a verification found, check by check.

use core::fmt;

use super::DriverAttestation;
use crate::{Result, error::AttestationFailure};

/// One thing that is checked, in the order of checking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// The bytes are an attestation in its one encoding.
    Form,
    /// The signer's key is pinned in the policy; found by recomputing key-ids.
    SignerTrusted,
    /// The signer is not revoked.
    SignerNotRevoked,
    /// The ML-DSA-65 signature verifies under the pinned key.
    Signature,
    /// The module's SHA3-256 is the attested one.
    Digest,
    /// The module's size is the attested one.
    Size,
    /// The attested name is the policy's.
    Name,
    /// The attested target is the policy's.
    Target,
    /// Now lies between not-before and not-after.
    Validity,
    /// The statement is no older than the policy allows.
    Age,
    /// The security version reaches the floor for the module's name.
    SecurityVersion,
    /// The module's digest is not revoked.
    DigestNotRevoked,
}

impl Check {
    /// Every check, in order.
    pub const ALL: [Check; 12] = [
        Check::Form,
        Check::SignerTrusted,
        Check::SignerNotRevoked,
        Check::Signature,
        Check::Digest,
        Check::Size,
        Check::Name,
        Check::Target,
        Check::Validity,
        Check::Age,
        Check::SecurityVersion,
        Check::DigestNotRevoked,
    ];

    /// A fixed name, for people and for JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Check::Form => "form",
            Check::SignerTrusted => "signer trusted",
            Check::SignerNotRevoked => "signer not revoked",
            Check::Signature => "signature",
            Check::Digest => "digest",
            Check::Size => "size",
            Check::Name => "name",
            Check::Target => "target",
            Check::Validity => "validity",
            Check::Age => "age",
            Check::SecurityVersion => "security version",
            Check::DigestNotRevoked => "digest not revoked",
        }
    }
}

/// How a check came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not, for this reason.
    Failed(String),
    /// It was not made.
    NotChecked(NotChecked),
}

/// Why a check was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotChecked {
    /// The policy asks for nothing here. The only reason that lets a verification pass.
    NotInPolicy,
    /// There is no pinned key to verify with.
    NoKey,
    /// What is not signed by a trusted key is not worth comparing.
    NotAuthentic,
}

impl fmt::Display for NotChecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotChecked::NotInPolicy => "the policy asks for nothing here",
            NotChecked::NoKey => "there is no trusted key to verify with",
            NotChecked::NotAuthentic => "the attestation is not authentic",
        })
    }
}

/// What a verification found. Made by a verifier and nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a result that nobody looks at has refused nothing"]
pub struct VerificationResult {
    outcomes: [Outcome; Check::ALL.len()],
    attestation: Option<DriverAttestation>,
}

impl VerificationResult {
    /// Nothing is believed until it is checked.
    pub(super) fn new() -> Self {
        let outcomes = [const { Outcome::NotChecked(NotChecked::NotAuthentic) }; Check::ALL.len()];
        VerificationResult { outcomes, attestation: None }
    }

    pub(super) fn set(&mut self, check: Check, outcome: Outcome) {
        self.outcomes[check as usize] = outcome;
    }

    pub(super) fn read(&mut self, attestation: DriverAttestation) {
        self.attestation = Some(attestation);
    }

    /// Whether every check passed that the policy asks for.
    pub fn passed(&self) -> bool {
        self.refusal().is_none()
    }

    /// Every check with its outcome, in order.
    pub fn checks(&self) -> impl Iterator<Item = (Check, &Outcome)> {
        Check::ALL.into_iter().zip(&self.outcomes)
    }

    /// How one check came out.
    pub fn outcome(&self, check: Check) -> &Outcome {
        &self.outcomes[check as usize]
    }

    /// The attestation, if it passed. What did not pass is not handed out.
    pub fn attestation(&self) -> Option<&DriverAttestation> {
        self.attestation.as_ref().filter(|_| self.passed())
    }

    /// The attestation if it passed, else [`Error::DriverAttestation`](crate::Error::DriverAttestation) naming the
    /// first check that did not.
    pub fn into_result(self) -> Result<DriverAttestation> {
        match (self.refusal(), self.attestation) {
            (Some(failure), _) => Err(failure.into()),
            (None, Some(attestation)) => Ok(attestation),
            (None, None) => Err(AttestationFailure::Malformed("there is none").into()),
        }
    }

    fn refusal(&self) -> Option<AttestationFailure> {
        let refused = |check: Check, reason: String| Some(AttestationFailure::Refused { check: check.name(), reason });
        // A check that failed tells more than one that could therefore not be made.
        let failed = self.checks().find_map(|(check, outcome)| match outcome {
            Outcome::Failed(reason) => refused(check, reason.clone()),
            _ => None,
        });
        failed.or_else(|| {
            self.checks().find_map(|(check, outcome)| match outcome {
                Outcome::NotChecked(NotChecked::NotInPolicy) | Outcome::Passed => None,
                Outcome::NotChecked(why) => refused(check, why.to_string()),
                Outcome::Failed(reason) => refused(check, reason.clone()),
            })
        })
    }
}
