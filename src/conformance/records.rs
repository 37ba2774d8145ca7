//! Records: sessions and devices together, many tensors at a time.

use super::{noise, read, write};
use crate::{
    ChannelSession, DType, EncryptedTensor, Error, TensorMetadata,
    channel::{message::SessionPolicy, record::HEADER_BYTES, session::Pending},
    device::{Device, Slot, SlotWriter},
    establish_channel, establish_channel_with,
    transfer::{Backend, Destination, DeviceTensor, Transfer},
};

/// Every length around the boundaries: host seals, device opens, device seals, host opens.
pub async fn boundary_records<D: Device>(device: &D) {
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let mut transfer = Transfer::new(device);
    for (i, length) in [0, 1, 15, 16, 17, 16383, 16384, 16385, 49_152, 100_001].into_iter().enumerate() {
        let plaintext = noise(i as u64, length);
        let (pending, body) = deliver(&host, &guest, &plaintext);
        let tensor = transfer.open(pending, &body).await.expect("opens");
        assert!(bytes_of(device, &tensor).await == plaintext, "{length} bytes");
        assert_eq!(returned(&mut transfer, &host, &guest, &tensor).await, Ok(plaintext));
    }
}

/// Bodies around what one binding takes, where the launches are split: a last split may be one empty chunk. An altered
/// chunk in any split keeps all of them closed.
pub async fn split_bodies<D: Device>(device: &D) {
    let (mut host, mut guest) = establish_channel("host", "device").expect("a channel");
    let mut transfer = Transfer::new(device);
    // 16 chunks are the least that is split; a device with large bindings does not split this, and that is right too.
    let split = 16 * 16_384;
    let buffer = device.alloc(1 << 20).expect("allocates");
    for (i, length) in [split - 1, split, split + 1, 2 * split, 2 * split + 20_000].into_iter().enumerate() {
        let plaintext = noise(i as u64, length);
        let (pending, body) = deliver(&host, &guest, &plaintext);
        let tensor = transfer.open(pending, &body).await.expect("opens");
        assert!(bytes_of(device, &tensor).await == plaintext, "{length} bytes");
        assert!(returned(&mut transfer, &host, &guest, &tensor).await == Ok(plaintext.clone()), "{length} bytes back");

        for at in [0, 15 * 16_400, body.len() / 2, body.len() - 1] {
            write(device, &buffer, 0, &noise(77, length)).await;
            let (pending, mut body) = deliver(&host, &guest, &plaintext);
            body[at] ^= 4;
            queue_into(&mut transfer, pending, &body, &buffer, 0).await;
            assert_eq!(transfer.settle().await.pop().expect("one").err(), Some(Error::Decryption), "{length}, {at}");
            assert!(read(device, &buffer, 0..length as u64).await.iter().all(|&byte| byte == 0), "{length}, {at}");
            (host, guest) = establish_channel("host", "device").expect("a channel");
        }
    }
}

/// More tensors than one batch judges, and one larger than the staging ring.
pub async fn many_in_flight<D: Device>(device: &D) {
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let mut transfer = Transfer::new(device);
    let large = device.info().staging_bytes() as usize + 12_345;
    let lengths: Vec<usize> = (0..300).map(|i| (i * 37) % 400).chain([large, 5]).collect();
    for (i, &length) in lengths.iter().enumerate() {
        let (pending, body) = deliver(&host, &guest, &noise(i as u64, length));
        transfer.begin_open_bytes(pending, &body).await.expect("queues");
    }
    let results = transfer.settle().await;
    assert_eq!(results.len(), lengths.len());
    for (i, (result, length)) in results.into_iter().zip(lengths).enumerate() {
        let tensor = result.unwrap_or_else(|error| panic!("tensor {i} of {length} bytes: {error}"));
        assert!(bytes_of(device, &tensor).await == noise(i as u64, length), "tensor {i}");
    }
    assert!(guest.is_valid());
}

/// One altered tensor in a batch: those before it are released, it and all after it are errors, and zeros in their
/// callers' buffers.
pub async fn one_bad_tensor_in_a_batch<D: Device>(device: &D) {
    for bad in [0, 3, 7] {
        let (host, guest) = establish_channel("host", "device").expect("a channel");
        let mut transfer = Transfer::new(device);
        let stride = 65_536u64;
        let buffer = device.alloc(8 * stride).expect("allocates");
        write(device, &buffer, 0, &noise(9, 8 * stride as usize)).await;
        for i in 0..8u64 {
            let (pending, mut body) = deliver(&host, &guest, &noise(i, 40_000));
            if i == bad {
                body[20_000] ^= 1;
            }
            queue_into(&mut transfer, pending, &body, &buffer, i * stride).await;
        }
        let results = transfer.settle().await;
        for (i, result) in (0..8u64).zip(results) {
            let seen = read(device, &buffer, i * stride..i * stride + 40_000).await;
            if i < bad {
                assert!(result.is_ok() && seen == noise(i, 40_000), "tensor {i} before {bad}");
            } else {
                let expected = if i == bad { Error::Decryption } else { Error::ChannelFailed };
                assert_eq!(result.err(), Some(expected), "tensor {i}, {bad} is bad");
                assert!(seen.iter().all(|&byte| byte == 0), "tensor {i}, {bad} is bad: the output is not zero");
            }
            // Nothing beside the tensors was touched.
            let beside = i * stride + 40_000..(i + 1) * stride;
            let noise = noise(9, 8 * stride as usize);
            assert!(read(device, &buffer, beside.clone()).await == noise[beside.start as usize..beside.end as usize]);
        }
        assert!(!guest.is_valid());
        assert!(guest.encrypt_tensor(&[0], &metadata(1)).is_err(), "a failed session seals nothing");
    }
}

/// The last chunk of a large tensor is altered: none of the many good ones comes out.
pub async fn last_chunk_of_a_large_tensor<D: Device>(device: &D) {
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let mut transfer = Transfer::new(device);
    let length = 6_000_000;
    let buffer = device.alloc(length as u64).expect("allocates");
    let (pending, mut body) = deliver(&host, &guest, &noise(1, length));
    *body.last_mut().expect("a tag") ^= 1;
    queue_into(&mut transfer, pending, &body, &buffer, 0).await;
    assert_eq!(transfer.settle().await.pop().expect("one").err(), Some(Error::Decryption));
    assert!(read(device, &buffer, 0..length as u64).await.iter().all(|&byte| byte == 0));
}

/// Bodies that come in pieces with waits between, several sessions at a time: nobody holds what another waits for, and only
/// what has come whole is opened.
pub async fn arrivals<D: Device>(device: &D) {
    const CHUNK: usize = 16_400;
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let (others_host, others_guest) = establish_channel("host", "device").expect("a channel");
    let (mut transfer, mut others) = (Transfer::new(device), Transfer::new(device));
    for (i, length) in [0, 16_383, 16_384, 100_001, 6 * 16_384].into_iter().enumerate() {
        let plaintext = noise(i as u64, length);
        let (pending, body) = deliver(&host, &guest, &plaintext);
        let mut arrival = transfer.arrival(pending, Destination::Owned).await.expect("begins");
        for piece in body.chunks(2 * CHUNK) {
            // Each of these takes every slot there is, if it must.
            let (pending, other) = deliver(&others_host, &others_guest, &noise(7, 40_000));
            others.open(pending, &other).await.expect("opens meanwhile");
            if piece.len() > CHUNK {
                assert!(matches!(arrival.push(&piece[..CHUNK - 16]).await, Err(Error::Usage(_))), "not at a chunk");
            }
            arrival.push(piece).await.expect("arrives");
        }
        assert_eq!(arrival.missing_bytes(), 0);
        assert!(matches!(arrival.push(&[0]).await, Err(Error::Record(_))), "longer than announced");
        arrival.finish().expect("queues");
        let tensor = transfer.settle().await.pop().expect("one").expect("opens");
        assert!(bytes_of(device, &tensor).await == plaintext, "{length} bytes");
    }
    // An altered piece, and one that never comes.
    for altered in [true, false] {
        let (host, guest) = establish_channel("host", "device").expect("a channel");
        let (pending, mut body) = deliver(&host, &guest, &noise(1, 50_000));
        body[20_000] ^= u8::from(altered);
        let mut arrival = transfer.arrival(pending, Destination::Owned).await.expect("begins");
        arrival.push(&body[..CHUNK]).await.expect("arrives");
        if altered {
            arrival.push(&body[CHUNK..]).await.expect("arrives");
            arrival.finish().expect("queues");
            assert_eq!(transfer.settle().await.pop().expect("one").err(), Some(Error::Decryption));
        } else {
            assert!(matches!(arrival.finish(), Err(Error::Usage(_))));
            assert!(transfer.settle().await.is_empty());
        }
        assert!(!guest.is_valid());
    }
    // The transfer is as good as new for others.
    let (pending, body) = deliver(&host, &guest, b"after");
    assert!(transfer.open(pending, &body).await.is_ok());
}

/// Into the caller's buffer at an offset, and nowhere else.
pub async fn callers_buffers<D: Device>(device: &D) {
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let mut transfer = Transfer::new(device);
    let buffer = device.alloc(65_536).expect("allocates");
    write(device, &buffer, 0, &[0x11; 65_536]).await;
    let (pending, body) = deliver(&host, &guest, &noise(1, 20_000));
    queue_into(&mut transfer, pending, &body, &buffer, 1024).await;
    let tensor = transfer.settle().await.pop().expect("one").expect("opens");
    assert_eq!(tensor.offset(), 1024);
    let seen = read(device, &buffer, 0..65_536).await;
    assert!(seen[..1024].iter().chain(&seen[21_024..]).all(|&byte| byte == 0x11));
    assert!(seen[1024..21_024] == noise(1, 20_000));

    // Nothing fits in where the buffer ends, but a tensor of nothing.
    let (pending, body) = deliver(&host, &guest, &[]);
    queue_into(&mut transfer, pending, &body, &buffer, 65_536).await;
    let tensor = transfer.settle().await.pop().expect("one").expect("opens");
    assert_eq!(returned(&mut transfer, &host, &guest, &tensor).await, Ok(Vec::new()));

    let (pending, body) = deliver(&host, &guest, &noise(1, 100));
    let refused = transfer.begin_open(pending, Destination::Buffer(&buffer, 1), source(&body)).await;
    assert!(matches!(refused, Err(Error::Usage(_))), "an unaligned offset");
}

/// The host changes its ciphertext after it was copied: what was verified is what is decrypted.
pub async fn source_changed_after_copy<D: Device>(device: &D) {
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let mut transfer = Transfer::new(device);
    let plaintext = noise(1, 100_000);
    let (pending, mut body) = deliver(&host, &guest, &plaintext);
    transfer.begin_open_bytes(pending, &body).await.expect("queues");
    body.fill(0xff);
    let tensor = transfer.settle().await.pop().expect("one").expect("opens");
    assert!(bytes_of(device, &tensor).await == plaintext);
}

/// Tensors queued and never settled are not released: the session ends, callers' buffers are cleared.
pub async fn abandoned_tensors<D: Device>(device: &D) {
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let mut transfer = Transfer::new(device);
    let buffer = device.alloc(16_384).expect("allocates");
    let (pending, body) = deliver(&host, &guest, &noise(1, 16_384));
    queue_into(&mut transfer, pending, &body, &buffer, 0).await;
    drop(transfer);
    assert!(read(device, &buffer, 0..16_384).await.iter().all(|&byte| byte == 0));
    assert!(!guest.is_valid());
}

/// Keys change between tensors in flight; each is opened under its own.
pub async fn rekeying<D: Device>(device: &D) {
    let policy = SessionPolicy { log2_chunks: 23, ..SessionPolicy::default() };
    let (host, guest) = establish_channel_with("host", "device", policy).expect("a channel");
    let mut transfer = Transfer::new(device);
    for i in 0..10 {
        let (pending, body) = deliver(&host, &guest, &noise(i, 1000));
        transfer.begin_open_bytes(pending, &body).await.expect("queues");
        guest.receive_control(&host.update_key().expect("updates")).expect("follows");
    }
    let tensors = transfer.settle().await;
    for (i, tensor) in tensors.into_iter().enumerate() {
        let tensor = tensor.expect("opens");
        assert!(bytes_of(device, &tensor).await == noise(i as u64, 1000));
        host.receive_control(&guest.update_key().expect("updates")).expect("follows");
        assert_eq!(returned(&mut transfer, &host, &guest, &tensor).await, Ok(noise(i as u64, 1000)));
    }
}

/// Upload, download, free: ciphertext in, the same ciphertext out.
pub async fn carried_ciphertext<D: Device>(device: &D) {
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let backend = Backend::new(device);
    assert_eq!(backend.device_info(), device.info());
    let sealed = host.encrypt_tensor(&noise(1, 50_000), &metadata(50_000)).expect("seals");
    let handle = backend.upload(&sealed).await.expect("uploads");
    let pulled = backend.download(handle).await.expect("downloads");
    assert!(pulled == sealed);
    assert!(guest.decrypt_tensor(&pulled).expect("opens") == noise(1, 50_000));
    backend.free(handle).await.expect("frees");
    assert!(matches!(backend.download(handle).await, Err(Error::Usage(_))));
    assert!(matches!(backend.free(handle).await, Err(Error::Usage(_))));
}

/// The device tells how many kernels it ran, so that no other path can answer for it.
pub async fn launches_are_counted<D: Device>(device: &D) {
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let mut transfer = Transfer::new(device);
    let before = device.launches();
    let (pending, body) = deliver(&host, &guest, &noise(1, 100));
    transfer.open(pending, &body).await.expect("opens");
    assert!(device.launches() >= before + 4, "expand_key, verify, finalize, open");
}

fn metadata(bytes: usize) -> TensorMetadata {
    TensorMetadata::new("id", "name", DType::U8, [bytes as u64]).expect("valid")
}

/// Seals at the host and reserves at the other end.
fn deliver(host: &ChannelSession, guest: &ChannelSession, plaintext: &[u8]) -> (Pending, Vec<u8>) {
    let metadata = metadata(plaintext.len());
    let sealed = host.encrypt_tensor(plaintext, &metadata).expect("seals");
    let (header, rest) = sealed.as_bytes().split_at(HEADER_BYTES);
    let (encoded, body) = rest.split_at(metadata.encode().len());
    (guest.reserve(header, encoded).expect("is next"), body.to_vec())
}

pub(super) fn source<S: Slot>(body: &[u8]) -> impl FnMut(core::ops::Range<u64>, &mut S) -> crate::Result<()> {
    |range, slot| {
        // In two parts, as two threads would.
        let bytes = &body[range.start as usize..range.end as usize];
        let (first, second) = bytes.split_at(bytes.len() / 3);
        let mut writers = slot.writers(&[first.len() as u64, second.len() as u64])?;
        writers[1].write(0, second)?;
        writers[0].write(0, first)
    }
}

async fn queue_into<D: Device>(
    transfer: &mut Transfer<&D>,
    pending: Pending,
    body: &[u8],
    buffer: &D::Buffer,
    offset: u64,
) {
    transfer.begin_open(pending, Destination::Buffer(buffer, offset), source(body)).await.expect("queues");
}

pub(super) async fn bytes_of<D: Device>(device: &D, tensor: &DeviceTensor<&D>) -> Vec<u8> {
    let range = tensor.offset()..tensor.offset() + tensor.metadata().size_bytes();
    read(device, tensor.buffer(), range).await
}

/// Seals on the device and opens at the host.
async fn returned<'d, D: Device>(
    transfer: &mut Transfer<&'d D>,
    host: &ChannelSession,
    guest: &ChannelSession,
    tensor: &DeviceTensor<&'d D>,
) -> crate::Result<Vec<u8>> {
    let mut wire = Vec::new();
    let sink = |bytes: &[u8]| {
        wire.extend(bytes);
        Ok(())
    };
    transfer.seal(guest, tensor, sink).await?;
    host.decrypt_tensor(&EncryptedTensor::from_bytes(wire)?)
}
