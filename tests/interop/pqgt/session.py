"""A session: seals what this end sends and opens what the other does, and never again after an error."""

import contextlib
import typing
from collections.abc import Iterator

from . import records, schedule
from .clock import Lifetime
from .direction import Direction
from .errors import SessionOver
from .metadata import MAX_METADATA, Metadata
from .peer import Peer
from .policy import Policy
from .records import Header, Kind
from .schedule import Epoch


class Record(typing.NamedTuple):
    """What was in a record; metadata only in a TENSOR."""

    kind: Kind
    metadata: Metadata | None
    body: bytes


class Session:
    """Both directions. Traffic that fails in any way ends the session for both."""

    def __init__(
        self, role: bytes, host: Epoch, device: Epoch, session_id: bytes, exporter: bytes, policy: Policy,
        lifetime: Lifetime, peer: Peer,
    ) -> None:  # fmt: skip
        to_device = Direction(records.TO_DEVICE, session_id, host, policy.log2_chunks)
        to_host = Direction(records.TO_HOST, session_id, device, policy.log2_chunks)
        self.sending, self.receiving = (to_device, to_host) if role == b"host" else (to_host, to_device)
        self.exporter = exporter
        self.policy = policy
        self.peer = peer
        self.ended = False
        self.lifetime = lifetime

    @contextlib.contextmanager
    def _one_record(self) -> Iterator[None]:
        if self.ended:
            raise SessionOver("the session has ended")
        try:
            self.lifetime.check(self.policy.lifetime)
            yield
        except Exception:
            self.ended = True
            raise

    def _seal(self, kind: Kind, metadata: bytes = b"", body: bytes = b"") -> bytes:
        with self._one_record():
            header = self.sending.header(kind, len(metadata), len(body))
            self.sending.check(header)
            record = records.seal(self.sending.epoch, header, metadata, body)
            self.sending.advance(header)
            return record

    def ready(self) -> bytes:
        """The device's first record."""
        return self._seal(Kind.READY)

    def tensor(self, metadata: Metadata, body: bytes) -> bytes:
        """A TENSOR, after a KEY_UPDATE where it would not fit under the present key."""
        encoded = metadata.encode()
        if len(encoded) > MAX_METADATA or metadata.size() != len(body):
            raise ValueError(f"{metadata} does not describe {len(body)} bytes in 4096")
        update = b"" if self.sending.fits(Kind.TENSOR, len(body)) else self.key_update()
        return update + self._seal(Kind.TENSOR, encoded, body)

    def key_update(self) -> bytes:
        """The last record of this epoch."""
        return self._seal(Kind.KEY_UPDATE)

    def close(self) -> bytes:
        """Our last record."""
        return self._seal(Kind.CLOSE)

    def accept(self, header: bytes) -> Header:
        """Checks a header on its own, so that a transport knows how much belongs to it."""
        with self._one_record():
            parsed = Header.decode(header)
            self.receiving.check(parsed)
            return parsed

    def open(self, header: Header, metadata: bytes, sealed: bytes) -> Record:
        """Opens the record of an accepted header."""
        with self._one_record():
            self.receiving.check(header)
            decoded = Metadata.decode(metadata, header.body_size) if header.kind == Kind.TENSOR else None
            body = records.open_body(self.receiving.epoch, header, metadata, sealed)
            self.receiving.advance(header)
            return Record(header.kind, decoded, body)

    def open_record(self, record: bytes) -> Record:
        """Opens a record that is there as a whole, and nothing behind it."""
        header = self.accept(record[: records.HEADER_SIZE])
        at = records.HEADER_SIZE + header.metadata_size
        return self.open(header, record[records.HEADER_SIZE : at], record[at:])

    def export(self, label: bytes, context: bytes, size: int) -> bytes:
        """Keying material for another protocol."""
        return schedule.export(self.exporter, label, context, size)
