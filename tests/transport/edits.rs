//! Streams edited at random.

use pqc_gpu_driver::{
    block_on,
    channel::{
        chunk::sealed_bytes,
        record::{RecordHeader, RecordType},
    },
    transport::{Blocking, Limits, Receiver},
};
use proptest::prelude::*;

use crate::{
    SIZES,
    common::{content, full, sessions},
    script, take_all,
};

/// Something done to a stream's bytes.
#[derive(Debug, Clone)]
enum Edit {
    Flip(usize, u8),
    Delete(usize, usize),
    Repeat(usize, usize),
    Insert(usize, Vec<u8>),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let (place, length) = (0usize..1000, 1usize..200);
    let edit = prop_oneof![
        (place.clone(), 0u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (place.clone(), length.clone()).prop_map(|(at, length)| Edit::Delete(at, length)),
        (place.clone(), length).prop_map(|(at, length)| Edit::Repeat(at, length)),
        (place, proptest::collection::vec(any::<u8>(), 1..100)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
    ];
    proptest::collection::vec(edit, 1..4)
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let cut = |at: usize| at % (bytes.len() + 1);
        match edit {
            Edit::Flip(at, bit) if !bytes.is_empty() => {
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
            }
            Edit::Flip(..) => {}
            Edit::Delete(at, length) => drop(bytes.drain(cut(*at)..cut(*at).saturating_add(*length).min(bytes.len()))),
            Edit::Repeat(at, length) => {
                let again = bytes[cut(*at)..(cut(*at) + length).min(bytes.len())].to_vec();
                let at = cut(*at);
                bytes.splice(at..at, again);
            }
            Edit::Insert(at, more) => {
                let at = cut(*at);
                bytes.splice(at..at, more.iter().copied());
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if full() { 20_000 } else { 500 }, failure_persistence: None, ..Default::default() })]

    /// Whatever is done to a stream, only tensors come out whose bytes, and all before them, came as they were sent; and
    /// unless all did, there is no good end.
    #[test]
    fn edited_streams_give_what_was_sent_before_the_edit_and_an_error(edits in edits()) {
        let (host, device) = sessions();
        let sent = script(&host);
        let came = edited(sent.clone(), &edits);
        let same = sent.iter().zip(&came).take_while(|(a, b)| a == b).count();
        let mut receiver = Receiver::new(&device, Blocking(&came[..]), Limits::default());
        let (tensors, ended) = take_all(&mut receiver);
        prop_assert!(tensors.iter().zip(SIZES).all(|(tensor, size)| *tensor == content(size)));
        let whole = tensor_ends(&sent).iter().filter(|&&end| end <= same).count();
        prop_assert_eq!(tensors.len(), whole);
        let ended = if ended.is_ok() { block_on(receiver.end()) } else { ended };
        prop_assert_eq!(ended.is_ok(), came == sent, "{:?}", ended);
    }
}

/// Where each tensor of a stream of records ends.
fn tensor_ends(bytes: &[u8]) -> Vec<usize> {
    let (mut at, mut ends) = (0, Vec::new());
    while let Some(Ok(header)) = bytes.get(at..).and_then(|rest| rest.first_chunk()).map(RecordHeader::decode) {
        at += 64 + header.metadata_bytes as usize + sealed_bytes(header.body_bytes) as usize;
        if header.record_type == RecordType::Tensor {
            ends.push(at);
        }
    }
    ends
}
