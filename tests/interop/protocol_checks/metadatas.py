"""Metadata: our encoder agrees with cbor2's canonical one, and every other encoding of the same thing is refused."""

import cbor2

from pqgt.errors import Malformed
from pqgt.metadata import BITS, Metadata

from .tools import refused

GOOD = Metadata("id", "name", "F32", (2, 3))


def check_agrees_with_cbor2() -> None:
    """Byte for byte, at every border between head sizes, and back."""
    one = [(extent,) for extent in (0, 23, 24, 255, 256, 65535, 65536)]
    for extents in ((), *one, (0, 2**32 - 1), (2**32, 0), (2**64 - 1, 0)):
        for text in ("", "é", "x" * 23, "x" * 24, "x" * 255, "x" * 256):
            metadata = Metadata(text, text, "U8", extents)
            encoded = metadata.encode()
            assert encoded == cbor2.dumps({1: text, 2: text, 3: "U8", 4: list(extents)}, canonical=True)
            assert Metadata.decode(encoded, metadata.size()) == metadata


def check_sizes() -> None:
    """Bits make whole bytes, at most 2^36 of them, and exactly the body's."""
    assert Metadata("", "", "F32", ()).size() == 4 and Metadata("", "", "F64", (2**64 - 1, 0, 2**64 - 1)).size() == 0
    assert Metadata("", "", "F4", (6,)).size() == 3 and Metadata("", "", "F6_E2M3", (4,)).size() == 3
    assert Metadata("", "", "U8", (2**36,)).size() == 2**36
    huge = (2**64 - 1,) * 64
    for dtype, extents in (("F4", (7,)), ("F6_E2M3", (2,)), ("U8", (2**36 + 1,)), ("U8", huge), ("u8", (1,)), ("", ())):
        with refused(Malformed):
            Metadata("", "", dtype, extents).size()
    for body in (0, 23, 25, 2**36):
        with refused(Malformed):
            Metadata.decode(GOOD.encode(), body)
    for dtype, bits in BITS.items():
        assert Metadata("", "", dtype, (8,)).size() == bits


def check_other_encodings() -> None:
    """Longer heads, indefinite lengths, other order, tags, other types, keys too many or too few."""
    good = GOOD.encode()
    assert Metadata.decode(good, 24) == GOOD
    assert good.hex() == "a40162696402646e616d65036346333204820203"
    for other in (
        "b804 01 626964 02 646e616d65 03 63463332 04 820203", "bf 01 626964 02 646e616d65 03 63463332 04 820203 ff",
        "a4 1801 626964 02 646e616d65 03 63463332 04 820203", "a4 01 7802 6964 02 646e616d65 03 63463332 04 820203",
        "a4 01 7f626964ff 02 646e616d65 03 63463332 04 820203", "a4 01 626964 02 646e616d65 03 63463332 04 9f0203ff",
        "a4 01 626964 02 646e616d65 03 63463332 04 821802 03", "a4 01 626964 02 646e616d65 03 63463332 04 98020203",
        "a4 02 646e616d65 01 626964 03 63463332 04 820203", "a4 01 626964 02 646e616d65 03 63463332 04 820203 00",
        "a4 01 626964 02 646e616d65 03 63463332 04 8202", "a3 01 626964 02 646e616d65 03 63463332",
        "a5 01 626964 02 646e616d65 03 63463332 04 820203 05 00", "a4 01 626964 01 646e616d65 03 63463332 04 820203",
        "a4 01 426964 02 646e616d65 03 63463332 04 820203", "a4 01 626964 02 646e616d65 03 63463332 04 8201 25",
        "a4 01 626964 02 646e616d65 03 63463332 04 8202f94200", "a4 01 626964 02 646e616d65 03 63463332 04 8202c24103",
        "d9d9f7 a4 01 626964 02 646e616d65 03 63463332 04 820203", "a4 01 62ff64 02 646e616d65 03 63463332 04 820203",
        "a4 01 63eda080 02 646e616d65 03 63463332 04 820203", "a4 01 626964 02 646e616d65 03 63463332 04 1818",
        "a4 01 9b7fffffffffffffff", "a4 01 7b7fffffffffffffff6964", "", "a4", "84" * 4096, "80",
    ):  # fmt: skip
        with refused(Malformed):
            Metadata.decode(bytes.fromhex(other), 24)


def check_extents() -> None:
    """64 extents and no more."""
    assert len(Metadata.decode(Metadata("", "", "U8", (1,) * 64).encode(), 1).extents) == 64
    with refused(Malformed, "65 extents"):
        Metadata.decode(Metadata("", "", "U8", (1,) * 65).encode(), 1)
