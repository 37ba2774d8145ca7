"""A Python host and `pqc-gpu serve`: everything honest crosses and comes back."""

import contextlib
import signal
import time

from pqgt import connect, exchange
from pqgt.background import beside
from pqgt.host import Host
from pqgt.metadata import BITS, Metadata
from pqgt.policy import Policy
from pqgt.records import Kind

from .program import Server, served
from .tools import DEVICE, HOST, SIZES, TRUST_DEVICE, host, tensor


def carry(server: Server, ours: Host, tensors: list[exchange.Tensor], update_every: int = 0) -> int:
    """One whole session; the epoch in which the program closed it."""
    with contextlib.closing(server.connect()) as stream:
        return exchange.carry(stream, ours, tensors, update_every).receiving.epoch.number


def check_sizes_and_updates() -> None:
    """Every size, with key updates of neither end, of one and of both; then no tensor at all."""
    tensors = [tensor(size, f"tensor {number}") for number, size in enumerate(SIZES)]
    for every in (0, 2):
        options = ("--update-key-every", str(every)) if every else ()
        with served(*options) as server:
            for ours in (0, 1, 3):
                epoch = carry(server, host(), tensors, ours)
                assert (epoch > 0) == (every > 0), f"the program's keys were updated {epoch} times"
            carry(server, host(), [])
        assert server.summary["clients"] == 4 and server.summary["refused"] == server.summary["failed"] == 0
        assert server.summary["tensors"] == 3 * len(SIZES) and server.summary["bytes"] == 3 * sum(SIZES)


def check_metadata() -> None:
    """Every element type; texts and extents at their borders; 4096 bytes of metadata."""
    tensors = [(Metadata(dtype, "", dtype, (2, 4)), bytes(range(bits))) for dtype, bits in BITS.items()]
    for extents in ((), (1,) * 64, (0,), (2**64 - 1, 0, 2**64 - 1), (23, 1), (24, 1), (256, 1), (65536, 1)):
        metadata = Metadata("", "größe 装置\n\0", "U8", extents)
        tensors.append((metadata, bytes(metadata.size())))
    longest = Metadata("x" * (4096 - len(Metadata("x" * 3000, "", "U8", (1,)).encode()) + 3000), "", "U8", (1,))
    assert len(longest.encode()) == 4096
    with served("--once") as server:
        carry(server, host(), [*tensors, (longest, b"x")])
    assert server.summary["tensors"] == len(tensors) + 1


def check_policies_and_labels() -> None:
    """Both key limits, the shortest and the longest lifetime it takes, the longest and the emptiest label, and a label
    that tries to write lines into its log.
    """
    with served() as server:
        for policy in (Policy(3600, 23), Policy(86400, 24), Policy(60, 24)):
            carry(server, host(policy), [tensor(1)])
        carry(server, Host(HOST, "", TRUST_DEVICE, expected=DEVICE.key_id), [tensor(1)])
        for label in ("ß" * 127 + "x", "a\npqc-gpu: client 99", "\x1b[2J\0"):
            carry(server, Host(HOST, label, TRUST_DEVICE), [tensor(1)])
    assert server.summary["clients"] == 7 and server.summary["failed"] == 0
    assert "\npqc-gpu: client 99" not in server.said and "\x1b" not in server.said


def check_one_after_the_other() -> None:
    """A host that waits for every tensor before it sends the next, byte by byte and in odd pieces."""
    with served("--once") as server, contextlib.closing(server.connect()) as stream:
        session = connect.as_host(stream, host())
        for size in (0, 1, 100, 16384):
            metadata, body = tensor(size)
            record = session.tensor(metadata, body)
            piece = 1 if size < 1000 else 4093
            for at in range(0, len(record), piece):
                stream.send(record[at : at + piece])
            assert exchange.next_of(stream, session) == (Kind.TENSOR, metadata, body)
        stream.send(session.close())
        stream.end()
        assert exchange.next_of(stream, session).kind == Kind.CLOSE
        stream.expect_end()


def check_hosts_at_once() -> None:
    """Three sessions whose records alternate do not mix."""
    with served() as server, contextlib.ExitStack() as stack:
        streams = [stack.enter_context(contextlib.closing(server.connect())) for _ in range(3)]
        sessions = [connect.as_host(stream, host()) for stream in streams]
        for size in (1, 20000):
            for stream, session in zip(streams, sessions, strict=True):
                metadata, body = tensor(size)
                stream.send(session.tensor(metadata, body))
                assert exchange.next_of(stream, session).body == body
        for stream, session in zip(streams[::-1], sessions[::-1], strict=True):
            stream.send(session.close())
            assert exchange.next_of(stream, session).kind == Kind.CLOSE
            stream.expect_end()
    assert server.summary["clients"] == 3


def check_the_server_closes() -> None:
    """Told to stop, it ends an idle session with an authenticated CLOSE, after what it owes."""
    with served("--grace", "1") as server, contextlib.closing(server.connect()) as stream:
        session = connect.as_host(stream, host())
        metadata, body = tensor(20000)
        stream.send(session.tensor(metadata, body))
        assert exchange.next_of(stream, session).body == body
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        with beside(server.process.wait):
            assert exchange.next_of(stream, session).kind == Kind.CLOSE
            stream.expect_end()
        assert time.monotonic() - began < 5


def check_half_closed() -> None:
    """A host that ends its sending half behind CLOSE, before anything came back, gets all of it."""
    with served("--once") as server, contextlib.closing(server.connect()) as stream:
        session = connect.as_host(stream, host())
        tensors = [tensor(size) for size in (5, 16384)]
        stream.send(b"".join(session.tensor(*one) for one in tensors) + session.close())
        stream.end()
        for metadata, body in tensors:
            assert exchange.next_of(stream, session) == (Kind.TENSOR, metadata, body)
        assert exchange.next_of(stream, session).kind == Kind.CLOSE
        stream.expect_end()
