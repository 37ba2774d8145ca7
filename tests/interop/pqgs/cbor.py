"""The CBOR of manifests and recipients: pqgt's, and byte strings and maps of text beside it. What nests does so in code
that says how deep."""

import pqgt.cbor
from pqgt.cbor import ARRAY, MAP, UNSIGNED, head, text
from pqgt.errors import Malformed

__all__ = ["ARRAY", "BYTES", "MAP", "UNSIGNED", "Decoder", "array", "data", "head", "text", "texts", "unsigned"]

BYTES = 2


def unsigned(value: int) -> bytes:
    """An unsigned integer."""
    return head(UNSIGNED, value)


def data(value: bytes) -> bytes:
    """A byte string."""
    return head(BYTES, len(value)) + value


def array(*items: bytes) -> bytes:
    """An array of encoded items."""
    return head(ARRAY, len(items)) + b"".join(items)


def texts(value: dict[str, str]) -> bytes:
    """A map of text to text."""
    pairs = sorted((text(key), text(one)) for key, one in value.items())
    return head(MAP, len(pairs)) + b"".join(key + one for key, one in pairs)


class Decoder(pqgt.cbor.Decoder):
    """Takes one item after another."""

    def unsigned(self) -> int:
        """An unsigned integer."""
        return self.head(UNSIGNED)

    def data(self, size: int | None = None) -> bytes:
        """A byte string, of `size` bytes if that is given."""
        length = self.head(BYTES)
        if size is not None and length != size:
            raise Malformed(f"a byte string of {length} bytes where {size} belong")
        return self._take(length)

    def texts(self) -> dict[str, str]:
        """A map of text to text, its keys ascending."""
        result: dict[str, str] = {}
        last = b""
        for _ in range(self.head(MAP)):
            key = self.text()
            if (encoded := text(key)) <= last:
                raise Malformed("the keys of a map do not ascend")
            result[key], last = self.text(), encoded
        return result
