//! Key-ids, the names of public keys.

use core::{fmt, str::FromStr};

/// The name of a public key: its SHA3-256. Shown as the DID `did:pqaid:` ‖ lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 32]);

impl KeyId {
    const DID_PREFIX: &'static str = "did:pqaid:";

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        KeyId(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The DID.
    pub fn did(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::DID_PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = InvalidDid;

    /// Reads a DID in its one form: prefix and 64 lower-case hex digits.
    fn from_str(did: &str) -> Result<Self, InvalidDid> {
        let hex = did.strip_prefix(Self::DID_PREFIX).ok_or(InvalidDid)?.as_bytes();
        if hex.len() != 64 {
            return Err(InvalidDid);
        }
        let digit = |c: u8| match c {
            b'0'..=b'9' => Ok(c - b'0'),
            b'a'..=b'f' => Ok(c - b'a' + 10),
            _ => Err(InvalidDid),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(KeyId(bytes))
    }
}

/// A DID is `did:pqaid:` and 64 lower-case hex digits; this was not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a DID is did:pqaid: and 64 lower-case hex digits")]
pub struct InvalidDid;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dids_have_one_form() {
        let id = KeyId::from_bytes([0xab; 32]);
        let did = id.did();
        assert_eq!(did.parse(), Ok(id));
        assert!(did.to_uppercase().parse::<KeyId>().is_err());
        assert!(did[..did.len() - 1].parse::<KeyId>().is_err());
        assert!(format!("{did}0").parse::<KeyId>().is_err());
        assert!(did.replace("pqaid", "web").parse::<KeyId>().is_err());
        assert!(did.replacen('a', " ", 3).parse::<KeyId>().is_err());
    }
}
