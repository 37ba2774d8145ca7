"""Python hosts that misbehave, and `pqc-gpu serve`: it closes the connection, says nothing, exits 1 with `--once`, and
otherwise serves the next honest host.
"""

import contextlib
import functools
import random
import socket
import time
from collections.abc import Callable

from pqgt import connect, exchange, kem
from pqgt.clock import Lifetime
from pqgt.errors import Truncated
from pqgt.host import Host
from pqgt.identity import Identity
from pqgt.messages import M1, MAGIC
from pqgt.policy import Policy
from pqgt.records import Kind
from pqgt.transport import Stream

from .liars import HOSTS
from .program import served
from .tools import HOST, TRUST_DEVICE, host, named, tensor
from .wrongs import ENDING, WRONGS, Wrong, flipped

Wrongdoer = Callable[[Stream], None]


def pour(stream: Stream, data: bytes, end: bool = False) -> None:
    """Sends to a program that may close before all of it is through."""
    with contextlib.suppress(OSError):
        stream.send(data)
        if end:
            stream.end()


def closed(stream: Stream) -> bytes:
    """Everything until the program closes the connection."""
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := stream.socket.recv(1 << 16):
            data += piece
    return bytes(data)


def shut_out(stream: Stream, first: bytes, ended: bool = False) -> None:
    """What is sent instead of M1 gets no answer."""
    pour(stream, first, ended)
    assert closed(stream) == b""


def lying(kind: type[Host], stream: Stream) -> None:
    """A host whose M3 is refused gets no READY."""
    liar = kind(HOST, "liar", TRUST_DEVICE)
    stream.send(liar.start())
    stream.send(liar.receive_m2(stream.message(2)))
    assert closed(stream) == b""


def with_m3(change: Callable[[bytes], bytes], stream: Stream) -> None:
    """The same, of a host whose M3 is changed on the way."""
    ours = host()
    stream.send(ours.start())
    pour(stream, change(ours.receive_m2(stream.message(2))), end=True)
    assert closed(stream) == b""


def stranger(stream: Stream) -> None:
    """A key that is not pinned."""
    ours = Host(Identity.generate(), "stranger", TRUST_DEVICE)
    stream.send(ours.start())
    stream.send(ours.receive_m2(stream.message(2)))
    assert closed(stream) == b""


def wrong_records(wrong: Wrong, name: str, stream: Stream) -> None:
    """An honest handshake, and then what no receiver may take. Only what was right before it comes back, and CLOSE only
    where the wrong is behind a CLOSE.
    """
    session = connect.as_host(stream, host())
    metadata, body = tensor(500)
    pour(stream, wrong(session, metadata, body), end=name in ENDING)
    came = []
    with contextlib.suppress(Truncated, ConnectionResetError):
        while True:
            came.append(stream.record(session))
    allowed = {"a replayed record": [Kind.TENSOR], "a tensor and no close": [Kind.TENSOR],
               "a tensor after close": [Kind.CLOSE]}.get(name, [])  # fmt: skip
    assert [record.kind for record in came] in ([], allowed), came


def first_messages() -> dict[str, bytes]:
    """Instead of M1."""
    ours = host()
    m1 = ours.start()
    decoded = M1.decode(m1)

    def other(policy: bytes) -> bytes:
        return m1[:44] + policy + m1[52:]

    wrongs = {f"M1, header byte {at}": flipped(m1, at) for at in range(12)}
    key = decoded.encapsulation_key
    return wrongs | {
        "an HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "zeros": bytes(2000),
        "type M3": m1[:6] + b"\x03" + m1[7:],
        "a length of 4 GiB": MAGIC + b"\x00\x01\x01\x01\xff\xff\xff\xff",
        "lifetime 0": other(b"\0\0\0\0\x18\0\0\0"),
        "lifetime 86401": other(Policy(86401).encode()),
        "2^22 chunks": other(b"\0\0\x0e\x10\x16\0\0\0"),
        "2^25 chunks": other(b"\0\0\x0e\x10\x19\0\0\0"),
        "a policy flag": other(b"\0\0\x0e\x10\x18\x01\0\0"),
        "a policy zero": other(b"\0\0\x0e\x10\x18\0\0\x01"),
        "another device expected": m1[:52] + bytes(31) + b"\x01" + m1[84:],
        "a coefficient of 3329": m1[:84] + kem.MODULUS.to_bytes(3, "little") + key[3:],
        "a coefficient of 4095": m1[:-35] + b"\xff\xff\xff" + m1[-32:],
    }


def wrongdoers() -> dict[str, Wrongdoer]:
    """All, by what they do."""
    doers: dict[str, Wrongdoer] = {}
    for name, first in first_messages().items():
        doers[name] = functools.partial(shut_out, first=first)
    doers["half of M1"] = functools.partial(shut_out, first=host().start()[:600], ended=True)
    for kind in HOSTS:
        doers[kind.__name__] = functools.partial(lying, kind)
    doers["a stranger"] = stranger
    for name, change in CHANGES.items():
        doers[f"M3: {name}"] = functools.partial(with_m3, change)
    for name, wrong in (WRONGS | ENDING).items():
        doers[name] = functools.partial(wrong_records, wrong, name)
    return doers


# The program answers CLOSE with CLOSE, and need not look at what is behind it.
UNSEEN = (0, 1)
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "first sealed byte": lambda m3: flipped(m3, 12),
    "last byte of the tag": lambda m3: flipped(m3, -1),
    "its type": lambda m3: flipped(m3, 6),
    "cut": lambda m3: m3[:-1],
    "a length of 4 GiB": lambda m3: m3[:8] + b"\xff" * 4,
    "M1 in its place": lambda m3: host().start(),
    "nothing": lambda m3: b"",
}


def check_every_one_alone() -> None:
    """`--once` says with its exit code what became of each."""
    for name, wrongdoer in wrongdoers().items():
        code = UNSEEN if name == "a tensor after close" else (1,)
        with named(name), served("--once", code=code) as server, contextlib.closing(server.connect()) as stream:
            wrongdoer(stream)


def check_the_server_survives_all() -> None:
    """One server meets all of them, and an honest host behind every one."""
    doers = wrongdoers()
    with served() as server:
        for name, wrongdoer in doers.items():
            with named(name), contextlib.closing(server.connect()) as stream:
                wrongdoer(stream)
            with named(f"an honest host after {name}"), contextlib.closing(server.connect()) as stream:
                exchange.carry(stream, host(), [tensor(10)])
    assert len(doers) - 1 <= server.summary["refused"] + server.summary["failed"] <= len(doers), server.summary
    assert server.summary["clients"] >= len(doers)


def check_impatience() -> None:
    """Who says nothing, or stops in the middle of M1 or of a record, is closed when its time is over."""
    with served("--handshake-timeout", "1", "--idle-timeout", "1") as server:
        with contextlib.closing(server.connect()) as silent, contextlib.closing(server.connect()) as slow:
            with contextlib.closing(server.connect()) as idle:
                session = connect.as_host(idle, host())
                slow.send(host().start()[:100])
                idle.send(session.tensor(*tensor(100))[:100])
                for stream in (silent, slow, idle):
                    assert closed(stream) == b""
        with contextlib.closing(server.connect()) as stream:
            exchange.carry(stream, host(), [tensor(10)])


class Timeless(Lifetime):
    """Does not look at the clock."""

    def check(self, seconds: int) -> None:
        """Never over."""


class Overstayer(Host):
    """A host whose sessions do not end on its side."""

    lifetime = Timeless


def check_lifetime() -> None:
    """A session whose seconds are over takes no more, whatever the host's clocks say."""
    with served("--once", code=(1, 4)) as server, contextlib.closing(server.connect()) as stream:
        session = connect.as_host(stream, Overstayer(HOST, "overstayer", TRUST_DEVICE, Policy(2)))
        stream.send(session.tensor(*tensor(10)))
        assert stream.record(session).kind == Kind.TENSOR
        time.sleep(2.1)
        pour(stream, session.tensor(*tensor(10)))
        assert closed(stream) == b""


def check_a_replayed_handshake() -> None:
    """M1 and M3 of an earlier session, sent again, make no session: M2 is another."""
    with served() as server:
        ours = host()
        with contextlib.closing(server.connect()) as stream:
            m1 = ours.start()
            stream.send(m1)
            m2 = stream.message(2)
            m3 = ours.receive_m2(m2)
            stream.send(m3)
            session = ours.receive_ready(stream.ready())
            record = session.tensor(*tensor(10))
            stream.send(record + session.close())
            assert [stream.record(session).kind, stream.record(session).kind] == [Kind.TENSOR, Kind.CLOSE]
        with contextlib.closing(server.connect()) as stream:
            stream.send(m1)
            assert stream.message(2) != m2
            pour(stream, m3 + record)
            assert closed(stream) == b""
    assert (server.summary["clients"], server.summary["refused"], server.summary["tensors"]) == (1, 1, 1)


def check_limits() -> None:
    """A tensor too large, a record too many and bytes too many end a session."""
    for option, limit, sizes in (("--max-tensor", 1000, (1001,)), ("--max-records", 2, (1, 1, 1)),
                                 ("--max-session", 1000, (600, 401))):  # fmt: skip
        with named(option), served(option, str(limit), "--once", code=4) as server:
            with contextlib.closing(server.connect()) as stream:
                session = connect.as_host(stream, host())
                pour(stream, b"".join(session.tensor(*tensor(size)) for size in sizes))
                came = []
                with contextlib.suppress(Truncated, ConnectionResetError):
                    while True:
                        came.append(stream.record(session))
                assert len(came) < len(sizes) and all(record.kind == Kind.TENSOR for record in came)


def check_random_bits() -> None:
    """One bit of all that a host sends after its handshake, any: what comes back is what was sent, or nothing."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    with served() as server:
        for _ in range(60):
            with contextlib.closing(server.connect()) as stream, named(f"seed {seed}"):
                session = connect.as_host(stream, host())
                tensors = [tensor(size) for size in (0, 100, 20000)]
                sent = b"".join(session.tensor(*one) for one in tensors) + session.close()
                pour(stream, flipped(sent, chance.randrange(len(sent))), end=True)
                came = []
                with contextlib.suppress(Truncated, ConnectionResetError):
                    while True:
                        came.append(stream.record(session))
                assert [(record.metadata, record.body) for record in came] == tensors[: len(came)]
    assert server.summary["failed"] == 60


def check_connections_that_vanish() -> None:
    """Closed at once, and reset: the server serves on."""
    with served() as server:
        server.connect().close()
        stream = server.connect()
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        stream.send(host().start())
        stream.close()
        with contextlib.closing(server.connect()) as stream:
            exchange.carry(stream, host(), [tensor(10)])
