"""What can go wrong. The peer is never told which: it sees the transport close."""


class ProtocolError(Exception):
    """The peer, or who stands between, did not follow the protocol."""


class Malformed(ProtocolError):
    """Bytes that are not exactly of the form in docs/protocol.md."""


class Unauthentic(ProtocolError):
    """A seal, signature, Finished or trust check that failed."""


class OutOfOrder(ProtocolError):
    """A record that is well-formed but not the one that may come now."""


class Truncated(ProtocolError):
    """The transport ended before the peer's CLOSE."""


class SessionOver(ProtocolError):
    """This session has ended; nothing more is sealed or opened."""
