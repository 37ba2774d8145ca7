"""What a TENSOR record says about its tensor, in the clear and authenticated ("Records", Metadata)."""

import dataclasses
import math

from . import cbor
from .errors import Malformed

MAX_EXTENTS, MAX_BODY, MAX_METADATA = 64, 1 << 36, 4096
# Bits of an element, by safetensors name.
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "I64": 64, "U64": 64,
    "F64": 64,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Tensor id, name, element type and extents."""

    tensor: str
    name: str
    dtype: str
    extents: tuple[int, ...]

    def encode(self) -> bytes:
        """The CBOR map {1: id, 2: name, 3: type, 4: [extents]}."""
        return b"".join((
            cbor.head(cbor.MAP, 4),
            cbor.head(cbor.UNSIGNED, 1), cbor.text(self.tensor),
            cbor.head(cbor.UNSIGNED, 2), cbor.text(self.name),
            cbor.head(cbor.UNSIGNED, 3), cbor.text(self.dtype),
            cbor.head(cbor.UNSIGNED, 4), cbor.head(cbor.ARRAY, len(self.extents)),
            *(cbor.head(cbor.UNSIGNED, extent) for extent in self.extents),
        ))  # fmt: skip

    @classmethod
    def read(cls, decoder: cbor.Decoder) -> "Metadata":
        """The next item of `decoder`, which must be such a map."""
        decoder.expect_head(cbor.MAP, 4)
        decoder.expect_head(cbor.UNSIGNED, 1)
        tensor = decoder.text()
        decoder.expect_head(cbor.UNSIGNED, 2)
        name = decoder.text()
        decoder.expect_head(cbor.UNSIGNED, 3)
        dtype = decoder.text()
        decoder.expect_head(cbor.UNSIGNED, 4)
        if (count := decoder.head(cbor.ARRAY)) > MAX_EXTENTS:
            raise Malformed(f"{count} extents")
        return cls(tensor, name, dtype, tuple(decoder.head(cbor.UNSIGNED) for _ in range(count)))

    @classmethod
    def decode(cls, data: bytes, body: int) -> "Metadata":
        """Of a record with a body of `body` bytes, which the extents must make."""
        decoder = cbor.Decoder(data)
        metadata = cls.read(decoder)
        decoder.done()
        if metadata.size() != body:
            raise Malformed(f"a {metadata.dtype} of {metadata.extents} has no body of {body} bytes")
        return metadata

    def size(self) -> int:
        """Bytes of the tensor."""
        if self.dtype not in BITS:
            raise Malformed(f"no element type {self.dtype!r}")
        bits = math.prod(self.extents) * BITS[self.dtype]
        if bits % 8 or bits // 8 > MAX_BODY:
            raise Malformed(f"a {self.dtype} of {self.extents} is {bits} bits")
        return bits // 8
