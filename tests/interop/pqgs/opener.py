"""Reads a sealed file: inspects, verifies and opens it ("What an opener refuses")."""

import dataclasses
import hmac
import os
import typing

from pqgt.errors import Malformed, Unauthentic
from pqgt.identity import Identity

from . import body, cobblestone, recipients
from .front import Front
from .manifest import Manifest, digest
from .recipients import Recipient
from .tree import root


@dataclasses.dataclass(frozen=True)
class Sealed:
    """A file whose form is right; what else was checked is what its maker says."""

    source: typing.BinaryIO
    front: Front
    manifest: Manifest
    recipients: list[Recipient]
    start: int

    def bodies(self) -> typing.Iterator[bytes]:
        """Every body, and zeros between them."""
        at, offsets = 0, self.manifest.offsets
        self.source.seek(self.start)
        for tensor, offset in zip(self.manifest.tensors, offsets):
            if any(self.source.read(offset - at)):
                raise Malformed(f"bytes other than zero before {tensor.metadata.name!r}")
            yield self.source.read(tensor.length)
            at = offset + tensor.length

    def check_roots(self) -> None:
        """Of every body."""
        for tensor, sealed in zip(self.manifest.tensors, self.bodies()):
            if root(sealed) != tensor.root:
                raise Unauthentic(f"the root of {tensor.metadata.name!r} does not hold")


def inspect(source: typing.BinaryIO) -> Sealed:
    """The form of the front and the file's length; nothing is believed."""
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    return formed(source, Front.read(source, size), size)


def formed(source: typing.BinaryIO, front: Front, size: int) -> Sealed:
    """With manifest and recipients decoded."""
    manifest = Manifest.decode(front.manifest)
    listed = recipients.decode(front.recipients)
    if front.publisher != manifest.publisher:
        raise Malformed("the manifest names another publisher")
    start = len(front.encode())
    if start + manifest.offsets[-1] != size:
        raise Malformed(f"a file of {size} bytes should have {start + manifest.offsets[-1]}")
    return Sealed(source, front, manifest, listed, start)


def trusted(source: typing.BinaryIO, trust: bytes | None, minimum: int) -> Sealed:
    """As `inspect`, of this publisher (None: any) and not older than this release."""
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    front = Front.read(source, size)
    if trust is not None and front.public != trust:
        raise Unauthentic("a publisher that is not trusted")
    front.check_signature()
    sealed = formed(source, front, size)
    if sealed.manifest.release < minimum:
        raise Unauthentic(f"release {sealed.manifest.release} is older than {minimum}")
    return sealed


def verify(source: typing.BinaryIO, trust: bytes | None, minimum: int = 0) -> Sealed:
    """All that can be checked without a recipient's key."""
    sealed = trusted(source, trust, minimum)
    sealed.check_roots()
    return sealed


def unwrap(sealed: Sealed, identity: Identity) -> bytes:
    """The file key, once the recipients' MAC holds under it."""
    own = recipients.key_id(identity.kem.public_key().public_bytes_raw())
    entry = next((one for one in sealed.recipients if one.key_id == own), None)
    if entry is None:
        raise Unauthentic("not sealed for this identity")
    manifest = digest(sealed.front.manifest)
    file_key = entry.unwrap(identity.kem, manifest)
    if not hmac.compare_digest(recipients.mac(file_key, manifest, sealed.front.recipients), sealed.front.mac):
        raise Unauthentic("the recipients' MAC does not hold")
    return file_key


@dataclasses.dataclass(frozen=True)
class Opened:
    """A file whose front holds for a recipient."""

    sealed: Sealed
    file_key: bytes

    def context(self, index: int) -> bytes:
        """What a tensor's body is bound to."""
        manifest = self.sealed.manifest
        return body.context(manifest.publisher, manifest.model, index, manifest.tensors[index].metadata)

    def check_commitments(self) -> None:
        """Of every tensor: the file key is the one they are sealed under."""
        for index, tensor in enumerate(self.sealed.manifest.tensors):
            cobblestone.committed(body.body_key(self.file_key), self.context(index), tensor.header)

    def tensors(self) -> list[bytes]:
        """Every tensor's bytes, roots checked first."""
        manifest, result = self.sealed.manifest, []
        for index, (tensor, sealed) in enumerate(zip(manifest.tensors, self.sealed.bodies())):
            if root(sealed) != tensor.root:
                raise Unauthentic(f"the root of {tensor.metadata.name!r} does not hold")
            result.append(body.unseal(self.file_key, self.context(index), tensor.header, sealed))
        return result

    def files(self) -> dict[str, bytes]:
        """The files that were sealed, bit for bit, by name."""
        tensors, result = iter(self.tensors()), {}
        for file in self.sealed.manifest.files:
            result[file.name] = file.header + b"".join(next(tensors) for _ in range(file.tensors))
        return result


def unseal(source: typing.BinaryIO, identity: Identity, trust: bytes | None, minimum: int = 0) -> Opened:
    """Signature, then file key, then MAC."""
    sealed = trusted(source, trust, minimum)
    return Opened(sealed, unwrap(sealed, identity))
