//! What the sealed files of vectors and attacks start from: small, with an empty, a short and a longer tensor.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, missing_docs)]

use crate::book::{Inputs, Tensor, sha3};

/// 32 bytes that say what they are for.
pub fn coins(what: &str) -> [u8; 32] {
    sha3(&[b"pqgt sealed vectors: ", what.as_bytes()]).try_into().unwrap()
}

pub fn kem_seed(who: &str) -> [u8; 64] {
    [coins(&format!("{who} d")), coins(&format!("{who} z"))].concat().try_into().unwrap()
}

/// Byte i of every plaintext is (7 i + 13) mod 251.
pub fn plaintext(count: usize) -> Vec<u8> {
    (0..count).map(|i| ((7 * i + 13) % 251) as u8).collect()
}

pub fn tensor(place: usize, name: &str, dtype: &'static str, shape: &[u64], bytes: usize) -> Tensor {
    let salt = coins(&format!("salt {name}"))[..24].try_into().unwrap();
    Tensor { id: place.to_string(), name: name.into(), dtype, shape: shape.into(), salt, plaintext: plaintext(bytes) }
}

/// `tensors` as one safetensors file for two recipients.
pub fn inputs(tensors: Vec<Tensor>) -> Inputs {
    let mut end = 0;
    let entries = tensors.iter().map(|tensor| {
        let start = end;
        end += tensor.plaintext.len();
        format!(
            r#""{}":{{"dtype":"{}","shape":{:?},"data_offsets":[{start},{end}]}}"#,
            tensor.name, tensor.dtype, tensor.shape
        )
    });
    let entries = entries.collect::<Vec<_>>().join(",");
    let json = format!(r#"{{"__metadata__":{{"format":"pt","n":"1"}},{entries}}}"#);
    let header = [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
    Inputs {
        publisher_seed: coins("publisher"),
        signing_rnd: coins("signing rnd"),
        file_key: coins("file key"),
        model_id: coins("model id"),
        release: 300,
        metadata: vec![("n".into(), "1".into()), ("format".into(), "pt".into())],
        files: vec![("model.safetensors".into(), header, tensors.len() as u64)],
        tensors,
        index: Vec::new(),
        recipients: ["alice", "bob"].map(|who| (kem_seed(who), coins(&format!("m {who}")))).into(),
    }
}

/// Three chunks in the last.
pub fn three() -> Inputs {
    inputs(vec![
        tensor(0, "empty", "F32", &[0, 3], 0),
        tensor(1, "short", "BF16", &[5], 10),
        tensor(2, "long", "U8", &[7, 5000], 35_000),
    ])
}
