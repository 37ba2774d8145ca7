"""One record: its header, its sealed body ("Records")."""

import dataclasses
import enum
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import Malformed, Unauthentic
from .metadata import MAX_BODY, MAX_METADATA
from .reader import Reader
from .schedule import Epoch

MAGIC, VERSION = b"PQGR", 1
HEADER_SIZE, SESSION_ID_SIZE, CHUNK, TAG = 64, 32, 16384, 16
TO_DEVICE, TO_HOST = 0, 1


class Kind(enum.IntEnum):
    """Record types."""

    READY = 1
    TENSOR = 2
    KEY_UPDATE = 3
    CLOSE = 4


def chunks(size: int) -> int:
    """How many chunks a body of `size` bytes has: the last one is always shorter than 16384, and possibly empty."""
    return size // CHUNK + 1


@dataclasses.dataclass(frozen=True)
class Header:
    """The 64 bytes in front."""

    kind: Kind
    direction: int
    session_id: bytes
    epoch: int
    metadata_size: int
    sequence: int
    body_size: int

    def encode(self) -> bytes:
        """64 bytes."""
        return b"".join((
            MAGIC, bytes([VERSION, self.kind, self.direction, 0]), self.session_id, self.epoch.to_bytes(4, "big"),
            self.metadata_size.to_bytes(4, "big"), self.sequence.to_bytes(8, "big"), self.body_size.to_bytes(8, "big"),
        ))  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> "Header":
        """Refuses every header that no sender makes; whether it may come now is the session's to say."""
        reader = Reader(data)
        reader.expect("the magic", MAGIC)
        reader.expect("the version", bytes([VERSION]))
        kind, direction = reader.integer(1), reader.integer(1)
        reader.expect("the zero", bytes(1))
        if kind not in list(Kind) or direction not in (TO_DEVICE, TO_HOST):
            raise Malformed(f"a record of type {kind}, direction {direction}")
        header = cls(
            Kind(kind), direction, reader.take(SESSION_ID_SIZE), reader.integer(4), reader.integer(4),
            reader.integer(8), reader.integer(8),
        )  # fmt: skip
        reader.done()
        if header.metadata_size > MAX_METADATA or header.body_size > MAX_BODY:
            raise Malformed(f"{header.metadata_size} bytes of metadata, {header.body_size} of body")
        if header.kind != Kind.TENSOR and (header.metadata_size or header.body_size):
            raise Malformed(f"{header.kind.name} with metadata or body")
        return header

    @property
    def sealed_size(self) -> int:
        """Bytes of the sealed body: every chunk with its tag."""
        return self.body_size + TAG * chunks(self.body_size)


def nonce(base: bytes, sequence: int, chunk: int) -> bytes:
    """Base nonce XOR (sequence 8 ‖ chunk 4)."""
    counter = sequence.to_bytes(8, "big") + chunk.to_bytes(4, "big")
    return bytes(a ^ b for a, b in zip(base, counter, strict=True))


def associated_data(header: bytes, metadata: bytes) -> bytes:
    """AAD of every chunk."""
    return hashlib.sha3_256(header + metadata).digest()


def seal(epoch: Epoch, header: Header, metadata: bytes, body: bytes) -> bytes:
    """The whole record."""
    encoded = header.encode()
    aad, base, cipher = associated_data(encoded, metadata), epoch.base_nonce, AESGCM(epoch.key)
    parts = [encoded, metadata]
    for index in range(chunks(len(body))):
        chunk = body[index * CHUNK : (index + 1) * CHUNK]
        parts.append(cipher.encrypt(nonce(base, header.sequence, index), chunk, aad))
    return b"".join(parts)


def open_body(epoch: Epoch, header: Header, metadata: bytes, sealed: bytes) -> bytes:
    """The plaintext, all of it or none."""
    if len(sealed) != header.sealed_size:
        raise Malformed(f"a sealed body of {len(sealed)} bytes, not {header.sealed_size}")
    aad, base, cipher = associated_data(header.encode(), metadata), epoch.base_nonce, AESGCM(epoch.key)
    parts = []
    for index in range(chunks(header.body_size)):
        chunk = sealed[index * (CHUNK + TAG) : (index + 1) * (CHUNK + TAG)]
        try:
            parts.append(cipher.decrypt(nonce(base, header.sequence, index), chunk, aad))
        except InvalidTag as error:
            raise Unauthentic(f"chunk {index} of record {header.sequence} does not open") from error
    return b"".join(parts)
