//! Attestations and verifications as people and scripts read them.

use pqc_gpu_driver::attest::{Check, DriverAttestation, Outcome, VerificationResult};
use serde::Serialize;

use super::date;
use crate::{failure::Failure, output};

/// What an attestation says.
#[derive(Serialize)]
pub(super) struct Claims {
    signer: String,
    name: String,
    version: String,
    target: String,
    sha3_256: String,
    size: u64,
    security_version: u64,
    not_before: u64,
    not_after: u64,
    signing_time: u64,
}

impl Claims {
    pub(super) fn of(attestation: &DriverAttestation) -> Self {
        let (module, validity) = (attestation.module(), attestation.validity());
        Claims {
            signer: attestation.signer().did(),
            name: module.name().into(),
            version: module.version().into(),
            target: module.target().into(),
            sha3_256: hex(&module.digest().sha3_256),
            size: module.digest().size,
            security_version: module.security_version(),
            not_before: validity.not_before,
            not_after: validity.not_after,
            signing_time: attestation.signing_time(),
        }
    }

    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json { output::json(self) } else { output::lines(self.lines()) }
    }

    fn lines(&self) -> Vec<String> {
        [
            ("signer", self.signer.clone()),
            ("name", self.name.clone()),
            ("version", self.version.clone()),
            ("target", self.target.clone()),
            ("sha3-256", self.sha3_256.clone()),
            ("size", self.size.to_string()),
            ("security version", self.security_version.to_string()),
            ("not before", date::shown(self.not_before)),
            ("not after", date::shown(self.not_after)),
            ("signed", date::shown(self.signing_time)),
        ]
        .map(|(what, value)| format!("{what:<18}{value}"))
        .into()
    }
}

/// How a verification came out.
#[derive(Serialize)]
pub(super) struct Report {
    verified: bool,
    checks: Vec<Checked>,
    floor_raised: bool,
    /// What the attestation says, to be believed only where `verified` is true; null where it cannot be read.
    attestation: Option<Claims>,
}

#[derive(Serialize)]
struct Checked {
    check: &'static str,
    outcome: &'static str,
    reason: Option<String>,
}

impl Report {
    pub(super) fn of(bytes: &[u8], result: &VerificationResult, floor_raised: bool) -> Self {
        let checked = |(check, outcome): (Check, &Outcome)| {
            let (outcome, reason) = match outcome {
                Outcome::Passed => ("passed", None),
                Outcome::Failed(reason) => ("failed", Some(reason.clone())),
                Outcome::NotChecked(why) => ("not checked", Some(why.to_string())),
            };
            Checked { check: check.name(), outcome, reason }
        };
        Report {
            verified: result.passed(),
            checks: result.checks().map(checked).collect(),
            floor_raised,
            attestation: DriverAttestation::decode(bytes).ok().map(|attestation| Claims::of(&attestation)),
        }
    }

    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(self);
        }
        let row = |checked: &Checked| {
            [checked.check.to_owned(), checked.outcome.to_owned(), checked.reason.clone().unwrap_or_default()]
        };
        output::table(["check", "outcome", "because"], &self.checks.iter().map(row).collect::<Vec<_>>())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
