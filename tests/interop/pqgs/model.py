"""safetensors as it goes into a sealed file: header, verbatim, and tensors in the order of their data."""

import dataclasses
import json
import math
import pathlib

from pqgt.metadata import BITS, Metadata


@dataclasses.dataclass(frozen=True)
class Shard:
    """A .safetensors file. Its tensors have no ids yet: their places in the model will be."""

    name: str
    header: bytes
    metadata: dict[str, str]
    tensors: tuple[tuple[Metadata, bytes], ...]

    @classmethod
    def read(cls, path: pathlib.Path) -> "Shard":
        """All of it. Data must follow each other without holes."""
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        metadata = header.pop("__metadata__", {})
        tensors, at = [], 0
        for name, one in sorted(header.items(), key=lambda item: (item[1]["data_offsets"], item[0].encode())):
            begin, end = one["data_offsets"]
            if begin != at or (end - begin) * 8 != math.prod(one["shape"]) * BITS[one["dtype"]]:
                raise ValueError(f"{path}: the data of {name!r} are not where they belong")
            tensors.append((Metadata("", name, one["dtype"], tuple(one["shape"])), data[start + begin : start + end]))
            at = end
        if start + at != len(data):
            raise ValueError(f"{path}: {len(data) - start - at} bytes behind the last tensor")
        return cls(path.name, data[:start], metadata, tuple(tensors))


@dataclasses.dataclass(frozen=True)
class Model:
    """One shard, or several and their index."""

    shards: tuple[Shard, ...]
    index: bytes = b""

    @classmethod
    def read(cls, path: pathlib.Path) -> "Model":
        """A .safetensors file, or a model.safetensors.index.json with its shards beside it."""
        if path.suffix != ".json":
            return cls((Shard.read(path),))
        index = path.read_bytes()
        names = sorted(set(json.loads(index)["weight_map"].values()))
        return cls(tuple(Shard.read(path.parent / name) for name in names), index)
