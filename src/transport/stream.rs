//! Reading and writing whole, and what a stream's errors mean.

use core::{future::poll_fn, pin::Pin};
use std::io::{Error as IoError, ErrorKind};

use futures_io::{AsyncRead, AsyncWrite};

use crate::{Error, Result};

/// Reads what there is, at least a byte. 0 where the transport ended, in whatever way it tells.
pub(super) async fn read_some<S: AsyncRead + Unpin>(stream: &mut S, into: &mut [u8]) -> Result<usize> {
    loop {
        match poll_fn(|context| Pin::new(&mut *stream).poll_read(context, into)).await {
            // A stream that claims more than there was room for must not be believed.
            Ok(read) if read <= into.len() => return Ok(read),
            Ok(_) => return Err(Error::Transport("it read more than it was asked for".into())),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => match meaning(&error) {
                Error::Truncated => return Ok(0),
                other => return Err(other),
            },
        }
    }
}

/// Fills `into`. [`Error::Truncated`] where the transport ends before.
pub(super) async fn read_exact<S: AsyncRead + Unpin>(stream: &mut S, mut into: &mut [u8]) -> Result<()> {
    while !into.is_empty() {
        match read_some(stream, into).await? {
            0 => return Err(Error::Truncated),
            read => into = &mut into[read..],
        }
    }
    Ok(())
}

/// Writes all of `from`.
pub(super) async fn write_all<S: AsyncWrite + Unpin>(stream: &mut S, mut from: &[u8]) -> Result<()> {
    while !from.is_empty() {
        match poll_fn(|context| Pin::new(&mut *stream).poll_write(context, from)).await {
            Ok(0) => return Err(Error::Truncated),
            Ok(written) => {
                from = from.get(written..).ok_or(Error::Transport("it wrote more than it was given".into()))?
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(meaning(&error)),
        }
    }
    Ok(())
}

/// Sees to it that what was written is on its way.
pub(super) async fn flush<S: AsyncWrite + Unpin>(stream: &mut S) -> Result<()> {
    loop {
        match poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(meaning(&error)),
        }
    }
}

fn meaning(error: &IoError) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::TimedOut,
        ErrorKind::UnexpectedEof
        | ErrorKind::WriteZero
        | ErrorKind::BrokenPipe
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected => Error::Truncated,
        _ => Error::Transport(error.to_string()),
    }
}
