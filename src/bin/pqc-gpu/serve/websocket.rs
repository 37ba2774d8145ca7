//! The channel's bytes as binary messages of a WebSocket (RFC 6455; docs/protocol.md, "Transports").

use std::{
    cell::RefCell,
    io::{self, ErrorKind, Read, Write},
    rc::Rc,
};

use pqc_gpu_driver::Error;
use tungstenite::{
    Bytes, HandshakeError, Message, WebSocket, accept_hdr_with_config,
    error::{Error as SocketError, ProtocolError},
    handshake::server::{ErrorResponse, Request, Response},
    http::StatusCode,
    protocol::WebSocketConfig,
};

/// The longest message, and so the most that is held of a peer that has proved nothing; what is sent is cut to it.
const MESSAGE_BYTES: usize = 64 << 10;
/// Read at once off the transport.
const READ_BYTES: usize = 16 << 10;

/// A WebSocket as a stream of bytes. Clones are the same socket.
pub(super) struct WebSocketStream<S>(Rc<RefCell<Inner<S>>>);

struct Inner<S> {
    socket: WebSocket<S>,
    /// What is left of the last message.
    held: Bytes,
}

impl<S> Clone for WebSocketStream<S> {
    fn clone(&self) -> Self {
        WebSocketStream(Rc::clone(&self.0))
    }
}

impl<S: Read + Write> WebSocketStream<S> {
    /// Answers the HTTP upgrade. Where `origins` names any, a browser's page of another origin is refused; so is one without,
    /// which no browser leaves out.
    pub(super) fn accept(stream: S, origins: &[String]) -> Result<Self, Error> {
        #[allow(clippy::result_large_err)] // tungstenite's callback has this type
        let check = |request: &Request, response: Response| {
            let origin = request.headers().get("origin").and_then(|origin| origin.to_str().ok());
            if origins.is_empty() || origin.is_some_and(|origin| origins.iter().any(|allowed| allowed == origin)) {
                return Ok(response);
            }
            let mut refused = ErrorResponse::new(Some("origin not allowed".into()));
            *refused.status_mut() = StatusCode::FORBIDDEN;
            Err(refused)
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        match accept_hdr_with_config(stream, check, Some(config)) {
            Ok(socket) => Ok(WebSocketStream(Rc::new(RefCell::new(Inner { socket, held: Bytes::new() })))),
            // The stream's time is over.
            Err(HandshakeError::Interrupted(_)) => Err(Error::TimedOut),
            Err(HandshakeError::Failure(SocketError::Io(error)))
                if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) =>
            {
                Err(Error::TimedOut)
            }
            Err(HandshakeError::Failure(error)) => Err(Error::Transport(format!("no WebSocket: {error}"))),
        }
    }

    /// Says that nothing follows. The peer may be gone already.
    pub(super) fn close(&self) {
        let mut inner = self.0.borrow_mut();
        let _ = inner.socket.close(None).and_then(|()| inner.socket.flush());
    }
}

impl<S: Read + Write> Read for WebSocketStream<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        while inner.held.is_empty() {
            match inner.socket.read() {
                Ok(Message::Binary(bytes)) => inner.held = bytes,
                // Pings are answered, and a close frame too, by the next read.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => {}
                Ok(Message::Text(_) | Message::Frame(_)) => {
                    return Err(io::Error::new(ErrorKind::InvalidData, "the peer sent text; the protocol is binary"));
                }
                Err(SocketError::ConnectionClosed | SocketError::AlreadyClosed) => return Ok(0),
                Err(SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => return Ok(0),
                Err(error) => return Err(failed(error)),
            }
        }
        let length = into.len().min(inner.held.len());
        into[..length].copy_from_slice(&inner.held.split_to(length));
        Ok(length)
    }
}

impl<S: Read + Write> Write for WebSocketStream<S> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let length = from.len().min(MESSAGE_BYTES);
        let message = Message::Binary(Bytes::copy_from_slice(&from[..length]));
        self.0.borrow_mut().socket.write(message).map_err(failed)?;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().socket.flush().map_err(failed)
    }
}

fn failed(error: SocketError) -> io::Error {
    match error {
        SocketError::Io(error) => error,
        SocketError::ConnectionClosed | SocketError::AlreadyClosed => ErrorKind::ConnectionAborted.into(),
        error => io::Error::new(ErrorKind::InvalidData, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        thread,
    };

    use super::*;

    fn pair(origins: &[&str], origin: Option<&str>) -> (Result<WebSocketStream<TcpStream>, Error>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let header = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("connects");
            let request = format!(
                "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{header}\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).expect("writes");
            stream
        });
        let accepted = listener.accept().expect("accepts").0;
        let origins: Vec<_> = origins.iter().map(|origin| origin.to_string()).collect();
        let client = client.join().expect("connected");
        (WebSocketStream::accept(accepted, &origins), client)
    }

    /// The upgrade's answer, up to the empty line.
    fn answer(client: &mut TcpStream) -> String {
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\r\n\r\n") && client.read(&mut byte).expect("reads") == 1 {
            answer.push(byte[0]);
        }
        String::from_utf8(answer).expect("HTTP")
    }

    /// A frame as a client sends it, under a mask of zeros.
    fn frame(opcode: u8, length: u64, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode, 0x80 | 127];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(payload);
        frame
    }

    #[test]
    fn messages_are_bytes_cut_anywhere() {
        let (socket, mut client) = pair(&[], None);
        let mut socket = socket.expect("a WebSocket");
        assert!(answer(&mut client).starts_with("HTTP/1.1 101"));
        for part in [&b"ab"[..], b"", b"cdefg"] {
            client.write_all(&frame(2, part.len() as u64, part)).expect("writes");
        }
        let mut read = [0; 7];
        socket.read_exact(&mut read[..3]).expect("reads");
        socket.read_exact(&mut read[3..]).expect("reads");
        assert_eq!(&read, b"abcdefg");
        assert_eq!(socket.write(&vec![7; MESSAGE_BYTES + 9]).expect("writes"), MESSAGE_BYTES);
        socket.close();
        let mut head = [0; 2];
        client.read_exact(&mut head).expect("reads");
        assert_eq!(head, [0x82, 127], "one binary message");
        drop(client);
    }

    #[test]
    fn text_and_long_messages_end_it_and_the_end_is_one() {
        for (bytes, kind) in [
            (frame(1, 1, b"x"), Some(ErrorKind::InvalidData)),
            // Refused when its length is known: not a byte of it follows.
            (frame(2, MESSAGE_BYTES as u64 + 1, b""), Some(ErrorKind::InvalidData)),
            (frame(2, u64::MAX >> 1, b""), Some(ErrorKind::InvalidData)),
            (frame(8, 0, b""), None),
            (Vec::new(), None),
        ] {
            let (socket, mut client) = pair(&[], None);
            client.write_all(&bytes).expect("writes");
            client.shutdown(std::net::Shutdown::Write).expect("ends");
            let read = socket.expect("a WebSocket").read(&mut [0; 4]);
            match kind {
                Some(kind) => assert_eq!(read.expect_err("an error").kind(), kind, "{bytes:?}"),
                None => assert_eq!(read.expect("an end"), 0),
            }
        }
    }

    #[test]
    fn other_origins_are_refused() {
        const OURS: &str = "https://models.example";
        for (origins, origin, status) in [
            (&[][..], None, "101"),
            (&[], Some("https://anything.example"), "101"),
            (&[OURS], Some(OURS), "101"),
            (&[OURS], Some("https://models.example.evil.example"), "403"),
            (&[OURS], None, "403"),
        ] {
            let (socket, mut client) = pair(origins, origin);
            assert_eq!(socket.is_ok(), status == "101");
            assert!(answer(&mut client).contains(status), "{origins:?} {origin:?}");
        }
    }
}
