"""Both Python ends over a real socket pair: the whole exchange, and transports that end, boast or mirror."""

import functools
import socket

from pqgt import connect, exchange
from pqgt.background import beside
from pqgt.errors import Malformed, Truncated
from pqgt.metadata import MAX_BODY
from pqgt.records import Kind
from pqgt.transport import Stream

from .tools import SIZES, device, host, refused, tensor


def pair() -> tuple[Stream, Stream]:
    """Two connected streams that give up after ten seconds."""
    ends = socket.socketpair()
    for end in ends:
        end.settimeout(10)
    return Stream(ends[0]), Stream(ends[1])


def check_exchange() -> None:
    """Every size there and back, with key updates of both sides, and no tensor at all."""
    near, far = pair()
    counts = []
    tensors = [tensor(size) for size in SIZES]
    with beside(lambda: counts.append(exchange.serve(far, device(), 2))):
        session = exchange.carry(near, host(), tensors, 3)
    assert counts == [exchange.Count(len(SIZES), sum(SIZES), len(SIZES) // 3)]
    assert session.receiving.epoch.number == len(SIZES) // 2
    near, far = pair()
    with beside(lambda: exchange.serve(far, device())):
        exchange.carry(near, host(), [])


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
