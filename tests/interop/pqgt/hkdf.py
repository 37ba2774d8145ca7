"""HKDF-SHA-512 (RFC 5869) and Expand-Label ("Keys", RFC 8446 section 7.1 with the prefix `pqgt1 `)."""

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

SECRET_SIZE = 64
PREFIX = b"pqgt1 "


def extract(salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract: 64 bytes."""
    return HKDF.extract(SHA512(), salt, secret)


def expand_label(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """`size` bytes for `label` and `context` (at most 249 and 255 bytes)."""
    full = PREFIX + label
    info = size.to_bytes(2, "big") + len(full).to_bytes(1, "big") + full + len(context).to_bytes(1, "big") + context
    return HKDFExpand(SHA512(), size, info).derive(secret)
