"""Our Cobblestone-256 and pyca/cryptography's open each other's messages; the tree by another way of building it."""

import os

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from pqgs import cobblestone
from pqgs.cobblestone import HEADER_SIZE, Message, unseal
from pqgs.tree import hashed, root
from pqgt.errors import Malformed, Unauthentic
from protocol_checks.tools import SIZES, refused

KEY = os.urandom(32)


def check_ours_opened_by_pyca() -> None:
    """Every size, with and without context."""
    for size in SIZES:
        for context in (b"", b"context"):
            plaintext, message = os.urandom(size), Message(KEY, os.urandom(24), context)
            sealed = message.seal(plaintext)
            assert len(sealed) == cobblestone.sealed_size(size)
            decryptor = Cobblestone256Decryptor(KEY, context)
            assert decryptor.update(message.header + sealed) + decryptor.finalize() == plaintext


def check_pycas_opened_by_ours() -> None:
    """Every size."""
    for size in SIZES:
        plaintext, encryptor = os.urandom(size), Cobblestone256Encryptor(KEY, b"context")
        sealed = encryptor.update(plaintext) + encryptor.finalize()
        assert unseal(KEY, b"context", sealed[:HEADER_SIZE], sealed[HEADER_SIZE:]) == plaintext


def check_wrong_messages() -> None:
    """Other keys and contexts, changed and cut bodies; pyca refuses them too."""
    message = Message(KEY, os.urandom(24), b"context")
    header, sealed = message.header, message.seal(bytes(40000))
    for key, context, changed in ((bytes(32), b"context", header), (KEY, b"", header), (KEY, b"context", header[::-1])):
        with refused(Unauthentic, "commitment"):
            unseal(key, context, changed, sealed)
    swapped = sealed[16400:32800] + sealed[:16400] + sealed[32800:]
    for body in (b"", sealed[:32800], sealed[:32815], sealed[:-1], sealed + b"\0", swapped, sealed[:-1] + b"\0"):
        with refused((Unauthentic, Malformed)):
            unseal(KEY, b"context", header, body)
        decryptor = Cobblestone256Decryptor(KEY, b"context")
        with refused((InvalidTag, ValueError)):
            decryptor.update(header + body)
            decryptor.finalize()


def check_tree() -> None:
    """By recursion from the top: left of a node are as many leaves as the largest power of two below all."""

    def top(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return leaves[0]
        left = 1 << (len(leaves) - 1).bit_length() - 1
        return hashed(b"pqgtnode", top(leaves[:left]), top(leaves[left:]))

    for count in range(1, 18):
        body = os.urandom((count - 1) * 16400 + 16 + count)
        leaves = [hashed(b"pqgtleaf" + body[at : at + 16400]) for at in range(0, len(body), 16400)]
        assert root(body) == hashed(b"pqgtroot", count.to_bytes(8, "big"), top(leaves))
