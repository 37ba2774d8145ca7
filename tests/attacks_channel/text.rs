//! Metadata in forms that a lenient reader takes for something else, or trips over.

use pqc_gpu_driver::{DType, EncryptedTensor, Error, TensorMetadata, channel::record::RecordHeader, identity::KeyId};

use super::common::*;

/// The map {1: "id", 2: "n", 3: type, 4: shape}, with its last two values as given.
fn map(dtype: &[u8], shape: &[u8]) -> Vec<u8> {
    [&[0xa4, 1, 0x62][..], b"id", &[2, 0x61], b"n", &[3], dtype, &[4], shape].concat()
}

const U8: &[u8] = &[0x62, b'U', b'8'];

/// Refused as metadata, in a record as a whole, and by a session that reserves a place; nobody panics.
#[track_caller]
fn assert_refused(encoded: &[u8]) {
    assert!(matches!(TensorMetadata::decode(encoded), Err(Error::Metadata(_))), "{encoded:x?}");
    let (host, device) = sessions();
    let header = RecordHeader { metadata_bytes: encoded.len() as u32, ..seal(&host, 5).header().clone() };
    let wire = [&header.encode()[..], encoded, &[0; 21]].concat();
    assert!(matches!(EncryptedTensor::from_bytes(wire), Err(Error::Metadata(_))));
    assert!(matches!(device.reserve(&header.encode(), encoded), Err(Error::Metadata(_))));
    assert!(!device.is_valid());
}

#[test]
fn attack_c11_negative_or_bogus_shape() {
    assert!(TensorMetadata::decode(&map(U8, &[0x81, 5])).is_ok(), "what the others are derived from");
    let bogus: [&[u8]; 12] = [
        &[0x81, 0x20],                                                    // [-1]
        &[0x82, 0x24, 0x20],                                              // [-5, -1], whose product is 5
        &[0x81, 0xf9, 0x45, 0x00],                                        // [5.0]
        &[0x81, 0xf6],                                                    // [null]
        &[0x81, 0xf5],                                                    // [true]
        &[0x81, 0x81, 5],                                                 // [[5]]
        &[5],                                                             // 5
        &[0x61, b'5'],                                                    // "5"
        &[0x81, 0xc2, 0x41, 5],                                           // [bignum 5]
        &[0x82, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], // overflows
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],          // 2^64 - 1 extents announced
        &[0x81, 0x1b, 0, 0, 0, 0x10, 0, 0, 0, 1],                         // 64 GiB and a byte
    ];
    for shape in bogus {
        assert_refused(&map(U8, shape));
    }
    assert_refused(&map(U8, &[&[0x98, 65][..], &[1; 65]].concat()));
}

#[test]
fn attack_c12_malleable_wire_form() {
    // One tensor has one encoding: no other form of the same value, no text for numbers, nothing unknown, nothing twice.
    let good = TensorMetadata::new("id", "n", DType::U8, [5]).unwrap().encode();
    assert_eq!(good, map(U8, &[0x81, 5]));
    for shape in [&[0x81, 0x18, 5][..], &[0x81, 0x19, 0, 5], &[0x81, 0x1a, 0, 0, 0, 5], &[0x98, 1, 5], &[0x9f, 5, 0xff]]
    {
        assert_refused(&map(U8, shape));
    }
    // "1_0" and 1.9 for integers.
    assert_refused(&map(U8, &[0x81, 0x63, b'1', b'_', b'0']));
    assert_refused(&map(U8, &[0x81, 0xfb, 0x3f, 0xfe, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66]));
    // Type names in other letters, other names of them, with spaces, as bytes.
    for dtype in [&b"\x62u8"[..], b"\x65uint8", b"\x63U8 ", b"\x63 U8", b"\x42U8", b"\x78\x02U8", b"\x7f\x62U8\xff"] {
        assert_refused(&map(dtype, &[0x81, 5]));
    }
    // An unknown field, a field twice, fields in another order, a tag around it all, something after it.
    assert_refused(&[&[0xa5], &good[1..], &[5, 0]].concat());
    assert_refused(&[&[0xa5], &good[1..], &[4, 0x81, 5]].concat());
    assert_refused(&[&[0xa4, 2, 0x61, b'n', 1, 0x62, b'i', b'd', 3], U8, &[4, 0x81, 5]].concat());
    assert_refused(&[&[0xd9, 0xd9, 0xf7], &good[..]].concat());
    assert_refused(&[&good[..], &[0xf6]].concat());
    assert_refused(&[&[0xbf], &good[1..], &[0xff]].concat());
    // The one textual form there is, the DID, has no variants either.
    let did = identities()[0].public_key().key_id().did();
    let hex = &did["did:pqaid:".len()..];
    for other in [did.to_uppercase(), format!("did:pqaid:{}", hex.to_uppercase()), format!("{did} "), format!(" {did}")]
    {
        assert!(other.parse::<KeyId>().is_err());
    }
}

#[test]
fn attack_c20_lone_surrogate_crashes_the_receiver() {
    // U+D800 as a lenient encoder writes it, and other bytes that are no UTF-8, in every text.
    for text in [&[0x63, 0xed, 0xa0, 0x80][..], &[0x62, 0xc0, 0x80], &[0x61, 0xff], &[0x64, 0xf4, 0x90, 0x80, 0x80]] {
        assert_refused(&[&[0xa4, 1], text, &[2, 0x60, 3], U8, &[4, 0x81, 5]].concat());
        assert_refused(&[&[0xa4, 1, 0x60, 2], text, &[3], U8, &[4, 0x81, 5]].concat());
        assert_refused(&map(text, &[0x81, 5]));
    }
    // What is UTF-8 passes, whatever it looks like.
    let (host, device) = sessions();
    let strange = TensorMetadata::new("\u{202e}\0", "🧠\u{fffd}\u{10ffff}", DType::U8, [1]).unwrap();
    let tensor = host.encrypt_tensor(&[9], &strange).unwrap();
    let read = EncryptedTensor::from_bytes(tensor.as_bytes()).unwrap();
    assert_eq!(read.metadata(), &strange);
    assert_eq!(device.decrypt_tensor(&read).unwrap(), [9]);
}

#[test]
fn attack_c21_a_missing_field_crashes_the_receiver() {
    let fields: [&[u8]; 4] = [&[1, 0x62, b'i', b'd'], &[2, 0x61, b'n'], &[3, 0x62, b'U', b'8'], &[4, 0x81, 5]];
    for mask in 0..15u32 {
        let kept: Vec<&[u8]> = (0..4).filter(|i| mask & 1 << i != 0).map(|i| fields[i]).collect();
        assert_refused(&[&[0xa0 + kept.len() as u8], &kept.concat()[..]].concat());
        // The map still says four.
        assert_refused(&[&[0xa4], &kept.concat()[..]].concat());
    }
    let (host, device) = sessions();
    let tensor = seal(&host, 20_000);
    for length in 0..tensor.as_bytes().len() {
        assert!(EncryptedTensor::from_bytes(&tensor.as_bytes()[..length]).is_err());
    }
    assert_eq!(device.decrypt_tensor(&tensor).unwrap(), content(20_000));
}
