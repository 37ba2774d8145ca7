"""Python devices that misbehave, and `pqc-gpu transfer --connect`: it takes nothing from them and exits 1."""

import dataclasses
import functools
from collections.abc import Callable, Iterator

from pqgt import connect, exchange, records
from pqgt.device import Device
from pqgt.identity import Identity
from pqgt.metadata import Metadata
from pqgt.records import HEADER_SIZE, TO_DEVICE, Kind
from pqgt.session import Session
from pqgt.transport import Stream

from .liars import DEVICES
from .program import transferred
from .safetensors import SMALL
from .serve_wrong import closed, pour
from .tools import DEVICE, HOST, TRUST_HOST, device, named
from .transfer_honest import model
from .wrongs import ENDING, WRONGS, Wrong, flipped, sealed

Wrongdoer = Callable[[Stream], None]


def with_m2(theirs: Device, change: Callable[[bytes, bytes], bytes], stream: Stream) -> None:
    """M2 is not right: the program sends no M3."""
    m1 = stream.message(1)
    pour(stream, change(m1, theirs.receive_m1(m1)), end=True)
    assert closed(stream) == b"", "M3 was sent"


def with_ready(change: Callable[[bytes, Session], bytes], stream: Stream) -> None:
    """M4 is not right: the program sends no record."""
    theirs = device()
    stream.send(theirs.receive_m1(stream.message(1)))
    ready, session = theirs.receive_m3(stream.message(3))
    pour(stream, change(ready, session), end=True)
    assert closed(stream) == b"", "a record was sent"


def with_record(wrong: Wrong, ending: bool, stream: Stream) -> None:
    """The first tensor's answer is what no receiver may take."""
    session = connect.as_device(stream, device())
    first = stream.record(session)
    assert first.metadata is not None
    pour(stream, wrong(session, first.metadata, first.body), end=ending)
    closed(stream)


def with_answers(change: Callable[[Session, list[exchange.Tensor]], Iterator[bytes]], stream: Stream) -> None:
    """Every record is sealed as it should be; what is said in them is not."""
    session = connect.as_device(stream, device())
    tensors = []
    while (record := exchange.next_of(stream, session)).metadata is not None:
        tensors.append((record.metadata, record.body))
    pour(stream, b"".join(change(session, tensors)), end=True)
    closed(stream)


MESSAGES: dict[str, Callable[[bytes, bytes], bytes]] = {
    **{f"M2, header byte {at}": lambda m1, m2, at=at: flipped(m2, at) for at in range(12)},  # type: ignore[misc]
    "M2, random": lambda m1, m2: flipped(m2, 12),
    "M2, KEM ciphertext": lambda m1, m2: flipped(m2, 44),
    "M2, first sealed byte": lambda m1, m2: flipped(m2, 12 + 32 + 1088),
    "M2, last byte of the tag": lambda m1, m2: flipped(m2, -1),
    "M2, cut": lambda m1, m2: m2[:-1],
    "M2, a length of 4 GiB": lambda m1, m2: m2[:8] + b"\xff" * 4,
    "M2, one tag short, header to match": lambda m1, m2: m2[:8] + (len(m2) - 28).to_bytes(4, "big") + m2[12:-16],
    "M1 in M2's place": lambda m1, m2: m1,
    "no M2": lambda m1, m2: b"",
}


def as_ready(kind: Kind, ready: bytes, session: Session) -> bytes:
    """Another type as record 0, its tag right."""
    return records.seal(
        session.sending.epoch, dataclasses.replace(records.Header.decode(ready[:HEADER_SIZE]), kind=kind), b"", b""
    )


def under_header(ready: bytes, session: Session, **fields: int) -> bytes:
    """READY with other header fields, its tag right."""
    header = dataclasses.replace(records.Header.decode(ready[:HEADER_SIZE]), **fields)  # type: ignore[arg-type]
    return records.seal(session.sending.epoch, header, b"", b"")


READIES: dict[str, Callable[[bytes, Session], bytes]] = {
    "READY, last byte of the tag": lambda ready, session: flipped(ready, -1),
    "READY, session id": lambda ready, session: flipped(ready, 8),
    "READY, zero": lambda ready, session: flipped(ready, 7),
    "READY, sequence 1": lambda ready, session: under_header(ready, session, sequence=1),
    "READY, epoch 1": lambda ready, session: under_header(ready, session, epoch=1),
    "READY, the host's direction": lambda ready, session: under_header(ready, session, direction=TO_DEVICE),
    "READY under the host's key": lambda ready, session: records.seal(
        session.receiving.epoch, records.Header.decode(ready[:HEADER_SIZE]), b"", b""
    ),
    "CLOSE for READY": functools.partial(as_ready, Kind.CLOSE),
    "KEY_UPDATE for READY": functools.partial(as_ready, Kind.KEY_UPDATE),
    "READY, cut": lambda ready, session: ready[:-1],
    "no READY": lambda ready, session: b"",
}


def other_bytes(session: Session, tensors: list[exchange.Tensor]) -> Iterator[bytes]:
    for metadata, body in tensors:
        yield session.tensor(metadata, flipped(body, -1) if body else body)
    yield session.close()


def other_name(session: Session, tensors: list[exchange.Tensor]) -> Iterator[bytes]:
    for metadata, body in tensors:
        yield session.tensor(dataclasses.replace(metadata, name=metadata.name + "!"), body)
    yield session.close()


def other_type(session: Session, tensors: list[exchange.Tensor]) -> Iterator[bytes]:
    for metadata, body in tensors:
        dtype = "I8" if metadata.dtype == "U8" else metadata.dtype
        yield session.tensor(dataclasses.replace(metadata, dtype=dtype), body)
    yield session.close()


def other_order(session: Session, tensors: list[exchange.Tensor]) -> Iterator[bytes]:
    for metadata, body in tensors[::-1]:
        yield session.tensor(metadata, body)
    yield session.close()


def one_left_out(session: Session, tensors: list[exchange.Tensor]) -> Iterator[bytes]:
    for metadata, body in tensors[1:]:
        yield session.tensor(metadata, body)
    yield session.close()


def one_too_many(session: Session, tensors: list[exchange.Tensor]) -> Iterator[bytes]:
    for metadata, body in (*tensors, tensors[-1]):
        yield session.tensor(metadata, body)
    yield session.close()


def no_close(session: Session, tensors: list[exchange.Tensor]) -> Iterator[bytes]:
    for metadata, body in tensors:
        yield session.tensor(metadata, body)


def a_byte_behind_close(session: Session, tensors: list[exchange.Tensor]) -> Iterator[bytes]:
    yield from no_close(session, tensors)
    yield session.close() + b"\0"


def a_tensor_behind_close(session: Session, tensors: list[exchange.Tensor]) -> Iterator[bytes]:
    yield from no_close(session, tensors)
    yield session.close()
    yield sealed(session, Metadata("", "", "U8", (1,)).encode(), b"x")


def close_at_once(session: Session, tensors: list[exchange.Tensor]) -> Iterator[bytes]:
    yield session.close()


ANSWERS = (
    other_bytes, other_name, other_type, other_order, one_left_out, one_too_many, no_close, a_byte_behind_close,
    a_tensor_behind_close, close_at_once,
)  # fmt: skip

# An authenticated CLOSE before all came back is no attack, and no success.
EARLY = {"a tensor after close", "close at once"}

# Every tensor came back as it went; the session's end is wrong.
BEHIND_THE_LAST = {"one too many", "no close", "a byte behind close", "a tensor behind close"}


def wrongdoers() -> dict[str, Wrongdoer]:
    """All, by what they do."""
    doers: dict[str, Wrongdoer] = {}
    for kind in DEVICES:
        doers[kind.__name__] = functools.partial(with_m2, kind(DEVICE, "liar", TRUST_HOST), lambda m1, m2: m2)
    stranger, mirror = (Device(identity, "", TRUST_HOST) for identity in (Identity.generate(), HOST))
    doers["a stranger"] = functools.partial(with_m2, stranger, lambda m1, m2: m2)
    doers["the host's own key"] = functools.partial(with_m2, mirror, lambda m1, m2: m2)
    for name, message in MESSAGES.items():
        doers[name] = functools.partial(with_m2, device(), message)
    for name, ready in READIES.items():
        doers[name] = functools.partial(with_ready, ready)
    for name, wrong in (WRONGS | ENDING).items():
        doers[name] = functools.partial(with_record, wrong, name in ENDING)
    for answer in ANSWERS:
        doers[answer.__name__.replace("_", " ")] = functools.partial(with_answers, answer)
    return doers


def check_every_one() -> None:
    """Each makes the program exit 1 with a reason. Tensors count as verified only as they went; what is wrong behind the last
    leaves them that.
    """
    with model(SMALL) as (path, bodies):
        for name, wrongdoer in wrongdoers().items():
            with named(name):
                result = transferred(path, wrongdoer)
                assert result.code == (4 if name in EARLY else 1), (result.code, result.said)
                if result.summary is None:
                    continue
                assert result.summary["failure" if name in EARLY else "rejection"], result.summary
                assert result.summary["verified"] < len(bodies) or name in BEHIND_THE_LAST, result.summary


def check_impatience() -> None:
    """A device that says nothing, or nothing more, is given up."""
    with model(SMALL) as (path, _):
        for silent in (lambda stream: stream.message(1), lambda stream: connect.as_device(stream, device())):
            result = transferred(path, functools.partial(until_closed, silent), "--timeout", "1")
            assert result.code == 4 and "timed out" in result.said, (result.code, result.said)


def until_closed(work: Callable[[Stream], object], stream: Stream) -> None:
    """Does this, and then nothing but read."""
    work(stream)
    closed(stream)
