//! Records sent back, moved, lengthened and shortened.

use pqc_gpu_driver::{
    DType, EncryptedTensor, Error, TensorMetadata,
    channel::{
        chunk::{chunk_count, sealed_bytes},
        record::RecordHeader,
    },
};

use super::common::*;

#[test]
fn attack_c04_reflection() {
    let (host, device) = sessions();
    let tensor = seal(&host, 100);
    assert!(matches!(host.decrypt_tensor(&tensor), Err(Error::Record(text)) if text.contains("reflected")));
    assert!(!host.is_valid());
    let tensor = seal(&device, 100);
    assert!(matches!(device.decrypt_tensor(&tensor), Err(Error::Record(text)) if text.contains("reflected")));
    let (host, _) = sessions();
    assert!(matches!(host.receive_control(&host.close().unwrap()), Err(Error::Record(_))));
}

#[test]
fn attack_c05_direction_label_not_checked() {
    for direction in [1, 2, 0x80, 0xff] {
        let (host, device) = sessions();
        let mut wire = seal(&host, 100).as_bytes().to_vec();
        wire[6] = direction;
        match EncryptedTensor::from_bytes(&*wire) {
            Ok(tensor) => assert!(matches!(device.decrypt_tensor(&tensor), Err(Error::Record(_)))),
            Err(error) => assert_eq!(error, Error::Record("unknown direction")),
        }
        assert!(device.reserve(&wire[..64], &wire[64..]).is_err());
    }
}

#[test]
fn attack_c06_a_record_moves_between_sessions() {
    // Between the same two identities, at the same place of the stream.
    let ((first, _), (second, device)) = (sessions(), sessions());
    let tensor = seal(&first, 100);
    assert!(matches!(device.decrypt_tensor(&tensor), Err(Error::Record("the record belongs to another session"))));
    // The id in the header rewritten: every tag knows better.
    let (_, device) = sessions();
    let mut wire = tensor.as_bytes().to_vec();
    wire[8..40].copy_from_slice(device.session_id());
    assert_eq!(device.decrypt_tensor(&EncryptedTensor::from_bytes(wire).unwrap()), Err(Error::Decryption));
    assert_ne!(first.session_id(), second.session_id());
    // Labels and suite are in the transcript that every key hangs on; changed anywhere, no session results
    // (`handshake_tampering.rs` goes through every bit).
    let (host, _, mut m2) = up_to_m2();
    m2[12 + 32 + 1088] ^= 1;
    drop(failure(host.receive_m2(&m2)));
}

#[test]
fn attack_c10_metadata_says_a_tebibyte_and_the_body_is_a_byte() {
    let huge = TensorMetadata::new("id", "name", DType::U8, [1u64 << 40]);
    assert_eq!(huge, Err(Error::Metadata("larger than 64 GiB, the most one record carries")));
    // Written by hand, under headers that say a byte, a tebibyte, and the most there can be.
    let encoded =
        [&[0xa4, 1, 0x60, 2, 0x60, 3, 0x62][..], b"U8", &[4, 0x81, 0x1b], &(1u64 << 40).to_be_bytes()].concat();
    for body_bytes in [1, 1 << 40, 64 << 30] {
        let (host, device) = sessions();
        let header =
            RecordHeader { metadata_bytes: encoded.len() as u32, body_bytes, ..seal(&host, 1).header().clone() };
        let wire = [&header.encode()[..], &encoded, &[0; 17]].concat();
        assert!(matches!(EncryptedTensor::from_bytes(wire), Err(Error::Metadata(_) | Error::Record(_))));
        assert!(matches!(device.reserve(&header.encode(), &encoded), Err(Error::Metadata(_) | Error::Record(_))));
        assert!(!device.is_valid());
    }
    // A possible size that is not the body's.
    let (host, device) = sessions();
    let encoded = metadata(64 << 30).encode();
    let header = RecordHeader { metadata_bytes: encoded.len() as u32, ..seal(&host, 1).header().clone() };
    assert!(matches!(device.reserve(&header.encode(), &encoded), Err(Error::Record(_))));
}

#[test]
fn attack_c15_nonce_length_not_fixed() {
    // No nonce is on the wire: a record is header, metadata, chunks and tags, to the byte.
    let (host, device) = sessions();
    for bytes in [0, 1, 16384, 40_000] {
        let tensor = seal(&host, bytes);
        let expected = 64 + metadata(bytes).encode().len() as u64 + sealed_bytes(bytes as u64);
        assert_eq!(tensor.as_bytes().len() as u64, expected);
        device.decrypt_tensor(&tensor).unwrap();
    }
    // And the same tensor twice is two different ciphertexts all the same.
    assert_ne!(seal(&host, 100).body(), seal(&host, 100).body());
}

#[test]
fn attack_c28_metadata_travels_readable_and_bound() {
    // Readable on purpose, for routers and allocators; nothing of it can be changed, and the plaintext is not there.
    let (host, _) = sessions();
    let secret = b"a plaintext that must not be seen";
    let metadata = TensorMetadata::new("id", "visible.name", DType::U8, [secret.len() as u64]).unwrap();
    let tensor = host.encrypt_tensor(secret, &metadata).unwrap();
    let wire = tensor.as_bytes();
    let contains = |needle: &[u8]| wire.windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"visible.name"));
    assert!(!contains(&secret[..8]));
    assert_eq!(EncryptedTensor::from_bytes(wire).unwrap().metadata(), &metadata);
    for at in 64..tensor.body_start() {
        let (host, device) = sessions();
        let mut wire = host.encrypt_tensor(secret, &metadata).unwrap().as_bytes().to_vec();
        wire[at] ^= 1;
        let opened = EncryptedTensor::from_bytes(wire).and_then(|tensor| device.decrypt_tensor(&tensor));
        assert!(matches!(opened, Err(Error::Metadata(_) | Error::Record(_) | Error::Decryption)), "byte {at}");
    }
}

#[test]
fn attack_c29_two_gibibytes_refused_and_no_chunks() {
    let (host, device) = sessions();
    let bytes = (2u64 << 30) + 5;
    let metadata = TensorMetadata::new("id", "name", DType::U8, [bytes]).unwrap();
    let mut sealing = host.seal(&metadata).unwrap();
    assert_eq!(chunk_count(bytes), (1 << 17) + 1);
    let pending = device.reserve(&sealing.prelude()[..64], &sealing.prelude()[64..]).unwrap();
    assert_eq!(pending.body_bytes(), sealing.body_bytes());
    // In pieces of a bounded buffer, at no time the whole tensor. All of it only where time allows.
    let (plaintext, mut sealed) = (vec![7; 1 << 20], vec![0; 64 * 16400]);
    let mut at = 0;
    while let Some(piece) = sealing.next_piece(64) {
        let (from, to) = (piece.plaintext(), piece.sealed());
        assert_eq!(to.start, at);
        at = to.end;
        if full() || from.start == 0 || from.end == bytes {
            let (from, to) = ((from.end - from.start) as usize, (to.end - to.start) as usize);
            piece.seal(&plaintext[..from], &mut sealed[..to]).unwrap();
        }
    }
    assert_eq!(at, sealing.body_bytes());
    assert_eq!(sealing.finish().is_ok(), full());
    // The largest there can be has room in one epoch.
    assert_eq!(TensorMetadata::new("", "", DType::F64, [1u64 << 33]).unwrap().size_bytes(), 64 << 30);
    assert!(sessions().0.seal(&TensorMetadata::new("", "", DType::F64, [1u64 << 33]).unwrap()).is_ok());
}
