"""Reads fields off the front of a message; whoever is done says so, and bytes left over are an error."""

from .errors import Malformed


class Reader:
    """A cursor over one message. Integers are big-endian ("Messages")."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > len(self._data) - self._at:
            raise Malformed(f"{size} bytes wanted, {len(self._data) - self._at} there")
        self._at += size
        return self._data[self._at - size : self._at]

    def integer(self, size: int) -> int:
        """The next `size` bytes as an unsigned integer."""
        return int.from_bytes(self.take(size), "big")

    def expect(self, what: str, value: bytes) -> None:
        """The next bytes must be these."""
        if (found := self.take(len(value))) != value:
            raise Malformed(f"{what} is {found.hex()}, not {value.hex()}")

    def done(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise Malformed(f"{len(self._data) - self._at} bytes too many")
