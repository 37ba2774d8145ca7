//! The two ends and what lies between them: sealing at the host, opening on the device, and the way back.

use std::{ops::Range, time::Instant};

use pqc_gpu_driver::{
    ChannelSession, Error,
    channel::{
        chunk::{CHUNK_BYTES, SEALED_CHUNK_BYTES},
        record::{HEADER_BYTES, RecordHeader, RecordType},
        session::{Opening, Pending},
        suite::TAG_BYTES,
    },
    device::{Device, Slot, SlotWriter},
    establish_channel,
    transfer::{
        Destination, DeviceTensor, Transfer,
        hazmat::{BodyParams, open_body, seal_body},
        seal_into_slot,
    },
};
use sha3::{Digest, Sha3_256};

use crate::{model::Tensor, tamper::Tamper};

const CONTROL_BYTES: usize = HEADER_BYTES + TAG_BYTES;

/// A channel with both its ends in this process, the device's end on a device.
pub(crate) struct Wire<D: Device> {
    pub(crate) host: ChannelSession,
    pub(crate) guest: ChannelSession,
    pub(crate) transfer: Transfer<D>,
    /// Seconds spent sealing at the host.
    pub(crate) seal_seconds: f64,
    /// The most host memory that held tensor bytes at once.
    pub(crate) peak_host_bytes: u64,
    /// Both ends update their keys before every so many tensors, rather than only when those are used up.
    pub(crate) update_key_every: Option<u64>,
    sent: u64,
    fetched: u64,
}

/// A tensor as it crosses.
pub(crate) struct Sealed {
    prelude: Vec<u8>,
    body: Vec<u8>,
}

impl<D: Device> Wire<D> {
    /// Runs the handshake.
    pub(crate) fn connect(device: D) -> Result<Self, Error> {
        let (host, guest) = establish_channel("host", &device.info().id)?;
        let peak_host_bytes = device.info().staging_bytes();
        let transfer = Transfer::new(device);
        let (seal_seconds, update_key_every, sent, fetched) = (0.0, None, 0, 0);
        Ok(Wire { host, guest, transfer, seal_seconds, peak_host_bytes, update_key_every, sent, fetched })
    }

    /// Lets the device compile its kernels, so that no tensor's time is theirs.
    pub(crate) async fn warm_up(&self) -> Result<(), Error> {
        let params = BodyParams { key: &[0; 32], nonce: [0; 12], aad: &[], chunk_bytes: CHUNK_BYTES as u32 };
        let sealed = seal_body(self.transfer.device(), params, &[0; 16]).await?;
        let opened = open_body(self.transfer.device(), params, &sealed).await?;
        opened.map(drop).ok_or_else(|| Error::Backend("the device does not open what it sealed".into()))
    }

    /// Seals a tensor at the host, straight into the device's staging slots, and queues its opening.
    pub(crate) async fn send(&mut self, tensor: Tensor<'_>, tamper: Option<Tamper>) -> Result<(), Error> {
        update_key(&self.host, &self.guest, self.update_key_every, &mut self.sent)?;
        let mut sealing = self.host.seal(tensor.metadata)?;
        let mut prelude = sealing.prelude().to_vec();
        let body_bytes = sealing.body_bytes();
        if let Some(tamper) = tamper {
            tamper.edit_prelude(&mut prelude, sealing.header().metadata_bytes as usize);
        }
        if tamper == Some(Tamper::Reflect) {
            // What the host has just sent comes back to it.
            return receive_prelude(&self.host, &prelude).map(drop);
        }
        let pending = receive_prelude(&self.guest, &prelude)?;
        let (guest, seconds) = (&self.guest, &mut self.seal_seconds);
        let source = |part: Range<u64>, slot: &mut D::Slot| {
            let started = Instant::now();
            let length = part.end - part.start;
            match tamper {
                None => seal_into_slot(&mut sealing, tensor.bytes, slot, length)?,
                Some(tamper) => {
                    let mut wire = vec![0; length as usize];
                    let chunks = length.div_ceil(SEALED_CHUNK_BYTES) as u32;
                    let piece = sealing.next_piece(chunks).ok_or(Error::Usage("nothing is left to seal"))?;
                    let range = piece.plaintext();
                    piece.seal(&tensor.bytes[range.start as usize..range.end as usize], &mut wire)?;
                    if !tamper.edit_body(part, &mut wire, body_bytes) {
                        return Err(guest.transport_ended().err().unwrap_or(Error::Truncated));
                    }
                    slot.writers(&[length])?.iter_mut().try_for_each(|writer| writer.write(0, &wire))?;
                }
            }
            *seconds += started.elapsed().as_secs_f64();
            Ok(())
        };
        self.transfer.begin_open(pending, Destination::Owned, source).await?;
        sealing.finish()?;
        if tamper == Some(Tamper::Replay) {
            return receive_prelude(&self.guest, &prelude).map(drop);
        }
        Ok(())
    }

    /// Seals a tensor at the host for [`Wire::send_sealed`], which takes what was sealed in the same order.
    pub(crate) fn seal(&self, tensor: Tensor<'_>) -> Result<Sealed, Error> {
        let mut sealing = self.host.seal(tensor.metadata)?;
        let (prelude, mut body) = (sealing.prelude().to_vec(), vec![0; sealing.body_bytes() as usize]);
        let piece = sealing.next_piece(u32::MAX).ok_or(Error::Usage("nothing is left to seal"))?;
        piece.seal(tensor.bytes, &mut body)?;
        sealing.finish()?;
        Ok(Sealed { prelude, body })
    }

    /// Queues the opening of a tensor that was sealed before.
    pub(crate) async fn send_sealed(&mut self, sealed: &Sealed) -> Result<(), Error> {
        let pending = receive_prelude(&self.guest, &sealed.prelude)?;
        self.transfer.begin_open_bytes(pending, &sealed.body).await
    }

    /// Takes a tensor to the device, releases it and fetches it.
    pub(crate) async fn there_and_back(&mut self, tensor: Tensor<'_>) -> Result<(), Error> {
        self.send(tensor, None).await?;
        for held in self.transfer.settle().await {
            self.fetch_unread(&held?).await?;
        }
        Ok(())
    }

    /// Seals a tensor on the device, opens it at the host and gives the plaintext's SHA3-256.
    pub(crate) async fn fetch(&mut self, tensor: &DeviceTensor<D>) -> Result<[u8; 32], Error> {
        let mut digest = Sha3_256::new();
        self.fetch_into(tensor, |plaintext| digest.update(plaintext)).await?;
        Ok(digest.finalize().into())
    }

    /// The same without looking at the plaintext.
    pub(crate) async fn fetch_unread(&mut self, tensor: &DeviceTensor<D>) -> Result<(), Error> {
        self.fetch_into(tensor, |_| ()).await
    }

    /// Gives the plaintext in pieces; the host holds a few of them at a time. It counts only if this succeeds.
    async fn fetch_into(&mut self, tensor: &DeviceTensor<D>, mut take: impl FnMut(&[u8])) -> Result<(), Error> {
        let (host, guest) = (&self.host, &self.guest);
        update_key(guest, host, self.update_key_every, &mut self.fetched)?;
        let (mut opening, mut plaintext): (Option<Opening>, _) = (None, Vec::new());
        let mut largest_part = 0;
        let sink = |wire: &[u8]| match &mut opening {
            None => {
                opening = Some(receive_prelude(host, wire)?.opening());
                Ok(())
            }
            Some(opening) => {
                let chunks = (wire.len() as u64).div_ceil(SEALED_CHUNK_BYTES) as u32;
                let (_, length) = opening.next_piece(chunks).ok_or(Error::Record("trailing bytes"))?;
                plaintext.resize(length as usize, 0);
                opening.open_piece(chunks, wire, &mut plaintext)?;
                take(&plaintext);
                largest_part = largest_part.max(wire.len() as u64);
                Ok(())
            }
        };
        self.transfer.seal(guest, tensor, sink).await?;
        opening.ok_or(Error::Truncated)?.finish()?;
        // Two parts are on their way at a time, one is opened.
        let held = self.transfer.device().info().staging_bytes() + 2 * largest_part + plaintext.capacity() as u64;
        self.peak_host_bytes = self.peak_host_bytes.max(held);
        Ok(())
    }

    /// Closes both directions and checks that both ends saw it.
    pub(crate) fn close(&self) -> Result<(), Error> {
        self.guest.receive_control(&self.host.close()?)?;
        self.host.receive_control(&self.guest.close()?)?;
        self.host.transport_ended()?;
        self.guest.transport_ended()
    }
}

/// Counts a tensor, and moves its direction to the next key where one is due before it.
fn update_key(from: &ChannelSession, to: &ChannelSession, every: Option<u64>, count: &mut u64) -> Result<(), Error> {
    if every.is_some_and(|every| *count > 0 && count.is_multiple_of(every)) {
        to.receive_control(&from.update_key()?)?;
    }
    *count += 1;
    Ok(())
}

/// What a receiver does with the bytes before a body: a KEY_UPDATE where there is one, then header and metadata.
fn receive_prelude(session: &ChannelSession, wire: &[u8]) -> Result<Pending, Error> {
    const SHORT: Error = Error::Record("shorter than a header");
    let header = RecordHeader::decode(wire.first_chunk().ok_or(SHORT)?)?;
    let mut record = wire;
    if header.record_type == RecordType::KeyUpdate {
        let (control, rest) = wire.split_at_checked(CONTROL_BYTES).ok_or(SHORT)?;
        session.receive_control(control)?;
        record = rest;
    }
    let (header, metadata) = record.split_at_checked(HEADER_BYTES).ok_or(SHORT)?;
    session.reserve(header, metadata)
}
