"""Runs a handshake over a stream."""

from .device import Device
from .host import Host
from .session import Session
from .transport import Stream


def as_host(stream: Stream, host: Host) -> Session:
    """M1, M2, M3, M4."""
    stream.send(host.start())
    stream.send(host.receive_m2(stream.message(2)))
    return host.receive_ready(stream.ready())


def as_device(stream: Stream, device: Device) -> Session:
    """M1, M2, M3, M4 from the other side."""
    stream.send(device.receive_m1(stream.message(1)))
    ready, session = device.receive_m3(stream.message(3))
    stream.send(ready)
    return session
