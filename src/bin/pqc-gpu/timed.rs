//! TCP streams with a deadline that can be moved while they are waited for.

use std::{
    io::{Error, ErrorKind, Read, Result, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a wait lasts before it looks at the deadline again.
const SLICE: Duration = Duration::from_millis(200);

/// When waiting ends. Shared by all halves of a stream.
pub(crate) struct Deadline {
    at: Mutex<Instant>,
    /// Every byte that moves puts the deadline off to this long from then.
    idle: Option<Duration>,
    stopped: AtomicBool,
}

impl Deadline {
    /// One that holds, whatever moves, until it is set anew.
    pub(crate) fn absolute(within: Duration) -> Arc<Self> {
        Self::new(within, None)
    }

    /// One that passes when nothing has moved for this long.
    pub(crate) fn idle(idle: Duration) -> Arc<Self> {
        Self::new(idle, Some(idle))
    }

    fn new(within: Duration, idle: Option<Duration>) -> Arc<Self> {
        Arc::new(Deadline { at: Mutex::new(Instant::now() + within), idle, stopped: AtomicBool::new(false) })
    }

    pub(crate) fn set(&self, within: Duration) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + within;
    }

    /// From now on a read for which nothing has come yet ends at once.
    pub(crate) fn stop_reading(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether [`Deadline::stop_reading`] was called.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// None where it has passed.
    pub(crate) fn left(&self) -> Option<Duration> {
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    fn moved(&self, bytes: usize) {
        if let (Some(idle), true) = (self.idle, bytes > 0) {
            self.set(idle);
        }
    }
}

/// One half, or both, of a TCP stream.
#[derive(Clone)]
pub(crate) struct Timed {
    stream: Arc<TcpStream>,
    deadline: Arc<Deadline>,
    /// How long this half has waited to write.
    pub(crate) writing: Duration,
}

impl Timed {
    pub(crate) fn new(stream: Arc<TcpStream>, deadline: Arc<Deadline>) -> Self {
        Timed { stream, deadline, writing: Duration::ZERO }
    }

    /// Ends a half of the stream, or both, for all who hold it.
    pub(crate) fn shutdown(&self, half: Shutdown) {
        // Where it fails, the stream has ended already.
        let _ = self.stream.shutdown(half);
    }

    fn wait(
        &self,
        limit: impl Fn(&TcpStream, Option<Duration>) -> Result<()>,
        stops: bool,
        mut work: impl FnMut(&TcpStream) -> Result<usize>,
    ) -> Result<usize> {
        loop {
            let left = self.deadline.left().ok_or_else(|| Error::from(ErrorKind::TimedOut))?;
            limit(&self.stream, Some(left.min(SLICE)))?;
            match work(&self.stream) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if stops && self.deadline.is_stopped() {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Ok(bytes) => {
                    self.deadline.moved(bytes);
                    return Ok(bytes);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        self.wait(TcpStream::set_read_timeout, true, |mut stream| stream.read(into))
    }
}

impl Write for Timed {
    fn write(&mut self, from: &[u8]) -> Result<usize> {
        let started = Instant::now();
        let written = self.wait(TcpStream::set_write_timeout, false, |mut stream| stream.write(from));
        self.writing += started.elapsed();
        written
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
