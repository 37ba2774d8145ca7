//! The committed vectors of the channel: computed by the book, replayed by the library.
//!
//! `PQC_GPU_WRITE_VECTORS=1 cargo test --test vectors book` writes tests/vectors/channel.json anew.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/independent.rs"]
mod independent;

mod book;
mod changes;
mod file;
mod inputs;
mod json;
mod refusals;
mod replay;

use pqc_gpu_driver::{
    DType, TrustPolicy,
    channel::{
        message::{HEADER_BYTES, M1_BYTES, MAX_M2_BYTES, MAX_M3_BYTES},
        session::Control,
    },
};
use serde_json::Value;
use sha3::{Digest, Sha3_256};

use inputs::plaintext;
use json::{from_hex, to_hex};
use replay::{Case, Received, reason, receive};

/// Nothing of the library runs here.
#[test]
fn the_book_gives_every_byte_of_the_file() {
    let computed = file::compute();
    if std::env::var("PQC_GPU_WRITE_VECTORS").is_ok_and(|value| value == "1") {
        std::fs::write(file::path(), &computed).unwrap();
    }
    let committed = std::fs::read_to_string(file::path()).unwrap();
    for (number, (committed, computed)) in committed.lines().zip(computed.lines()).enumerate() {
        let start = |line: &str| line.chars().take(120).collect::<String>();
        assert!(committed == computed, "line {}: {}\nnot {}", number + 1, start(committed), start(computed));
    }
    assert_eq!(committed.len(), computed.len());
    assert!(committed.len() < 400_000, "the file has {} bytes", committed.len());
}

fn committed() -> Value {
    serde_json::from_str(&std::fs::read_to_string(file::path()).unwrap()).unwrap()
}

fn cases(file: &Value) -> impl Iterator<Item = Case<'_>> {
    file["cases"].as_array().unwrap().iter().map(Case)
}

fn case<'a>(file: &'a Value, name: &Value) -> Case<'a> {
    cases(file).find(|case| case.0["name"] == *name).unwrap()
}

#[test]
fn the_library_sends_every_byte_of_the_file_and_takes_it() {
    let file = committed();
    assert_eq!(cases(&file).count(), 4);
    for case in cases(&file) {
        let same = |name: &'static str, message: Vec<u8>| {
            assert_eq!(to_hex(&message), case.0["messages"][name], "{} {name}", case.0["name"]);
            message
        };
        let sessions = case.run(case.host(), case.device(), same).unwrap();
        let mut exported = [0; file::EXPORT_BYTES];
        for session in &sessions {
            assert_eq!(session.session_id(), &case.array::<32>("/secrets/session_id"));
            session.export(file::EXPORT_LABEL, file::EXPORT_CONTEXT, &mut exported).unwrap();
            assert_eq!(exported, case.array("/secrets/exported/value"));
        }
        assert_eq!(sessions[0].peer().attestation(), case.hex("/inputs/device/attestation"));
        assert_eq!(sessions[0].peer().label(), case.0["inputs"]["device"]["label"]);
        assert_eq!(sessions[1].peer().label(), case.0["inputs"]["host"]["label"]);

        let sent = ["host", "device"].into_iter().zip(&sessions).map(|(end, session)| case.send(end, session));
        for ((end, sent), receiver) in ["host", "device"].into_iter().zip(sent).zip(sessions.iter().rev()) {
            let records: Vec<_> = case.records(end).iter().filter(|record| record["type"] != "READY").collect();
            assert_eq!(sent.len(), records.len());
            for (record, wire) in records.into_iter().zip(sent) {
                assert_eq!(wire.len() as u64, record["bytes"]);
                assert_eq!(to_hex(&Sha3_256::digest(&wire)), record["sha3_256"]);
                assert!(record["record"].is_null() || record["record"] == to_hex(&wire));
                let expected = match record["type"].as_str().unwrap() {
                    "TENSOR" => Received::Tensor(plaintext(record["plaintext_bytes"].as_u64().unwrap() as usize)),
                    "KEY_UPDATE" => Received::Control(Control::KeyUpdate),
                    _ => Received::Control(Control::Close),
                };
                assert_eq!(receive(receiver, &wire), Ok(expected));
            }
            assert_eq!(receiver.transport_ended(), Ok(()));
        }
    }
}

#[test]
fn the_library_refuses_every_change_at_its_step() {
    let file = committed();
    let refusals = file["refusals"].as_array().unwrap();
    assert!(refusals.len() >= 100, "{} refusals", refusals.len());
    for refusal in refusals {
        let case = case(&file, &refusal["case"]);
        if refusal["changed"].is_string() {
            refuses_message(&file, case, refusal);
        } else {
            refuses_record(&file, case, refusal);
        }
    }
}

fn refuses_message(file: &Value, case: Case<'_>, refusal: &Value) {
    let (mut host, mut device) = (case.host(), case.device());
    match refusal["setting"].as_str() {
        None => {}
        Some("the device allows 3599 seconds") => device.max_ttl_seconds = 3599,
        Some("the host trusts no key") => host.trust = TrustPolicy::Pinned(vec![]),
        Some("the device trusts no key") => device.trust = TrustPolicy::Pinned(vec![]),
        Some("the host refuses the attestation") => {
            host.attestation_check = Some(std::sync::Arc::new(|_, _| Err("refused".into())));
        }
        Some(other) => panic!("{other}"),
    }
    let cross = |name: &'static str, message: Vec<u8>| {
        if refusal["changed"] != name || refusal["setting"].is_string() {
            return message;
        }
        let other = || from_hex(self::case(file, &refusal["from_case"]).0["messages"][name].as_str().unwrap());
        let changed = changes::message(case, name, message.clone(), refusal, other);
        assert_ne!(changed, message, "{refusal}");
        changed
    };
    let (step, error) = case.run(host, device, cross).map(drop).expect_err("the handshake went on");
    assert_eq!((step, reason(&error)), (refusal["refused"].as_str().unwrap(), text(refusal, "reason")), "{refusal}");
}

fn refuses_record(file: &Value, case: Case<'_>, refusal: &Value) {
    let sessions = case.sessions();
    let end = |name: &str| &sessions[usize::from(refusal[name] == "device")];
    let sender = text(refusal, "sender");
    let mut records = case.send(sender, end("sender"));
    if sender == "device" {
        records.insert(0, case.hex("/messages/m4"));
    }
    // An end that gets its own records back has an undisturbed twin, whose sending state is not used up.
    let twins = case.sessions();
    let receiver = &twins[usize::from(refusal["receiver"] == "device")];
    let deliver: Vec<usize> =
        refusal["deliver"].as_array().unwrap().iter().map(|index| index.as_u64().unwrap() as usize).collect();
    let (&last, before) = deliver.split_last().unwrap();
    for &index in before {
        receive(receiver, &records[index]).unwrap();
    }
    let other = || from_hex(self::case(file, &refusal["from_case"]).records(sender)[last]["record"].as_str().unwrap());
    let refused = changes::record(records[last].clone(), refusal, other);
    assert_eq!(receive(receiver, &refused).map_err(|e| reason(&e)), Err(text(refusal, "reason")), "{refusal}");
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[test]
fn the_document_names_every_element_type_and_length() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md")).unwrap();
    let document = document.replace('\n', " ");
    let types = document.split_once("and their bits:").unwrap().1.split_once("∏").unwrap().0;
    let listed: Vec<_> = types.split([',', '.']).map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let all: Vec<_> = DType::ALL.iter().map(|dtype| format!("`{dtype}` {}", dtype.bits())).collect();
    assert_eq!(listed, all);
    for (message, bytes) in [("M1", M1_BYTES), ("M2", MAX_M2_BYTES), ("M3", MAX_M3_BYTES)] {
        let start = document.find(&format!("**{message}**")).unwrap();
        let line: String = document[start..].chars().take(80).collect();
        assert!(line.contains(&format!(" {}:", bytes - HEADER_BYTES)), "{line}");
    }
}
