"""One direction of a session: its counters, its epoch, and what may come next ("Records", Order and Bounds)."""

from .errors import OutOfOrder, SessionOver
from .records import Header, Kind, chunks
from .schedule import Epoch

LAST_SEQUENCE, LAST_EPOCH = 2**64 - 2, 2**32 - 1
# Chunks that must remain for the records that may still have to come: KEY_UPDATE and CLOSE, or CLOSE alone.
RESERVED = {Kind.READY: 1, Kind.TENSOR: 2, Kind.KEY_UPDATE: 1, Kind.CLOSE: 0}


class Direction:
    """Where a sender is, and where its receiver believes it to be: the same rules on both sides."""

    def __init__(self, number: int, session_id: bytes, epoch: Epoch, log2_chunks: int) -> None:
        self.number = number
        self.session_id = session_id
        self.epoch = epoch
        self.sequence = 0
        self.used = 0
        self.limit = 1 << log2_chunks
        self.closed = False

    def fits(self, kind: Kind, body_size: int = 0) -> bool:
        """Whether such a record may still be sealed under the present key."""
        return self.used + chunks(body_size) + RESERVED[kind] <= self.limit

    def header(self, kind: Kind, metadata_size: int = 0, body_size: int = 0) -> Header:
        """The header of the next record."""
        return Header(kind, self.number, self.session_id, self.epoch.number, metadata_size, self.sequence, body_size)

    def check(self, header: Header) -> None:
        """Raises unless this is the header of exactly the next record."""
        if self.closed:
            raise SessionOver("a record after CLOSE")
        if header != self.header(header.kind, header.metadata_size, header.body_size):
            raise OutOfOrder(f"{header} is not record {self.sequence} of epoch {self.epoch.number} of this direction")
        if (header.kind == Kind.READY) != (self.number == 1 and self.sequence == 0):
            raise OutOfOrder("READY is the device's record 0 and nothing else")
        if self.sequence > LAST_SEQUENCE:
            raise SessionOver("no sequence numbers are left")
        if header.kind == Kind.KEY_UPDATE and self.epoch.number >= LAST_EPOCH:
            raise SessionOver("no epochs are left")
        if not self.fits(header.kind, header.body_size):
            raise OutOfOrder(f"{header.kind.name} does not fit under this key any more")

    def advance(self, header: Header) -> None:
        """Counts a record that was sealed or opened."""
        self.sequence += 1
        self.used += chunks(header.body_size)
        if header.kind == Kind.KEY_UPDATE:
            self.epoch, self.used = self.epoch.next(), 0
        elif header.kind == Kind.CLOSE:
            self.closed = True
