"""What the program's two ends say after the handshake ("The program's exchange")."""

from collections.abc import Iterator, Sequence

from . import connect
from .background import beside
from .device import Device
from .errors import OutOfOrder
from .host import Host
from .metadata import Metadata
from .records import Kind
from .session import Record, Session
from .transport import Stream

Tensor = tuple[Metadata, bytes]


def carry(stream: Stream, host: Host, tensors: Sequence[Tensor], update_every: int = 0) -> Session:
    """The host: sends all of them, with a KEY_UPDATE after every `update_every`, and gets each of them back."""
    session = connect.as_host(stream, host)
    with beside(lambda: _send_all(stream, session, tensors, update_every)):
        for metadata, body in tensors:
            if next_of(stream, session) != Record(Kind.TENSOR, metadata, body):
                raise OutOfOrder(f"{metadata.name} did not come back as it went")
        if next_of(stream, session).kind != Kind.CLOSE:
            raise OutOfOrder("more came back than went")
    stream.expect_end()
    return session


def _send_all(stream: Stream, session: Session, tensors: Sequence[Tensor], update_every: int) -> None:
    for number, (metadata, body) in enumerate(tensors, 1):
        stream.send(session.tensor(metadata, body))
        if update_every and number % update_every == 0:
            stream.send(session.key_update())
    stream.send(session.close())


def next_of(stream: Stream, session: Session) -> Record:
    """The peer's next record that is no KEY_UPDATE."""
    while (record := stream.record(session)).kind == Kind.KEY_UPDATE:
        pass
    return record


def serve(stream: Stream, device: Device, update_every: int = 0) -> Iterator[Record]:
    """The device end: sends back what it gets, with a KEY_UPDATE after every `update_every` tensors. Yields every
    record before it answers it.
    """
    session = connect.as_device(stream, device)
    count = 0
    while (record := stream.record(session)).kind != Kind.CLOSE:
        yield record
        if record.metadata is None:
            continue
        count += 1
        stream.send(session.tensor(record.metadata, record.body))
        if update_every and count % update_every == 0:
            stream.send(session.key_update())
    yield record
    stream.send(session.close())
    stream.close()
