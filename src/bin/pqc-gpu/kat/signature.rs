//! ML-DSA-65 verification (FIPS 204, algorithm 3), contexts included.

use ml_dsa::{MlDsa65, Signature, VerifyingKey};
use pqc_gpu_driver::identity::PUBLIC_KEY_BYTES;
use serde::Deserialize;

use super::set::{Hex, Set, Tally};
use crate::failure::Failure;

/// The parameter set is the file's, not the group's.
pub(super) struct Tests {
    /// Whether it is ML-DSA-65.
    pub(super) ours: bool,
    pub(super) set: Set<Parameters, Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    public_key: Hex,
}

#[derive(Deserialize)]
pub(super) struct Test {
    msg: Hex,
    sig: Hex,
    ctx: Option<Hex>,
}

/// Runs the tests of ML-DSA-65.
///
/// They run on `ml-dsa`: `aws-lc-rs`, which verifies the channel's signatures natively, takes empty contexts only.
pub(super) fn run(tests: &Tests) -> Result<Tally, Failure> {
    tests.set.run(|_| tests.ours, |group, test, expected| Ok(expected.is(test.verifies(&group.public_key.0))))
}

impl Test {
    fn verifies(&self, public_key: &[u8]) -> bool {
        let Ok(public_key) = <[u8; PUBLIC_KEY_BYTES]>::try_from(public_key) else { return false };
        let key = VerifyingKey::<MlDsa65>::decode(&public_key.into());
        let context = self.ctx.as_ref().map_or(&[][..], |context| &context.0);
        Signature::try_from(&self.sig.0[..])
            .is_ok_and(|signature| key.verify_with_context(&self.msg.0, context, &signature))
    }
}
