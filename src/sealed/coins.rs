//! A sealing's coins: every random byte that it takes, from the operating system alone.

use zeroize::Zeroizing;

use super::cobblestone::SALT_BYTES;
use crate::{
    Result,
    channel::coins::{Hedge, system},
};

/// Draws each coin when it is asked for; each is asked for once.
#[derive(Default)]
pub(super) struct Coins {
    pub(super) hedge: Hedge,
    #[cfg(any(test, feature = "conformance"))]
    pub(super) known: Option<super::hazmat::KnownCoins>,
}

macro_rules! coin {
    ($self:ident, $known:expr) => {
        #[cfg(any(test, feature = "conformance"))]
        if let Some(known) = &$self.known {
            return Ok($known(known));
        }
    };
}

impl Coins {
    pub(super) fn file_key(&self) -> Result<Zeroizing<[u8; 32]>> {
        coin!(self, |known: &super::hazmat::KnownCoins| known.file_key.clone());
        system()
    }

    pub(super) fn model_id(&self) -> Result<[u8; 32]> {
        coin!(self, |known: &super::hazmat::KnownCoins| known.model_id);
        system().map(|id| *id)
    }

    /// The salt of a tensor's Cobblestone-256 message.
    pub(super) fn salt(&self, _tensor: usize) -> Result<[u8; SALT_BYTES]> {
        coin!(self, |known: &super::hazmat::KnownCoins| known.salts[_tensor]);
        system().map(|salt| *salt)
    }

    /// m of the ML-KEM encapsulation for a recipient, in the order they were given.
    pub(super) fn encapsulation(&self, _recipient: usize) -> Result<Zeroizing<[u8; 32]>> {
        coin!(self, |known: &super::hazmat::KnownCoins| known.encapsulations[_recipient].clone());
        system()
    }
}
