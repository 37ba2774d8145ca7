//! The key schedule (HKDF-SHA-512, RFC 5869), in the manner of RFC 8446 section 7.1.
//!
//! ```text
//! ES = Extract(0^64, shared secret)
//!  ├─ Expand-Label(ES, "host" | "device", TH(M1‖M2 clear)) → "key", "iv", "finished" of that role's one message
//!  └─ Expand-Label(ES, "derived", SHA-512("")) = salt
//! MS = Extract(salt, 0^64)
//!  ├─ Expand-Label(MS, "host traffic" | "device traffic", TH(M1‖M2‖M3)) = secret of epoch 0 of that direction
//!  │    ├─ "key", "iv": traffic key and base nonce
//!  │    └─ Expand-Label(secret, "epoch", n+1) = secret of epoch n+1
//!  ├─ Expand-Label(MS, "session id", TH(M1‖M2‖M3))
//!  └─ Expand-Label(MS, "exporter", TH(M1‖M2‖M3))
//! ```
//!
//! Each stage consumes the one before, and secrets erase themselves when dropped, so nothing older than
//! the traffic secrets outlives the handshake.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use super::{
    record::Direction,
    suite::{AeadKey, KEY_BYTES, NONCE_BYTES},
    transcript::TranscriptHash,
};

/// A secret of `N` bytes: no Clone, no Debug, erased on drop. It stays at one address: moving it would leave copies
/// behind that nothing erases.
pub(crate) struct Secret<const N: usize>(Box<Zeroizing<[u8; N]>>);

/// ES: the shared secret, extracted.
pub(super) struct HandshakeSecret(Hkdf<Sha512>);

impl HandshakeSecret {
    /// Consumes the KEM's shared secret.
    pub(super) fn new(shared_secret: Zeroizing<[u8; 32]>) -> Self {
        HandshakeSecret(Hkdf::new(Some(&[0; 64]), &shared_secret[..]))
    }

    /// The keys of one role's one message.
    pub(super) fn role(&self, direction: Direction, clear: &TranscriptHash) -> RoleKeys {
        let label = match direction {
            Direction::HostToDevice => "host",
            Direction::DeviceToHost => "device",
        };
        let secret: Secret<64> = expand_label(&self.0, label, clear);
        let schedule = secret.schedule();
        RoleKeys {
            key: AeadKey::new(&expand_label::<KEY_BYTES>(&schedule, "key", &[]).0),
            iv: expand_label(&schedule, "iv", &[]),
            finished: expand_label(&schedule, "finished", &[]),
        }
    }

    /// MS. Consumes ES.
    pub(super) fn master(self) -> MasterSecret {
        let salt: Secret<64> = expand_label(&self.0, "derived", &Sha512::digest([]));
        MasterSecret(Hkdf::new(Some(&salt.0[..]), &[0; 64]))
    }
}

/// One role's handshake keys.
pub(super) struct RoleKeys {
    pub(super) key: AeadKey,
    iv: Secret<NONCE_BYTES>,
    finished: Secret<64>,
}

impl RoleKeys {
    /// The nonce of the role's one message.
    pub(super) fn iv(&self) -> [u8; NONCE_BYTES] {
        **self.iv.0
    }

    /// HMAC-SHA-512(finished key, transcript hash), as RFC 8446 section 4.4.4.
    pub(super) fn finished(&self, transcript: &TranscriptHash) -> [u8; 64] {
        self.mac(transcript).finalize().into_bytes().into()
    }

    /// Compares in constant time.
    pub(super) fn is_finished(&self, transcript: &TranscriptHash, value: &[u8; 64]) -> bool {
        self.mac(transcript).verify_slice(value).is_ok()
    }

    fn mac(&self, transcript: &TranscriptHash) -> Hmac<Sha512> {
        let mac = <Hmac<Sha512> as KeyInit>::new_from_slice(&self.finished.0[..]).expect("HMAC takes any key length");
        mac.chain_update(transcript)
    }
}

/// MS.
pub(super) struct MasterSecret(Hkdf<Sha512>);

impl MasterSecret {
    /// All that outlives the handshake. Consumes MS.
    pub(super) fn traffic(self, whole: &TranscriptHash) -> Traffic {
        Traffic {
            host: TrafficSecret::new(expand_label(&self.0, "host traffic", whole)),
            device: TrafficSecret::new(expand_label(&self.0, "device traffic", whole)),
            session_id: **expand_label::<32>(&self.0, "session id", whole).0,
            exporter: expand_label(&self.0, "exporter", whole),
        }
    }
}

/// What the handshake leaves.
pub(crate) struct Traffic {
    pub(crate) host: TrafficSecret,
    pub(crate) device: TrafficSecret,
    pub(crate) session_id: [u8; 32],
    pub(crate) exporter: Secret<64>,
}

/// One direction's secret at one epoch.
pub(crate) struct TrafficSecret {
    secret: Secret<64>,
    epoch: u32,
}

impl TrafficSecret {
    fn new(secret: Secret<64>) -> Self {
        TrafficSecret { secret, epoch: 0 }
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The keys of this epoch.
    pub(crate) fn keys(&self) -> EpochKeys {
        let schedule = self.secret.schedule();
        let key: Secret<KEY_BYTES> = expand_label(&schedule, "key", &[]);
        EpochKeys { epoch: self.epoch, aead: AeadKey::new(&key.0), key, base_nonce: expand_label(&schedule, "iv", &[]) }
    }

    /// The next epoch's secret; this one is erased. None at the last epoch, which does not wrap.
    pub(crate) fn next(self) -> Option<Self> {
        let epoch = self.epoch.checked_add(1)?;
        let secret = expand_label(&self.secret.schedule(), "epoch", &epoch.to_be_bytes());
        Some(TrafficSecret { secret, epoch })
    }
}

/// One direction's traffic key and base nonce at one epoch, shared by all records in flight under it and
/// erased with the last of them.
pub(crate) struct EpochKeys {
    pub(crate) epoch: u32,
    pub(crate) aead: AeadKey,
    key: Secret<KEY_BYTES>,
    base_nonce: Secret<NONCE_BYTES>,
}

impl EpochKeys {
    /// The traffic key, for a device's key context.
    pub(crate) fn key(&self) -> &[u8; KEY_BYTES] {
        &self.key.0
    }

    /// The nonce of a record's chunk 0: base nonce XOR (sequence 8 ‖ 0). Chunk i XORs i into the last four bytes.
    pub(crate) fn record_nonce(&self, sequence: u64) -> [u8; NONCE_BYTES] {
        let mut nonce = **self.base_nonce.0;
        nonce.iter_mut().zip(sequence.to_be_bytes()).for_each(|(n, s)| *n ^= s);
        nonce
    }
}

impl Secret<64> {
    /// Keying material bound to the session, for protocols above: Expand-Label(exporter, label, SHA-512(context)).
    pub(crate) fn export(&self, label: &str, context: &[u8], out: &mut [u8]) -> bool {
        expand_label_into(&self.schedule(), label, &Sha512::digest(context), out)
    }

    /// The secret as a pseudorandom key to expand from (RFC 5869 section 2.3).
    fn schedule(&self) -> Hkdf<Sha512> {
        Hkdf::from_prk(&self.0[..]).expect("64 bytes are a SHA-512 output")
    }

    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: [u8; 64]) -> Self {
        Secret(Box::new(Zeroizing::new(bytes)))
    }
}

/// RFC 8446 section 7.1 with prefix `pqgt1 `:
/// HKDF-Expand(secret, length 2 ‖ (1+) "pqgt1 " + label ‖ (1+) context, length).
fn expand_label<const N: usize>(secret: &Hkdf<Sha512>, label: &str, context: &[u8]) -> Secret<N> {
    let mut out = Box::new(Zeroizing::new([0; N]));
    let expanded = expand_label_into(secret, label, context, &mut out[..]);
    debug_assert!(expanded, "labels and lengths in this file are within bounds");
    Secret(out)
}

fn expand_label_into(secret: &Hkdf<Sha512>, label: &str, context: &[u8], out: &mut [u8]) -> bool {
    const PREFIX: &[u8] = b"pqgt1 ";
    let (Ok(length), Ok(label_length), Ok(context_length)) =
        (u16::try_from(out.len()), u8::try_from(PREFIX.len() + label.len()), u8::try_from(context.len()))
    else {
        return false;
    };
    let info: [&[u8]; 6] =
        [&length.to_be_bytes(), &[label_length], PREFIX, label.as_bytes(), &[context_length], context];
    secret.expand_multi_info(&info, out).is_ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two directions' secrets out of nothing, for tests of records without a handshake.
    pub(crate) fn traffic() -> Traffic {
        Traffic {
            host: TrafficSecret::new(Secret::from_bytes([1; 64])),
            device: TrafficSecret::new(Secret::from_bytes([2; 64])),
            session_id: [3; 32],
            exporter: Secret::from_bytes([4; 64]),
        }
    }

    /// [`traffic`] at a later epoch, without the epochs before it.
    pub(crate) fn traffic_at(epoch: u32) -> Traffic {
        let Traffic { host, device, session_id, exporter } = traffic();
        let at = |secret: TrafficSecret| TrafficSecret { epoch, ..secret };
        Traffic { host: at(host), device: at(device), session_id, exporter }
    }

    #[test]
    fn expand_label_is_hkdf_expand_of_the_encoded_label() {
        let schedule = Hkdf::<Sha512>::from_prk(&[7; 64]).expect("prk");
        let mut expected = [0; 12];
        schedule.expand(b"\x00\x0c\x08pqgt1 iv\x02ab", &mut expected).expect("short");
        assert_eq!(**expand_label::<12>(&schedule, "iv", b"ab").0, expected);
    }

    #[test]
    fn epochs_differ_and_are_numbered() {
        let first = traffic().host;
        let (keys, second) = (first.keys(), first.next().expect("next"));
        assert_eq!((keys.epoch, second.epoch()), (0, 1));
        assert_ne!(keys.key(), second.keys().key());
        assert_ne!(keys.record_nonce(0), second.keys().record_nonce(0));
        assert!(TrafficSecret { secret: Secret::from_bytes([0; 64]), epoch: u32::MAX }.next().is_none());
    }

    #[test]
    fn nonces_take_the_sequence_in_their_first_eight_bytes() {
        let keys = traffic().host.keys();
        let (zero, one) = (keys.record_nonce(0), keys.record_nonce(0x0102_0304_0506_0708));
        let difference: Vec<u8> = zero.iter().zip(one).map(|(a, b)| a ^ b).collect();
        assert_eq!(difference, [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]);
    }
}
