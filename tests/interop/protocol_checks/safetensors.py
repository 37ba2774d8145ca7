"""Writes a .safetensors file: length of the header (8, little-endian), the header as JSON, the tensors' bytes."""

import json
import math
import os
import pathlib

from pqgt.metadata import BITS

from .tools import SIZES

Described = tuple[str, str, list[int]]
# Name, element type and shape: every size of the checks, other types, a scalar, a zero extent, a name beyond ASCII.
TENSORS: list[Described] = [(f"size {size}", "U8", [size]) for size in SIZES] + [
    ("weights", "F32", [33, 127]), ("größe 装置", "BF16", [3, 5]), ("scalar", "I64", []), ("none", "F16", [4, 0, 2]),
]  # fmt: skip

# Few and small ones, for checks that are many.
SMALL = [one for one in TENSORS if math.prod(one[2]) < 20000]


def write(path: pathlib.Path, tensors: list[Described]) -> dict[str, bytes]:
    """A file with these; their bytes by name."""
    header, data, bodies = {}, bytearray(), {}
    for name, dtype, shape in tensors:
        body = bodies[name] = os.urandom(math.prod(shape) * BITS[dtype] // 8)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(body)]}
        data += body
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data)
    return bodies
