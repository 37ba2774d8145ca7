//! What lies between two processes: a proxy that passes bytes on, and may edit them by their place in the stream.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    ops::Range,
    thread,
};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToDevice,
    ToHost,
}

/// What is done to one way's bytes. Places are those of the stream as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    Nothing,
    /// Flips one bit of one byte.
    Flip(usize, u8),
    /// Leaves bytes out.
    Drop(Range<usize>),
    /// Sends bytes twice.
    Repeat(Range<usize>),
    /// Sends the second range before the first; the one begins where the other ends.
    Swap(Range<usize>, Range<usize>),
    /// Ends the connection here.
    Cut(usize),
    /// Puts bytes in.
    Insert(usize, Vec<u8>),
}

impl Edit {
    /// What becomes of the bytes so far. Whatever depends on bytes still to come is held back. False where the stream ends.
    fn apply(&self, sent: &[u8]) -> (Vec<u8>, bool) {
        let join = |parts: &[&[u8]]| parts.concat();
        let cut = |at: usize| &sent[..at.min(sent.len())];
        let from = |at: usize| &sent[at.min(sent.len())..];
        match self {
            Edit::Flip(at, bit) => {
                let mut edited = sent.to_vec();
                if let Some(byte) = edited.get_mut(*at) {
                    *byte ^= 1 << bit;
                }
                (edited, true)
            }
            Edit::Drop(range) => (join(&[cut(range.start), from(range.end)]), true),
            Edit::Repeat(range) if sent.len() >= range.end => {
                (join(&[cut(range.end), &sent[range.clone()], from(range.end)]), true)
            }
            Edit::Swap(first, second) => match sent.get(second.clone()) {
                Some(later) => (join(&[cut(first.start), later, &sent[first.clone()], from(second.end)]), true),
                None => (cut(first.start).to_vec(), true),
            },
            Edit::Cut(at) => (cut(*at).to_vec(), sent.len() < *at),
            Edit::Insert(at, bytes) if sent.len() >= *at => (join(&[cut(*at), bytes, from(*at)]), true),
            Edit::Nothing | Edit::Repeat(_) | Edit::Insert(..) => (sent.to_vec(), true),
        }
    }
}

/// Both ways' bytes, as they were sent.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) to_device: Vec<u8>,
    pub(crate) to_host: Vec<u8>,
}

/// Carries one connection to `server`, one way edited. Gives where to connect, and what was said.
pub(crate) fn proxy(server: SocketAddr, way: Way, edit: Edit) -> (SocketAddr, thread::JoinHandle<Conversation>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let carry = move || {
        let host = listener.accept().unwrap().0;
        let device = TcpStream::connect(server).unwrap();
        for stream in [&host, &device] {
            stream.set_nodelay(true).unwrap();
        }
        let for_way = |this: Way| if way == this { edit.clone() } else { Edit::Nothing };
        let (out, back) = (for_way(Way::ToDevice), for_way(Way::ToHost));
        thread::scope(|scope| {
            let to_device = scope.spawn(|| pump(&host, &device, &out));
            let to_host = pump(&device, &host, &back);
            Conversation { to_device: to_device.join().unwrap(), to_host }
        })
    };
    (address, thread::spawn(carry))
}

/// Passes bytes on until either end is gone. Ends both connections where the edit does, or the sender has.
fn pump(mut from: &TcpStream, mut to: &TcpStream, edit: &Edit) -> Vec<u8> {
    let (mut sent, mut delivered, mut piece) = (Vec::new(), 0, vec![0; 64 << 10]);
    loop {
        let read = from.read(&mut piece).unwrap_or(0);
        sent.extend(&piece[..read]);
        let (edited, goes_on) = edit.apply(&sent);
        let new = edited.get(delivered..).unwrap_or_default();
        let written = to.write_all(new).is_ok();
        delivered = delivered.max(edited.len());
        if !goes_on || !written {
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            return sent;
        }
        if read == 0 {
            let _ = to.shutdown(Shutdown::Write);
            return sent;
        }
    }
}
