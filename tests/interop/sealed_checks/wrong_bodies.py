"""Wrong bodies and gaps: changed by anybody, by a recipient, by the publisher who signs the root."""

import functools
import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pqgs import cobblestone
from pqgs.body import body_key
from pqgs.cobblestone import chunks
from pqgs.tree import hashed, root

from .draft import Draft, canonical, flipped
from .tools import CAROL
from .wrong_keys import other_file_key

Change = Callable[[Draft], object]
CHUNK = 16400


def body(index: int, change: Callable[[bytes], bytes], rooted: bool = False) -> Change:
    """A tensor's body changed, its root the one before or (`rooted`) that of what is there."""
    return lambda draft: draft.set_body(index, change(draft.bodies[index]), rooted)


def rooted(make: Callable[[list[bytes]], bytes]) -> Change:
    """The last tensor's root made otherwise, and signed."""
    return lambda draft: draft.fields[6][2].__setitem__(5, make(chunks(draft.bodies[2])))


def gap(index: int, at: int) -> Change:
    """A byte between bodies that is not zero."""

    def changed(draft: Draft) -> None:
        draft.gaps = [bytes(-len(one) % 4096) for one in draft.bodies[:2]]
        draft.gaps[index] = flipped(draft.gaps[index], at)

    return changed


def swapped_chunks(data: bytes) -> bytes:
    """The first two."""
    return data[CHUNK : 2 * CHUNK] + data[:CHUNK] + data[2 * CHUNK :]


def other_weights(draft: Draft) -> None:
    """A recipient, who has the file key, seals other weights under the same salt: every tag and the commitment hold."""
    draft.set_body(2, draft.message(2).seal(bytes(40000)), rooted=False)


def swapped_bodies(rooted_too: bool, draft: Draft) -> None:
    """Two tensors of one length change places."""
    draft.__init__(plaintexts=[b"a" * 100, b"b" * 100, b"c" * 100])  # type: ignore[misc]
    draft.bodies[0], draft.bodies[2] = draft.bodies[2], draft.bodies[0]
    if rooted_too:
        fields = draft.fields[6]
        fields[0][4:], fields[2][4:] = fields[2][4:], fields[0][4:]


def of_another_file(draft: Draft) -> None:
    """The same tensor of another sealing of the same publisher."""
    draft.set_body(2, Draft(plaintexts=draft.plaintexts).bodies[2], rooted=False)


def sealed_as(key: Callable[[Draft], bytes], context: Callable[[Draft], bytes]) -> Change:
    """The last tensor under another input key or context, header and root of that signed."""

    def changed(draft: Draft) -> None:
        message = cobblestone.Message(key(draft), bytes(24), context(draft))
        draft.set_body(2, message.seal(draft.plaintexts[2]))
        draft.fields[6][2][4] = message.header

    return changed


def in_context(make: Callable[[Draft], list[object]]) -> Change:
    """Another context."""
    return sealed_as(lambda draft: body_key(draft.file_key), lambda draft: canonical(make(draft)))


def chunked(seal: Callable[[cobblestone.Message, int, bytes], bytes]) -> Change:
    """The last tensor's chunks sealed in another way, the commitment right, the root signed."""

    def changed(draft: Draft) -> None:
        parts = [draft.plaintexts[2][at : at + 16384] for at in range(0, 40000, 16384)]
        draft.set_body(2, b"".join(seal(draft.message(2), number, part) for number, part in enumerate(parts)))

    return changed


def header(change: Callable[[Draft, bytes], bytes]) -> Change:
    """The last tensor's salt and commitment, signed."""
    return lambda draft: draft.fields[6][2].__setitem__(4, change(draft, draft.headers[2]))


def leaves(parts: list[bytes]) -> list[bytes]:
    """Of chunks."""
    return [hashed(b"pqgtleaf", part) for part in parts]


def top(hashes: list[bytes], label: bytes = b"pqgtnode") -> bytes:
    """Of three leaves."""
    first, second, third = hashes
    return hashed(label, hashed(label, first, second), third)


THREE = (3).to_bytes(8, "big")

ROOTED: dict[str, Change] = {
    "body: first byte": body(0, lambda data: flipped(data, 0)),
    "body: first tag": body(0, lambda data: flipped(data, 16384)),
    "body: tag of an empty last chunk": body(0, lambda data: flipped(data, -1)),
    "body: of a short tensor": body(1, lambda data: flipped(data, 10)),
    "body: last byte of the file": body(2, lambda data: flipped(data, -1)),
    "body: middle chunk": body(2, lambda data: flipped(data, CHUNK + 5)),
    "body: zeros": body(2, lambda data: bytes(len(data))),
    "body: chunks swapped": body(2, swapped_chunks),
    "body: a chunk twice": body(2, lambda data: data[:CHUNK] * 2 + data[2 * CHUNK :]),
    "body: other weights by a recipient": other_weights,
    "body: two tensors change places": functools.partial(swapped_bodies, False),
    "body: of another file": of_another_file,
    "root: zeros": rooted(lambda parts: bytes(32)),
    "root: of another body": rooted(lambda parts: root(bytes(2 * CHUNK + 20))),
    "root: plain SHA3-256": rooted(lambda parts: hashed(*parts)),
    "root: without its own hash": rooted(lambda parts: top(leaves(parts))),
    "root: without count": rooted(lambda parts: hashed(b"pqgtroot", top(leaves(parts)))),
    "root: count little-endian": rooted(lambda parts: hashed(b"pqgtroot", THREE[::-1], top(leaves(parts)))),
    "root: another count": rooted(lambda parts: hashed(b"pqgtroot", bytes(7) + b"\x04", top(leaves(parts)))),
    "root: leaves without tags": rooted(
        lambda parts: hashed(b"pqgtroot", THREE, top(leaves([part[:-16] for part in parts])))),
    "root: leaves without label": rooted(lambda parts: hashed(b"pqgtroot", THREE, top([hashed(one) for one in parts]))),
    "root: nodes labelled as leaves": rooted(lambda parts: hashed(b"pqgtroot", THREE, top(leaves(parts), b"pqgtleaf"))),
    "root: the last leaf hashed once more": rooted(lambda parts: hashed(
        b"pqgtroot", THREE, hashed(b"pqgtnode", hashed(b"pqgtnode", *leaves(parts)[:2]),
                                   hashed(b"pqgtnode", leaves(parts)[2])))),
    "root: the last leaf twice": rooted(lambda parts: hashed(
        b"pqgtroot", THREE, hashed(b"pqgtnode", hashed(b"pqgtnode", *leaves(parts)[:2]),
                                   hashed(b"pqgtnode", *[leaves(parts)[2]] * 2)))),
    "root: paired from the right": rooted(lambda parts: hashed(
        b"pqgtroot", THREE, hashed(b"pqgtnode", leaves(parts)[0], hashed(b"pqgtnode", *leaves(parts)[1:])))),
    "root: SHA-256": rooted(lambda parts: hashlib.sha256(b"".join(parts)).digest()),
    "gap: first byte": gap(0, 0),
    "gap: last byte": gap(0, -1),
    "gap: first byte of the second": gap(1, 0),
    "gap: last byte of the second": gap(1, -1),
}  # fmt: skip

COMMITTED: dict[str, Change] = {
    "header: salt": header(lambda draft, data: flipped(data, 0)),
    "header: commitment, first byte": header(lambda draft, data: flipped(data, 24)),
    "header: commitment, last byte": header(lambda draft, data: flipped(data, -1)),
    "header: of another tensor": header(lambda draft, data: draft.headers[1]),
    "header: commitment before salt": header(lambda draft, data: data[24:] + data[:24]),
    "signed body: two tensors change places": functools.partial(swapped_bodies, True),
    "context: another index": in_context(lambda draft: [draft.publisher.key_id, draft.model, 1, draft.metadata[2]]),
    "context: another model": in_context(lambda draft: [draft.publisher.key_id, bytes(32), 2, draft.metadata[2]]),
    "context: another publisher": in_context(lambda draft: [CAROL.key_id, draft.model, 2, draft.metadata[2]]),
    "context: another name": in_context(
        lambda draft: [draft.publisher.key_id, draft.model, 2, draft.metadata[2] | {2: "x"}]),
    "context: metadata as a byte string": in_context(
        lambda draft: [draft.publisher.key_id, draft.model, 2, canonical(draft.metadata[2])]),
    "context: without metadata": in_context(lambda draft: [draft.publisher.key_id, draft.model, 2]),
    "context: none": sealed_as(lambda draft: body_key(draft.file_key), lambda draft: b""),
    "body key: the file key": sealed_as(lambda draft: draft.file_key, lambda draft: draft.context(2)),
    "body key: of another file key": sealed_as(lambda draft: body_key(bytes(32)), lambda draft: draft.context(2)),
    "another file key, its MAC right": other_file_key,
}  # fmt: skip

SEALED: dict[str, Change] = {
    "signed body: first byte": body(0, lambda data: flipped(data, 0), rooted=True),
    "signed body: first tag": body(0, lambda data: flipped(data, 16384), rooted=True),
    "signed body: tag of an empty last chunk": body(0, lambda data: flipped(data, -1), rooted=True),
    "signed body: middle chunk": body(2, lambda data: flipped(data, CHUNK + 5), rooted=True),
    "signed body: last chunk": body(2, lambda data: flipped(data, -20), rooted=True),
    "signed body: chunks swapped": body(2, swapped_chunks, rooted=True),
    "signed body: a chunk twice": body(2, lambda data: data[:CHUNK] * 2 + data[2 * CHUNK :], rooted=True),
    "chunks: numbered from 1": chunked(lambda message, number, part: message.seal_chunk(number + 1, part)),
    "chunks: with associated data": chunked(
        lambda message, number, part: AESGCM(message.key).encrypt(message.nonce(number), part, b"pqgt")),
    "chunks: numbers little-endian": chunked(lambda message, number, part: AESGCM(message.key).encrypt(
        bytes(a ^ b for a, b in zip(message.base_nonce, number.to_bytes(12, "little"))), part, None)),
    "chunks: all under one nonce": chunked(lambda message, number, part: message.seal_chunk(0, part)),
}  # fmt: skip
