//! A wire between two processes that flips, drops, repeats, reorders, cuts and adds. No run over it succeeds, and the server
//! goes on.

use std::{net::SocketAddr, ops::Range, sync::Mutex, thread};

use serde_json::Value;

use super::{
    ends::{Keys, Server, model},
    proxy::{Conversation, Edit, Way, proxy},
};

/// One message or record, and the fields it is made of.
struct Unit {
    name: String,
    range: Range<usize>,
    fields: Vec<(&'static str, Range<usize>)>,
}

/// Cuts one way's bytes into messages and records, after docs/protocol.md alone.
fn units(bytes: &[u8]) -> Vec<Unit> {
    let number = |range: Range<usize>| bytes[range].iter().fold(0, |n, &byte| n << 8 | usize::from(byte));
    let (mut at, mut units) = (0, Vec::new());
    while at < bytes.len() {
        let mut fields = Vec::new();
        let mut end = at;
        let mut field = |name, length: usize| {
            fields.push((name, end..end + length));
            end += length;
        };
        let name = if bytes[at..].starts_with(b"PQGT") {
            for (name, length) in [("magic", 4), ("version", 2), ("type", 1), ("suite", 1), ("length", 4)] {
                field(name, length);
            }
            let (kind, length) = (bytes[at + 6], number(at + 8..at + 12));
            match kind {
                1 => {
                    for (name, length) in
                        [("random", 32), ("ttl", 4), ("chunks", 1), ("flags", 1), ("zero", 2), ("device", 32)]
                    {
                        field(name, length);
                    }
                    field("encapsulation key", 1184);
                }
                2 => {
                    field("random", 32);
                    field("ciphertext", 1088);
                    field("sealed", length - 32 - 1088 - 16);
                    field("tag", 16);
                }
                _ => {
                    field("sealed", length - 16);
                    field("tag", 16);
                }
            }
            format!("M{kind}")
        } else {
            for (name, length) in [
                ("magic", 4),
                ("version", 1),
                ("type", 1),
                ("direction", 1),
                ("zero", 1),
                ("session id", 32),
                ("epoch", 4),
                ("metadata length", 4),
                ("sequence", 8),
                ("body length", 8),
            ] {
                field(name, length);
            }
            let (metadata, body) = (number(at + 44..at + 48), number(at + 56..at + 64));
            if metadata > 0 {
                field("metadata", metadata);
            }
            let tail = body % 16384;
            if body >= 16384 {
                field("full chunks", body / 16384 * 16400);
            }
            if tail > 0 {
                field("last chunk", tail);
            }
            field("last tag", 16);
            format!("record {} of type {}", number(at + 48..at + 56), bytes[at + 5])
        };
        units.push(Unit { name, range: at..end, fields });
        at = end;
    }
    units
}

struct Wire {
    keys: Keys,
    server: Server,
    model: String,
}

impl Wire {
    fn new() -> Self {
        let keys = Keys::new();
        let path = keys.path("model.safetensors");
        model(&path, &[100, 40_000, 0]);
        let model = path.to_str().unwrap().to_owned();
        let server =
            Server::start(&keys, &["--handshake-timeout", "4", "--idle-timeout", "3", "--update-key-every", "2"]);
        Wire { keys, server, model }
    }

    fn transfer(&self, address: SocketAddr) -> crate::support::Run {
        self.keys.transfer(address, &[&self.model, "--json", "--timeout", "6", "--update-key-every", "2"])
    }

    /// An honest conversation, and its parts.
    fn listen(&self) -> Conversation {
        let (address, said) = proxy(self.server.address, Way::ToHost, Edit::Nothing);
        let run = self.transfer(address);
        assert_eq!(run.code, 0, "{run:?}");
        said.join().unwrap()
    }

    /// No run over an edited wire succeeds, and each says why.
    fn refuse(&self, edits: Vec<(String, Way, Edit)>) -> usize {
        let (total, edits) = (edits.len(), Mutex::new(edits));
        assert!(total > 0);
        let work = || {
            loop {
                let Some((what, way, edit)) = edits.lock().unwrap().pop() else { return };
                let (address, said) = proxy(self.server.address, way, edit.clone());
                let run = self.transfer(address);
                assert!(matches!(run.code, 1 | 4), "{what}: {way:?} {edit:?}: {run:?}");
                // What one direction fails of because the other has is not the cause.
                assert!(!run.stderr.contains("earlier failure"), "{what}: {way:?} {edit:?}: {run:?}");
                // Before the channel stands there is nothing to report.
                if !run.stdout.is_empty() {
                    let report = run.json();
                    let why = if run.code == 1 { "rejection" } else { "failure" };
                    assert!(report[why].is_string(), "{what}: {way:?} {edit:?}: {report}");
                    let (verified, rejected) =
                        (report["verified"].as_u64().unwrap(), report["rejected"].as_u64().unwrap());
                    assert_eq!(rejected == 1, run.code == 1 && verified < 3, "{what}: {way:?} {edit:?}: {report}");
                }
                said.join().unwrap();
            }
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        println!("{total} edits");
        total
    }

    /// The same, and afterwards the server serves on.
    fn refuses(self, way: Way, edits: Vec<(String, Way, Edit)>) {
        let edits = self.refuse(edits);
        match way {
            Way::ToDevice => self.refused_all(edits),
            // The server cannot know what became of its last words.
            Way::ToHost => drop(self.serves_on()),
        }
    }

    /// Afterwards the server serves on.
    fn serves_on(self) -> Value {
        let run = self.transfer(self.server.address);
        assert_eq!(run.code, 0, "{run:?}");
        let ended = self.server.stop();
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.json()
    }

    /// As above, after edits of the bytes to the device alone: no session ended well but the honest one before and that after.
    fn refused_all(self, edits: usize) {
        let report = self.serves_on();
        let count = |what: &str| report[what].as_u64().unwrap();
        assert_eq!(count("clients") - count("failed"), 2, "{report}");
        assert_eq!(count("failed") + count("refused"), edits as u64, "{report}");
    }
}

const WAYS: [Way; 2] = [Way::ToDevice, Way::ToHost];

fn bytes(said: &Conversation, way: Way) -> &[u8] {
    match way {
        Way::ToDevice => &said.to_device,
        Way::ToHost => &said.to_host,
    }
}

fn full() -> bool {
    std::env::var("PQC_GPU_TESTS").is_ok_and(|value| value == "full")
}

#[test]
fn the_conversation_is_the_documented_one() {
    let wire = Wire::new();
    let said = wire.listen();
    let names = |way| units(bytes(&said, way)).into_iter().map(|unit| unit.name).collect::<Vec<_>>();
    let record = |number, kind| format!("record {number} of type {kind}");
    // TENSOR is 2, KEY_UPDATE 3, CLOSE 4.
    let records = [record(0, 2), record(1, 2), record(2, 3), record(3, 2), record(4, 4)];
    assert_eq!(names(Way::ToDevice), [&["M1".to_owned(), "M3".to_owned()][..], &records].concat());
    let records = [record(0, 1), record(1, 2), record(2, 2), record(3, 3), record(4, 2), record(5, 4)];
    assert_eq!(names(Way::ToHost), [&["M2".to_owned()][..], &records].concat());
    // Metadata comes back to the byte, and no plaintext crosses.
    let metadata = |way| {
        let bytes = bytes(&said, way);
        let all = units(bytes).into_iter().flat_map(|unit| unit.fields);
        all.filter(|(name, _)| *name == "metadata").map(|(_, range)| bytes[range].to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(metadata(Way::ToDevice), metadata(Way::ToHost));
    let plaintext: Vec<u8> = (0..32).map(|i| (i * 31 % 251) as u8).collect();
    for way in WAYS {
        assert!(!bytes(&said, way).windows(32).any(|window| window == plaintext));
    }
    wire.serves_on();
}

#[test]
fn a_bit_flipped_in_any_field() {
    for way in WAYS {
        let wire = Wire::new();
        let said = wire.listen();
        let mut edits = Vec::new();
        for (index, unit) in units(bytes(&said, way)).into_iter().enumerate() {
            for (number, (field, range)) in unit.fields.into_iter().enumerate() {
                let name = format!("{} {field}", unit.name);
                let places = if full() {
                    vec![range.start, (range.start + range.end) / 2, range.end - 1]
                } else {
                    vec![(range.start + range.end) / 2]
                };
                for at in places {
                    edits.push((name.clone(), way, Edit::Flip(at, ((index + number) % 8) as u8)));
                }
            }
        }
        wire.refuses(way, edits);
    }
}

#[test]
fn messages_and_records_dropped_repeated_and_swapped() {
    for way in WAYS {
        let wire = Wire::new();
        let said = wire.listen();
        let mut edits = Vec::new();
        let units = units(bytes(&said, way));
        for unit in &units {
            let name = |what: &str| format!("{} {what}", unit.name);
            edits.push((name("dropped"), way, Edit::Drop(unit.range.clone())));
            edits.push((name("less a byte"), way, Edit::Drop(unit.range.end - 1..unit.range.end)));
            // A second CLOSE to the device comes when all is said: nobody waits for it.
            let last = unit.range.end == bytes(&said, way).len();
            if !(last && way == Way::ToDevice) {
                edits.push((name("repeated"), way, Edit::Repeat(unit.range.clone())));
                edits.push((name("and a byte"), way, Edit::Insert(unit.range.end, vec![0])));
            }
        }
        for pair in units.windows(2) {
            let name = format!("{} and {} swapped", pair[0].name, pair[1].name);
            edits.push((name, way, Edit::Swap(pair[0].range.clone(), pair[1].range.clone())));
        }
        // The first chunk of the longest record and the second.
        let chunks = units.iter().flat_map(|unit| &unit.fields).find(|(field, _)| *field == "full chunks").unwrap();
        let (first, second) = (chunks.1.start, chunks.1.start + 16_400);
        edits.push(("chunks swapped".into(), way, Edit::Swap(first..second, second..second + 16_400)));
        edits.push(("a chunk dropped".into(), way, Edit::Drop(first..second)));
        wire.refuses(way, edits);
    }
}

#[test]
fn the_wire_cut_at_any_place() {
    for way in WAYS {
        let wire = Wire::new();
        let said = wire.listen();
        let mut edits = Vec::new();
        let bytes = bytes(&said, way);
        let mut places: Vec<usize> = units(bytes)
            .iter()
            .flat_map(|unit| unit.fields.iter().flat_map(|(_, range)| [range.start, range.end - 1]))
            .collect();
        if !full() {
            places = places.into_iter().step_by(3).chain([0, bytes.len() - 1]).collect();
        }
        edits.extend(places.into_iter().map(|at| (format!("cut at {at}"), way, Edit::Cut(at))));
        wire.refuses(way, edits);
    }
}

#[test]
fn what_one_session_said_means_nothing_in_another() {
    let wire = Wire::new();
    let said = wire.listen();
    let mut edits = Vec::new();
    for way in WAYS {
        let old = bytes(&said, way);
        for unit in units(old) {
            // The old one in the new one's place; lengths are the same in every conversation.
            let other = old[unit.range.clone()].to_vec();
            edits.push((format!("{} of another session", unit.name), way, Replace::with(unit.range, other)));
        }
    }
    // M1 is open to all: an old one is answered like a new one, and the answer means nothing to its sender's successor.
    for (what, way, edits) in edits {
        let (address, relayed) = replaced(wire.server.address, way, edits);
        let run = wire.transfer(address);
        assert!(matches!(run.code, 1 | 4), "{what}: {run:?}");
        relayed.join().unwrap();
    }
    wire.serves_on();
}

/// Two edits in one: bytes left out, and others in their place.
struct Replace;

impl Replace {
    fn with(range: Range<usize>, bytes: Vec<u8>) -> [Edit; 2] {
        [Edit::Insert(range.end, bytes), Edit::Drop(range)]
    }
}

/// One proxy behind another.
fn replaced(server: SocketAddr, way: Way, [insert, drop]: [Edit; 2]) -> (SocketAddr, thread::JoinHandle<()>) {
    // The edit that the bytes meet first is the proxy nearer to their sender.
    let (near_host, near_device) = match way {
        Way::ToDevice => (insert, drop),
        Way::ToHost => (drop, insert),
    };
    let (inner, first) = proxy(server, way, near_device);
    let (outer, second) = proxy(inner, way, near_host);
    let both = move || {
        first.join().unwrap();
        second.join().unwrap();
    };
    (outer, thread::spawn(both))
}
