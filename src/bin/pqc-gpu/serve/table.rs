//! Who is connected: the limits on how many, half-open and open.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr, Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::timed::Deadline;

/// A handshake younger than this is not dropped for a newcomer.
const YOUNG: Duration = Duration::from_millis(500);

/// Every connection that has a thread.
pub(super) struct Table {
    max_clients: usize,
    max_half_open: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    clients: BTreeMap<u64, Client>,
    stopping: bool,
}

struct Client {
    address: IpAddr,
    since: Instant,
    phase: Phase,
    stream: Arc<TcpStream>,
    deadline: Arc<Deadline>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    HalfOpen,
    Open,
    /// Dropped for a newcomer; its thread has still to notice.
    Dropped,
}

/// What a newcomer gets.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Free,
    /// After this one has gone.
    Instead(u64),
    /// None yet: the handshakes that hold all of them are young.
    Wait(Duration),
    None,
}

impl Table {
    pub(super) fn new(max_clients: usize, max_half_open: usize) -> Self {
        Table { max_clients, max_half_open, state: Mutex::default(), changed: Condvar::new() }
    }

    /// A place for a connection, half-open at first; its number. None where there is none, or the server stops.
    pub(super) fn admit(&self, address: IpAddr, stream: &Arc<TcpStream>, deadline: &Arc<Deadline>) -> Option<u64> {
        let (address, mut state) = (network(address), self.lock());
        loop {
            if state.stopping {
                return None;
            }
            match self.place(&state, address, Instant::now()) {
                Place::Free => break,
                Place::Instead(number) => {
                    if let Some(client) = state.clients.get_mut(&number) {
                        client.phase = Phase::Dropped;
                        let _ = client.stream.shutdown(Shutdown::Both);
                    }
                    break;
                }
                Place::Wait(time) => {
                    state = self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0;
                }
                Place::None => return None,
            }
        }
        let number = state.next;
        state.next += 1;
        let client = Client {
            address,
            since: Instant::now(),
            phase: Phase::HalfOpen,
            stream: Arc::clone(stream),
            deadline: Arc::clone(deadline),
        };
        state.clients.insert(number, client);
        Some(number)
    }

    /// No address holds more than half of the half-open places, and the oldest handshake makes way for a newcomer: whoever opens
    /// many connections and says nothing drops his own.
    fn place(&self, state: &State, address: IpAddr, now: Instant) -> Place {
        let open = state.clients.values().filter(|client| client.phase == Phase::Open).count();
        // What was dropped still has its thread for a moment, and threads are bounded too.
        if open >= self.max_clients || state.clients.len() >= self.max_clients + 2 * self.max_half_open {
            return Place::None;
        }
        let half_open = || state.clients.iter().filter(|(_, client)| client.phase == Phase::HalfOpen);
        let own = || half_open().filter(|(_, client)| client.address == address);
        let oldest = if own().count() >= self.max_half_open.div_ceil(2) {
            own().next()
        } else if half_open().count() >= self.max_half_open {
            half_open().next()
        } else {
            None
        };
        match oldest {
            None => Place::Free,
            Some((&number, client)) => match YOUNG.saturating_sub(now.saturating_duration_since(client.since)) {
                Duration::ZERO => Place::Instead(number),
                left => Place::Wait(left),
            },
        }
    }

    /// After the handshake. False where all places are taken, or the connection was dropped meanwhile.
    pub(super) fn open(&self, number: u64) -> bool {
        let mut state = self.lock();
        let open = state.clients.values().filter(|client| client.phase == Phase::Open).count();
        let opened = match state.clients.get_mut(&number) {
            Some(client) if client.phase == Phase::HalfOpen && open < self.max_clients => {
                client.phase = Phase::Open;
                true
            }
            _ => false,
        };
        self.changed.notify_all();
        opened
    }

    /// The connection's thread ends.
    pub(super) fn remove(&self, number: u64) {
        self.lock().clients.remove(&number);
        self.changed.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Lets nobody in any more; handshakes are dropped.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        state.clients.values().filter(|client| client.phase == Phase::HalfOpen).for_each(cut);
        self.changed.notify_all();
    }

    /// Waits until nobody is left: for `grace` as if nothing were, then sessions end at their next record, then the rest is cut.
    pub(super) fn drain(&self, grace: Duration) {
        for (time, then) in [
            (grace, (|client: &Client| client.deadline.stop_reading()) as fn(&Client)),
            (Duration::from_secs(2), cut),
            (Duration::from_secs(2), |_| ()),
        ] {
            let state = self.lock();
            let waited = self.changed.wait_timeout_while(state, time, |state| !state.clients.is_empty());
            waited.unwrap_or_else(PoisonError::into_inner).0.clients.values().for_each(then);
        }
    }

    /// Waits until nobody is left.
    pub(super) fn wait(&self) {
        let state = self.lock();
        let waited = self.changed.wait_while(state, |state| !state.clients.is_empty() && !state.stopping);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(client: &Client) {
    let _ = client.stream.shutdown(Shutdown::Both);
}

/// An IPv6 host has a /64 of addresses to come from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn state(clients: &[(&str, Phase)], since: Instant) -> State {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let stream = Arc::new(TcpStream::connect(listener.local_addr().expect("bound")).expect("connects"));
        let client = |&(address, phase): &(&str, Phase)| Client {
            address: network(address.parse().expect("an address")),
            since,
            phase,
            stream: Arc::clone(&stream),
            deadline: Deadline::absolute(Duration::from_secs(1)),
        };
        State { clients: (0..).zip(clients.iter().map(client)).collect(), ..State::default() }
    }

    #[test]
    fn newcomers_take_the_places_of_those_who_say_nothing() {
        use Phase::{Dropped, HalfOpen, Open};
        const A: &str = "192.0.2.1";
        const B: &str = "192.0.2.2";
        const C: &str = "192.0.2.3";
        let table = Table::new(3, 4);
        let (since, newcomer) = (Instant::now(), |address: &str| network(address.parse().expect("an address")));
        for (clients, address, place) in [
            (&[][..], A, Place::Free),
            (&[(A, HalfOpen)], A, Place::Free),
            // Half of the places for one address; then its own oldest goes, whatever the others do.
            (&[(B, HalfOpen), (A, HalfOpen), (A, HalfOpen)], A, Place::Instead(1)),
            (&[(B, HalfOpen), (A, HalfOpen), (A, HalfOpen)], B, Place::Free),
            // All places taken: the oldest of all goes.
            (&[(B, HalfOpen), (A, HalfOpen), (A, HalfOpen), (B, HalfOpen)], C, Place::Instead(0)),
            // Sessions count apart, and what is dropped counts no more.
            (&[(A, Open), (A, Open), (A, HalfOpen)], A, Place::Free),
            (&[(A, Dropped), (A, Dropped), (A, Dropped), (A, HalfOpen)], A, Place::Free),
            (&[(A, Open), (B, Open), (C, Open)], A, Place::None),
        ] {
            let late = since + YOUNG;
            assert_eq!(
                table.place(&state(clients, since), newcomer(address), late),
                place,
                "{address} {}",
                clients.len()
            );
        }
        // A young handshake is waited for, not dropped.
        let young = state(&[(A, HalfOpen), (A, HalfOpen)], since);
        assert_eq!(table.place(&young, newcomer(A), since), Place::Wait(YOUNG));
        // Threads are bounded whatever their state.
        let full = state(&[(A, Dropped); 11], since);
        assert_eq!(table.place(&full, newcomer(B), since), Place::None);
    }

    #[test]
    fn a_network_is_one_address() {
        let network = |address: &str| network(address.parse().expect("an address"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:0:0:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
