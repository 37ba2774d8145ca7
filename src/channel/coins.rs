//! The handshake's coins: every random byte that it takes, from the operating system alone.

use zeroize::Zeroizing;

use crate::{
    Error, Result,
    identity::{Identity, SIGNATURE_BYTES},
};

/// A host's coins.
pub(super) struct HostCoins {
    /// M1's random.
    pub(super) random: [u8; 32],
    /// d ‖ z of the single-use ML-KEM-768 key (FIPS 203, algorithm 16).
    pub(super) kem_seed: Zeroizing<[u8; 64]>,
    pub(super) hedge: Hedge,
}

impl HostCoins {
    pub(super) fn draw() -> Result<Self> {
        Ok(HostCoins { random: *system()?, kem_seed: system()?, hedge: Hedge::default() })
    }
}

/// A device's coins.
pub(super) struct DeviceCoins {
    /// M2's random.
    pub(super) random: [u8; 32],
    /// m of ML-KEM's encapsulation (FIPS 203, algorithm 17).
    pub(super) encapsulation: Zeroizing<[u8; 32]>,
    pub(super) hedge: Hedge,
}

impl DeviceCoins {
    pub(super) fn draw() -> Result<Self> {
        Ok(DeviceCoins { random: *system()?, encapsulation: system()?, hedge: Hedge::default() })
    }
}

/// Where the signature's rnd comes from (FIPS 204, algorithm 2): from within the signer, or, in tests, from outside.
#[derive(Default)]
pub(crate) struct Hedge {
    #[cfg(any(test, feature = "conformance"))]
    pub(crate) known: Option<Zeroizing<[u8; 32]>>,
}

impl Hedge {
    pub(crate) fn sign(&self, identity: &Identity, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES]> {
        #[cfg(any(test, feature = "conformance"))]
        if let Some(rnd) = &self.known {
            return Ok(identity.sign_with_known_rnd(message, rnd));
        }
        identity.sign(message)
    }
}

/// Fresh bytes from the operating system.
pub(crate) fn system<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut coins = Zeroizing::new([0; N]);
    getrandom::fill(&mut coins[..]).map_err(|_| Error::Random)?;
    Ok(coins)
}
