//! The committed file, written from the book.

use std::path::PathBuf;

use sha3::{Digest, Sha3_256};

use crate::{
    book::{self, Handshake, Record, Role},
    independent::{Half, expand_label, hash},
    inputs::{self, Inputs, Item},
    json::{Json, hex, text},
    refusals,
};

/// Records up to this length stand in the file whole.
const WHOLE: usize = 4096;
pub const EXPORT_LABEL: &str = "vectors";
pub const EXPORT_CONTEXT: &[u8] = b"a context";
pub const EXPORT_BYTES: usize = 48;

pub fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/vectors/channel.json"].iter().collect()
}

/// The whole file, from nothing but the inputs.
pub fn compute() -> String {
    let cases = inputs::all();
    Json::Object(vec![
        ("protocol", text("PQGT version 1, suite 0x01: docs/protocol.md, whose section Vectors describes this file")),
        ("cases", Json::List(cases.iter().map(case).collect())),
        ("refusals", Json::List(refusals::all().iter().map(refusals::Refusal::json).collect())),
    ])
    .print()
}

fn case(inputs: &Inputs) -> Json {
    let handshake = book::handshake(inputs);
    let Handshake { m1, m2, m3, opened, .. } = &handshake;
    let items = inputs::items();
    let sent = [0, 1].map(|direction| book::records(&handshake, direction, &items));
    Json::Object(vec![
        ("name", text(inputs.name)),
        ("inputs", inputs_of(inputs, &handshake)),
        (
            "messages",
            Json::Object(vec![("m1", hex(m1)), ("m2", hex(m2)), ("m3", hex(m3)), ("m4", hex(&sent[1][0].wire))]),
        ),
        ("opened", Json::Object(vec![("m2", hex(&opened[0])), ("m3", hex(&opened[1]))])),
        ("transcript_hashes", Json::Object(handshake.hashes.iter().map(|(point, hash)| (*point, hex(hash))).collect())),
        ("secrets", secrets(&handshake)),
        ("traffic", Json::Object(vec![("host", epochs(&handshake, 0)), ("device", epochs(&handshake, 1))])),
        ("records", Json::Object(vec![("host", records(&sent[0], &items)), ("device", records(&sent[1], &items))])),
    ])
}

fn inputs_of(inputs: &Inputs, handshake: &Handshake) -> Json {
    let end = |end: &inputs::End, public: &[u8], rest: Vec<(&'static str, Json)>| {
        let mut members = vec![
            ("label", text(&end.label)),
            ("identity_seed", hex(end.seed)),
            ("key_id", hex(Sha3_256::digest(public))),
            ("random", hex(end.random)),
            ("signing_rnd", hex(end.signing_rnd)),
        ];
        members.extend(rest);
        Json::Object(members)
    };
    let policy = Json::Object(vec![
        ("ttl_seconds", Json::Number(inputs.ttl_seconds.into())),
        ("log2_chunks", Json::Number(inputs.log2_chunks.into())),
    ]);
    let host =
        vec![("kem_seed", hex(inputs.kem_seed)), ("policy", policy), ("expected_device", hex(&handshake.m1[52..84]))];
    let device = vec![("encapsulation_m", hex(inputs.encapsulation)), ("attestation", hex(&inputs.attestation))];
    Json::Object(vec![
        ("host", end(&inputs.host, &handshake.host_key, host)),
        ("device", end(&inputs.device, &handshake.device_key, device)),
    ])
}

fn secrets(handshake: &Handshake) -> Json {
    let role = |role: &Role| {
        Json::Object(vec![
            ("secret", hex(role.secret)),
            ("key", hex(role.key)),
            ("iv", hex(role.iv)),
            ("finished_key", hex(role.finished)),
        ])
    };
    let exported: [u8; EXPORT_BYTES] = expand_label(&handshake.exporter, EXPORT_LABEL, &hash(EXPORT_CONTEXT));
    Json::Object(vec![
        ("shared_secret", hex(&handshake.shared_secret)),
        ("es", hex(&handshake.es)),
        ("host", role(&handshake.roles[0])),
        ("device", role(&handshake.roles[1])),
        ("derived", hex(handshake.derived)),
        ("ms", hex(&handshake.ms)),
        ("session_id", hex(handshake.session_id)),
        ("exporter", hex(handshake.exporter)),
        (
            "exported",
            Json::Object(vec![
                ("label", text(EXPORT_LABEL)),
                ("context", hex(EXPORT_CONTEXT)),
                ("value", hex(exported)),
            ]),
        ),
    ])
}

fn epochs(handshake: &Handshake, direction: usize) -> Json {
    let mut half = Half { secret: handshake.traffic[direction], epoch: 0, next: 0 };
    let epochs = (0..3).map(|epoch| {
        let keys = Json::Object(vec![
            ("epoch", Json::Number(epoch)),
            ("secret", hex(half.secret)),
            ("key", hex(half.key())),
            ("base_nonce", hex(half.nonce(0, 0))),
        ]);
        half.update();
        keys
    });
    Json::List(epochs.collect())
}

fn records(records: &[Record], items: &[Item]) -> Json {
    // READY is the device's alone.
    let ready = records.len() - items.len();
    let each = |(i, record): (usize, &Record)| {
        let kind = ["READY", "TENSOR", "KEY_UPDATE", "CLOSE"][usize::from(record.kind) - 1];
        let mut members = vec![
            ("type", text(kind)),
            ("epoch", Json::Number(record.epoch.into())),
            ("sequence", Json::Number(record.sequence)),
        ];
        if let Some(Item::Tensor { id, name, dtype, shape, bytes }) = i.checked_sub(ready).map(|i| &items[i]) {
            members.extend([
                ("id", text(id)),
                ("name", text(name)),
                ("dtype", text(*dtype)),
                ("shape", Json::Row(shape.iter().map(|&extent| Json::Number(extent)).collect())),
                ("plaintext_bytes", Json::Number(*bytes as u64)),
                ("metadata", hex(&record.metadata)),
            ]);
        }
        members.extend([
            ("aad", hex(&record.aad)),
            ("nonce", hex(record.nonce)),
            ("tags", Json::Row(record.tags.iter().map(hex).collect())),
            ("bytes", Json::Number(record.wire.len() as u64)),
            ("sha3_256", hex(Sha3_256::digest(&record.wire))),
        ]);
        if record.wire.len() <= WHOLE {
            members.push(("record", hex(&record.wire)));
        }
        Json::Object(members)
    };
    Json::List(records.iter().enumerate().map(each).collect())
}
