"""What the checks share: people with keys, models, files in memory."""

import contextlib
import io
import json
import math
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

from pqgs import opener
from pqgs.model import Model
from pqgs.writer import seal
from pqgt.identity import Identity
from pqgt.metadata import BITS
from protocol_checks.tools import SIZES

PUBLISHER, ALICE, BOB, CAROL = (Identity.generate() for _ in range(4))
PEOPLE = {"publisher": PUBLISHER, "alice": ALICE, "bob": BOB, "carol": CAROL}

Described = tuple[str, str, list[int]]
# Every size around the chunk's, empty tensors at the beginning, between others and at the end, other types, a scalar.
TENSORS: list[Described] = [
    ("empty at the beginning", "F32", [0]), *((f"size {size}", "U8", [size]) for size in SIZES),
    ("empty between", "BF16", [3, 0, 2]), ("weights", "F32", [33, 127]), ("größe 装置", "BF16", [3, 5]),
    ("scalar", "I64", []), ("", "F4", [6]), ("empty at the end", "I8", [0, 7]),
]  # fmt: skip
SMALL: list[Described] = [("first", "U8", [16384]), ("second", "F32", [5]), ("third", "U8", [40000])]


def public(identity: Identity) -> bytes:
    """Its encapsulation key."""
    return identity.kem.public_key().public_bytes_raw()


@contextlib.contextmanager
def folder() -> Iterator[pathlib.Path]:
    """An empty one."""
    with tempfile.TemporaryDirectory() as name:
        yield pathlib.Path(name)


def safetensors(tensors: Sequence[Described], metadata: dict[str, str] | None = None) -> bytes:
    """A .safetensors file of random bytes."""
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    data = bytearray()
    for name, dtype, shape in tensors:
        body = os.urandom(math.prod(shape) * BITS[dtype] // 8)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(body)]}
        data += body
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    return len(encoded).to_bytes(8, "little") + encoded + data


def write_model(path: pathlib.Path, tensors: Sequence[Described] = TENSORS) -> dict[str, bytes]:
    """One file; its bytes by its name."""
    data = safetensors(tensors, {"format": "pt", "é": "", "a longer key than twenty-three bytes": "ü" * 300, "": "x"})
    path.write_bytes(data)
    return {path.name: data}


def write_shards(at: pathlib.Path) -> tuple[pathlib.Path, dict[str, bytes]]:
    """Three files, one of them without tensors of any length, and their index; the files' bytes by their names."""
    parts = (TENSORS[:4], [TENSORS[8]], TENSORS[4:8] + TENSORS[9:])
    names = [f"model-{number:05}-of-00003.safetensors" for number in (1, 2, 3)]
    files: dict[str, bytes] = {}
    weights: dict[str, str] = {}
    for name, part in zip(names, parts):
        files[name] = safetensors(part, {"format": "pt", "of": name})
        (at / name).write_bytes(files[name])
        weights |= {tensor: name for tensor, _, _ in part}
    index = at / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weights}, indent=2) + "\n")
    return index, files


def sealed_by_python(model: pathlib.Path, path: pathlib.Path, to: Sequence[Identity], release: int = 0) -> None:
    """By PUBLISHER."""
    seal(Model.read(model), PUBLISHER, [public(one) for one in to], release, path)


def opened(data: bytes, identity: Identity, trust: bytes | None = PUBLISHER.public, minimum: int = 0) -> opener.Opened:
    """A file in memory."""
    return opener.unseal(io.BytesIO(data), identity, trust, minimum)
