"""Seals a model for its recipients."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from pqgt.identity import Identity

from . import body, recipients
from .cobblestone import SALT_SIZE
from .front import Front, sign
from .manifest import File, Manifest, Tensor, aligned, digest
from .model import Model
from .recipients import KEY_SIZE, Recipient
from .tree import root


def seal(model: Model, publisher: Identity, publics: Sequence[bytes], release: int, path: pathlib.Path) -> None:
    """Writes the file. `publics`: the recipients' encapsulation keys."""
    file_key, model_id = os.urandom(KEY_SIZE), os.urandom(32)
    tensors: list[Tensor] = []
    bodies: list[bytes] = []
    for shard in model.shards:
        for described, plaintext in shard.tensors:
            metadata = dataclasses.replace(described, tensor=str(len(tensors)))
            context = body.context(publisher.key_id, model_id, len(tensors), metadata)
            header, sealed = body.seal(file_key, os.urandom(SALT_SIZE), context, plaintext)
            tensors.append(Tensor(metadata, header, root(sealed)))
            bodies.append(sealed)
    manifest = Manifest(
        model_id, release, publisher.key_id, model.shards[0].metadata if model.shards else {}, tuple(tensors),
        tuple(File(shard.name, shard.header, len(shard.tensors)) for shard in model.shards), model.index,
    ).encode()  # fmt: skip
    wrapped = recipients.encode(Recipient.wrap(file_key, public, digest(manifest)) for public in publics)
    mac = recipients.mac(file_key, digest(manifest), wrapped)
    with path.open("wb") as out:
        out.write(Front(manifest, publisher.public, sign(publisher.signing, manifest), wrapped, mac).encode())
        for number, sealed in enumerate(bodies):
            last = number == len(bodies) - 1
            out.write(sealed if last else sealed.ljust(aligned(len(sealed)), b"\0"))
