//! A session's receiving side, against a peer in the middle who delivers, alters, cuts, stretches, repeats and reorders
//! the records of a fixed session, and against a model of what may be released: the sender's stream from its start, every
//! record once and to the byte, nothing at or after the first failure.

use std::sync::OnceLock;

use pqc_gpu_driver::{
    ChannelSession, DType, EncryptedTensor, Error, TensorMetadata,
    channel::session::{Control, Pending},
};

use crate::{honest, input::Input};

/// What the host sends, in order, and records that are none of this session's or direction's.
struct Records {
    stream: Vec<Sent>,
    foreign: Vec<Sent>,
}

struct Sent {
    wire: Vec<u8>,
    /// Length of header and metadata.
    head: usize,
    /// None for control records.
    plaintext: Option<Vec<u8>>,
}

fn records() -> &'static Records {
    static RECORDS: OnceLock<Records> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let [host, device] = honest::sessions(0);
        let control = |wire: Vec<u8>| Sent { wire, head: 64, plaintext: None };
        let mut stream: Vec<Sent> = [0, 100, 16_389].into_iter().map(|bytes| tensor(&host, bytes)).collect();
        stream.push(control(host.update_key().expect("updates")));
        stream.push(tensor(&host, 40));
        stream.push(control(host.close().expect("closes")));
        let [other, _] = honest::sessions(1);
        let foreign = vec![tensor(&device, 100), tensor(&other, 0), control(device.close().expect("closes"))];
        Records { stream, foreign }
    })
}

fn tensor(session: &ChannelSession, bytes: usize) -> Sent {
    let plaintext: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
    let metadata = TensorMetadata::new("id", "name", DType::U8, [bytes as u64]).expect("metadata");
    let sealed = session.encrypt_tensor(&plaintext, &metadata).expect("seals");
    Sent { wire: sealed.as_bytes().to_vec(), head: 64 + metadata.encode().len(), plaintext: Some(plaintext) }
}

/// A list of actions, each a byte for its kind, a byte for the record it is about, and what it takes besides.
pub fn check(data: &[u8]) -> bool {
    let Records { stream, foreign } = records();
    let all: Vec<&Sent> = stream.iter().chain(foreign).collect();
    let mut input = Input(data);
    let mut model = Model::new();
    for _ in 0..48 {
        let (Some(kind), Some(which)) = (input.byte(), input.byte()) else { break };
        let sent = all[usize::from(which) % all.len()];
        let mut wire = sent.wire.clone();
        match kind % 10 {
            0 => model.deliver(&wire),
            1 => {
                let (at, with) = (input.word() % wire.len(), input.byte().unwrap_or(1));
                wire[at] ^= with;
                model.deliver(&wire);
            }
            2 => {
                let (at, length) = (input.word() % wire.len(), input.word());
                wire.drain(at..(at + length).min(sent.wire.len()));
                model.deliver(&wire);
            }
            3 => {
                let at = input.word() % (wire.len() + 1);
                let length = input.byte().unwrap_or(0);
                wire.splice(at..at, input.bytes(length.into()).iter().copied());
                model.deliver(&wire);
            }
            4 => {
                let other = all[usize::from(input.byte().unwrap_or(0)) % all.len()];
                model.deliver(&[&wire[..sent.head], &other.wire[other.head..]].concat());
            }
            5 => model.reserve(&wire[..sent.head]),
            6 => {
                let with = input.byte().unwrap_or(0);
                let at = input.word() % sent.head;
                wire[at] ^= with;
                model.reserve(&wire[..sent.head]);
            }
            7 | 8 => {
                let mut body = all[usize::from(input.byte().unwrap_or(0)) % all.len()].wire.clone();
                body.drain(..all.iter().find(|sent| sent.wire == body).map_or(0, |sent| sent.head));
                if kind % 10 == 8 && !body.is_empty() {
                    let at = input.word() % body.len();
                    body[at] ^= input.byte().unwrap_or(1);
                }
                model.open(which.into(), &body);
            }
            _ if which == 0 => model.transport_ends(),
            _ if which == 1 => model.drop_pending(input.byte().unwrap_or(0).into()),
            _ => {
                let raw = input.bytes(which.into()).to_vec();
                model.deliver(&raw);
            }
        }
    }
    model.finish()
}

struct Reserved {
    /// The place in the stream.
    place: usize,
    /// Whether header and metadata are those that were sent: nothing is authenticated before the body is.
    genuine: bool,
    pending: Pending,
}

struct Model {
    session: ChannelSession,
    /// How many records of the stream were taken: their header, at least.
    taken: usize,
    /// Reserved and not opened.
    pending: Vec<Reserved>,
    /// The place in the stream from which on nothing comes out any more.
    failed_from: Option<usize>,
    closed: bool,
    released: usize,
}

impl Model {
    fn new() -> Self {
        let honest = honest::transcript();
        let (device, _) = honest::answer(&honest.m1).expect("M1 is good");
        let (session, _) = device.receive_m3(&honest.m3).expect("M3 is good");
        Model { session, taken: 0, pending: Vec::new(), failed_from: None, closed: false, released: 0 }
    }

    fn next(&self) -> Option<&'static Sent> {
        records().stream.get(self.taken)
    }

    fn fail(&mut self, from: usize) {
        self.failed_from = Some(self.failed_from.map_or(from, |before| before.min(from)));
        assert!(!self.session.is_valid());
    }

    /// What was refused ended the session; after CLOSE there is nothing left to end.
    fn refused(&mut self) {
        if !self.closed {
            self.fail(self.taken);
        }
    }

    fn deliver(&mut self, wire: &[u8]) {
        let alive = self.failed_from.is_none() && !self.closed;
        let due = alive && self.next().is_some_and(|next| next.wire == wire);
        if wire.len() == 80 && wire[5] != 2 {
            match self.session.receive_control(wire) {
                Ok(control) => {
                    assert!(due, "a control record was accepted that was not due");
                    self.taken += 1;
                    self.released += 1;
                    self.closed = control == Control::Close;
                    assert_eq!(self.closed, self.taken == records().stream.len());
                }
                Err(error) => {
                    assert!(!due, "a good record was refused: {error}");
                    self.refused();
                }
            }
            return;
        }
        // What is no record never reaches the session.
        let Ok(tensor) = EncryptedTensor::from_bytes(wire) else { return assert!(!due) };
        match self.session.decrypt_tensor(&tensor) {
            Ok(plaintext) => {
                // A KEY_UPDATE may come in one piece with the tensor after it.
                let two = wire.len() > 80 && wire[5] == 3;
                let stream = &records().stream[self.taken..][..1 + usize::from(two)];
                let whole: Vec<u8> = stream.iter().flat_map(|sent| sent.wire.iter().copied()).collect();
                assert!(alive && self.pending.is_empty() && wire == whole, "a tensor was accepted that was not due");
                assert_eq!(Some(&plaintext), stream.last().and_then(|sent| sent.plaintext.as_ref()));
                self.taken += stream.len();
                self.released += stream.len();
            }
            Err(Error::Usage(_)) => assert!(!self.pending.is_empty()),
            Err(error) => {
                assert!(!due, "a good tensor was refused: {error}");
                self.refused();
            }
        }
    }

    fn reserve(&mut self, head: &[u8]) {
        let alive = self.failed_from.is_none() && !self.closed;
        let due = alive && self.next().is_some_and(|next| next.plaintext.is_some() && next.wire[..next.head] == *head);
        match self.session.reserve(&head[..64], &head[64..]) {
            Ok(pending) => {
                // Magic to epoch, and the sequence number: what can be judged without a key.
                let next = self.next().filter(|_| alive).expect("nothing was due");
                assert!(
                    next.wire[..44] == head[..44] && next.wire[48..56] == head[48..56],
                    "not the header that was due"
                );
                assert_eq!(pending.metadata().encode(), head[64..]);
                self.pending.push(Reserved { place: self.taken, genuine: due, pending });
                self.taken += 1;
            }
            Err(error) => {
                assert!(!due, "a good header was refused: {error}");
                self.refused();
            }
        }
    }

    fn open(&mut self, which: usize, body: &[u8]) {
        if self.pending.is_empty() {
            return;
        }
        let Reserved { place, genuine, pending } = self.pending.remove(which % self.pending.len());
        let sent = &records().stream[place];
        let is_first = self.pending.iter().all(|other| other.place > place);
        let spared = self.failed_from.is_none_or(|from| place < from);
        let due = genuine && is_first && spared && body == &sent.wire[sent.head..];
        match pending.open(body) {
            Ok(plaintext) => {
                assert!(due, "a tensor was released that was not due");
                assert_eq!(Some(plaintext), sent.plaintext);
                self.released += 1;
            }
            Err(error) => {
                assert!(!due, "a good body was refused: {error}");
                self.fail(place);
            }
        }
    }

    fn drop_pending(&mut self, which: usize) {
        if !self.pending.is_empty() {
            let reserved = self.pending.remove(which % self.pending.len());
            let place = reserved.place;
            drop(reserved);
            self.fail(place);
        }
    }

    fn transport_ends(&mut self) {
        let ended = self.session.transport_ended();
        assert_eq!(ended.is_ok(), self.closed && self.failed_from.is_none());
        if ended.is_err() && !self.closed {
            self.fail(self.taken);
        }
    }

    /// Whether anything was released.
    fn finish(self) -> bool {
        assert!(self.failed_from.is_none() || !self.session.is_valid());
        self.released > 0
    }
}
