use std::{
    fs,
    io::{Cursor, Read, Seek, SeekFrom, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
};

use pqc_gpu_driver::{
    Error, TrustPolicy, block_on,
    error::SealedFailure,
    sealed::{MappedFile, Roots, SealedModel, Sealing, SeekSource, Source, safetensors::SafetensorsModel, verify},
};

use crate::{bytes, identity, key, seal, trust, write_safetensors};

const TENSORS: [(&str, usize); 8] =
    [("a", 0), ("b", 100), ("c", 16384), ("d", 9_000_000), ("e", 40_000), ("f", 1), ("g", 20 << 20), ("h", 16383)];

fn model(directory: &std::path::Path) -> (Vec<u8>, Vec<u8>) {
    let path = directory.join("model.safetensors");
    let original = write_safetensors(&path, &TENSORS);
    let model = SafetensorsModel::open(&path).unwrap();
    (original, seal(&model.plain().unwrap(), &[key(&identity(2)), key(&identity(3))]))
}

fn opens(source: impl Source, seed: u8, original: &[u8]) {
    let model = block_on(SealedModel::open(source, &identity(seed), &trust(), 7)).unwrap();
    let (mut out, mut seen) = (Vec::new(), 0);
    let roots = block_on(model.write_file(0, &mut out, Roots::Check, |bytes| seen += bytes)).unwrap();
    assert_eq!((roots, seen), (Roots::Check, model.manifest().tensor_bytes()));
    assert!(out == original);
    assert!(block_on(model.write_file(1, &mut out, Roots::Check, |_| ())).is_err());
    assert!(block_on(model.open_tensor(8, Roots::Check)).is_err());
}

#[test]
fn files_come_back_bit_for_bit_from_every_source() {
    let directory = tempfile::tempdir().unwrap();
    let (original, sealed) = model(directory.path());
    let at = directory.path().join("sealed");
    fs::write(&at, &sealed).unwrap();
    opens(&sealed[..], 2, &original);
    opens(Arc::new(sealed.clone()), 3, &original);
    opens(MappedFile::open(&at).unwrap(), 2, &original);
    opens(SeekSource::new(fs::File::open(&at).unwrap()).unwrap(), 3, &original);
    opens(SeekSource::new(Cursor::new(sealed.clone())).unwrap(), 2, &original);
    opens(Slow::new(&sealed, 5), 2, &original);

    let mut seen = 0;
    let verified = block_on(verify(&sealed, &TrustPolicy::AcceptAny, 0, |bytes| seen += bytes)).unwrap();
    assert!(!verified.publisher_is_pinned());
    assert_eq!(verified.recipients().len(), 2);
    assert_eq!(seen, verified.manifest().tensors().iter().map(|tensor| tensor.sealed_bytes()).sum::<u64>());
}

/// Every read is pending twice before it is done, as over a network; counts how many are under way.
struct Slow<'a> {
    file: &'a [u8],
    in_flight: usize,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl<'a> Slow<'a> {
    fn new(file: &'a [u8], in_flight: usize) -> Self {
        Slow { file, in_flight, now: AtomicUsize::new(0), most: AtomicUsize::new(0) }
    }
}

impl Source for Slow<'_> {
    fn size(&self) -> u64 {
        self.file.len() as u64
    }

    async fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), SealedFailure> {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        self.most.fetch_max(now, Relaxed);
        let mut pending = 2;
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            pending -= 1;
            if pending == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.now.fetch_sub(1, Relaxed);
        self.file.read_at(offset, into).await
    }

    fn reads_in_flight(&self) -> usize {
        self.in_flight
    }
}

#[test]
fn several_reads_are_under_way_and_their_bytes_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (_, sealed) = model(directory.path());
    for in_flight in [1, 3] {
        let source = Slow::new(&sealed, in_flight);
        let model = block_on(SealedModel::open(&source, &identity(2), &trust(), 0)).unwrap();
        let mut out = Vec::new();
        block_on(model.write_tensors(0..8, &mut out, Roots::Check, |_| ())).unwrap();
        let expected: Vec<_> = TENSORS.iter().enumerate().flat_map(|(i, (_, count))| bytes(*count, i)).collect();
        assert!(out == expected);
        assert_eq!(source.most.load(Relaxed), in_flight);
    }
}

/// Fails every other read.
struct Failing<'a> {
    file: &'a [u8],
    reads: AtomicUsize,
}

impl Source for Failing<'_> {
    fn size(&self) -> u64 {
        self.file.len() as u64
    }

    async fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), SealedFailure> {
        // The front is read at once.
        if self.reads.fetch_add(1, Relaxed) % 2 == 1 && offset > 4096 {
            return Err(SealedFailure::Read("the connection was reset".into()));
        }
        self.file.read_at(offset, into).await
    }

    fn reads_in_flight(&self) -> usize {
        2
    }
}

#[test]
fn failed_reads_go_on_where_they_failed() {
    let directory = tempfile::tempdir().unwrap();
    let (_, sealed) = model(directory.path());
    let source = Failing { file: &sealed, reads: AtomicUsize::new(0) };
    block_on(async {
        let model = SealedModel::open(&source, &identity(2), &trust(), 0).await.unwrap();
        let (mut opener, mut plaintext, mut failures) = (model.opener(6, Roots::Check).unwrap(), Vec::new(), 0);
        let mut pieces = model.ciphertexts(6..7).unwrap();
        loop {
            match pieces.next().await {
                Ok(Some(piece)) => {
                    assert_eq!(piece.first_chunk as usize, plaintext.len() / 16384);
                    opener.open(piece.bytes, &mut plaintext).unwrap();
                }
                Ok(None) => break,
                Err(SealedFailure::Read(_)) => failures += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(opener.finish(), Ok(Roots::Check));
        assert!(plaintext == bytes(20 << 20, 6));
        assert!(failures >= 2, "{failures}");
    });
}

#[test]
fn openers_take_pieces_in_order_only_and_all_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let (_, sealed) = model(directory.path());
    let model = block_on(SealedModel::open(&sealed, &identity(2), &trust(), 0)).unwrap();
    let body = &sealed[model.body_range(4).map(|range| range.start as usize..range.end as usize).unwrap()];
    let opener = || model.opener(4, Roots::Check).unwrap();
    let altered = Err(SealedFailure::Ciphertext(4).into());
    // Ended early.
    for roots in [Roots::Check, Roots::Skip] {
        let (mut short, mut out) = (model.opener(4, roots).unwrap(), Vec::new());
        short.open(&body[..32800], &mut out).unwrap();
        assert_eq!(short.finish(), altered);
    }
    // Another chunk than the next: nothing of it comes out, and nothing after it.
    let (mut other, mut out) = (opener(), vec![1]);
    assert_eq!(other.open(&body[16400..32800], &mut out), altered.clone().map(drop));
    assert_eq!(other.open(&body[..16400], &mut out), altered.clone().map(drop));
    assert_eq!((out, other.finish()), (vec![1], altered));
    // Half a chunk, too much, nothing: misuse, which changes nothing.
    let (mut misused, mut out) = (opener(), Vec::new());
    for piece in [&body[..100], &body[..16401], &[], &sealed[..body.len() + 16400]] {
        assert!(matches!(misused.open(piece, &mut out), Err(Error::Usage(_))));
    }
    misused.open(body, &mut out).unwrap();
    assert!(matches!(misused.open(&body[..16400], &mut out), Err(Error::Usage(_))));
    assert_eq!(misused.finish(), Ok(Roots::Check));
    assert!(out == bytes(40_000, 4));
}

#[test]
fn rows_come_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (_, mut sealed) = model(directory.path());
    block_on(async {
        let model = SealedModel::open(&sealed, &identity(2), &trust(), 0).await.unwrap();
        let whole = bytes(9_000_000, 3);
        let count = 2_250_000;
        for rows in [0..0, 0..1, 4095..4097, 4096..8192, 1_000_000..1_000_001, count - 1..count, 0..count, count..count]
        {
            let opened = model.open_rows(3, rows.clone(), Roots::Skip).await.unwrap();
            assert_eq!((opened.roots, opened.metadata.name()), (Roots::Skip, "d"));
            assert_eq!(opened.metadata.shape().extents(), [rows.end - rows.start, 4]);
            assert!(opened.bytes == whole[rows.start as usize * 4..rows.end as usize * 4], "{rows:?}");
        }
        for (tensor, rows) in [(3, 0..count + 1), (3, count + 1..count + 1), (0, 0..1), (9, 0..0)] {
            assert!(matches!(model.open_rows(tensor, rows, Roots::Skip).await, Err(Error::Usage(_))));
        }
        #[allow(clippy::reversed_empty_ranges)]
        let reversed = model.open_rows(3, 2..1, Roots::Skip).await;
        assert!(matches!(reversed, Err(Error::Usage(_))));
        // The root takes the whole tensor, so it must be given up by name.
        assert!(matches!(model.open_rows(3, 0..1, Roots::Check).await, Err(Error::Usage(_))));
    });
    // Only the chunks that hold the rows are looked at, and those are verified.
    let model = block_on(SealedModel::open(&sealed[..], &identity(2), &trust(), 0)).unwrap();
    let third_chunk = model.body_range(3).unwrap().start as usize + 2 * 16400;
    sealed[third_chunk] ^= 1;
    let model = block_on(SealedModel::open(&sealed[..], &identity(2), &trust(), 0)).unwrap();
    let rows = |rows| block_on(model.open_rows(3, rows, Roots::Skip)).map(|opened| opened.bytes.len());
    assert_eq!(rows(0..8192), Ok(32768));
    assert_eq!(rows(12288..20000), Ok(30848));
    for altered in [8191..8193, 8192..12288, 12287..12289, 9000..9001] {
        assert_eq!(rows(altered), Err(SealedFailure::Ciphertext(3).into()));
    }
}

/// A disk that is full after so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Full {
    fn seek(&mut self, _: SeekFrom) -> std::io::Result<u64> {
        Ok(0)
    }
}

#[test]
fn full_disks_and_short_sources_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    write_safetensors(&path, &TENSORS);
    let files = SafetensorsModel::open(&path).unwrap();
    let (plain, publisher) = (files.plain().unwrap(), identity(1));
    for room in [0, 100_000, 20_000_000] {
        let sealing = Sealing::new(&plain, &publisher, &[key(&identity(2))], 0).unwrap();
        let failed = sealing.write(&mut Full(room), |_| ());
        assert!(matches!(failed, Err(Error::SealedFile(SealedFailure::Write(_)))));
    }
    let sealed = seal(&plain, &[key(&identity(2))]);
    let model = block_on(SealedModel::open(&sealed, &identity(2), &trust(), 0)).unwrap();
    for room in [0, 1000, 10_000_000] {
        let failed = block_on(model.write_file(0, &mut Full(room), Roots::Check, |_| ()));
        assert!(matches!(failed, Err(Error::SealedFile(SealedFailure::Write(_)))));
    }
    // A file that was cut after it was opened.
    let at = directory.path().join("sealed");
    fs::write(&at, &sealed).unwrap();
    let model =
        block_on(SealedModel::open(SeekSource::new(fs::File::open(&at).unwrap()).unwrap(), &identity(2), &trust(), 0));
    fs::OpenOptions::new().write(true).open(&at).unwrap().set_len(1_000_000).unwrap();
    let failed = block_on(model.unwrap().open_tensor(6, Roots::Check)).map(drop);
    assert!(matches!(failed, Err(Error::SealedFile(SealedFailure::Read(_)))));
    let mut ends = [0; 4];
    for offset in [sealed.len() as u64 - 3, u64::MAX, u64::MAX - 3] {
        assert!(block_on(sealed[..].read_at(offset, &mut ends)).is_err());
        assert!(block_on(SeekSource::new(Cursor::new(&sealed)).unwrap().read_at(offset, &mut ends)).is_err());
    }
    Cursor::new(&sealed).read_exact(&mut ends).unwrap();
    assert_eq!(&ends, b"PQGS");
}
