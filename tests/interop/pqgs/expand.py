"""Expand(secret, info, n): HKDF-Expand with SHA-512 (RFC 5869 section 2.3), the secret being 32 bytes."""

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


def expand(secret: bytes, info: bytes, size: int) -> bytes:
    """`size` bytes."""
    return HKDFExpand(SHA512(), size, info).derive(secret)
