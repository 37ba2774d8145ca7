//! A small web server on 127.0.0.1 that answers range requests, and does not always do it well.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// What the server does wrong. Numbers are those of requests: the first is the one that asks for the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Every body breaks off in the middle, but for the first so many.
    CutsAfter(usize),
    /// Every second request's body breaks off in the middle.
    CutsEverySecond,
    /// Bodies are half as long as the range that stands in Content-Range, and say so.
    EndsEarly,
    /// Every second request fails with 503.
    FailsEverySecond,
    FailsAlways,
    NotFound,
    Forbidden,
    IgnoresRange,
    /// Says another range than was asked for.
    LiesAboutRange,
    /// Says and sends another range than was asked for.
    SendsOtherRange,
    /// Bodies are longer than the range that stands in Content-Range, and say so.
    SendsMore,
    /// The first request is told of an object ten times as long.
    LiesAboutLength,
    /// Sends nothing, from this request on.
    Stalls(usize),
    /// From this request on another object stands there, with another ETag.
    Changes(usize),
    /// The same, without looking at If-Match.
    ChangesUnasked(usize),
    /// From this request on another object stands there, and there are no ETags.
    ChangesWithoutTag(usize),
    /// Takes its time with every body.
    Slow,
}

/// Requests that came: their first lines and headers.
pub(crate) struct Storage {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    at_once: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl Storage {
    pub(crate) fn new(object: Vec<u8>, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("an address");
        let storage = Storage { address, requests: Arc::default(), at_once: Arc::default(), ended: Arc::default() };
        let (requests, at_once, ended) = (storage.requests.clone(), storage.at_once.clone(), storage.ended.clone());
        let (object, now) = (Arc::new(object), Arc::new(AtomicUsize::new(0)));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (object, requests) = (Arc::clone(&object), Arc::clone(&requests));
                let (now, at_once) = (Arc::clone(&now), Arc::clone(&at_once));
                thread::spawn(move || {
                    at_once.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    // A client that goes away is no failure of the server's.
                    let _ = answer(stream, &object, fault, &requests);
                    now.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        storage
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/models/m.pqgs", self.address)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// The most requests that were under way at a time.
    pub(crate) fn at_once(&self) -> usize {
        self.at_once.load(Ordering::Relaxed)
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// One request a connection.
fn answer(mut stream: TcpStream, object: &[u8], fault: Fault, requests: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let number = {
        let mut requests = requests.lock().expect("not poisoned");
        requests.push(head.clone());
        requests.len()
    };
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
    let status = |stream: &mut TcpStream, status: &str| {
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    };
    let (changed, tagged) = match fault {
        Fault::Changes(from) | Fault::ChangesUnasked(from) => (number >= from, true),
        Fault::ChangesWithoutTag(from) => (number >= from, false),
        _ => (false, true),
    };
    let tag = if changed { "\"other\"" } else { "\"first\"" };
    match fault {
        Fault::FailsAlways => return status(&mut stream, "500 Internal Server Error"),
        Fault::FailsEverySecond if number.is_multiple_of(2) => return status(&mut stream, "503 Service Unavailable"),
        Fault::NotFound => return status(&mut stream, "404 Not Found"),
        Fault::Forbidden => return status(&mut stream, "403 Forbidden"),
        Fault::Stalls(from) if number >= from => {
            thread::sleep(Duration::from_secs(60));
            return Ok(());
        }
        Fault::Slow => thread::sleep(Duration::from_millis(300)),
        Fault::Changes(_) if value("if-match:").is_some_and(|asked| asked != tag) => {
            return status(&mut stream, "412 Precondition Failed");
        }
        _ => {}
    }
    let range = value("range:").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let bounds = range.and_then(|(from, to)| Some((from.parse().ok()?, to.parse::<usize>().ok()? + 1)));
    let (Some((from, to)), true) = (bounds, fault != Fault::IgnoresRange) else {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", object.len())?;
        return stream.write_all(object);
    };
    let (from, to): (usize, usize) = (from, to.min(object.len()));
    let (said, sent) = match fault {
        Fault::LiesAboutRange => (from + 1..to + 1, from..to),
        Fault::SendsOtherRange if from > 0 => (from - 1..to - 1, from - 1..to - 1),
        _ => (from..to, from..to),
    };
    let mut body = object.get(sent).unwrap_or_default().to_vec();
    if changed {
        body.iter_mut().for_each(|byte| *byte ^= 0x55);
    }
    let size = if fault == Fault::LiesAboutLength { object.len() * 10 } else { object.len() };
    write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{size}\r\n", said.start, said.end - 1)?;
    let modified = if changed { "Mon, 02 Nov 2026 00:00:00 GMT" } else { "Sun, 01 Nov 2026 00:00:00 GMT" };
    write!(stream, "Last-Modified: {modified}\r\nConnection: close\r\n")?;
    if tagged {
        write!(stream, "ETag: {tag}\r\n")?;
    }
    let cut = match fault {
        Fault::CutsAfter(whole) => number > whole,
        Fault::CutsEverySecond => number.is_multiple_of(2),
        _ => false,
    };
    match fault {
        Fault::EndsEarly => body.truncate(body.len() / 2),
        Fault::SendsMore => body.extend(b"more"),
        _ => {}
    }
    write!(stream, "Content-Length: {}\r\n\r\n", body.len())?;
    stream.write_all(if cut { &body[..body.len() / 2] } else { &body })
}
