//! Streams no socket is as bad as.
#![allow(unreachable_pub)]

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::{Future, poll_fn},
    io::{ErrorKind, Read, Result, Write},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures_io::{AsyncRead, AsyncWrite};

/// What is wrong with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// A byte at a time.
    Short,
    /// Every other call is interrupted, the rest moves at most 7 bytes.
    Interrupted,
    /// Reading ends after so many bytes.
    EndsAfter(usize),
    /// Every read would block.
    WouldBlock,
    /// One read would block, after so many bytes; none reads over that place.
    BlocksOnceAfter(usize),
}

/// A stream with a fault.
pub struct Faulty<S> {
    inner: S,
    fault: Fault,
    calls: usize,
    moved: usize,
    blocked: bool,
}

impl<S> Faulty<S> {
    pub fn new(inner: S, fault: Fault) -> Self {
        Faulty { inner, fault, calls: 0, moved: 0, blocked: false }
    }

    /// How many bytes may move.
    fn allowed(&mut self, wanted: usize) -> Result<usize> {
        self.calls += 1;
        match self.fault {
            Fault::Interrupted if self.calls % 2 == 1 => Err(ErrorKind::Interrupted.into()),
            Fault::Short => Ok(wanted.min(1)),
            Fault::Interrupted => Ok(wanted.min(7)),
            _ => Ok(wanted),
        }
    }
}

impl<S: Read> Read for Faulty<S> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let mut allowed = self.allowed(into.len())?;
        match self.fault {
            Fault::WouldBlock => return Err(ErrorKind::WouldBlock.into()),
            Fault::EndsAfter(end) => allowed = allowed.min(end - self.moved),
            Fault::BlocksOnceAfter(at) if !self.blocked => {
                if self.moved == at {
                    self.blocked = true;
                    return Err(ErrorKind::WouldBlock.into());
                }
                allowed = allowed.min(at - self.moved);
            }
            _ => {}
        }
        let read = self.inner.read(&mut into[..allowed])?;
        self.moved += read;
        Ok(read)
    }
}

impl<S: Write> Write for Faulty<S> {
    fn write(&mut self, from: &[u8]) -> Result<usize> {
        let allowed = self.allowed(from.len())?;
        self.inner.write(&from[..allowed])
    }

    fn flush(&mut self) -> Result<()> {
        self.allowed(0)?;
        self.inner.flush()
    }
}

/// Says it read and wrote more than it could have.
pub struct Liar;

impl AsyncRead for Liar {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut [u8]) -> Poll<Result<usize>> {
        Poll::Ready(Ok(into.len() + 1))
    }
}

impl AsyncWrite for Liar {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, from: &[u8]) -> Poll<Result<usize>> {
        Poll::Ready(Ok(from.len() + 1))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A stream made of one to read and one to write.
pub struct Halves<R, W>(pub R, pub W);

impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Halves<R, W> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut [u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Halves<R, W> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.1).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.1).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.1).poll_close(context)
    }
}

#[derive(Default)]
struct Shared {
    bytes: VecDeque<u8>,
    closed: bool,
    waiting: Vec<Waker>,
    turns: usize,
}

/// The end of a pipe that is read from.
pub struct Reader(Rc<RefCell<Shared>>);
/// The end that is written to; dropped, the pipe ends.
pub struct Writer(Rc<RefCell<Shared>>, usize);

/// A pipe on one thread that holds so many bytes, and makes one wait every third time for no reason.
pub fn pipe(capacity: usize) -> (Reader, Writer) {
    let shared = Rc::new(RefCell::default());
    (Reader(Rc::clone(&shared)), Writer(shared, capacity))
}

impl Shared {
    fn pending<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        self.waiting.push(context.waker().clone());
        Poll::Pending
    }

    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn contrary(&mut self, context: &Context<'_>) -> bool {
        self.turns += 1;
        let contrary = self.turns.is_multiple_of(3);
        if contrary {
            context.waker().wake_by_ref();
        }
        contrary
    }
}

impl AsyncRead for Reader {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut [u8]) -> Poll<Result<usize>> {
        let mut shared = self.0.borrow_mut();
        if shared.contrary(context) {
            return Poll::Pending;
        }
        if shared.bytes.is_empty() && !shared.closed {
            return shared.pending(context);
        }
        let length = into.len().min(shared.bytes.len());
        into[..length].iter_mut().zip(shared.bytes.drain(..length)).for_each(|(to, from)| *to = from);
        shared.wake();
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<Result<usize>> {
        let mut shared = self.0.borrow_mut();
        if shared.contrary(context) {
            return Poll::Pending;
        }
        let length = from.len().min(self.1 - shared.bytes.len());
        if length == 0 {
            return shared.pending(context);
        }
        shared.bytes.extend(&from[..length]);
        shared.wake();
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut shared = self.0.borrow_mut();
        shared.closed = true;
        shared.wake();
    }
}

type Work<'a> = Pin<Box<dyn Future<Output = pqc_gpu_driver::Result<()>> + 'a>>;

/// Runs futures at once, to the first error or the last success.
pub async fn all(mut work: Vec<Work<'_>>) -> pqc_gpu_driver::Result<()> {
    poll_fn(|context| {
        let mut failure = None;
        work.retain_mut(|work| match work.as_mut().poll(context) {
            Poll::Ready(Err(error)) => {
                failure = Some(error);
                false
            }
            Poll::Ready(Ok(())) => false,
            Poll::Pending => true,
        });
        match failure {
            Some(error) => Poll::Ready(Err(error)),
            None if work.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await
}
