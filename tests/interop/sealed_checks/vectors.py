"""Every value of tests/vectors/sealed.json, derived again from its secrets, and the file made, opened and refused."""

import hashlib
import io
import json
import pathlib
import typing

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from pqgs import body, cobblestone, expand, opener, recipients
from pqgs.front import Front
from pqgs.manifest import File, Manifest, Tensor, aligned, digest
from pqgs.recipients import Recipient
from pqgs.tree import hashed, root
from pqgt.errors import Malformed, Unauthentic
from pqgt.identity import Identity
from pqgt.metadata import Metadata
from protocol_checks.tools import named, refused

from . import hpke
from .draft import flipped

Json = typing.Any
FILE = pathlib.Path(__file__).parents[2] / "vectors" / "sealed.json"
MEMBERS = {
    "format", "publisher_seed", "publisher_key", "signing_rnd", "file_key", "model_id", "release", "metadata",
    "recipients", "recipients_key", "body_key", "tensors", "files", "index", "manifest", "manifest_sha3_256",
    "signature", "recipients_part", "recipients_mac", "bodies_start", "file",
}  # fmt: skip
RECIPIENT = {"kem_seed", "encapsulation_key", "key_id", "encapsulation_m"}
TENSOR = {
    "id", "name", "dtype", "shape", "plaintext_bytes", "plaintext_sha3_256", "salt", "metadata", "context", "key",
    "base_nonce", "commitment", "offset", "length", "leaves", "root",
}  # fmt: skip


def load() -> Json:
    """The whole file."""
    known = json.loads(FILE.read_text())
    assert set(known) == MEMBERS
    return known


def raw(value: str) -> bytes:
    """Of lower-case hexadecimal."""
    assert value == value.lower()
    return bytes.fromhex(value)


def equal(value: bytes, known: str) -> None:
    """In hexadecimal, so that an error can be read."""
    assert value.hex() == known, f"{value.hex()} is not {known}"


def publisher(known: Json) -> Identity:
    """From the seed of its signing key; it receives nothing."""
    return Identity(MLDSA65PrivateKey.from_seed_bytes(raw(known["publisher_seed"])), MLKEM768PrivateKey.generate())


def owner(recipient: Json) -> Identity:
    """A recipient, from the seed of his KEM key; he signs nothing."""
    return Identity(MLDSA65PrivateKey.generate(), MLKEM768PrivateKey.from_seed_bytes(raw(recipient["kem_seed"])))


def plaintext(size: int) -> bytes:
    """Byte i is 7i + 13, modulo 251."""
    return bytes((7 * i + 13) % 251 for i in range(size))


def check_keys() -> None:
    """Public keys of seeds, and what the file key becomes."""
    known = load()
    equal(publisher(known).public, known["publisher_key"])
    equal(expand.expand(raw(known["file_key"]), b"pqgt recipients v1", 64), known["recipients_key"])
    equal(body.body_key(raw(known["file_key"])), known["body_key"])
    for recipient in known["recipients"]:
        assert set(recipient) == RECIPIENT
        public = owner(recipient).kem.public_key().public_bytes_raw()
        equal(public, recipient["encapsulation_key"])
        equal(recipients.key_id(public), recipient["key_id"])


def check_tensors() -> None:
    """Metadata, context, keys, chunks and tree of every tensor."""
    known = load()
    assert {tensor["plaintext_bytes"] // 16384 for tensor in known["tensors"]} >= {0, 2}
    at = 0
    for index, tensor in enumerate(known["tensors"]):
        with named(tensor["name"]):
            assert set(tensor) == TENSOR
            sealed = sealed_tensor(known, index)
            metadata, message, chunks = sealed.metadata, sealed.message, sealed.chunks
            equal(metadata.encode(), tensor["metadata"])
            equal(sealed.context, tensor["context"])
            equal(message.key, tensor["key"])
            equal(message.base_nonce, tensor["base_nonce"])
            equal(message.commitment, tensor["commitment"])
            assert [hashed(b"pqgtleaf", chunk).hex() for chunk in cobblestone.chunks(chunks)] == tensor["leaves"]
            equal(root(chunks), tensor["root"])
            equal(hashlib.sha3_256(plaintext(metadata.size())).digest(), tensor["plaintext_sha3_256"])
            assert (metadata.size(), at, len(chunks)) == (tensor["plaintext_bytes"], tensor["offset"], tensor["length"])
            at = aligned(at + len(chunks))


class SealedTensor(typing.NamedTuple):
    """One, made again."""

    metadata: Metadata
    context: bytes
    message: cobblestone.Message
    chunks: bytes


def sealed_tensor(known: Json, index: int) -> SealedTensor:
    """From the file key, the salt and what the tensor is."""
    tensor = known["tensors"][index]
    metadata = Metadata(tensor["id"], tensor["name"], tensor["dtype"], tuple(tensor["shape"]))
    context = body.context(publisher(known).key_id, raw(known["model_id"]), index, metadata)
    message = cobblestone.Message(body.body_key(raw(known["file_key"])), raw(tensor["salt"]), context)
    return SealedTensor(metadata, context, message, message.seal(plaintext(metadata.size())))


def manifest_of(known: Json) -> bytes:
    """From all before it."""
    tensors = [sealed_tensor(known, index) for index in range(len(known["tensors"]))]
    manifest = Manifest(
        raw(known["model_id"]), known["release"], publisher(known).key_id, dict(known["metadata"]),
        tuple(Tensor(one.metadata, one.message.header, root(one.chunks)) for one in tensors),
        tuple(File(file["name"], raw(file["header"]), file["tensors"]) for file in known["files"]), raw(known["index"]),
    )  # fmt: skip
    return manifest.encode()


def check_manifest() -> None:
    """Its bytes, its digest, and that the signature is the publisher's: pyca takes no rnd, so it makes none."""
    known = load()
    manifest = manifest_of(known)
    equal(manifest, known["manifest"])
    equal(digest(manifest), known["manifest_sha3_256"])
    Front(manifest, publisher(known).public, raw(known["signature"]), b"", b"").check_signature()


def check_recipients() -> None:
    """The file key, wrapped for each under a shared secret that follows from the coins and that he decapsulates."""
    known = load()
    manifest, file_key = digest(manifest_of(known)), raw(known["file_key"])
    part = recipients.decode(raw(known["recipients_part"]))
    made = []
    for recipient in known["recipients"]:
        identity = owner(recipient)
        public = identity.kem.public_key().public_bytes_raw()
        own = next(one for one in part if one.key_id == recipients.key_id(public))
        shared = hpke.shared_secret(raw(recipient["encapsulation_m"]), public)
        equal(identity.kem.decapsulate(own.encapsulated), shared.hex())
        wrapped = hpke.seal(shared, recipients.info(own.key_id, manifest), file_key)
        made.append(Recipient(own.key_id, own.encapsulated, wrapped))
        equal(own.unwrap(identity.kem, manifest), known["file_key"])
    equal(recipients.encode(made), known["recipients_part"])
    equal(recipients.mac(file_key, manifest, recipients.encode(made)), known["recipients_mac"])


def check_file() -> None:
    """Put together from its parts, and opened by each recipient."""
    known = load()
    front = Front(
        manifest_of(known), publisher(known).public, raw(known["signature"]), raw(known["recipients_part"]),
        raw(known["recipients_mac"]),
    ).encode()  # fmt: skip
    assert len(front) == known["bodies_start"]
    file = front
    for index in range(len(known["tensors"])):
        file = file.ljust(aligned(len(file)), b"\0") + sealed_tensor(known, index).chunks
    equal(file, known["file"])
    for recipient in known["recipients"]:
        opened = opener.unseal(io.BytesIO(file), owner(recipient), publisher(known).public, known["release"])
        equal(opened.file_key, known["file_key"])
        assert opened.tensors() == [plaintext(tensor["plaintext_bytes"]) for tensor in known["tensors"]]
        assert list(opened.files()) == [file["name"] for file in known["files"]]


def check_changes() -> None:
    """A bit of every thirteenth byte, refused."""
    known = load()
    file, reader, trust = raw(known["file"]), owner(known["recipients"][0]), publisher(known).public
    for at in range(0, len(file), 13):
        with named(f"byte {at}"), refused((Malformed, Unauthentic)):
            opener.unseal(io.BytesIO(flipped(file, at)), reader, trust).tensors()
