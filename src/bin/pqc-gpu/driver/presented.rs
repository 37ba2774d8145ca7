//! The attestation that a device end presents in a handshake, judged as `driver verify` judges one.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use pqc_gpu_driver::{
    attest::{DriverAttestation, DriverAttestationVerifier},
    channel::handshake::AttestationCheck,
    identity::PublicKey,
};

use super::{measure, now, policy, state::State};
use crate::{failure::Failure, output};

/// A check for one handshake. The policy's remembered floors are locked until it has been made, and raised by what passes.
///
/// Without a module the attestation's own digest is taken: the policy still decides on signer, revocation, validity, name,
/// target, age and security version, but on no file.
pub(crate) fn check(policy_path: &Path, module: Option<&Path>) -> Result<Arc<AttestationCheck>, Failure> {
    let mut policy = policy::read(policy_path)?;
    let state = State::open(policy_path, &mut policy)?;
    let module = module.map(measure).transpose()?;
    if module.is_none() {
        output::note("no --module: the attestation is compared with no file");
    }
    let once = Mutex::new(Some((state, DriverAttestationVerifier::new(policy))));
    let check = move |attestation: &[u8], _device: &PublicKey| -> Result<(), String> {
        if attestation.is_empty() {
            return Err("the device presented none".into());
        }
        let (state, verifier) =
            once.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or("a check is made once")?;
        let decoded = DriverAttestation::decode(attestation).map_err(|error| error.to_string())?;
        let digest = module.unwrap_or_else(|| decoded.module().digest());
        let result = verifier.verify(attestation, digest, now().map_err(|failure| failure.to_string())?);
        let mut policy = verifier.into_policy();
        // Written before anybody is told that the module is good.
        if policy.raise(&result) {
            state.write(&policy).map_err(|failure| failure.to_string())?;
        }
        result.into_result().map(drop).map_err(|error| error.to_string())
    };
    Ok(Arc::new(check))
}
