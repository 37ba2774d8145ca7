//! Changes to a case's run, each with the step at which it must be refused.

use crate::{
    book, inputs,
    json::{Json, text},
};

/// What is done to the message, or to the last of the records delivered.
enum Change {
    Nothing,
    /// These bits of one byte, as it crosses.
    Wire(usize, u8),
    /// These bits of one byte of the sealed part's plaintext, sealed again under the same key, iv and AAD.
    Opened(usize, u8),
    /// Bytes are missing at the end; the header says the old length, or, if true, the new one.
    Cut(usize, bool),
    /// Zeros follow; the header says the old length, or, if true, the new one.
    Append(usize, bool),
    /// The same message or record of another case.
    Other(&'static str),
    /// No bytes: an end is set up in another way.
    Setting(&'static str),
}

enum At {
    /// The message changed, and the one at whose receipt the handshake ends.
    Message(&'static str, &'static str),
    /// Who sends, who receives, which records in which order; the last is changed and refused.
    Records(&'static str, &'static str, Vec<u64>),
}

pub struct Refusal {
    name: &'static str,
    case: &'static str,
    at: At,
    change: Change,
    reason: &'static str,
}

impl Refusal {
    pub fn json(&self) -> Json {
        let number = |value: usize| Json::Number(value as u64);
        let mut members = vec![("name", text(self.name)), ("case", text(self.case))];
        match &self.at {
            At::Message(changed, refused) => members.extend([("changed", text(*changed)), ("refused", text(*refused))]),
            At::Records(sender, receiver, order) => members.extend([
                ("sender", text(*sender)),
                ("receiver", text(*receiver)),
                ("deliver", Json::Row(order.iter().map(|&index| Json::Number(index)).collect())),
            ]),
        }
        let agrees = |agrees: bool| text(if agrees { "changed too" } else { "as it was" });
        let xor = |xor: u8| text(format!("{xor:02x}"));
        match self.change {
            Change::Nothing => {}
            Change::Wire(offset, bits) => members.extend([("offset", number(offset)), ("xor", xor(bits))]),
            Change::Opened(offset, bits) => members.extend([("opened_offset", number(offset)), ("xor", xor(bits))]),
            Change::Cut(bytes, header) => members.extend([("cut", number(bytes)), ("length_field", agrees(header))]),
            Change::Append(zeros, header) => {
                members.extend([("append_zeros", number(zeros)), ("length_field", agrees(header))]);
            }
            Change::Other(case) => members.push(("from_case", text(case))),
            Change::Setting(setting) => members.push(("setting", text(setting))),
        }
        members.push(("reason", text(self.reason)));
        Json::Object(members)
    }
}

const CASE: &str = "one device expected";
const ANY: &str = "any device, empty labels";

pub fn all() -> Vec<Refusal> {
    [messages(), settings(), records()].into_iter().flatten().collect()
}

fn messages() -> Vec<Refusal> {
    use Change::*;
    let message =
        |message, name, change, reason| Refusal { name, case: CASE, at: At::Message(message, message), change, reason };
    let case = inputs::all().into_iter().find(|case| case.name == CASE).unwrap();
    let run = book::handshake(&case);
    // Where M2's and M3's plaintext hold the signature: behind label, key, and in M2 policy and attestation.
    let signature = [7 + 1952 + 8 + 4, 5 + 1952];
    let mut all = vec![
        message("m1", "magic", Wire(0, 0x01), "malformed"),
        message("m1", "version 2", Wire(5, 0x03), "version"),
        message("m1", "M2's type", Wire(6, 0x03), "malformed"),
        message("m1", "type 0", Wire(6, 0x01), "malformed"),
        message("m1", "suite 0x02", Wire(7, 0x03), "suite"),
        message("m1", "length field", Wire(11, 0x01), "malformed"),
        Refusal { case: ANY, ..message("m1", "lifetime 0", Wire(47, 0x01), "policy") },
        message("m1", "2^25 chunks", Wire(48, 0x01), "policy"),
        message("m1", "a flag", Wire(49, 0x01), "policy"),
        message("m1", "a reserved byte", Wire(51, 0x80), "policy"),
        message("m1", "another device expected", Wire(52, 0x01), "wrong device"),
        message("m1", "a coefficient of 4080 or more", Wire(86, 0xff ^ run.m1[86]), "encapsulation key"),
        message("m1", "cut", Cut(1, false), "malformed"),
        message("m1", "cut, header agrees", Cut(1, true), "malformed"),
        message("m1", "longer", Append(1, false), "malformed"),
        message("m1", "longer, header agrees", Append(1, true), "malformed"),
        Refusal { at: At::Message("m1", "m2"), ..message("", "M1's random", Wire(12, 0x01), "unauthenticated") },
        Refusal { at: At::Message("m1", "m2"), ..message("", "lifetime in M1", Wire(47, 0x01), "unauthenticated") },
        message("m2", "M3's type", Wire(6, 0x01), "malformed"),
        message("m2", "random", Wire(12, 0x01), "unauthenticated"),
        message("m2", "KEM ciphertext", Wire(44, 0x01), "unauthenticated"),
        message("m2", "sealed part, first byte", Wire(1132, 0x01), "unauthenticated"),
        message("m2", "tag, last byte", Wire(run.m2.len() - 1, 0x80), "unauthenticated"),
        message("m2", "label that is not UTF-8", Opened(1, 0x80), "malformed"),
        message("m2", "attestation longer than it is", Opened(1970, 0x01), "malformed"),
        message("m2", "attestation past 64 KiB", Opened(1968, 0x02), "malformed"),
        message("m2", "policy echo", Opened(1962, 0x01), "signature"),
        message("m2", "policy's reserved byte", Opened(1966, 0x01), "signature"),
        message("m2", "of another case", Other("attestation, labels beyond ASCII"), "unauthenticated"),
        message("m3", "M2's type", Wire(6, 0x01), "malformed"),
        message("m3", "sealed part, first byte", Wire(12, 0x01), "unauthenticated"),
        message("m3", "tag, last byte", Wire(run.m3.len() - 1, 0x80), "unauthenticated"),
        message("m3", "label that is not UTF-8", Opened(1, 0x80), "malformed"),
        message("m3", "of another case", Other("attestation, labels beyond ASCII"), "unauthenticated"),
    ];
    for (name, at) in ["m2", "m3"].into_iter().zip(signature) {
        all.extend([
            message(name, "signature, first byte", Opened(at, 0x01), "signature"),
            message(name, "signature, hint counts", Opened(at + 3308, 0x01), "signature"),
            message(name, "Finished, first byte", Opened(at + 3309, 0x01), "finished"),
            message(name, "Finished, last byte", Opened(at + 3309 + 63, 0x80), "finished"),
            message(name, "cut", Cut(1, false), "malformed"),
            message(name, "cut, header agrees", Cut(1, true), "unauthenticated"),
            message(name, "longer", Append(1, false), "malformed"),
            message(name, "longer, header agrees", Append(1, true), "unauthenticated"),
        ]);
    }
    let ready = [
        ("magic", Wire(0, 0x01)),
        ("version", Wire(4, 0x03)),
        ("CLOSE's type", Wire(5, 0x05)),
        ("the other direction", Wire(6, 0x01)),
        ("a reserved byte", Wire(7, 0x01)),
        ("another session", Wire(8, 0x01)),
        ("epoch 1", Wire(43, 0x01)),
        ("a byte of metadata", Wire(47, 0x01)),
        ("sequence 1", Wire(55, 0x01)),
        ("a byte of body", Wire(63, 0x01)),
        ("tag, first byte", Wire(64, 0x01)),
        ("tag, last byte", Wire(79, 0x80)),
        ("cut", Cut(1, false)),
        ("longer", Append(1, false)),
        ("of another case", Other(ANY)),
    ];
    all.extend(ready.map(|(name, change)| message("m4", name, change, "ready")));
    all
}

fn settings() -> Vec<Refusal> {
    let setting = |message, setting, reason| Refusal {
        name: setting,
        case: CASE,
        at: At::Message(message, message),
        change: Change::Setting(setting),
        reason,
    };
    vec![
        setting("m1", "the device allows 3599 seconds", "policy"),
        setting("m2", "the host trusts no key", "untrusted"),
        setting("m2", "the host refuses the attestation", "attestation"),
        setting("m3", "the device trusts no key", "untrusted"),
    ]
}

fn records() -> Vec<Refusal> {
    use Change::*;
    let record = |order: &[u64], name, change, reason| Refusal {
        name,
        case: CASE,
        at: At::Records("host", "device", order.into()),
        change,
        reason,
    };
    let close = inputs::items().len() as u64 - 1;
    let until = |last: u64| (0..=last).collect::<Vec<_>>();
    let again = |last: u64| [until(last), vec![last]].concat();
    vec![
        record(&[0, 0], "again", Nothing, "replay"),
        record(&[1], "the second first", Nothing, "gap"),
        record(&[0, 2], "one left out", Nothing, "gap"),
        record(&[0, 1], "magic", Wire(0, 0x01), "record"),
        record(&[0, 1], "version", Wire(4, 0x03), "record"),
        record(&[0, 1], "type 6", Wire(5, 0x04), "record"),
        record(&[0, 1], "the other direction", Wire(6, 0x01), "record"),
        record(&[0, 1], "a reserved byte", Wire(7, 0x01), "record"),
        record(&[0, 1], "another session", Wire(39, 0x80), "record"),
        record(&[0, 1], "epoch 1", Wire(43, 0x01), "record"),
        record(&[0, 1], "sequence 0", Wire(55, 0x01), "replay"),
        record(&[0, 1], "sequence 3", Wire(55, 0x02), "gap"),
        record(&[0, 1], "no byte of body", Wire(63, 0x01), "record"),
        record(&[0], "a map of 20", Wire(64, 0x10), "metadata"),
        record(&[0], "key 3 for key 1", Wire(65, 0x02), "metadata"),
        record(&[0], "a letter of the name", Wire(70, 0x01), "unauthenticated"),
        record(&[0, 1], "ciphertext", Wire(64 + 11, 0x01), "unauthenticated"),
        record(&[0, 1], "tag, last byte", Wire(64 + 11 + 16, 0x80), "unauthenticated"),
        record(&[0, 1], "cut", Cut(1, false), "record"),
        record(&[0, 1], "longer", Append(1, false), "record"),
        record(&until(3), "the empty last chunk cut off", Cut(16, false), "record"),
        record(&until(6), "KEY_UPDATE, tag", Wire(79, 0x01), "unauthenticated"),
        record(&until(6), "CLOSE for KEY_UPDATE", Wire(5, 0x07), "unauthenticated"),
        record(&[until(5), vec![7]].concat(), "KEY_UPDATE left out", Nothing, "gap"),
        record(&until(7), "the epoch before", Wire(43, 0x01), "record"),
        record(&again(6), "KEY_UPDATE again", Nothing, "replay"),
        record(&again(close), "a record after CLOSE", Nothing, "closed"),
        record(&[0], "of another case", Other(ANY), "record"),
        Refusal { at: At::Records("host", "host", vec![0]), ..record(&[], "reflected", Nothing, "record") },
        Refusal { at: At::Records("device", "device", vec![1]), ..record(&[], "reflected", Nothing, "record") },
        Refusal { at: At::Records("device", "host", vec![0]), ..record(&[], "READY again", Nothing, "record") },
        Refusal { at: At::Records("device", "host", vec![1, 1]), ..record(&[], "again", Nothing, "replay") },
        Refusal { at: At::Records("device", "host", vec![2]), ..record(&[], "the second first", Nothing, "gap") },
    ]
}
