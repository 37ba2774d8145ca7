"""A tensor's body: its key and context ("Bodies")."""

from pqgt.metadata import Metadata

from . import cbor, cobblestone
from .expand import expand


def body_key(file_key: bytes) -> bytes:
    """The input key of every message of a file."""
    return expand(file_key, b"pqgt body v1", 32)


def context(publisher: bytes, model: bytes, index: int, metadata: Metadata) -> bytes:
    """What a body is bound to: its publisher, its model, its place and what it is."""
    return cbor.array(cbor.data(publisher), cbor.data(model), cbor.unsigned(index), metadata.encode())


def seal(file_key: bytes, salt: bytes, bound: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
    """The header for the manifest, and the body."""
    message = cobblestone.Message(body_key(file_key), salt, bound)
    return message.header, message.seal(plaintext)


def unseal(file_key: bytes, bound: bytes, header: bytes, sealed: bytes) -> bytes:
    """The tensor's bytes."""
    return cobblestone.unseal(body_key(file_key), bound, header, sealed)
