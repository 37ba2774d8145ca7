//! A record of three chunks, altered in every place, cut, stretched and rearranged.

use super::*;
use crate::channel::{
    chunk::SEALED_CHUNK_BYTES,
    record::{HEADER_BYTES, RecordHeader},
};

const BYTES: usize = 40000;
const CHUNK: usize = SEALED_CHUNK_BYTES as usize;

/// All bits where time allows, else one in each byte, another one from byte to byte.
pub(super) fn bits(bytes: usize) -> Vec<usize> {
    if std::env::var("PQC_GPU_TESTS").is_ok_and(|value| value == "full") {
        (0..bytes * 8).collect()
    } else {
        (0..bytes).map(|at| at * 8 + at % 8).collect()
    }
}

fn receiver() -> ChannelSession {
    end(Direction::DeviceToHost, schedule::tests::traffic(), 64, &Arc::new(TestClock::default()))
}

fn record() -> EncryptedTensor {
    sealed(&pair(64).host, BYTES, 7).unwrap()
}

/// Delivers the wire form, and the same bytes cut where the good record is cut; neither may give anything.
#[track_caller]
fn assert_refused(wire: &[u8], good: &EncryptedTensor) {
    if let Ok(tensor) = EncryptedTensor::from_bytes(wire) {
        let receiver = receiver();
        let error = receiver.decrypt_tensor(&tensor).expect_err("an altered record was opened");
        assert!(!matches!(error, Error::Usage(_)));
        assert!(receiver.decrypt_tensor(good).is_err(), "the good record comes too late after a bad one");
    }
    let metadata = HEADER_BYTES + good.metadata_bytes().len();
    if let (Some(header), Some(encoded)) = (wire.get(..HEADER_BYTES), wire.get(HEADER_BYTES..metadata)) {
        let receiver = receiver();
        match receiver.reserve(header, encoded) {
            Ok(pending) => assert!(pending.open(&wire[metadata..]).is_err()),
            Err(error) => assert!(!matches!(error, Error::Usage(_))),
        }
        assert_over(&receiver, &Error::ChannelFailed);
    }
}

#[test]
fn beyond_every_bit_of_a_record() {
    let good = record();
    assert_eq!(receiver().decrypt_tensor(&good), Ok(content(BYTES, 7)));
    let bits = bits(good.as_bytes().len());
    let work = |bits: &[usize]| {
        let mut wire = good.as_bytes().to_vec();
        for bit in bits {
            wire[bit / 8] ^= 1 << (bit % 8);
            assert_refused(&wire, &good);
            wire[bit / 8] ^= 1 << (bit % 8);
        }
    };
    std::thread::scope(|scope| {
        bits.chunks(bits.len().div_ceil(4)).for_each(|part| drop(scope.spawn(move || work(part))));
    });
    println!("{} bits of {} flipped", bits.len(), good.as_bytes().len() * 8);
}

#[test]
fn beyond_records_cut_and_extended() {
    let good = record();
    let (wire, body) = (good.as_bytes(), good.as_bytes().len() - good.body().len());
    let near = |at: usize| at.saturating_sub(40)..(at + 40).min(wire.len());
    let lengths = (0..300).chain([0, 1, 2].into_iter().flat_map(|i| near(body + i * CHUNK))).chain(near(wire.len()));
    for length in lengths.chain((0..wire.len()).step_by(997)) {
        assert_refused(&wire[..length], &good);
    }
    for extra in [1, 15, 16, 17, 64, 80, 16384, CHUNK, wire.len()] {
        assert_refused(&[wire, &vec![0; extra][..]].concat(), &good);
        assert_refused(&[wire, &wire[wire.len() - extra..]].concat(), &good);
    }
}

/// The good record with another body, and the lengths in header and metadata that fit it.
fn with_body(good: &EncryptedTensor, chunks: &[&[u8]]) -> Vec<u8> {
    let body = chunks.concat();
    let plaintext = body.len() - 16 * chunks.len();
    let encoded = TensorMetadata::new("id", "name", DType::U8, [plaintext as u64]).unwrap().encode();
    let header =
        RecordHeader { metadata_bytes: encoded.len() as u32, body_bytes: plaintext as u64, ..good.header().clone() };
    [&header.encode()[..], &encoded, &body].concat()
}

#[test]
fn beyond_chunks_swapped_dropped_repeated() {
    let good = record();
    let [a, b, c] = [0, 1, 2].map(|i| &good.body()[i * CHUNK..((i + 1) * CHUNK).min(good.body().len())]);
    assert_eq!(with_body(&good, &[a, b, c]), good.as_bytes());
    let arrangements: [&[&[u8]]; 12] = [
        &[b, a, c],
        &[a, a, c],
        &[b, b, c],
        &[a, c],
        &[b, c],
        &[c],
        &[a, b, a, c],
        &[a, a, b, c],
        &[a, b, b, c],
        &[a, b, &[0; 16]],
        &[a, b, &b[b.len() - 16..]],
        &[a, b, &c[..c.len() - 1]],
    ];
    for chunks in arrangements {
        assert_refused(&with_body(&good, chunks), &good);
        // And with the lengths left as they were signed.
        let kept = &good.as_bytes()[..good.as_bytes().len() - good.body().len()];
        assert_refused(&[kept, &chunks.concat()].concat(), &good);
    }
}

#[test]
fn beyond_chunks_of_another_record() {
    // Two records of one session, and one of the other direction, all alike but for their place.
    let Pair { host, device, .. } = pair(64);
    let (good, second) = (sealed(&host, BYTES, 7).unwrap(), sealed(&host, BYTES, 7).unwrap());
    let foreign = sealed(&device, BYTES, 7).unwrap();
    let start = good.as_bytes().len() - good.body().len();
    for other in [second, foreign] {
        assert_ne!(good.body()[..CHUNK], other.body()[..CHUNK]);
        for i in 0..3 {
            let chunk = start + i * CHUNK..(start + (i + 1) * CHUNK).min(good.as_bytes().len());
            let mut wire = good.as_bytes().to_vec();
            wire[chunk.clone()].copy_from_slice(&other.as_bytes()[chunk]);
            assert_refused(&wire, &good);
        }
        assert_refused(&[&good.as_bytes()[..start], other.body()].concat(), &good);
        assert_refused(other.as_bytes(), &good);
    }
}

#[test]
fn metadata_is_bound() {
    let good = record();
    let retyped = [("id", "other", DType::U8), ("di", "name", DType::U8), ("id", "name", DType::I8)];
    for (id, name, dtype) in retyped {
        let encoded = TensorMetadata::new(id, name, dtype, [BYTES as u64]).unwrap().encode();
        let header = RecordHeader { metadata_bytes: encoded.len() as u32, ..good.header().clone() };
        let wire = [&header.encode()[..], &encoded, good.body()].concat();
        let receiver = receiver();
        let tensor = EncryptedTensor::from_bytes(wire).unwrap();
        assert_eq!(receiver.decrypt_tensor(&tensor), Err(Error::Decryption));
        assert_over(&receiver, &Error::ChannelFailed);
    }
}
