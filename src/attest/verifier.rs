//! The judge: one attestation, one measured module, one policy, one moment.

use super::{Check, DriverAttestation, ModuleDigest, NotChecked, Outcome, Policy, VerificationResult};
use crate::{Error, Result, error::AttestationFailure, identity::PublicKey};

/// Verifies attestations against a policy.
#[derive(Debug, Clone)]
pub struct DriverAttestationVerifier {
    policy: Policy,
}

impl DriverAttestationVerifier {
    /// Judges by this policy.
    pub fn new(policy: Policy) -> Self {
        DriverAttestationVerifier { policy }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The policy, to change or to keep.
    pub fn into_policy(self) -> Policy {
        self.policy
    }

    /// Makes every check of [`Check`] and says how each came out.
    ///
    /// `module` is the file itself, or what [`ModuleHasher`](super::ModuleHasher) measured of it; an attestation is
    /// never verified without. `now` is in seconds since 1970. Bytes of any kind may come as attestation: they give
    /// a failed result, not a panic.
    pub fn verify(&self, attestation: &[u8], module: impl Into<ModuleDigest>, now: u64) -> VerificationResult {
        let mut result = VerificationResult::new();
        let attestation = match DriverAttestation::decode(attestation) {
            Ok(attestation) => attestation,
            Err(error) => {
                let reason = match error {
                    Error::DriverAttestation(AttestationFailure::Malformed(why)) => why.to_owned(),
                    other => other.to_string(),
                };
                result.set(Check::Form, Outcome::Failed(reason));
                return result;
            }
        };
        result.set(Check::Form, Outcome::Passed);
        if self.check_signer(&attestation, &mut result) {
            self.check_statement(&attestation, module.into(), now, &mut result);
        }
        result.read(attestation);
        result
    }

    /// [`verify`](Self::verify), with a failed check as [`Error::DriverAttestation`].
    pub fn verify_or_raise(
        &self,
        attestation: &[u8],
        module: impl Into<ModuleDigest>,
        now: u64,
    ) -> Result<DriverAttestation> {
        self.verify(attestation, module, now).into_result()
    }

    /// A check for [`HostConfig::attestation_check`]: the device that answers must present an attestation that this
    /// verifier accepts for the module expected. `now` is asked at every handshake.
    ///
    /// The handshake has proved the device's key by then, so this is what the authenticated device *claims* to run.
    /// It does not prove what runs, and an attestation is not bound to one device: any device can present it. A
    /// device that presents none is refused. The policy is as it was when the check was made; floors raised later
    /// need a new check.
    ///
    /// [`HostConfig::attestation_check`]: crate::channel::HostConfig::attestation_check
    pub fn into_check(
        self,
        expected: impl Into<ModuleDigest>,
        now: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> impl Fn(&[u8], &PublicKey) -> Result<(), String> + Send + Sync + 'static {
        let expected = expected.into();
        move |attestation, _device| {
            if attestation.is_empty() {
                return Err("the device presented none".into());
            }
            self.verify_or_raise(attestation, expected, now()).map(drop).map_err(|error| error.to_string())
        }
    }

    /// Whether the statement is a trusted signer's. A revoked one's is read on, so that the result says all.
    fn check_signer(&self, attestation: &DriverAttestation, result: &mut VerificationResult) -> bool {
        let signer = attestation.signer();
        let revoked = self.policy.revoked_signers.contains(&signer);
        result.set(Check::SignerNotRevoked, outcome(!revoked, || format!("{signer} is revoked")));
        let Some(key) = self.policy.trusted_signers.iter().find(|key| key.key_id() == signer) else {
            let reason = format!("{signer} is not among the trusted signers; pin its public key if it should be");
            result.set(Check::SignerTrusted, Outcome::Failed(reason));
            result.set(Check::Signature, Outcome::NotChecked(NotChecked::NoKey));
            return false;
        };
        result.set(Check::SignerTrusted, Outcome::Passed);
        let signed = attestation.is_signed_by(key);
        let reason = || format!("not a signature of {signer}: the attestation was altered or forged");
        result.set(Check::Signature, outcome(signed, reason));
        signed
    }

    fn check_statement(
        &self,
        attestation: &DriverAttestation,
        found: ModuleDigest,
        now: u64,
        result: &mut VerificationResult,
    ) {
        let Policy { revoked_digests, name, target, max_age_seconds, .. } = &self.policy;
        let (module, validity) = (attestation.module(), attestation.validity());
        let attested = module.digest();
        let mut set = |check, holds, reason: &dyn Fn() -> String| result.set(check, outcome(holds, reason));

        set(Check::Digest, found.sha3_256 == attested.sha3_256, &|| {
            "the module's SHA3-256 is not the attested one; it is another file, or it was altered".into()
        });
        set(Check::Size, found.size == attested.size, &|| {
            format!("the module has {} bytes, the attested one {}", found.size, attested.size)
        });
        set(Check::Validity, validity.contains(now), &|| match now < validity.not_before {
            true => format!("not valid before {} (seconds since 1970); it is {now}", validity.not_before),
            false => format!("expired after {} (seconds since 1970); it is {now}", validity.not_after),
        });
        // The revoked list is asked about the file at hand as well, whatever the statement says of it.
        let revoked = [found.sha3_256, attested.sha3_256].iter().any(|digest| revoked_digests.contains(digest));
        set(Check::DigestNotRevoked, !revoked, &|| "the module is revoked".into());

        let expected = |wanted: &Option<String>, found: &str| match wanted {
            None => Outcome::NotChecked(NotChecked::NotInPolicy),
            Some(wanted) => outcome(wanted == found, || format!("attested for {found:?}, the policy wants {wanted:?}")),
        };
        result.set(Check::Name, expected(name, module.name()));
        result.set(Check::Target, expected(target, module.target()));
        // A signing time later than now is outside of its own validity, too.
        let age = now.checked_sub(attestation.signing_time());
        let fresh = max_age_seconds.map(|most| (most, age.is_some_and(|age| age <= most)));
        result.set(
            Check::Age,
            match fresh {
                None => Outcome::NotChecked(NotChecked::NotInPolicy),
                Some((most, fresh)) => outcome(fresh, || format!("not signed within the last {most} seconds")),
            },
        );
        let version = module.security_version();
        result.set(
            Check::SecurityVersion,
            match self.policy.floor(module.name()) {
                None => Outcome::NotChecked(NotChecked::NotInPolicy),
                Some(floor) => outcome(version >= floor, || {
                    format!("rollback: {:?} has security version {version}, at least {floor} is wanted", module.name())
                }),
            },
        );
    }
}

fn outcome(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if holds { Outcome::Passed } else { Outcome::Failed(otherwise()) }
}
