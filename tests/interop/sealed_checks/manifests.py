"""Manifests and recipients: our encoder agrees with cbor2's canonical one at every border between head sizes, and every
other encoding of the same thing is refused."""

import os

import cbor2

from pqgs import recipients
from pqgs.cobblestone import sealed_size
from pqgs.manifest import File, Manifest, Tensor, aligned
from pqgs.recipients import Recipient
from pqgt.errors import Malformed
from pqgt.metadata import Metadata
from protocol_checks.tools import named, refused

from .draft import canonical


def manifest(
    sizes: tuple[int, ...], files: tuple[File, ...] = (), release: int = 0, metadata: dict[str, str] | None = None
) -> Manifest:
    """Of tensors of these sizes."""
    tensors = [
        Tensor(Metadata("", str(at), "U8", (size,)), os.urandom(56), os.urandom(32)) for at, size in enumerate(sizes)
    ]
    return Manifest(
        os.urandom(32), release, os.urandom(32), metadata or {}, tuple(tensors), files, os.urandom(release % 300)
    )


def described(one: Manifest) -> dict[int, object]:
    """The same for cbor2."""
    tensors, at = [], 0
    for index, tensor in enumerate(one.tensors):
        metadata = {1: tensor.metadata.tensor, 2: tensor.metadata.name, 3: "U8", 4: list(tensor.metadata.extents)}
        length = sealed_size(tensor.metadata.size())
        tensors.append([index, metadata, at, length, tensor.header, tensor.root])
        at = aligned(at + length)
    files = [[file.name, file.header, file.tensors] for file in one.files]
    return {
        1: 1, 2: one.model, 3: one.release, 4: one.publisher, 5: one.metadata, 6: tensors, 7: files, 8: one.index,
    }  # fmt: skip


def check_agrees_with_cbor2() -> None:
    """Byte for byte, and back."""
    borders = (0, 1, 23, 24, 255, 256, 4080, 4081, 16383, 16384, 65535, 65536, 2**32, 2**36)
    texts = {"": "x", "z": "", "aa": "é" * 150, "b" * 23: "1", "a" * 24: "2", "é": "3", "a" * 256: "4"}
    for one in (
        manifest(()), manifest(borders), manifest((5,) * 30, release=2**64 - 1, metadata=texts),
        manifest((1, 2), (File("a", b"", 0), File("é" * 127 + "x", bytes(300), 2), File("c", b"x", 0)), release=255),
    ):  # fmt: skip
        assert one.encode() == canonical(described(one))
        assert Manifest.decode(one.encode()) == one


def check_other_encodings() -> None:
    """Every head made longer, one at a time; lengths that are not definite; tags; keys that do not ascend, or twice."""
    good = described(manifest((5, 20000), (File("a", b"x", 2),), release=300, metadata={"b": "1", "a": "2"}))
    encoded = canonical(good)
    Manifest.decode(encoded)
    others = {f"the head at {at} longer": other for at, other in longer_heads(encoded)}
    assert len(others) > 40
    others["indefinite map"] = b"\xbf" + encoded[1:] + b"\xff"
    others["tagged"] = b"\xd9\xd9\xf7" + encoded
    others["a byte behind"] = encoded + b"\0"
    others["keys descend"] = cbor2.dumps({key: good[key] for key in range(8, 0, -1)})
    others["texts in another order"] = cbor2.dumps(good)
    others["a text twice"] = encoded.replace(b"\xa2\x61a\x612\x61b\x611", b"\xa2\x61a\x612\x61a\x611")
    others["a key twice"] = encoded.replace(b"\x03\x19\x01\x2c", b"\x02\x19\x01\x2c", 1)
    for at in range(len(encoded)):
        others[f"ends at {at}"] = encoded[:at]
    for name, other in others.items():
        assert other != encoded, name
        with named(name), refused(Malformed):
            Manifest.decode(other)


def longer_heads(encoded: bytes) -> list[tuple[int, bytes]]:
    """The same item with one head in a longer form, for every head in it."""
    result, at = [], 0
    while at < len(encoded):
        major, info = encoded[at] >> 5, encoded[at] & 31
        size = 0 if info < 24 else 1 << info - 24
        value = int.from_bytes(encoded[at + 1 : at + 1 + size], "big") if size else info
        after = encoded[at + 1 + size :]
        if size < 8:
            wider = 1 if size == 0 else 2 * size
            head = bytes([major << 5 | 24 + (wider.bit_length() - 1)]) + value.to_bytes(wider, "big")
            result.append((at, encoded[:at] + head + after))
        at += 1 + size + (value if major in (2, 3) else 0)
    return result


def check_recipients() -> None:
    """As cbor2 has them; ascending, at least one, fixed lengths."""
    people = sorted(Recipient(os.urandom(32), os.urandom(1088), os.urandom(48)) for _ in range(30))
    listed = [[one.key_id, one.encapsulated, one.wrapped] for one in people]
    encoded = recipients.encode(reversed(people))
    assert encoded == canonical(listed) and recipients.decode(encoded) == people
    one = listed[0]
    for wrong in (
        [], listed[::-1], [one, one], [[one[0][:31], *one[1:]]], [[one[0], one[1] + b"\0", one[2]]], [one[:2]],
        [[*one, 0]], [[one[0], one[1], one[2][:47]]], [one[::-1]], one, {0: one},
    ):  # fmt: skip
        with refused(Malformed):
            recipients.decode(canonical(wrong))
    for at, other in longer_heads(encoded):
        with named(str(at)), refused(Malformed):
            recipients.decode(other)
    for other in (encoded + b"\0", encoded[:-1], b"\x9f" + encoded[2:] + b"\xff", b"\x9b" + b"\xff" * 8):
        with refused(Malformed):
            recipients.decode(other)
