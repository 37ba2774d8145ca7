//! A blocking stream as an asynchronous one.

use std::{
    io::{Read, Result, Write},
    pin::Pin,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

/// Waits within the call, so its futures are ready at once: for [`crate::block_on`], not for an executor that others share.
///
/// What would block is an error here ([`crate::Error::TimedOut`]): that is how sockets tell that their time-out is over.
#[derive(Debug, Clone)]
pub struct Blocking<S>(pub S);

impl<S: Read + Unpin> AsyncRead for Blocking<S> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut [u8]) -> Poll<Result<usize>> {
        Poll::Ready(self.get_mut().0.read(into))
    }
}

impl<S: Write + Unpin> AsyncWrite for Blocking<S> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, from: &[u8]) -> Poll<Result<usize>> {
        Poll::Ready(self.get_mut().0.write(from))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.get_mut().0.flush())
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_flush(context)
    }
}
