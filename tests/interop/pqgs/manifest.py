"""What the publisher signs ("Manifest")."""

import dataclasses
import hashlib
import unicodedata

from pqgt.errors import Malformed
from pqgt.metadata import MAX_METADATA, Metadata

from . import cbor, cobblestone

ALIGNMENT = 4096
MAX_MANIFEST, MAX_TENSORS, MAX_FILES = 67_108_864, 1_048_576, 65_536
VERSION = 1


def aligned(at: int) -> int:
    """The next multiple of 4096, or this one."""
    return -(-at // ALIGNMENT) * ALIGNMENT


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One of the manifest's tensors; its index is its place, its offset follows from those before it."""

    metadata: Metadata
    header: bytes
    root: bytes

    @property
    def length(self) -> int:
        """Bytes of its body."""
        return cobblestone.sealed_size(self.metadata.size())

    def encode(self, index: int, offset: int) -> bytes:
        """The array of six."""
        return cbor.array(
            cbor.unsigned(index), self.metadata.encode(), cbor.unsigned(offset), cbor.unsigned(self.length),
            cbor.data(self.header), cbor.data(self.root),
        )  # fmt: skip

    @classmethod
    def read(cls, decoder: cbor.Decoder, index: int, offset: int) -> "Tensor":
        """The one that must have this index and this offset."""
        decoder.expect_head(cbor.ARRAY, 6)
        decoder.expect_head(cbor.UNSIGNED, index)
        began = decoder.at
        metadata = Metadata.read(decoder)
        if decoder.at - began > MAX_METADATA:
            raise Malformed(f"metadata of {decoder.at - began} bytes")
        decoder.expect_head(cbor.UNSIGNED, offset)
        decoder.expect_head(cbor.UNSIGNED, cobblestone.sealed_size(metadata.size()))
        return cls(metadata, decoder.data(cobblestone.HEADER_SIZE), decoder.data(32))


@dataclasses.dataclass(frozen=True)
class File:
    """One of the files that the tensors came from."""

    name: str
    header: bytes
    tensors: int

    def encode(self) -> bytes:
        """The array of three."""
        return cbor.array(cbor.text(self.name), cbor.data(self.header), cbor.unsigned(self.tensors))

    @classmethod
    def read(cls, decoder: cbor.Decoder) -> "File":
        """The next."""
        decoder.expect_head(cbor.ARRAY, 3)
        file = cls(decoder.text(), decoder.data(), decoder.unsigned())
        if not 1 <= len(file.name.encode()) <= 255 or file.name in (".", ".."):
            raise Malformed(f"a file cannot be named {file.name!r}")
        if any(one in "/\\" or unicodedata.category(one) == "Cc" for one in file.name):
            raise Malformed(f"a file cannot be named {file.name!r}")
        return file


@dataclasses.dataclass(frozen=True)
class Manifest:
    """All that the publisher says of a sealing."""

    model: bytes
    release: int
    publisher: bytes
    metadata: dict[str, str]
    tensors: tuple[Tensor, ...]
    files: tuple[File, ...] = ()
    index: bytes = b""

    @property
    def offsets(self) -> list[int]:
        """Of every body, and of the end behind the last."""
        result, at = [], 0
        for tensor in self.tensors:
            result.append(aligned(at))
            at = result[-1] + tensor.length
        return [*result, at]

    def encode(self) -> bytes:
        """The map of eight."""
        tensors = [tensor.encode(at, offset) for at, (tensor, offset) in enumerate(zip(self.tensors, self.offsets))]
        values = (
            cbor.unsigned(VERSION), cbor.data(self.model), cbor.unsigned(self.release), cbor.data(self.publisher),
            cbor.texts(self.metadata), cbor.array(*tensors), cbor.array(*(file.encode() for file in self.files)),
            cbor.data(self.index),
        )  # fmt: skip
        return cbor.head(cbor.MAP, 8) + b"".join(cbor.unsigned(key) + value for key, value in enumerate(values, 1))

    @classmethod
    def decode(cls, data: bytes) -> "Manifest":
        """Of exactly these bytes."""
        decoder = cbor.Decoder(data)
        decoder.expect_head(cbor.MAP, 8)
        for key in range(1, 9):
            decoder.expect_head(cbor.UNSIGNED, key)
            match key:
                case 1:
                    decoder.expect_head(cbor.UNSIGNED, VERSION)
                case 2:
                    model = decoder.data(32)
                case 3:
                    release = decoder.unsigned()
                case 4:
                    publisher = decoder.data(32)
                case 5:
                    metadata = decoder.texts()
                case 6:
                    tensors = read_tensors(decoder)
                case 7:
                    files = read_files(decoder, len(tensors))
                case 8:
                    index = decoder.data()
        decoder.done()
        manifest = cls(model, release, publisher, metadata, tensors, files, index)
        if manifest.encode() != data:
            raise Malformed("a manifest in another form")
        return manifest


def read_tensors(decoder: cbor.Decoder) -> tuple[Tensor, ...]:
    """Key 6."""
    if (count := decoder.head(cbor.ARRAY)) > MAX_TENSORS:
        raise Malformed(f"{count} tensors")
    tensors: list[Tensor] = []
    offset, names = 0, set()
    for index in range(count):
        tensor = Tensor.read(decoder, index, offset)
        if tensor.metadata.name in names:
            raise Malformed(f"two tensors are named {tensor.metadata.name!r}")
        names.add(tensor.metadata.name)
        tensors.append(tensor)
        offset = aligned(offset + tensor.length)
    return tuple(tensors)


def read_files(decoder: cbor.Decoder, tensors: int) -> tuple[File, ...]:
    """Key 7, of a model of so many tensors."""
    if (count := decoder.head(cbor.ARRAY)) > MAX_FILES:
        raise Malformed(f"{count} files")
    files: list[File] = []
    names = set()
    for _ in range(count):
        files.append(File.read(decoder))
        names.add(files[-1].name)
    if len(names) != count:
        raise Malformed("two files have one name")
    if files and sum(file.tensors for file in files) != tensors:
        raise Malformed(f"the files do not have {tensors} tensors")
    return tuple(files)


def digest(manifest: bytes) -> bytes:
    """SHA3-256 of its bytes, by which everything else names it."""
    return hashlib.sha3_256(manifest).digest()
