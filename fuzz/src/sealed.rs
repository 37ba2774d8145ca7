//! An honest sealed file, the same in every run, and who reads it.

use std::sync::OnceLock;

use pqc_gpu_driver::{Identity, TrustPolicy, identity::PublicKey};
use zeroize::Zeroizing;

use crate::{
    book::{self, Inputs, Sealed},
    sealed_inputs::{inputs, kem_seed, tensor},
};

pub struct Honest {
    pub inputs: Inputs,
    pub sealed: Sealed,
    pub alice: Identity,
    pub trust: TrustPolicy,
}

/// One tensor of 40 bytes, for Alice and Bob.
pub fn honest() -> &'static Honest {
    static HONEST: OnceLock<Honest> = OnceLock::new();
    HONEST.get_or_init(|| {
        let inputs = inputs(vec![tensor(0, "short", "U8", &[5, 8], 40)]);
        let sealed = book::seal(&inputs);
        let key = PublicKey::from_bytes(&sealed.public_key).expect("1952 bytes");
        let alice = Identity::from_seeds(Zeroizing::new([1; 32]), Zeroizing::new(kem_seed("alice"))).expect("seeds");
        Honest { inputs, sealed, alice, trust: TrustPolicy::pin(key) }
    })
}
