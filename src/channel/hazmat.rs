//! Handshakes whose coins are known beforehand, for committed vectors and for fuzzing.
//!
//! Hazardous: whoever knows the coins can compute every key of the session, and coins used twice give two sessions
//! the same keys. Exists only with the feature `conformance`; nothing in the library or the program calls it.

use zeroize::Zeroizing;

use super::{
    coins::{self, Hedge},
    handshake::{DeviceAwaitsM3, DeviceHandshake, HostConfig, HostHandshake},
};
use crate::Result;

/// Every random byte that a host takes in a handshake.
pub struct KnownHostCoins {
    /// M1's random.
    pub random: [u8; 32],
    /// d ‖ z of the single-use ML-KEM-768 key (FIPS 203, algorithm 16).
    pub kem_seed: Zeroizing<[u8; 64]>,
    /// ML-DSA-65's rnd for the signature in M3 (FIPS 204, algorithm 2).
    pub signing_rnd: Zeroizing<[u8; 32]>,
}

/// Every random byte that a device takes in a handshake.
pub struct KnownDeviceCoins {
    /// M2's random.
    pub random: [u8; 32],
    /// m of ML-KEM's encapsulation (FIPS 203, algorithm 17).
    pub encapsulation: Zeroizing<[u8; 32]>,
    /// ML-DSA-65's rnd for the signature in M2 (FIPS 204, algorithm 2).
    pub signing_rnd: Zeroizing<[u8; 32]>,
}

/// [`HostHandshake::start`] with known coins. M3 will be signed by `ml-dsa`, which takes rnd from outside.
pub fn start_with_known_coins(config: HostConfig, known: KnownHostCoins) -> Result<(HostHandshake, Vec<u8>)> {
    let KnownHostCoins { random, kem_seed, signing_rnd } = known;
    let hedge = Hedge { known: Some(signing_rnd) };
    HostHandshake::start_from(config, coins::HostCoins { random, kem_seed, hedge })
}

/// [`DeviceHandshake::receive_m1`] with known coins. M2 is signed by `ml-dsa`, which takes rnd from outside.
pub fn receive_m1_with_known_coins(
    device: DeviceHandshake,
    m1: &[u8],
    known: KnownDeviceCoins,
) -> Result<(DeviceAwaitsM3, Vec<u8>)> {
    let KnownDeviceCoins { random, encapsulation, signing_rnd } = known;
    let hedge = Hedge { known: Some(signing_rnd) };
    device.answer(m1, coins::DeviceCoins { random, encapsulation, hedge })
}
