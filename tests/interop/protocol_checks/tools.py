"""What the checks share."""

import contextlib
import os
from collections.abc import Iterator

from pqgt.device import Device
from pqgt.errors import ProtocolError
from pqgt.host import Host
from pqgt.identity import Identity
from pqgt.metadata import Metadata
from pqgt.policy import Policy
from pqgt.session import Session
from pqgt.trust import Trust

# Around the chunk's size, and some megabytes that are no multiple of it.
SIZES = (0, 1, 16383, 16384, 16385, 32768, 3_000_001)
HOST, DEVICE = Identity.generate(), Identity.generate()
TRUST_HOST, TRUST_DEVICE = Trust.pinned([HOST.public]), Trust.pinned([DEVICE.public])


@contextlib.contextmanager
def refused(how: type[Exception] | tuple[type[Exception], ...] = ProtocolError, saying: str = "") -> Iterator[None]:
    """What is inside must raise this, with this in its text."""
    try:
        yield
    except how as error:
        assert saying in str(error), f"refused, but with {error!r}, which does not say {saying!r}"
        return
    raise AssertionError(f"accepted, and should have raised {how} saying {saying!r}")


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    """Says which case it was that failed inside."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in the case: {name}")
        raise


def host(policy: Policy = Policy()) -> Host:
    """An honest host."""
    return Host(HOST, "python host", TRUST_DEVICE, policy)


def device() -> Device:
    """An honest device."""
    return Device(DEVICE, "python device", TRUST_HOST)


def sessions(policy: Policy = Policy()) -> tuple[Session, Session]:
    """The host's and the device's session of an honest handshake."""
    return handshake(host(policy), device())


def handshake(ours: Host, theirs: Device) -> tuple[Session, Session]:
    """The same of any two ends."""
    ready, device_session = theirs.receive_m3(ours.receive_m2(theirs.receive_m1(ours.start())))
    return ours.receive_ready(ready), device_session


def tensor(size: int, name: str = "t") -> tuple[Metadata, bytes]:
    """Random bytes, and what describes them."""
    return Metadata(f"id of {name}", name, "U8", (size,)), os.urandom(size)
