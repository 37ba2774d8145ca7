"""Both Python ends over a real socket pair: the whole exchange, and transports that end, boast or mirror."""

import functools
import socket
from collections.abc import Callable

from pqgt import connect, exchange
from pqgt.background import beside
from pqgt.errors import Malformed, OutOfOrder, SessionOver, Truncated, Unauthentic
from pqgt.metadata import MAX_BODY
from pqgt.records import Kind
from pqgt.session import Record, Session
from pqgt.transport import Stream

from .tools import SIZES, device, host, named, refused, tensor
from .wrongs import ENDING, WRONGS, Wrong


def pair() -> tuple[Stream, Stream]:
    """Two connected streams that give up after ten seconds."""
    ends = socket.socketpair()
    for end in ends:
        end.settimeout(10)
    return Stream(ends[0]), Stream(ends[1])


def check_exchange() -> None:
    """Every size there and back, with key updates of both sides, and no tensor at all."""
    near, far = pair()
    came: list[Record] = []
    tensors = [tensor(size) for size in SIZES]
    with beside(lambda: came.extend(exchange.serve(far, device(), 2))):
        session = exchange.carry(near, host(), tensors, 3)
    assert [(record.metadata, record.body) for record in came if record.kind == Kind.TENSOR] == tensors
    assert [record.kind for record in came].count(Kind.KEY_UPDATE) == len(SIZES) // 3
    assert session.receiving.epoch.number == len(SIZES) // 2
    near, far = pair()
    with beside(lambda: list(exchange.serve(far, device()))):
        exchange.carry(near, host(), [])


def check_wrong_records() -> None:
    """Every wrong of `wrongs`, from a device to a host and the other way round."""
    for name, wrong in (WRONGS | ENDING).items():
        for connect_liar, connect_victim in ((as_device, as_host), (as_host, as_device)):
            far, near = pair()
            with beside(functools.partial(send_wrong, far, connect_liar, wrong, name in ENDING)):
                session = connect_victim(near)
                with (
                    named(name),
                    refused(Truncated if name in ENDING else (Malformed, OutOfOrder, Unauthentic, SessionOver)),
                ):
                    while True:
                        near.record(session)


def as_host(stream: Stream) -> Session:
    """Any honest host's handshake."""
    return connect.as_host(stream, host())


def as_device(stream: Stream) -> Session:
    """Any honest device's handshake."""
    return connect.as_device(stream, device())


def send_wrong(stream: Stream, handshake: Callable[[Stream], Session], wrong: Wrong, ending: bool) -> None:
    """An honest handshake, and then this."""
    stream.send(wrong(handshake(stream), *tensor(500)))
    if ending:
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
