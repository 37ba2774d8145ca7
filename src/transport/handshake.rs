//! The four messages over a stream.

use futures_io::{AsyncRead, AsyncWrite};

use super::stream::{flush, read_exact, write_all};
use crate::{
    Error, Result,
    channel::{
        ChannelSession, DeviceConfig, DeviceHandshake, HostConfig, HostHandshake,
        message::{HEADER_BYTES, MessageType, parse_header},
        session::CONTROL_BYTES,
    },
    error::HandshakeFailure,
};

/// The host's end of a handshake. Reads not one byte beyond it.
///
/// On error there is no session; close the stream and say nothing, as the peer does.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, config: HostConfig) -> Result<ChannelSession> {
    let (awaits_m2, m1) = HostHandshake::start(config)?;
    write(stream, &m1).await?;
    let (awaits_ready, m3) = awaits_m2.receive_m2(&read(stream, MessageType::M2).await?)?;
    write(stream, &m3).await?;
    let mut ready = [0; CONTROL_BYTES];
    read_exact(stream, &mut ready).await.map_err(in_handshake)?;
    awaits_ready.receive_ready(&ready)
}

/// The device's end of a handshake. Reads not one byte beyond it, and allocates at most 6 KiB before the host has proved its key.
///
/// On error there is no session; close the stream and say nothing, as the peer does. An unproven peer decides how long this
/// takes, so put a deadline on it, and a bound on how many run at once.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, config: DeviceConfig) -> Result<ChannelSession> {
    let awaits_m1 = DeviceHandshake::new(config)?;
    let (awaits_m3, m2) = awaits_m1.receive_m1(&read(stream, MessageType::M1).await?)?;
    write(stream, &m2).await?;
    let (session, ready) = awaits_m3.receive_m3(&read(stream, MessageType::M3).await?)?;
    write(stream, &ready).await?;
    Ok(session)
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, due: MessageType) -> Result<Vec<u8>> {
    let mut header = [0; HEADER_BYTES];
    read_exact(stream, &mut header).await.map_err(in_handshake)?;
    let (kind, length) = parse_header(&header)?;
    // Another message's bound must not decide how much memory this one gets.
    if kind != due {
        return Err(HandshakeFailure::Malformed("another message was due").into());
    }
    let mut message = vec![0; HEADER_BYTES + length];
    message[..HEADER_BYTES].copy_from_slice(&header);
    read_exact(stream, &mut message[HEADER_BYTES..]).await.map_err(in_handshake)?;
    Ok(message)
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, message: &[u8]) -> Result<()> {
    write_all(stream, message).await.map_err(in_handshake)?;
    flush(stream).await.map_err(in_handshake)
}

fn in_handshake(error: Error) -> Error {
    match error {
        Error::Truncated => HandshakeFailure::Truncated.into(),
        other => other,
    }
}
