//! Bytes as a stream brings them: in whatever pieces they come, what is released is the sender's tensors up to the first byte that
//! is another, each to the byte, and the end is good only if all of it was. A handshake with nobody gets no session, and
//! no more than it needs is read.

use std::{
    io::{self, ErrorKind, Read, Write},
    sync::OnceLock,
};

use pqc_gpu_driver::{
    DType, Error, TensorMetadata, block_on,
    channel::message::{M1_BYTES, MAX_M2_BYTES, MAX_M3_BYTES, MessageType, parse_header},
    device::CpuDevice,
    transfer::{Destination, Transfer},
    transport::{Blocking, Limits, PIECE_BYTES, Receiver, accept, connect},
};

use crate::{honest, input::Input};

/// What the host sends; every record's end, and the tensor in it if it is one.
struct Sent {
    bytes: Vec<u8>,
    records: Vec<(usize, Option<Vec<u8>>)>,
}

fn sent() -> &'static Sent {
    static SENT: OnceLock<Sent> = OnceLock::new();
    SENT.get_or_init(|| {
        let [host, _] = honest::sessions(0);
        let mut sent = Sent { bytes: Vec::new(), records: Vec::new() };
        let mut add = |wire: &[u8], tensor| {
            sent.bytes.extend(wire);
            sent.records.push((sent.bytes.len(), tensor));
        };
        // One of them longer than what a receiver takes at once.
        for length in [0, 100, 16_389, PIECE_BYTES + 100_000, 40] {
            if length == 40 {
                add(&host.update_key().expect("updates"), None);
            }
            let tensor: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let metadata = TensorMetadata::new("id", "name", DType::U8, [length as u64]).expect("metadata");
            add(host.encrypt_tensor(&tensor, &metadata).expect("seals").as_bytes(), Some(tensor));
        }
        add(&host.close().expect("closes"), None);
        sent
    })
}

/// The first byte chooses: edits of a session's stream; what a device hears of a host; what a host hears of a device.
pub fn check(data: &[u8]) -> bool {
    let Some((kind, data)) = data.split_first() else { return false };
    match kind % 3 {
        0 => records(data),
        1 => heard_by_device(data),
        _ => heard_by_host(data),
    }
}

/// A byte for the pieces in which the stream comes, one for the most records that are allowed, then edits.
fn records(data: &[u8]) -> bool {
    let mut input = Input(data);
    let (step, most) = (input.byte().unwrap_or(0), input.byte().unwrap_or(0));
    let bytes = edited(&mut input);
    let max_records = if most == 0 { u64::MAX } else { most.into() };
    let limits = Limits { max_records, ..Limits::default() };

    let Sent { bytes: honest, records } = sent();
    let same = bytes.iter().zip(honest).take_while(|(one, other)| one == other).count();
    let whole = records.iter().take(max_records.min(1000) as usize).take_while(|(end, _)| *end <= same);
    let due: Vec<&Vec<u8>> = whole.filter_map(|(_, tensor)| tensor.as_ref()).collect();

    let (tensors, end) = received(Stream::new(&bytes, 0), limits);
    assert_eq!(tensors.iter().collect::<Vec<_>>(), due);
    assert_eq!(end.is_ok(), bytes == *honest && records.len() as u64 <= max_records, "{end:?}");
    let in_pieces = Stream::new(&bytes, step);
    if step % 2 == 0 {
        assert_eq!(received(in_pieces, limits), (tensors, end));
    } else {
        let (opened, on_device) = received_on_device(in_pieces, limits);
        assert_eq!((opened, on_device.is_ok()), (due.len(), end.is_ok()));
    }
    !due.is_empty()
}

/// The sender's bytes after some flips, cuts and insertions.
fn edited(input: &mut Input<'_>) -> Vec<u8> {
    let mut bytes = sent().bytes.clone();
    for _ in 0..8 {
        let Some(kind) = input.byte() else { break };
        let at = (input.word() << 8 | usize::from(input.byte().unwrap_or(0))) % (bytes.len() + 1);
        match kind % 4 {
            0 if at < bytes.len() => bytes[at] ^= input.byte().unwrap_or(1),
            1 => drop(bytes.drain(at..(at + input.word()).min(bytes.len()))),
            2 => {
                let length = input.byte().unwrap_or(0);
                bytes.splice(at..at, input.bytes(length.into()).iter().copied());
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn received(stream: Stream<'_>, limits: Limits) -> (Vec<Vec<u8>>, Result<(), Error>) {
    let [_, device] = honest::sessions(0);
    let mut receiver = Receiver::new(&device, Blocking(stream), limits);
    let mut tensors = Vec::new();
    let end = block_on(async {
        while let Some(incoming) = receiver.next().await? {
            let mut tensor = Vec::new();
            let take = |plaintext: &[u8]| {
                tensor.extend(plaintext);
                Ok(())
            };
            incoming.open(take).await?;
            tensors.push(tensor);
        }
        receiver.end().await
    });
    (tensors, end)
}

fn received_on_device(stream: Stream<'_>, limits: Limits) -> (usize, Result<(), Error>) {
    let [_, device] = honest::sessions(0);
    let mut receiver = Receiver::new(&device, Blocking(stream), limits);
    let mut transfer = Transfer::new(CpuDevice::default());
    let mut opened = 0;
    let end = block_on(async {
        while let Some(incoming) = receiver.next().await? {
            incoming.open_onto(&mut transfer, Destination::Owned).await?;
            transfer.settle().await.remove(0)?;
            opened += 1;
        }
        receiver.end().await
    });
    (opened, end)
}

fn heard_by_device(data: &[u8]) -> bool {
    let mut stream = Stream::new(data, 7);
    let session = block_on(accept(&mut Blocking(&mut stream), honest::device_config()));
    assert!(session.is_err(), "a session with nobody");
    let answered = data.get(..M1_BYTES).is_some_and(|m1| honest::answer(m1).is_ok());
    assert_eq!(!stream.written.is_empty(), answered);
    assert!(stream.taken <= M1_BYTES + if answered { MAX_M3_BYTES } else { 0 });
    if answered {
        let header = stream.written.first_chunk().map(parse_header).expect("a header").expect("a message");
        assert_eq!(header, (MessageType::M2, stream.written.len() - 12));
    }
    answered
}

fn heard_by_host(data: &[u8]) -> bool {
    let mut stream = Stream::new(data, 9);
    let session = block_on(connect(&mut Blocking(&mut stream), honest::host_config()));
    assert!(session.is_err(), "a session with nobody");
    assert_eq!(stream.written.len(), M1_BYTES, "an M2 for another M1 was answered");
    let m2 = data.first_chunk().is_some_and(|header| matches!(parse_header(header), Ok((MessageType::M2, _))));
    assert!(stream.taken <= if m2 { MAX_M2_BYTES } else { 12 });
    // That it was heard out.
    m2 && stream.taken > 12
}

/// Bytes that come in pieces.
struct Stream<'a> {
    left: &'a [u8],
    /// How long pieces are; 0 is as long as is asked for.
    step: usize,
    calls: usize,
    taken: usize,
    written: Vec<u8>,
}

impl<'a> Stream<'a> {
    fn new(left: &'a [u8], step: u8) -> Self {
        Stream { left, step: step.into(), calls: 0, taken: 0, written: Vec::new() }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.step > 0 && self.calls.is_multiple_of(3) {
            return Err(ErrorKind::Interrupted.into());
        }
        // Short ones at first, so that headers are cut everywhere; then longer, or a MiB would take for ever.
        let longest = if self.step == 0 { usize::MAX } else { self.step * (1 + self.calls / 8 * 37) };
        let length = self.left.len().min(into.len()).min(longest);
        let (now, later) = self.left.split_at(length);
        into[..length].copy_from_slice(now);
        (self.left, self.taken) = (later, self.taken + length);
        Ok(length)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.written.extend(from);
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
