"""The part of CBOR that metadata needs, in core deterministic encoding (RFC 8949 section 4.2.1): unsigned integers,
text, arrays of unsigned integers, maps with small integer keys. Nothing nests, so nothing recurses."""

from .errors import Malformed

UNSIGNED, TEXT, ARRAY, MAP = 0, 3, 4, 5


def head(major: int, value: int) -> bytes:
    """The shortest head for `value`."""
    if value < 24:
        return bytes([major << 5 | value])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << 8 * size:
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise ValueError("CBOR integers end at 2^64 - 1")


def text(value: str) -> bytes:
    """A text string."""
    data = value.encode()
    return head(TEXT, len(data)) + data


class Decoder:
    """Takes one item after another and refuses every encoding but the shortest, definite one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise Malformed("CBOR that ends early")
        self._at += size
        return self._data[self._at - size : self._at]

    @property
    def at(self) -> int:
        """How many bytes were taken."""
        return self._at

    def head(self, major: int) -> int:
        """The value of a head of this major type."""
        first = self._take(1)[0]
        if first >> 5 != major or (info := first & 31) > 27:
            raise Malformed(f"CBOR head {first:#04x} where major type {major} belongs")
        value = info if info < 24 else int.from_bytes(self._take(1 << info - 24), "big")
        if len(head(major, value)) != (1 if info < 24 else 1 + (1 << info - 24)):
            raise Malformed("a CBOR head that is not the shortest")
        return value

    def text(self) -> str:
        """A text string."""
        try:
            return self._take(self.head(TEXT)).decode()
        except UnicodeDecodeError as error:
            raise Malformed("a CBOR text that is not UTF-8") from error

    def expect_head(self, major: int, value: int) -> None:
        """The next head must be this one."""
        if (found := self.head(major)) != value:
            raise Malformed(f"CBOR: {found} where {value} belongs")

    def done(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise Malformed("bytes after the CBOR map")
