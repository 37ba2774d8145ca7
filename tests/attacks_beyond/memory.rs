//! A device that runs out of memory, and uploads that fall short, at each call.

use std::ops::Range;

use pqc_gpu_driver::{
    ChannelSession, DType, Error, TensorMetadata, block_on,
    channel::session::Pending,
    conformance::{Awkward, noise, read},
    device::{Device, Slot, SlotWriter},
    establish_channel,
    transfer::{Destination, Transfer},
};

use super::hoarder::Hoarder;

/// Each allocation in turn fails, once. What was not released is nowhere in the device's memory.
#[test]
fn beyond_out_of_memory_at_each_allocation() {
    // Letters, so that ciphertext cannot pass for them.
    let texts = [b"first tensor, at dawn;", b"second one, at dawn;  ", b"the third one, dawn;  "];
    for call in 0..1000 {
        let device = Hoarder::out_of_memory_at(call);
        let (host, guest) = establish_channel("host", "device").unwrap();
        let mut transfer = Transfer::new(&device);
        let mut queued = 0;
        for text in texts {
            let Ok((pending, body)) = deliver(&host, &guest, &text.repeat(2000)) else { break };
            if let Err(error) = block_on(transfer.begin_open_bytes(pending, &body)) {
                assert!(matches!(error, Error::Backend(_)), "{error}");
                break;
            }
            queued += 1;
        }
        let results = block_on(transfer.settle());
        assert_eq!(results.len(), queued);
        let released = results.iter().take_while(|result| result.is_ok()).count();
        for result in &results[released..] {
            let device_failed = matches!(result, Err(Error::Backend(_) | Error::ChannelFailed));
            assert!(device_failed, "allocation {call} failed: released after it, or taken for an attack");
        }
        for (i, text) in texts.iter().enumerate() {
            assert_eq!(device.finds(*text), i < released, "allocation {call} failed: tensor {i}");
        }
        if released == texts.len() {
            let sealed = block_on(transfer.seal(&guest, results[0].as_ref().unwrap(), |_| Ok(())));
            assert_eq!(sealed.is_ok(), guest.is_valid(), "a seal that failed ends the session");
            if sealed.is_ok() {
                assert!(call > 5, "the scenario allocates rarely: {call}");
                return;
            }
        } else {
            assert!(!guest.is_valid(), "allocation {call} failed: the session goes on");
        }
    }
    panic!("the scenario does not end");
}

/// The source fails at each piece in turn, or gives half of it and says nothing.
#[test]
fn beyond_short_upload_at_each_piece() {
    for silent in [false, true] {
        for piece in 0..100 {
            let device = Awkward::new();
            let (host, guest) = establish_channel("host", "device").unwrap();
            let buffer = device.alloc(300_032).unwrap();
            let mut transfer = Transfer::new(&device);
            let (before, before_body) = deliver(&host, &guest, &noise(1, 50_000)).unwrap();
            block_on(transfer.begin_open_bytes(before, &before_body)).unwrap();
            let (pending, body) = deliver(&host, &guest, &noise(2, 300_000)).unwrap();
            let mut pieces = 0;
            let source = |range: Range<u64>, slot: &mut <Awkward as Device>::Slot| {
                pieces += 1;
                let bytes = &body[range.start as usize..range.end as usize];
                let short = pieces - 1 == piece;
                if short && !silent {
                    return Err(Error::Truncated);
                }
                let given = if short { &bytes[..bytes.len() / 2] } else { bytes };
                slot.writers(&[bytes.len() as u64])?[0].write(0, given)
            };
            let queued = block_on(transfer.begin_open(pending, Destination::Buffer(&buffer, 0), source));
            let mut results = block_on(transfer.settle());
            assert!(results.remove(0).is_ok(), "the tensor before it is none the worse");
            let seen = block_on(read(&device, &buffer, 0..300_000));
            if pieces <= piece {
                assert!(queued.is_ok() && results.remove(0).is_ok() && seen == noise(2, 300_000));
                assert!(pieces > 5, "the scenario uploads in few pieces: {pieces}");
                break;
            }
            if silent {
                assert_eq!(results.remove(0).err(), Some(Error::Decryption), "piece {piece}");
            } else {
                assert_eq!(queued, Err(Error::Truncated), "piece {piece}");
            }
            assert!(results.is_empty() && !guest.is_valid());
            assert!(seen.iter().all(|&byte| byte == 0), "piece {piece}: plaintext came out");
            assert!(piece < 99, "the scenario does not end");
        }
    }
}

fn deliver(host: &ChannelSession, guest: &ChannelSession, plaintext: &[u8]) -> Result<(Pending, Vec<u8>), Error> {
    let metadata = TensorMetadata::new("id", "name", DType::U8, [plaintext.len() as u64])?;
    let sealed = host.encrypt_tensor(plaintext, &metadata)?;
    let (header, rest) = sealed.as_bytes().split_at(64);
    let (encoded, body) = rest.split_at(metadata.encode().len());
    Ok((guest.reserve(header, encoded)?, body.to_vec()))
}
