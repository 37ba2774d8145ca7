//! Connections, each with a thread of its own, over one device.

use std::{
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use pqc_gpu_driver::{Error, block_on, channel::DeviceConfig, device::Device};

use super::{
    Report,
    client::{self, Served, Terms},
    table::Table,
    websocket::WebSocketStream,
};
use crate::{
    failure::Failure,
    output,
    timed::{Deadline, Timed},
};

/// One device, and what its clients share.
pub(super) struct Server<D> {
    device: D,
    pub(super) table: Table,
    terms: Terms,
    handshake: Duration,
    config: DeviceConfig,
    /// Where hosts come over WebSockets: the origins of the pages that may, any where there is none.
    websocket: Option<Vec<String>>,
    report: Mutex<Report>,
    /// When a refusal was last told of; a flood of them must not become a flood of lines.
    told: Mutex<Option<Instant>>,
}

impl<D: Device + Send + Sync + 'static> Server<D> {
    pub(super) fn new(
        device: D,
        table: Table,
        config: DeviceConfig,
        websocket: Option<Vec<String>>,
        terms: Terms,
        handshake: Duration,
        report: Report,
    ) -> Self {
        Server {
            device,
            table,
            terms,
            handshake,
            config,
            websocket,
            report: Mutex::new(report),
            told: Mutex::new(None),
        }
    }

    pub(super) fn accept_all(self: &Arc<Self>, listener: &TcpListener) -> Result<(), Failure> {
        while let Some((stream, address)) = self.next(listener) {
            self.start(stream, address, |_| ());
        }
        Ok(())
    }

    pub(super) fn once(self: &Arc<Self>, listener: &TcpListener) -> Result<(), Failure> {
        let Some((stream, address)) = self.next(listener) else { return Ok(()) };
        let outcome = Arc::new(Mutex::new(Err(Error::Limit("no place for the connection"))));
        let told = Arc::clone(&outcome);
        self.start(stream, address, move |result| *told.lock().unwrap_or_else(PoisonError::into_inner) = result);
        self.table.wait();
        if self.table.is_stopping() {
            return Ok(());
        }
        let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
        outcome.map_err(Failure::from_peer)
    }

    /// The next connection. None where the server stops.
    fn next(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
        loop {
            let accepted = listener.accept();
            if self.table.is_stopping() {
                return None;
            }
            match accepted {
                Ok(accepted) => return Some(accepted),
                // A connection that was gone again, or no file descriptor left: others end and leave theirs.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Gives the connection a thread, if there is a place for it.
    fn start(
        self: &Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        done: impl FnOnce(Result<(), Error>) + Send + 'static,
    ) {
        let (stream, deadline) = (Arc::new(stream), Deadline::absolute(self.handshake));
        let Some(number) = self.table.admit(address.ip(), &stream, &deadline) else {
            return self.refused(address, &Error::Limit("too many connections"));
        };
        let server = Arc::clone(self);
        let run = move || {
            // Removed whatever happens in this thread.
            let place = Place { server: &server, number };
            let result = server.client(number, &stream, &deadline, address);
            // First the outcome, then the place: who waits for the one looks at the other.
            done(result);
            drop(place);
        };
        if thread::Builder::new().name(format!("client {number}")).spawn(run).is_err() {
            self.table.remove(number);
            self.refused(address, &Error::Limit("no thread is left"));
        }
    }

    fn client(
        &self,
        number: u64,
        stream: &Arc<TcpStream>,
        deadline: &Arc<Deadline>,
        address: SocketAddr,
    ) -> Result<(), Error> {
        // Without it, small records wait for the acknowledgement of those before them.
        let _ = stream.set_nodelay(true);
        let mut served = Served::default();
        let opened = || self.table.open(number);
        let timed = Timed::new(Arc::clone(stream), Arc::clone(deadline));
        let (device, config, terms) = (&self.device, self.config.clone(), &self.terms);
        let result = match &self.websocket {
            None => block_on(client::serve(device, stream, timed, deadline, config, terms, opened, &mut served)),
            Some(origins) => WebSocketStream::accept(timed, origins).and_then(|socket| {
                let transport = socket.clone();
                let serving = client::serve(device, stream, transport, deadline, config, terms, opened, &mut served);
                let result = block_on(serving);
                socket.close();
                result
            }),
        };
        let _ = stream.shutdown(Shutdown::Both);
        let Some(peer) = served.peer else {
            if let Err(error) = &result {
                self.refused(address, error);
            }
            return result;
        };
        let mut report = self.lock();
        report.clients += 1;
        report.failed += u64::from(result.is_err());
        report.tensors += served.tensors;
        report.bytes += served.bytes;
        drop(report);
        let end = match &result {
            Ok(()) if served.stopped => "closed from here".into(),
            Ok(()) => "closed".into(),
            Err(error) => error.to_string(),
        };
        let (tensors, bytes) = (served.tensors, served.bytes);
        output::note(format!("client {number}, {address}, {peer}: {tensors} tensors, {bytes} bytes; {end}"));
        result
    }

    /// What has been so far.
    pub(super) fn report(&self) -> Report {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection without a session, and tells of it at most once a second.
    fn refused(&self, address: SocketAddr, why: &Error) {
        let mut report = self.lock();
        report.refused += 1;
        let so_far = report.refused;
        drop(report);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= Duration::from_secs(1)) {
            *told = Some(Instant::now());
            output::note(format!("refused {address}: {why} ({so_far} refused so far)"));
        }
    }
}

struct Place<'s, D> {
    server: &'s Server<D>,
    number: u64,
}

impl<D> Drop for Place<'_, D> {
    fn drop(&mut self) {
        self.server.table.remove(self.number);
    }
}
