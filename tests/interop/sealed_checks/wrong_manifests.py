"""Manifests of another form or that contradict themselves, each signed by the publisher, its recipients' MAC right."""

import functools
import typing
from collections.abc import Callable

import cbor2

from .draft import Draft, canonical
from .manifests import longer_heads

Change = Callable[[Draft], object]


def sets(draft: Draft, *path: typing.Any) -> None:
    """Sets what the path names to its last element."""
    *keys, last, value = path
    one: typing.Any = draft.fields
    for key in keys:
        one = one[key]
    if value is ABSENT:
        del one[last]
    else:
        one[last] = value


ABSENT = object()


def at(*path: typing.Any) -> Change:
    """The same, to be done later."""
    return lambda draft: sets(draft, *path)


def raw(change: Callable[[bytes], bytes]) -> Change:
    """The manifest's bytes changed."""

    def changed(draft: Draft) -> None:
        before = draft.manifest
        draft.manifest = change(before)
        assert draft.manifest != before

    return changed


def files(*some: object) -> Change:
    """These instead of the one."""
    return at(7, [*some])


def named(name: str) -> Change:
    """A file's name."""
    return at(7, 0, 0, name)


def tensor(field: int, value: object) -> Change:
    """The second tensor's field."""
    return at(6, 1, field, value)


def moved(field: int, by: int) -> Change:
    """A number of the second tensor's, other by so much."""
    return lambda draft: sets(draft, 6, 1, field, draft.fields[6][1][field] + by)


def described(**fields: object) -> Change:
    """The second tensor's metadata with other fields, and the length that its extents and type would make, so that
    nothing but the metadata is wrong where there is such a length."""
    numbers = {"name": 2, "dtype": 3, "extents": 4}

    def changed(draft: Draft) -> None:
        for field, value in fields.items():
            sets(draft, 6, 1, 1, numbers[field], value)

    return changed


def sized(size: int, draft: Draft) -> None:
    """The last tensor says that it has so many bytes, and a length to fit; its body is what it was."""
    sets(draft, 6, 2, 1, 4, [size])
    sets(draft, 6, 2, 3, size + 16 * (size // 16384 + 1))


def every(*changes: Change) -> Change:
    """One after the other."""

    def changed(draft: Draft) -> None:
        for change in changes:
            change(draft)

    return changed


def long_name(size: int, draft: Draft) -> None:
    """A name that makes the last tensor's metadata so long; the body is sealed with it."""
    metadata = draft.metadata[2]
    metadata[2] = "x" * (size - len(canonical(metadata | {2: ""})) - 2)
    assert len(canonical(metadata)) == size
    draft.seal_again()


def one_longer_head(number: int, draft: Draft) -> None:
    """One of the heads in a longer form."""
    draft.manifest = longer_heads(draft.manifest)[number][1]


FILE = ["model.safetensors", Draft().safetensors_header(), 3]

FORMS: dict[str, Change] = {
    "manifest: version 0": at(1, 0),
    "manifest: version 2": at(1, 2),
    "manifest: version as text": at(1, "1"),
    "manifest: model id of 31 bytes": at(2, bytes(31)),
    "manifest: model id of 33 bytes": at(2, bytes(33)),
    "manifest: model id as text": at(2, "x" * 32),
    "manifest: release -1": at(3, -1),
    "manifest: release 2^64": at(3, 2**64),
    "manifest: release 1.0": at(3, 1.0),
    "manifest: no release": at(3, None),
    "manifest: another publisher": at(4, bytes(32)),
    "manifest: publisher of 31 bytes": lambda draft: sets(draft, 4, draft.publisher.key_id[:31]),
    "manifest: metadata with a number": at(5, {"format": 1}),
    "manifest: metadata with a number for key": at(5, {1: "format"}),
    "manifest: metadata as an array": at(5, ["format", "pt"]),
    "manifest: metadata with a map in it": at(5, {"format": {}}),
    "manifest: tensors as a map": at(6, {}),
    "manifest: a tensor without root": at(6, 1, 5, ABSENT),
    "manifest: a tensor with a seventh field": lambda draft: draft.fields[6][1].append(0),
    "manifest: a tensor as a map": at(6, 1, {0: 1}),
    "manifest: index of another": tensor(0, 2),
    "manifest: index from 1": every(*(at(6, number, 0, number + 1) for number in range(3))),
    "manifest: index as text": tensor(0, "1"),
    "manifest: offset in the tensor before": moved(2, -4096),
    "manifest: offset not a multiple": moved(2, 1),
    "manifest: offset one block late": moved(2, 4096),
    "manifest: offset of the tensor before": tensor(2, 0),
    "manifest: offset at the end of 64 bits": tensor(2, 2**64 - 4096),
    "manifest: offset -1": tensor(2, -1),
    "manifest: first offset not 0": at(6, 0, 2, 4096),
    "manifest: length a byte longer": moved(3, 1),
    "manifest: length a byte shorter": moved(3, -1),
    "manifest: length without tag": moved(3, -16),
    "manifest: length with a tag too many": moved(3, 16),
    "manifest: length 0": tensor(3, 0),
    "manifest: length at the end of 64 bits": tensor(3, 2**64 - 1),
    "manifest: header of 55 bytes": tensor(4, bytes(55)),
    "manifest: header of 57 bytes": tensor(4, bytes(57)),
    "manifest: root of 31 bytes": tensor(5, bytes(31)),
    "manifest: root of 33 bytes": tensor(5, bytes(33)),
    "manifest: two tensors of one name": described(name="first"),
    "manifest: an unknown element type": described(dtype="U9"),
    "manifest: an element type in lower case": described(dtype="u8"),
    "manifest: element type as a number": described(dtype=8),
    "manifest: extents of another size": described(extents=[21]),
    "manifest: extents that are no whole bytes": described(extents=[41], dtype="F4"),
    "manifest: 65 extents": described(extents=[1] * 64 + [20]),
    "manifest: a negative extent": described(extents=[-20]),
    "manifest: an extent of 2^64": described(extents=[2**64]),
    "manifest: extents that wrap to the size": described(extents=[2**32, 2**32, 20]),
    "manifest: metadata of a tensor without a type": at(6, 1, 1, 3, ABSENT),
    "manifest: metadata of a tensor with a fifth key": at(6, 1, 1, 5, 0),
    "manifest: metadata of a tensor as a byte string": lambda draft: sets(draft, 6, 1, 1, canonical(draft.metadata[1])),
    "manifest: metadata of a tensor of 4097 bytes": functools.partial(long_name, 4097),
    "manifest: a tensor of 64 GiB and a byte": functools.partial(sized, 2**36 + 1),
    "manifest: a tensor of 64 GiB in a small file": functools.partial(sized, 2**36),
    "manifest: a tensor of 10 GB in a small file": functools.partial(sized, 10**10),
    "manifest: a tensor of 2^63 bytes": functools.partial(sized, 2**63),
    "manifest: a tensor of which the file has one byte less": functools.partial(sized, 40001),
    "manifest: files as a map": at(7, {}),
    "manifest: a file of two fields": files(FILE[:2]),
    "manifest: a file of four fields": files([*FILE, 0]),
    "manifest: a file's header as text": files([FILE[0], "{}", 3]),
    "manifest: a file's tensors as text": files([*FILE[:2], "3"]),
    "manifest: files with a tensor too few": files([*FILE[:2], 2]),
    "manifest: files with a tensor too many": files(FILE, ["b", b"", 1]),
    "manifest: files whose tensors wrap": files([*FILE[:2], 2**64 - 1], ["b", b"", 4]),
    "manifest: a file of -1 tensors": files([*FILE[:2], 4], ["b", b"", -1]),
    "manifest: two files of one name": files(FILE, ["model.safetensors", b"", 0]),
    "manifest: 65,537 files": files(FILE, *([str(number), b"", 0] for number in range(65536))),
    "manifest: a file without name": named(""),
    "manifest: a file's name of 256 bytes": named("x" * 256),
    "manifest: a file's name of 256 bytes, 128 characters": named("é" * 128),
    "manifest: a file's name as bytes": at(7, 0, 0, b"model.safetensors"),
    **{
        f"manifest: a file named {name!r}": named(name)
        for name in (".", "..", "/etc/passwd", "../model", "a/b", "a\\b", "a\0", "a\nb", "\x1b[2J", "\x7f", "a\x85")
    },
    "manifest: the files' index as text": at(8, "{}"),
    "manifest: no index": at(8, ABSENT),
    "manifest: a ninth key": at(9, 0),
    "manifest: key 0": at(0, 0),
    "manifest: a text for key": at("1", 1),
    "manifest: no map": raw(lambda data: canonical(list(cbor2.loads(data).values()))),
    "manifest: one byte of it": raw(lambda data: data[:1]),
    "manifest: an empty map": raw(lambda data: b"\xa0"),
    "manifest: a byte behind it": raw(lambda data: data + b"\0"),
    "manifest: twice": raw(lambda data: data + data),
    "manifest: a byte missing": raw(lambda data: data[:-1]),
    "manifest: tagged": raw(lambda data: b"\xd9\xd9\xf7" + data),
    "manifest: indefinite": raw(lambda data: b"\xbf" + data[1:] + b"\xff"),
    "manifest: keys descend": raw(lambda data: cbor2.dumps(dict(list(cbor2.loads(data).items())[::-1]))),
    "manifest: a key twice": raw(lambda data: data.replace(b"\x03\x07\x04", b"\x02\x07\x04", 1)),
    "manifest: texts that do not ascend": every(
        at(5, {"a": "1", "b": "2"}),
        raw(lambda data: data.replace(b"\x61a\x611\x61b\x612", b"\x61b\x612\x61a\x611")),
    ),
    "manifest: a text twice": every(
        at(5, {"a": "1", "b": "2"}),
        raw(lambda data: data.replace(b"\x61a\x611\x61b\x612", b"\x61a\x611\x61a\x612")),
    ),
    "manifest: a text that is not UTF-8": raw(lambda data: data.replace(b"format", b"form\xffm")),
    "manifest: a name with a surrogate": raw(lambda data: data.replace(b"\x66second", b"\x66\xed\xa0\x80ond")),
    "manifest: nested 100,000 deep": raw(lambda data: b"\x81" * 100_000),
    "manifest: maps nested 100,000 deep": raw(lambda data: b"\xa1\x01" * 100_000),
    "manifest: metadata nested deep": raw(lambda data: data.replace(b"\xa1\x66format", b"\xa1" * 5000 + b"\x66format")),
    "manifest: 2^63 tensors claimed": raw(lambda data: data[: data.index(b"\x06\x83")] + b"\x06\x9b\x80" + bytes(7)),
    "manifest: 1,048,577 tensors claimed": raw(
        lambda data: data.replace(b"\x06\x83\x86", b"\x06\x9a\x00\x10\x00\x01\x86")
    ),
    "manifest: an index of 2^63 bytes": raw(lambda data: data[:-1] + b"\x5b\x80" + bytes(7)),
    "manifest: 2^64 - 1 texts claimed": raw(
        lambda data: data[: data.index(b"\x05\xa1")] + b"\x05\xbb" + b"\xff" * 8 + data[-100:]
    ),
    **{f"manifest: longer head {number}": functools.partial(one_longer_head, number) for number in range(0, 50, 7)},
}
