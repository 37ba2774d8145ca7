//! ML-KEM-768 decapsulation (FIPS 203, algorithms 16 and 18), by the implementation the channel uses.

use ml_kem::{
    kem::{Decapsulate, KeyExport},
    ml_kem_768::{Ciphertext, DecapsulationKey},
};
use serde::Deserialize;

use super::set::{Hex, Set, Tally};
use crate::failure::Failure;

pub(super) type Tests = Set<Parameters, Test>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    parameter_set: String,
}

#[derive(Deserialize)]
pub(super) struct Test {
    /// d ‖ z.
    seed: Hex,
    ek: Option<Hex>,
    c: Hex,
    #[serde(rename = "K")]
    shared_secret: Hex,
}

/// Runs the tests of ML-KEM-768.
pub(super) fn run(tests: &Tests) -> Result<Tally, Failure> {
    tests.run(|group| group.parameter_set == "ML-KEM-768", |_, test, expected| Ok(expected.is(test.answers())))
}

impl Test {
    /// Whether the seed and ciphertext are of the right length and give the file's key and shared secret.
    fn answers(&self) -> bool {
        let (Ok(seed), Ok(ciphertext)) =
            (<[u8; 64]>::try_from(&self.seed.0[..]), <[u8; 1088]>::try_from(&self.c.0[..]))
        else {
            return false;
        };
        let key = DecapsulationKey::from_seed(seed.into());
        let known_key = self.ek.as_ref().is_none_or(|ek| key.encapsulation_key().to_bytes().as_slice() == ek.0);
        known_key && key.decapsulate(&Ciphertext::from(ciphertext)).as_slice() == self.shared_secret.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_lengths_are_no_answers() {
        let hex = |length| Hex(vec![0; length]);
        for (seed, c) in [(0, 1088), (63, 1088), (65, 1088), (64, 0), (64, 1087), (64, 1089)] {
            assert!(!Test { seed: hex(seed), ek: None, c: hex(c), shared_secret: hex(0) }.answers());
        }
    }
}
