//! Two ends against a simple model under a hostile network: what is released is a prefix of what was sent,
//! and no nonce is used twice under one key.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::channel::{
    chunk::{chunk_count, chunk_nonce},
    record::{HEADER_BYTES, RecordHeader},
    schedule::{EpochKeys, TrafficSecret},
    suite::{KEY_BYTES, NONCE_BYTES},
};

const MAX_CHUNKS: u64 = 8;

#[derive(Debug, Clone)]
enum Action {
    Send(usize),
    UpdateKey,
    Close,
    /// Delivers what is due, if anything is.
    Deliver,
    Drop,
    /// Delivers a record of any age once more or too early.
    DeliverAny(prop::sample::Index),
    /// Delivers what is due with one bit flipped.
    Corrupt(prop::sample::Index),
    /// Delivers a record to its own sender.
    Reflect(prop::sample::Index),
    Advance(u64),
}

fn action() -> impl Strategy<Value = (bool, Action)> {
    let bytes = prop_oneof![Just(0), 1usize..50, Just(16383), Just(16384), Just(16385), Just(90_000), Just(100_000)];
    // Honest steps are common, so that runs get far before something goes wrong.
    let action = prop_oneof![
        30 => bytes.prop_map(Action::Send),
        4 => Just(Action::UpdateKey),
        1 => Just(Action::Close),
        40 => Just(Action::Deliver),
        1 => Just(Action::Drop),
        1 => any::<prop::sample::Index>().prop_map(Action::DeliverAny),
        1 => any::<prop::sample::Index>().prop_map(Action::Corrupt),
        1 => any::<prop::sample::Index>().prop_map(Action::Reflect),
        2 => (0u64..20).prop_map(Action::Advance),
    ];
    (any::<bool>(), action)
}

/// What crosses: a tensor's wire form with its plaintext, or a control record.
struct Message {
    wire: Vec<u8>,
    plaintext: Option<Vec<u8>>,
}

/// What the model knows of one end.
struct End {
    session: ChannelSession,
    alive: bool,
    send_closed: bool,
    receive_closed: bool,
    /// All it ever sent, and how many of it the network has let go in order.
    sent: Vec<Message>,
    passed: usize,
    /// How many of the peer's messages it accepted.
    accepted: usize,
    released: Vec<Vec<u8>>,
}

impl End {
    fn new(session: ChannelSession) -> Self {
        let (sent, released) = (Vec::new(), Vec::new());
        End { session, alive: true, send_closed: false, receive_closed: false, sent, passed: 0, accepted: 0, released }
    }

    fn may_send(&self) -> bool {
        self.alive && !self.send_closed
    }

    /// Delivers as a transport would: by the announced record type.
    fn take(&mut self, wire: &[u8]) -> Result<Option<Vec<u8>>> {
        match EncryptedTensor::from_bytes(wire) {
            Ok(tensor) => self.session.decrypt_tensor(&tensor).map(Some),
            Err(_) => self.session.receive_control(wire).map(|control| {
                self.receive_closed |= control == Control::Close;
                None
            }),
        }
    }
}

/// Every (key, nonce) pair ever used, derived again from the secrets and the headers on the wire.
#[derive(Default)]
struct Nonces {
    used: HashSet<([u8; KEY_BYTES], [u8; NONCE_BYTES])>,
    epochs: [Vec<EpochKeys>; 2],
}

impl Nonces {
    fn record(&mut self, wire: &[u8]) -> Result<(), TestCaseError> {
        let mut rest = wire;
        while let Some(bytes) = rest.first_chunk::<HEADER_BYTES>() {
            let header = RecordHeader::decode(bytes).unwrap();
            let epochs = &mut self.epochs[header.direction as usize];
            while epochs.len() <= header.epoch as usize {
                let Traffic { host, device, .. } = schedule::tests::traffic();
                let mut secret: TrafficSecret = if header.direction as u8 == 0 { host } else { device };
                for _ in 0..epochs.len() {
                    secret = secret.next().unwrap();
                }
                epochs.push(secret.keys());
            }
            let keys = &epochs[header.epoch as usize];
            let nonce = keys.record_nonce(header.sequence);
            for chunk in 0..chunk_count(header.body_bytes) {
                prop_assert!(self.used.insert((*keys.key(), chunk_nonce(nonce, chunk))), "a nonce came twice");
            }
            let body = crate::channel::chunk::sealed_bytes(header.body_bytes) as usize;
            rest = &rest[HEADER_BYTES + header.metadata_bytes as usize + body..];
        }
        // Within the budget of a key, too.
        let mut counts = std::collections::HashMap::new();
        self.used.iter().for_each(|(key, _)| *counts.entry(key).or_insert(0u64) += 1);
        prop_assert!(counts.values().all(|&count| count <= MAX_CHUNKS));
        Ok(())
    }
}

/// Hands `wire` to `to`; `due` says whether it is the very message that had to come.
fn deliver(to: &mut End, wire: &[u8], due: bool, sent: Option<&Vec<u8>>) -> Result<(), TestCaseError> {
    let expected = due && to.alive && !to.receive_closed;
    let closed = to.receive_closed;
    let taken = to.take(wire);
    prop_assert_eq!(taken.is_ok(), expected, "{:?}", taken);
    match taken {
        Ok(plaintext) => {
            prop_assert_eq!(plaintext.as_ref(), sent);
            to.released.extend(plaintext);
            to.accepted += 1;
        }
        // After CLOSE a record is refused without harm; else the first misdelivery is the last thing that happens.
        Err(_) => to.alive &= closed,
    }
    Ok(())
}

fn run(actions: Vec<(bool, Action)>) -> Result<(), TestCaseError> {
    let Pair { host, device, clock } = pair(MAX_CHUNKS);
    let mut ends = [End::new(host), End::new(device)];
    let (mut nonces, mut elapsed, mut salt) = (Nonces::default(), 0, 0u8);
    for (first, action) in actions {
        let [host, device] = &mut ends;
        let (from, to) = if first { (host, device) } else { (device, host) };
        match action {
            Action::Send(bytes) => {
                salt = salt.wrapping_add(1);
                let tensor = sealed(&from.session, bytes, salt);
                let fits = chunk_count(bytes as u64) as u64 + 2 <= MAX_CHUNKS;
                prop_assert_eq!(tensor.is_ok(), from.may_send() && fits);
                if let Ok(tensor) = tensor {
                    nonces.record(tensor.as_bytes())?;
                    let plaintext = Some(content(bytes, salt));
                    from.sent.push(Message { wire: tensor.as_bytes().to_vec(), plaintext });
                }
            }
            Action::UpdateKey | Action::Close => {
                let closes = matches!(action, Action::Close);
                let record = if closes { from.session.close() } else { from.session.update_key() };
                prop_assert_eq!(record.is_ok(), from.may_send());
                if let Ok(wire) = record {
                    nonces.record(&wire)?;
                    from.send_closed |= closes;
                    from.sent.push(Message { wire, plaintext: None });
                }
            }
            Action::Deliver => {
                if let Some(message) = from.sent.get(from.passed) {
                    deliver(to, &message.wire, from.passed == to.accepted, message.plaintext.as_ref())?;
                    from.passed += 1;
                }
            }
            Action::Drop => from.passed = (from.passed + 1).min(from.sent.len()),
            Action::DeliverAny(index) if !from.sent.is_empty() => {
                let at = index.index(from.sent.len());
                let message = &from.sent[at];
                deliver(to, &message.wire, at == to.accepted, message.plaintext.as_ref())?;
            }
            Action::Corrupt(index) => {
                if let Some(message) = from.sent.get(to.accepted) {
                    let mut wire = message.wire.clone();
                    let bit = index.index(wire.len() * 8);
                    wire[bit / 8] ^= 1 << (bit % 8);
                    deliver(to, &wire, false, None)?;
                }
            }
            Action::Reflect(index) if !from.sent.is_empty() => {
                let wire = from.sent[index.index(from.sent.len())].wire.clone();
                deliver(from, &wire, false, None)?;
            }
            Action::DeliverAny(_) | Action::Reflect(_) => {}
            Action::Advance(seconds) => {
                clock.advance(Duration::from_secs(seconds));
                elapsed += seconds;
                for end in &mut ends {
                    end.alive &= elapsed < u64::from(TTL);
                }
            }
        }
        for (sender, receiver) in [(0, 1), (1, 0)] {
            let sent = ends[sender].sent.iter().filter_map(|message| message.plaintext.as_ref());
            let released = &ends[receiver].released;
            prop_assert_eq!(released.iter().collect::<Vec<_>>(), sent.take(released.len()).collect::<Vec<_>>());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sessions_behave_as_the_model(actions in prop::collection::vec(action(), 1..80)) {
        run(actions)?;
    }
}
