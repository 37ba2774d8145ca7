"""Files that are unusual and right: an opener must take them."""

import os
import typing
from collections.abc import Callable

from pqgt.identity import Identity
from pqgt.metadata import BITS

from .draft import Draft
from .tools import ALICE, BOB, PUBLISHER
from .wrong_manifests import long_name


def changed(change: Callable[[Draft], object]) -> Callable[[], Draft]:
    """The usual draft and one thing about it."""

    def make() -> Draft:
        draft = Draft()
        change(draft)
        return draft

    return make


def described(draft: Draft, *tensors: dict[int, typing.Any]) -> None:
    """Other tensors."""
    draft.metadata = list(tensors)
    draft.plaintexts = [os.urandom(size_of(one)) for one in tensors]
    draft.seal_again()


def size_of(metadata: dict[int, typing.Any]) -> int:
    """Bytes of a tensor."""
    bits = BITS[metadata[3]]
    for extent in metadata[4]:
        bits *= extent
    return bits // 8


def to_the_brim(draft: Draft) -> None:
    """A front that ends where bodies start."""
    draft.fields[5] = {"": ""}
    missing = -front_size(draft) % 4096
    assert missing > 300
    draft.fields[5] = {"": "x" * (missing - 2)}
    assert front_size(draft) % 4096 == 0


def front_size(draft: Draft) -> int:
    """Without zeros."""
    return 16 + len(draft.manifest) + 1952 + 3309 + 1 + 1176 * len(draft.to) + 64


def crowd(size: int) -> list[Identity]:
    """ALICE and others."""
    return [ALICE, *(Identity.generate() for _ in range(size - 1))]


def tensor(name: str, dtype: str, *extents: int, tensor_id: str = "") -> dict[int, typing.Any]:
    """Metadata."""
    return {1: tensor_id, 2: name, 3: dtype, 4: list(extents)}


MANY = [tensor(f"tensor {number}", "U8", number % 3) for number in range(3000)]

RIGHTS: dict[str, Callable[[], Draft]] = {
    "the usual one": Draft,
    "one recipient": lambda: Draft(to=(ALICE,)),
    "the publisher among the recipients": lambda: Draft(to=(PUBLISHER, ALICE, BOB)),
    "as many recipients as fit in 1 MiB": lambda: Draft(to=crowd(891)),
    "a front that ends at a multiple of 4096": changed(to_the_brim),
    "bodies that meet": lambda: Draft(plaintexts=[bytes(4080), bytes(4080), b"x"]),
    "one byte": lambda: Draft(names=("one",), plaintexts=(b"x",)),
    "an empty tensor alone": lambda: Draft(names=("one",), plaintexts=(b"",)),
    "only empty tensors": lambda: Draft(plaintexts=[b"", b"", b""]),
    "a last chunk that is empty": lambda: Draft(plaintexts=[bytes(16384), bytes(32768), bytes(49152)]),
    "thousands of tensors": changed(lambda draft: described(draft, *MANY)),
    "release 0": lambda: Draft(release=0),
    "release 2^64 - 1": lambda: Draft(release=2**64 - 1),
    "metadata of a tensor of 4096 bytes": changed(lambda draft: long_name(4096, draft)),
    "no metadata of the model's own": changed(lambda draft: draft.fields.update({5: {}})),
    "much metadata": changed(lambda draft: draft.fields.update({5: {f"{at}": "é" * at for at in range(600)}})),
    "every element type": changed(lambda draft: described(draft, *(tensor(one, one, 8) for one in BITS))),
    "a scalar": changed(lambda draft: described(draft, tensor("", "F64"))),
    "64 extents": changed(lambda draft: described(draft, tensor("a", "U8", *[1] * 63, 7))),
    "a zero among large extents": changed(lambda draft: described(draft, tensor("a", "F32", 2**64 - 1, 0, 2**64 - 1))),
    "ids that are not names": changed(
        lambda draft: described(draft, *(tensor(f"name {at}", "U8", at, tensor_id="the same id") for at in range(3)))
    ),
    "names that Unicode holds for the same": changed(
        lambda draft: described(draft, tensor("\u00e9", "U8", 1), tensor("e\u0301", "U8", 2), tensor("E\u0301", "U8"))
    ),
    "a file's name of 255 bytes": changed(lambda draft: draft.fields[7][0].__setitem__(0, "é" * 127 + "x")),
    "a file named ...": changed(lambda draft: draft.fields[7][0].__setitem__(0, "...")),
    "no files": changed(lambda draft: draft.fields.update({7: []})),
}  # fmt: skip
