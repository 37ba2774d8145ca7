"""Messages and records over a stream socket: each says how long it is, so nothing else frames them."""

import socket

from . import messages, records
from .errors import OutOfOrder, Truncated
from .session import Record, Session

PIECE = 1 << 20


class Stream:
    """A connected socket. `end` closes only our sending half."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def send(self, data: bytes) -> None:
        """All of it."""
        self.socket.sendall(data)

    def receive(self, size: int) -> bytes:
        """Exactly `size` bytes; memory grows with what came, not with what was announced."""
        data = bytearray()
        while len(data) < size:
            piece = self.socket.recv(min(PIECE, size - len(data)))
            if not piece:
                raise Truncated(f"the transport ended after {len(data)} of {size} bytes")
            data += piece
        return bytes(data)

    def message(self, kind: int) -> bytes:
        """M1, M2 or M3 as a whole; the length is checked before it is waited for."""
        header = self.receive(messages.HEADER_SIZE)
        return header + self.receive(messages.parse_header(header, kind))

    def ready(self) -> bytes:
        """M4 as a whole."""
        return self.receive(records.HEADER_SIZE + records.TAG)

    def record(self, session: Session) -> Record:
        """The peer's next record, opened."""
        header = session.accept(self.receive(records.HEADER_SIZE))
        metadata = self.receive(header.metadata_size)
        return session.open(header, metadata, self.receive(header.sealed_size))

    def end(self) -> None:
        """Nothing more comes from us."""
        self.socket.shutdown(socket.SHUT_WR)

    def expect_end(self) -> None:
        """Nothing more may come from the peer."""
        if self.socket.recv(1):
            raise OutOfOrder("bytes after the peer's CLOSE")

    def close(self) -> None:
        """Both halves."""
        self.socket.close()
