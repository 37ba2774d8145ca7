"""Everything before the bodies ("The file")."""

import dataclasses
import hashlib
import typing

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from pqgt.errors import Malformed, Unauthentic
from pqgt.reader import Reader
from pqgt.signature import PUBLIC_SIZE, SIGNATURE_SIZE

from .manifest import MAX_MANIFEST, aligned, digest
from .recipients import MAC_SIZE, MAX_RECIPIENTS_SIZE

MAGIC = b"PQGS\x01\x00\x00\x00"
PREFIX_SIZE = 16


def signed(manifest: bytes) -> bytes:
    """What the publisher signs."""
    return b"\x20" * 64 + b"PQGT v1 sealed" + b"\x00" + digest(manifest)


def sign(secret: MLDSA65PrivateKey, manifest: bytes) -> bytes:
    """The publisher's signature."""
    return secret.sign(signed(manifest))


@dataclasses.dataclass(frozen=True)
class Front:
    """Its parts, none of them believed yet."""

    manifest: bytes
    public: bytes
    signature: bytes
    recipients: bytes
    mac: bytes

    def encode(self) -> bytes:
        """With the zeros up to the bodies."""
        sizes = len(self.manifest).to_bytes(4, "big") + len(self.recipients).to_bytes(4, "big")
        parts = MAGIC + sizes + self.manifest + self.public + self.signature + self.recipients + self.mac
        return parts.ljust(aligned(len(parts)), b"\0")

    @classmethod
    def read(cls, source: typing.BinaryIO, size: int) -> "Front":
        """From the start of a file of `size` bytes."""
        prefix = Reader(source.read(PREFIX_SIZE))
        prefix.expect("magic and version", MAGIC)
        manifest, recipients = prefix.integer(4), prefix.integer(4)
        if not 1 <= manifest <= MAX_MANIFEST or not 1 <= recipients <= MAX_RECIPIENTS_SIZE:
            raise Malformed(f"a manifest of {manifest} bytes and recipients of {recipients}")
        end = PREFIX_SIZE + manifest + PUBLIC_SIZE + SIGNATURE_SIZE + recipients + MAC_SIZE
        if aligned(end) > size:
            raise Malformed(f"a front of {aligned(end)} bytes in a file of {size}")
        rest = Reader(source.read(aligned(end) - PREFIX_SIZE))
        front = cls(
            rest.take(manifest), rest.take(PUBLIC_SIZE), rest.take(SIGNATURE_SIZE), rest.take(recipients),
            rest.take(MAC_SIZE),
        )  # fmt: skip
        rest.expect("the padding", bytes(aligned(end) - end))
        return front

    @property
    def publisher(self) -> bytes:
        """SHA3-256 of the public key."""
        return hashlib.sha3_256(self.public).digest()

    def check_signature(self) -> None:
        """By the key that stands in it, whosever that is."""
        try:
            MLDSA65PublicKey.from_public_bytes(self.public).verify(self.signature, signed(self.manifest))
        except InvalidSignature as error:
            raise Unauthentic("the publisher's signature does not verify") from error
