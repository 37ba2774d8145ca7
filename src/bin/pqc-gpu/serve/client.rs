//! One client: handshake, then every tensor onto the device and back.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use pqc_gpu_driver::{
    Error,
    channel::DeviceConfig,
    device::Device,
    identity::KeyId,
    transfer::{Destination, Transfer},
    transport::{self, Blocking, Limits, PIECE_BYTES, Receiver, Sender},
};

use super::memory::Memory;
use crate::timed::Deadline;

/// A peer may take a second for every so many bytes of a record.
const SLOWEST_BYTES_A_SECOND: u64 = 64 << 10;
/// Tensors opened by one wait for the device.
const MOST_AT_ONCE: usize = 256;
/// How long, and for how many bytes, a host that is still sending is listened to after our CLOSE.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 64 << 20;

/// What every client is served by.
pub(super) struct Terms {
    pub(super) limits: Limits,
    pub(super) idle: Duration,
    pub(super) update_key_every: Option<u64>,
    /// What all clients' large tensors share.
    pub(super) memory: Memory,
}

/// The device's memory for a tensor with a sealed body of this length: as it came, opened, and sealed again.
pub(super) fn device_bytes(sealed: u64) -> u64 {
    sealed.saturating_mul(3)
}

/// What became of a client.
#[derive(Default)]
pub(super) struct Served {
    /// Who it was, once it had proved its key.
    pub(super) peer: Option<KeyId>,
    pub(super) tensors: u64,
    pub(super) bytes: u64,
    /// The session was closed from here, before the host did.
    pub(super) stopped: bool,
}

/// Serves one connection to its end. `opened` is asked for a place when the handshake is done. `transport` carries the channel's bytes
/// over `stream`, and keeps to `deadline`.
#[allow(clippy::too_many_arguments)] // what a connection has and what all share
pub(super) async fn serve<D: Device, T: Read + Write + Clone + Unpin>(
    device: &D,
    stream: &Arc<TcpStream>,
    transport: T,
    deadline: &Arc<Deadline>,
    config: DeviceConfig,
    terms: &Terms,
    opened: impl FnOnce() -> bool,
    served: &mut Served,
) -> Result<(), Error> {
    let session = transport::accept(&mut Blocking(transport.clone()), config).await?;
    // Without a place it is no client, whoever it is.
    if !opened() {
        return Err(Error::Limit("all clients' places are taken"));
    }
    served.peer = Some(session.peer().key_id());
    let mut receiver = Receiver::new(&session, Blocking(transport.clone()), terms.limits);
    let mut sender = Sender::new(&session, Blocking(transport));
    // Before the transfer, so that it is dropped behind it: memory counts until it is free.
    let mut held = None;
    let mut transfer = Transfer::new(device);
    let time_for = |bytes: u64| terms.idle + Duration::from_secs(bytes.div_ceil(SLOWEST_BYTES_A_SECOND));
    let mut closed = false;
    while !closed && !served.stopped {
        let mut queued = 0;
        loop {
            if deadline.is_stopped() && !receiver.is_ready() {
                served.stopped = true;
                break;
            }
            deadline.set(terms.idle);
            match receiver.next().await {
                Ok(Some(incoming)) => {
                    // Only the first of a group can be larger than the receiver's buffer: the others lay there whole. So nobody waits
                    // who holds some already.
                    if incoming.body_bytes() > PIECE_BYTES as u64 {
                        deadline.set(terms.idle);
                        held = Some(terms.memory.take(device_bytes(incoming.body_bytes()), deadline)?);
                    }
                    deadline.set(time_for(incoming.body_bytes()));
                    incoming.open_onto(&mut transfer, Destination::Owned).await?;
                    queued += 1;
                }
                Ok(None) => closed = true,
                Err(Error::TimedOut) if deadline.is_stopped() && session.is_valid() => served.stopped = true,
                Err(error) => return Err(error),
            }
            // What has come whole is answered before more is waited for.
            if closed || served.stopped || queued == MOST_AT_ONCE || !receiver.is_ready() {
                break;
            }
        }
        for tensor in transfer.settle().await.into_iter().collect::<Result<Vec<_>, _>>()? {
            let bytes = tensor.metadata().size_bytes();
            deadline.set(time_for(bytes));
            if terms.update_key_every.is_some_and(|every| served.tensors > 0 && served.tensors.is_multiple_of(every)) {
                sender.update_key().await?;
            }
            sender.send_from(&mut transfer, &tensor).await?;
            served.tensors += 1;
            served.bytes += bytes;
        }
        drop(held.take());
    }
    if closed {
        receiver.check_nothing_follows()?;
    }
    deadline.set(terms.idle);
    sender.close().await?;
    if served.stopped {
        linger(stream);
    }
    Ok(())
}

/// Reads on for a while after the last word: a connection closed over unread bytes is reset, and the reset may overtake CLOSE.
fn linger(stream: &TcpStream) {
    let until = Instant::now() + LINGER;
    let (mut ignored, mut left) = ([0; 16 << 10], LINGER_BYTES);
    let _ = stream.shutdown(Shutdown::Write);
    while let Some(time) = until.checked_duration_since(Instant::now()).filter(|time| !time.is_zero()) {
        let read = stream.set_read_timeout(Some(time)).and_then(|()| (&mut &*stream).read(&mut ignored));
        match read {
            Ok(read @ 1..) if left > read as u64 => left -= read as u64,
            _ => return,
        }
    }
}
