//! Tensors of sealed files: each under a key of its own, with its root compared or not, whole or by rows.

use core::{
    pin::pin,
    task::{Context, Waker},
};

use super::{
    noise, read,
    records::{bytes_of, source},
    write,
};
use crate::{
    DType, Error, TensorMetadata,
    device::{CpuDevice, Device},
    establish_channel, ops,
    sealed::{Roots, SealedBody, cobblestone, tree},
    transfer::{
        Destination, Origin, Transfer,
        hazmat::{BodyParams, seal_body},
    },
};

const CHUNK: usize = 16_400;

/// Every length around the boundaries, with the root and without.
pub async fn boundary_bodies<D: Device>(device: &D) {
    let mut transfer = Transfer::new(device);
    for (i, length) in [0, 1, 15, 16, 135, 136, 137, 16_383, 16_384, 16_385].into_iter().enumerate() {
        let file = Sample::bytes(i as u8, length).await;
        for (roots, origin) in [(Roots::Check, Origin::Publisher), (Roots::Skip, Origin::AnyRecipient)] {
            let tensor = transfer.open_sealed(&file.body.whole(roots), &file.sealed).await.expect("opens");
            assert!(bytes_of(device, &tensor).await == file.plaintext, "{length} bytes");
            assert_eq!((tensor.metadata(), tensor.origin()), (file.body.metadata(), origin));
        }
    }
}

/// Any number of chunks, more than one binding takes and more than one workgroup hashes: the root holds, and none of its bits can be another.
pub async fn roots_over_many_chunks<D: Device>(device: &D) {
    let mut transfer = Transfer::new(device);
    for (i, chunks) in [2, 3, 5, 8, 9, 16, 17, 33, 129, 300].into_iter().enumerate() {
        let file = Sample::bytes(i as u8, (chunks - 1) * 16_384 + 77 * i).await;
        transfer.begin_open_sealed_bytes(&file.body.whole(Roots::Check), &file.sealed).await.expect("queues");
        let wrong = file.with_root(|root| root[31 - i] ^= 0x80);
        transfer.begin_open_sealed_bytes(&wrong.whole(Roots::Check), &file.sealed).await.expect("queues");
        let mut results = transfer.settle().await;
        assert_eq!(results.pop().expect("two").err(), Some(Error::Decryption), "{chunks} chunks");
        let tensor = results.pop().expect("two").expect("opens");
        assert!(bytes_of(device, &tensor).await == file.plaintext, "{chunks} chunks");
    }
}

/// What a recipient, who has the key, puts in place of a tensor has good tags: it is the root that keeps it out.
pub async fn recipients_cannot_alter<D: Device>(device: &D) {
    let mut transfer = Transfer::new(device);
    let buffer = device.alloc(1 << 20).expect("allocates");
    let file = Sample::bytes(1, 100_000).await;
    for chunk in [0, 3, 6] {
        let mut altered = file.plaintext.clone();
        altered[chunk * 16_384 + 5] ^= 1;
        let sealed = file.seal(&altered).await;
        write(device, &buffer, 0, &noise(3, 100_000)).await;
        queue(&mut transfer, &file.body, Roots::Check, &sealed, Destination::Buffer(&buffer, 0)).await;
        assert_eq!(transfer.settle().await.pop().expect("one").err(), Some(Error::Decryption));
        assert!(read(device, &buffer, 0..100_000).await.iter().all(|&byte| byte == 0), "zeros");
        // Who asks not to compare it gets it, and is told.
        let tensor = transfer.open_sealed(&file.body.whole(Roots::Skip), &sealed).await.expect("opens");
        assert!(bytes_of(device, &tensor).await == altered);
        assert_eq!(tensor.origin(), Origin::AnyRecipient);
        let some = ops::slice(transfer.device(), &tensor, core::slice::from_ref(&(3..9_000))).await.expect("slices");
        assert_eq!(some.origin(), Origin::AnyRecipient, "and of what is made of it");
    }
}

/// Altered in any part, cut, or with chunks exchanged, nothing opens, whether or not the root is compared.
pub async fn altered_sealed_bodies<D: Device>(device: &D) {
    let mut transfer = Transfer::new(device);
    let file = Sample::bytes(1, 50_000).await;
    let other = Sample::bytes(2, 50_000).await;
    let mut exchanged = file.sealed.clone();
    exchanged[..2 * CHUNK].rotate_left(CHUNK);
    let flipped = [0, CHUNK - 1, 2 * CHUNK + 9, file.sealed.len() - 1].map(|at| {
        let mut flipped = file.sealed.clone();
        flipped[at] ^= 2;
        flipped
    });
    for roots in [Roots::Check, Roots::Skip] {
        for wrong in flipped.iter().chain([&exchanged, &other.sealed]) {
            let opened = transfer.open_sealed(&file.body.whole(roots), wrong).await;
            assert_eq!(opened.err(), Some(Error::Decryption), "{roots:?}");
        }
        let short = transfer.open_sealed(&file.body.whole(roots), &file.sealed[1..]).await;
        assert!(matches!(short, Err(Error::Usage(_))));
        // The root of one tensor and the tags of the other do not make up for each other.
        let mixed = other.with_root(|root| *root = *file.body.root());
        assert_eq!(transfer.open_sealed(&mixed.whole(roots), &file.sealed).await.err(), Some(Error::Decryption));
    }
    let mixed = other.with_root(|root| *root = *file.body.root());
    assert_eq!(transfer.open_sealed(&mixed.whole(Roots::Check), &other.sealed).await.err(), Some(Error::Decryption));
}

/// In a batch of sealed tensors and records each has its own verdict: what fails is zeros and an error, and nobody else's.
pub async fn each_for_itself<D: Device>(device: &D) {
    let (host, guest) = establish_channel("host", "device").expect("a channel");
    let mut transfer = Transfer::new(device);
    let stride = 65_536;
    let buffer = device.alloc(9 * stride).expect("allocates");
    let mut files = Vec::new();
    for i in 0..9u8 {
        let mut file = Sample::bytes(i, 40_000).await;
        file.sealed[CHUNK] ^= u8::from(i % 3 == 1);
        files.push(file);
    }
    let metadata = TensorMetadata::new("r", "record", DType::U8, [300]).expect("valid");
    for (i, file) in files.iter().enumerate() {
        let to = Destination::Buffer(&buffer, i as u64 * stride);
        queue(&mut transfer, &file.body, if i < 5 { Roots::Check } else { Roots::Skip }, &file.sealed, to).await;
        let record = host.encrypt_tensor(&noise(i as u64, 300), &metadata).expect("seals");
        let pending = guest.reserve(&record.as_bytes()[..64], &metadata.encode()).expect("reserves");
        let body = &record.as_bytes()[64 + metadata.encode().len()..];
        transfer.begin_open_bytes(pending, body).await.expect("queues");
    }
    let results = transfer.settle().await;
    assert_eq!(results.len(), 18);
    for (i, result) in results.iter().enumerate() {
        let good = i % 2 == 1 || i / 2 % 3 != 1;
        assert_eq!(result.as_ref().err(), (!good).then_some(&Error::Decryption), "result {i}");
        if let (1, Ok(tensor)) = (i % 2, result) {
            assert_eq!(tensor.origin(), Origin::Peer);
        }
    }
    assert!(guest.is_valid(), "a sealed file's failure ends no session");
    for (i, file) in files.iter().enumerate() {
        let seen = read(device, &buffer, i as u64 * stride..i as u64 * stride + 40_000).await;
        let expected = if i % 3 == 1 { vec![0; 40_000] } else { file.plaintext.clone() };
        assert!(seen == expected, "tensor {i}");
    }
}

/// Rows out of the middle, at any offset in their chunks, whole chunks or parts of them, into memory of the library's own or the caller's.
pub async fn rows_of_a_tensor<D: Device>(device: &D) {
    let mut transfer = Transfer::new(device);
    let stride = 1 << 20;
    let buffer = device.alloc(stride).expect("allocates");
    for (dtype, extents) in [
        (DType::U8, vec![10_007, 7]),
        (DType::BF16, vec![3000, 11]),
        (DType::F32, vec![200, 5, 41]),
        (DType::F64, vec![40, 1024]),
        (DType::U8, vec![24, 16_384]),
        (DType::U8, vec![2, 300_000]),
        (DType::U8, vec![20_000]),
    ] {
        let file = Sample::new(7, dtype, &extents).await;
        let rows = extents[0];
        let row = (file.plaintext.len() as u64) / rows;
        let some = [
            0..rows,
            0..1,
            rows - 1..rows,
            rows / 3..rows / 2,
            1..rows,
            0..rows - 1,
            rows / 2..rows / 2,
            0..0,
            rows..rows,
        ];
        for wanted in some {
            let part = file.body.rows(wanted.clone(), Roots::Skip).expect("rows");
            let sealed = part.sealed();
            let sealed = &file.sealed[sealed.start as usize..sealed.end as usize];
            let expected = &file.plaintext[(wanted.start * row) as usize..(wanted.end * row) as usize];
            let tensor = transfer.open_sealed(&part, sealed).await.expect("opens");
            assert_eq!(tensor.metadata().shape().extents()[0], wanted.end - wanted.start);
            assert_eq!(tensor.origin(), Origin::AnyRecipient);
            assert!(bytes_of(device, &tensor).await == expected, "{extents:?}, rows {wanted:?}");

            // Into the caller's buffer, and nowhere beside.
            write(device, &buffer, 0, &vec![0x11; stride as usize]).await;
            let to = Destination::Buffer(&buffer, 1024);
            transfer.begin_open_sealed(&part, to, source(sealed)).await.expect("queues");
            transfer.settle().await.pop().expect("one").expect("opens");
            let seen = read(device, &buffer, 0..stride).await;
            let end = 1024 + expected.len();
            assert!(seen[1024..end] == *expected, "{extents:?}, rows {wanted:?}");
            assert!(seen[..1024].iter().chain(&seen[end..]).all(|&byte| byte == 0x11), "{extents:?}, rows {wanted:?}");

            // One bit of one of its chunks, and all is zeros.
            let mut altered = sealed.to_vec();
            let at = altered.len() / 2;
            altered[at] ^= 1;
            let to = Destination::Buffer(&buffer, 1024);
            transfer.begin_open_sealed(&part, to, source(&altered)).await.expect("queues");
            assert_eq!(transfer.settle().await.pop().expect("one").err(), Some(Error::Decryption));
            assert!(read(device, &buffer, 1024..end as u64).await.iter().all(|&byte| byte == 0));
        }
    }
    // The chunks of other rows are not those.
    let file = Sample::new(8, DType::U8, &[6, 16_384]).await;
    let part = file.body.rows(2..4, Roots::Skip).expect("rows");
    let opened = transfer.open_sealed(&part, &file.sealed[CHUNK..3 * CHUNK]).await;
    assert_eq!(opened.err(), Some(Error::Decryption));
}

/// Several tensors that come piece by piece, in turns; what failed or was dropped on the way can be pushed again, at any time.
pub async fn sealed_arrivals<D: Device>(device: &D) {
    let (mut transfer, mut other) = (Transfer::new(device), Transfer::new(device));
    let mut files = Vec::new();
    for (i, length) in [100_000, 5, 16_384, 200_000].into_iter().enumerate() {
        files.push(Sample::bytes(i as u8, length).await);
    }
    let mut arrivals = Vec::new();
    for file in &files {
        let arrival = transfer.sealed_arrival(&file.body.whole(Roots::Check), Destination::Owned).await;
        arrivals.push(arrival.expect("begins"));
    }
    for round in 0..20 {
        for (file, arrival) in files.iter().zip(&mut arrivals) {
            let from = file.sealed.len() - arrival.missing_bytes() as usize;
            let piece = &file.sealed[from..file.sealed.len().min(from + 2 * CHUNK)];
            if piece.len() > CHUNK {
                assert!(matches!(arrival.push(&mut transfer, &piece[..CHUNK - 1]).await, Err(Error::Usage(_))));
            }
            assert!(matches!(arrival.push(&mut other, piece).await, Err(Error::Usage(_))), "another's");
            let missing = arrival.missing_bytes();
            if round == 1 && !piece.is_empty() {
                // Looked at once and dropped: if it had waited, the piece has not arrived.
                let _ = pin!(arrival.push(&mut transfer, piece)).poll(&mut Context::from_waker(Waker::noop()));
            }
            if arrival.missing_bytes() == missing {
                arrival.push(&mut transfer, piece).await.expect("arrives");
            }
        }
        if round == 2 {
            // Others settle meanwhile.
            let file = Sample::bytes(99, 50_000).await;
            assert!(transfer.open_sealed(&file.body.whole(Roots::Check), &file.sealed).await.is_ok());
        }
    }
    for arrival in arrivals {
        assert_eq!(arrival.missing_bytes(), 0);
        arrival.finish(&mut transfer).expect("queues");
    }
    for (file, result) in files.iter().zip(transfer.settle().await) {
        assert!(bytes_of(device, &result.expect("opens")).await == file.plaintext);
    }
    // What has not come whole is not opened, and harms nobody.
    let mut unfinished =
        transfer.sealed_arrival(&files[0].body.whole(Roots::Check), Destination::Owned).await.expect("begins");
    unfinished.push(&mut transfer, &files[0].sealed[..CHUNK]).await.expect("arrives");
    assert!(matches!(unfinished.finish(&mut transfer), Err(Error::Usage(_))));
    assert!(transfer.settle().await.is_empty());
    assert!(transfer.open_sealed(&files[0].body.whole(Roots::Check), &files[0].sealed).await.is_ok());
}

/// More small tensors than one batch judges, each under its own key.
pub async fn many_small_bodies<D: Device>(device: &D) {
    let mut transfer = Transfer::new(device);
    let mut files = Vec::new();
    for i in 0..300 {
        files.push(Sample::bytes(i as u8, 5 * i % 97).await);
    }
    for file in &files {
        transfer.begin_open_sealed_bytes(&file.body.whole(Roots::Check), &file.sealed).await.expect("queues");
    }
    for (file, result) in files.iter().zip(transfer.settle().await) {
        assert!(bytes_of(device, &result.expect("opens")).await == file.plaintext);
    }
}

/// A sealed tensor, and what was sealed.
pub struct Sample {
    key: [u8; 32],
    /// What opens it.
    pub body: SealedBody,
    /// The tensor.
    pub plaintext: Vec<u8>,
    /// Its chunks.
    pub sealed: Vec<u8>,
}

impl Sample {
    /// So many bytes of noise.
    pub async fn bytes(seed: u8, length: usize) -> Self {
        Sample::new(seed, DType::U8, &[length as u64]).await
    }

    /// A tensor of noise.
    pub async fn new(seed: u8, dtype: DType, extents: &[u64]) -> Self {
        let metadata = TensorMetadata::new("0", "weights", dtype, extents.to_vec()).expect("valid");
        let plaintext = noise(u64::from(seed) + 1000, metadata.size_bytes() as usize);
        let key = [seed; 32];
        let body = SealedBody::new(metadata, derived(&key), [0; 32]);
        let mut file = Sample { key, body, plaintext, sealed: Vec::new() };
        file.sealed = file.seal(&file.plaintext).await;
        let root = tree::root(file.sealed.chunks(CHUNK).map(tree::leaf).collect());
        file.body = file.with_root(|to| *to = root);
        file
    }

    /// Other bytes under the same key and nonces: what a recipient can make.
    pub async fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let derived = self.body.derived();
        let params = BodyParams { key: &derived.key, nonce: *derived.base_nonce, aad: &[], chunk_bytes: 16_384 };
        seal_body(&CpuDevice::default(), params, plaintext).await.expect("seals")
    }

    /// The same with another root.
    pub fn with_root(&self, change: impl FnOnce(&mut tree::Node)) -> SealedBody {
        let mut root = *self.body.root();
        change(&mut root);
        SealedBody::new(self.body.metadata().clone(), derived(&self.key), root)
    }
}

fn derived(key: &[u8; 32]) -> cobblestone::Derived {
    cobblestone::derive(key, &[7; 24], b"context")
}

async fn queue<'d, D: Device>(
    transfer: &mut Transfer<&'d D>,
    body: &SealedBody,
    roots: Roots,
    sealed: &[u8],
    to: Destination<'_, &'d D>,
) {
    transfer.begin_open_sealed(&body.whole(roots), to, source(sealed)).await.expect("queues");
}
