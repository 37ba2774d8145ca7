"""A sealed file in the making, every part of which may be made wrong while the parts over it are right.

It shares nothing with pqgs's manifest, recipients and front but the primitives: its CBOR is cbor2's.
"""

import dataclasses
import hmac
import io
import json
import os
import typing
from collections.abc import Callable, Sequence

import cbor2

from pqgs import cobblestone, recipients
from pqgs.body import body_key
from pqgs.expand import expand
from pqgs.front import sign
from pqgs.tree import hashed, root
from pqgt.identity import Identity

from .tools import ALICE, BOB, PUBLISHER, public

Fields = dict[typing.Any, typing.Any]


def canonical(value: object) -> bytes:
    """Core deterministic CBOR, which for the keys here is cbor2's canonical one."""
    return cbor2.dumps(value, canonical=True)


def flipped(data: bytes, at: int) -> bytes:
    """Its lowest bit changed there."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


@dataclasses.dataclass
class Draft:
    """Three tensors in one file, sealed by PUBLISHER for ALICE and BOB. Whatever is set before `manifest` is asked for
    goes into it; whatever is set after stands over it.
    """

    publisher: Identity = PUBLISHER
    to: Sequence[Identity] = (ALICE, BOB)
    names: Sequence[str] = ("first", "second", "third")
    plaintexts: Sequence[bytes] = ()
    release: int = 7

    def __post_init__(self) -> None:
        self.file_key, self.model = os.urandom(32), os.urandom(32)
        self.plaintexts = self.plaintexts or [os.urandom(size) for size in (16384, 20, 40000)]
        self.metadata: list[Fields] = [
            {1: name, 2: name, 3: "U8", 4: [len(plain)]} for name, plain in zip(self.names, self.plaintexts)
        ]
        self.headers: list[bytes] = []
        self.bodies: list[bytes] = []
        self.seal_bodies()
        self.fields: Fields = {
            1: 1, 2: self.model, 3: self.release, 4: self.publisher.key_id, 5: {"format": "pt"},
            6: self.tensors(),
            7: [["model.safetensors", self.safetensors_header(), len(self.bodies)]],
            8: b"",
        }  # fmt: skip
        self._manifest: bytes | None = None
        self.public = self.publisher.public
        self.signature: bytes | None = None
        self.recipients: bytes | None = None
        self.mac: bytes | None = None
        self.prefix: bytes | None = None
        self.gaps: list[bytes] | None = None
        self.front_padding: Callable[[int], bytes] = lambda at: bytes(-at % 4096)
        self.tail = b""

    def safetensors_header(self) -> bytes:
        """Of a file with these tensors in this order."""
        entries, at = {}, 0
        for metadata, plaintext in zip(self.metadata, self.plaintexts):
            end = at + len(plaintext)
            entries[metadata[2]] = {"dtype": metadata[3], "shape": metadata[4], "data_offsets": [at, end]}
            at = end
        encoded = json.dumps(entries).encode()
        return len(encoded).to_bytes(8, "little") + encoded

    def file(self) -> bytes:
        """The file that was sealed."""
        return self.safetensors_header() + b"".join(self.plaintexts)

    def seal_again(self) -> None:
        """After metadata were changed: bodies, headers, roots, the file's header, offsets and lengths anew."""
        self.seal_bodies()
        self.fields[6] = self.tensors()
        self.fields[7] = [["model.safetensors", self.safetensors_header(), len(self.bodies)]]

    def tensors(self) -> list[list[object]]:
        """Key 6."""
        result: list[list[object]] = []
        at = 0
        for index, body in enumerate(self.bodies):
            result.append([index, self.metadata[index], at, len(body), self.headers[index], root(body)])
            at += -(-len(body) // 4096) * 4096
        return result

    def seal_bodies(self, key: bytes | None = None) -> None:
        """Under the file key, or as a file with this one."""
        self.headers, self.bodies = [], []
        for index, plaintext in enumerate(self.plaintexts):
            message = cobblestone.Message(body_key(key or self.file_key), os.urandom(24), self.context(index))
            self.headers.append(message.header)
            self.bodies.append(message.seal(plaintext))

    def context(self, index: int) -> bytes:
        """Of a tensor."""
        return canonical([self.publisher.key_id, self.model, index, self.metadata[index]])

    def message(self, index: int) -> cobblestone.Message:
        """A tensor's, whose salt stands in its header."""
        return cobblestone.Message(body_key(self.file_key), self.headers[index][:24], self.context(index))

    def set_body(self, index: int, body: bytes, rooted: bool = True) -> None:
        """Of the same length. The publisher signs its root, or has signed the other's."""
        assert len(body) == len(self.bodies[index])
        self.bodies[index] = body
        if rooted:
            self.fields[6][index][5] = root(body)

    @property
    def manifest(self) -> bytes:
        """Its bytes."""
        return canonical(self.fields) if self._manifest is None else self._manifest

    @manifest.setter
    def manifest(self, value: bytes) -> None:
        self._manifest = value

    @property
    def digest(self) -> bytes:
        """The manifest's."""
        return hashed(self.manifest)

    def wrapped(self, identity: Identity, **other: bytes) -> list[bytes]:
        """A recipient's entry. `other`: another `key`, key-id in `info`, `manifest` digest."""
        info = b"pqgt sealed v1" + other.get("info", hashed(public(identity))) + other.get("manifest", self.digest)
        both = recipients.SUITE.encrypt(other.get("key", self.file_key), identity.kem.public_key(), info)
        return [hashed(public(identity)), both[:1088], both[1088:]]

    def listed(self) -> list[list[bytes]]:
        """All of `to`, as they belong."""
        return sorted(self.wrapped(one) for one in self.to)

    def mac_of(self, wrapped: bytes, key: bytes | None = None) -> bytes:
        """By who has the file key, or only another."""
        return hmac.digest(expand(key or self.file_key, b"pqgt recipients v1", 64), self.digest + wrapped, "sha512")

    def build(self) -> bytes:
        """The file."""
        manifest = self.manifest
        signature = sign(self.publisher.signing, manifest) if self.signature is None else self.signature
        wrapped = canonical(self.listed()) if self.recipients is None else self.recipients
        mac = self.mac_of(wrapped) if self.mac is None else self.mac
        sizes = len(manifest).to_bytes(4, "big") + len(wrapped).to_bytes(4, "big")
        prefix = b"PQGS\x01\0\0\0" + sizes if self.prefix is None else self.prefix
        out = io.BytesIO()
        for part in (prefix, manifest, self.public, signature, wrapped, mac):
            out.write(part)
        out.write(self.front_padding(out.tell()))
        for index, body in enumerate(self.bodies):
            out.write(body)
            if index + 1 < len(self.bodies):
                out.write(bytes(-len(body) % 4096) if self.gaps is None else self.gaps[index])
        out.write(self.tail)
        return out.getvalue()
