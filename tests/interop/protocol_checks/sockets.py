"""Both Python ends over a real socket pair: handshake, tensors both ways, key updates, CLOSE, and a transport that ends."""

import contextlib
import functools
import socket
import threading
from collections.abc import Callable, Iterator

from pqgt import connect
from pqgt.errors import Malformed, Truncated
from pqgt.metadata import MAX_BODY
from pqgt.records import Kind
from pqgt.session import Record, Session
from pqgt.transport import Stream

from .tools import SIZES, device, host, refused, tensor


@contextlib.contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Runs `work` in a thread and raises here what went wrong there."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        for error in errors:
            raise error


def pair() -> tuple[Stream, Stream]:
    """Two connected streams that give up after ten seconds."""
    ends = socket.socketpair()
    for end in ends:
        end.settimeout(10)
    return Stream(ends[0]), Stream(ends[1])


def echo(stream: Stream) -> None:
    """A device that sends back what it gets, with a new key after every other tensor."""
    session = connect.as_device(stream, device())
    while (record := stream.record(session)).kind != Kind.CLOSE:
        if record.metadata is not None:
            stream.send(session.tensor(record.metadata, record.body))
            if session.sending.sequence % 3 == 2:
                stream.send(session.key_update())
    stream.send(session.close())
    stream.end()
    stream.expect_end()


def next_of(stream: Stream, session: Session) -> Record:
    """The next record that is no KEY_UPDATE."""
    while (record := stream.record(session)).kind == Kind.KEY_UPDATE:
        pass
    return record


def check_echo() -> None:
    """Every size there and back."""
    near, far = pair()
    with beside(lambda: echo(far)):
        session = connect.as_host(near, host())
        for size in SIZES:
            metadata, body = tensor(size)
            near.send(session.tensor(metadata, body))
            near.send(session.key_update())
            assert next_of(near, session) == Record(Kind.TENSOR, metadata, body)
        near.send(session.close())
        near.end()
        assert next_of(near, session).kind == Kind.CLOSE
        near.expect_end()
    assert session.receiving.epoch.number == (len(SIZES) + 1) // 2


def check_truncation() -> None:
    """A transport that ends without CLOSE, also within a record, was truncated."""
    for cut in (0, 63, 64, 100, -1):
        near, far = pair()
        with beside(functools.partial(ended_after, far, cut)):
            session = connect.as_host(near, host())
            with refused(Truncated):
                near.record(session)


def ended_after(stream: Stream, cut: int) -> None:
    """A device whose transport ends after `cut` bytes of its first tensor."""
    session = connect.as_device(stream, device())
    stream.send(session.tensor(*tensor(500))[:cut])
    stream.end()


def check_lengths_come_first() -> None:
    """A message or record that announces too much is refused before its bytes are waited for."""
    near, far = pair()
    with beside(lambda: far.send(b"PQGT\x00\x01\x01\x01\xff\xff\xff\xff")), refused(Malformed):
        near.message(1)
    near, far = pair()

    def boast() -> None:
        session = connect.as_device(far, device())
        far.send(session.sending.header(Kind.TENSOR, 10, MAX_BODY + 1).encode())

    with beside(boast):
        session = connect.as_host(near, host())
        with refused(Malformed):
            near.record(session)


def check_a_mirror_is_no_device() -> None:
    """One's own messages sent back do not make a session."""
    near, far = pair()
    with beside(lambda: far.send(far.message(1))), refused(Malformed):
        connect.as_host(near, host())
