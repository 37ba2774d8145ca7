"""Records, Python against Python: every size crosses, and no record is taken that may not come."""

import dataclasses
from collections.abc import Callable

from pqgt import records
from pqgt.direction import LAST_EPOCH
from pqgt.errors import Malformed, OutOfOrder, ProtocolError, SessionOver, Unauthentic
from pqgt.policy import Policy
from pqgt.records import Header, Kind
from pqgt.schedule import Epoch
from pqgt.session import Record

from .tools import SIZES, refused, sessions, tensor


def check_sizes_both_ways() -> None:
    """Every size, both ways, with a key update between any two."""
    ours, theirs = sessions()
    for sender, receiver in ((ours, theirs), (theirs, ours)):
        for number, size in enumerate(SIZES):
            metadata, body = tensor(size)
            record = sender.tensor(metadata, body)
            assert len(record) == 64 + len(metadata.encode()) + size + 16 * (size // 16384 + 1)
            assert receiver.open_record(record) == Record(Kind.TENSOR, metadata, body)
            assert receiver.open_record(sender.key_update()) == Record(Kind.KEY_UPDATE, None, b"")
            assert sender.sending.epoch == receiver.receiving.epoch and sender.sending.epoch.number == number + 1
        assert receiver.open_record(sender.close()).kind == Kind.CLOSE


def check_altered_records() -> None:
    """One bit changed in the header, the metadata, a chunk or a tag, and a record cut or lengthened."""
    metadata, body = tensor(20000)
    length = 64 + len(metadata.encode()) + 20000 + 32
    for at in (*range(64), 64, 70, length - 20032, length - 16, length - 1):
        ours, theirs = sessions()
        record = bytearray(ours.tensor(metadata, body))
        record[at] ^= 1
        with refused():
            theirs.open_record(bytes(record))
        with refused(SessionOver):
            theirs.open_record(ours.close())
    for size in (length - 1, length + 1, 60, 64):
        ours, theirs = sessions()
        with refused(Malformed):
            theirs.open_record(ours.tensor(metadata, body).ljust(size, b"\0")[:size])


def check_chunks_stay_where_they_are() -> None:
    """Chunks exchanged, or a record cut at a chunk's end with the length in its header to match, do not open."""
    ours, theirs = sessions()
    metadata, body = tensor(3 * 16384)
    record = ours.tensor(metadata, body)
    at, step = 64 + len(metadata.encode()), 16384 + 16
    chunks = [record[at + i * step : at + (i + 1) * step] for i in range(4)]
    with refused(Unauthentic, "chunk 0"):
        theirs.open_record(record[:at] + chunks[1] + chunks[0] + chunks[2] + chunks[3])
    ours, theirs = sessions()
    ours.tensor(metadata, body)
    shorter = dataclasses.replace(metadata, extents=(2 * 16384 - 1,))
    header = theirs.receiving.header(Kind.TENSOR, len(shorter.encode()), 2 * 16384 - 1)
    with refused(Unauthentic, "chunk 0"):
        theirs.open(header, shorter.encode(), (chunks[0] + chunks[1])[: header.sealed_size])


def check_order() -> None:
    """What `wrongs` cannot make: a record reflected, one of another session under another key, one sent after our own
    CLOSE. CLOSE ends one direction only.
    """
    ours, theirs = sessions()
    with refused(OutOfOrder):
        theirs.open_record(theirs.tensor(*tensor(1)))
    with refused(SessionOver):
        theirs.close()
    ours, theirs = sessions()
    with refused(OutOfOrder):
        theirs.open_record(sessions()[0].tensor(*tensor(1)))
    ours, theirs = sessions()
    theirs.open_record(ours.close())
    metadata, body = tensor(5)
    assert ours.open_record(theirs.tensor(metadata, body)).body == body
    with refused(SessionOver):
        ours.tensor(metadata, body)


def check_headers() -> None:
    """Header fields that no sender makes, sealed as they should be: refused by their form."""
    ours, _ = sessions()
    good = ours.sending.header(Kind.TENSOR, 20, 30)
    assert Header.decode(good.encode()) == good and good.encode()[7] == 0
    encoded = good.encode()
    for at, value in ((3, 0x53), (4, 2), (5, 0), (5, 5), (5, 255), (6, 2), (7, 1), (45, 1), (46, 17), (56, 1)):
        with refused(Malformed):
            Header.decode(encoded[:at] + bytes([value]) + encoded[at + 1 :])
    for other in (encoded[:63], encoded + b"\0"):
        with refused(Malformed):
            Header.decode(other)
    for kind in (Kind.READY, Kind.KEY_UPDATE, Kind.CLOSE):
        for metadata, body in ((1, 0), (0, 1)):
            with refused(Malformed):
                Header.decode(ours.sending.header(kind, metadata, body).encode())
    for metadata, body, ok in ((4096, 2**36, True), (4097, 0, False), (0, 2**36 + 1, False)):
        encoded = ours.sending.header(Kind.TENSOR, metadata, body).encode()
        if ok:
            assert Header.decode(encoded).sealed_size == 2**36 + 16 * (2**22 + 1)
        else:
            with refused(Malformed):
                Header.decode(encoded)


def check_bounds() -> None:
    """The sender updates before a tensor that would not fit; the receiver refuses one that did not."""
    for log2 in (23, 24):
        ours, theirs = sessions(Policy(3600, log2))
        assert (ours.sending.used, theirs.sending.used, ours.receiving.used) == (0, 1, 1)
        ours.sending.used = theirs.receiving.used = (1 << log2) - 3
        theirs.open_record(ours.tensor(*tensor(16383)))
        assert ours.sending.epoch.number == 0
        update_and_tensor = ours.tensor(*tensor(1))
        theirs.open_record(update_and_tensor[:80])
        theirs.open_record(update_and_tensor[80:])
        assert ours.sending.epoch.number == theirs.receiving.epoch.number == 1 and ours.sending.used == 1

        ours.sending.used = theirs.receiving.used = (1 << log2) - 2
        metadata, body = tensor(1)
        header = ours.sending.header(Kind.TENSOR, len(metadata.encode()), 1)
        with refused(OutOfOrder, "does not fit"):
            theirs.open_record(records.seal(ours.sending.epoch, header, metadata.encode(), body))

        ours, theirs = sessions(Policy(3600, log2))
        ours.sending.used = theirs.receiving.used = (1 << log2) - 1
        with refused(OutOfOrder):
            ours.key_update()
        ours.ended = False
        theirs.open_record(ours.close())


def check_numbers_end() -> None:
    """No sequence number and no epoch wraps."""
    ours, _ = sessions()
    ours.sending.sequence = 2**64 - 1
    with refused(SessionOver, "sequence"):
        ours.close()
    ours, _ = sessions()
    ours.sending.epoch = Epoch(LAST_EPOCH, bytes(64))
    with refused(SessionOver, "epoch"):
        ours.key_update()


def check_lifetime() -> None:
    """A session ends on either clock, and when the wall clock goes back."""
    cases = ((0, 0, False), (59, 59, False), (61, 0, True), (0, 61, True), (5, -1, False), (5, -3, True))
    for monotonic, wall, ends in cases:
        ours, _ = sessions(Policy(60, 24))
        ours.lifetime.monotonic = ahead(ours.lifetime.monotonic, monotonic)
        ours.lifetime.wall = ahead(ours.lifetime.wall, wall)
        if ends:
            with refused(SessionOver):
                ours.tensor(*tensor(1))
        else:
            ours.tensor(*tensor(1))


def ahead(clock: Callable[[], float], seconds: float) -> Callable[[], float]:
    """A clock that shows so much more."""
    return lambda: clock() + seconds


def check_errors_are_final() -> None:
    """After any error both directions are over."""
    ours, theirs = sessions()
    with refused(ProtocolError):
        theirs.open_record(bytes(80))
    for attempt in (lambda: theirs.tensor(*tensor(1)), theirs.close, lambda: theirs.open_record(ours.close())):
        with refused(SessionOver):
            attempt()
