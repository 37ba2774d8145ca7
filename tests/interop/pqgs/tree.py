"""The tree over a body's chunks ("Roots")."""

import hashlib

from . import cobblestone


def hashed(*parts: bytes) -> bytes:
    """SHA3-256."""
    return hashlib.sha3_256(b"".join(parts)).digest()


def root(body: bytes) -> bytes:
    """Of all its chunks."""
    level = [hashed(b"pqgtleaf", chunk) for chunk in cobblestone.chunks(body)]
    count = len(level)
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [hashed(b"pqgtnode", *level[at : at + 2]) for at in range(0, len(level) - 1, 2)] + odd
    return hashed(b"pqgtroot", count.to_bytes(8, "big"), level[0])
