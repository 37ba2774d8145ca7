"""HPKE's single-shot encryption by the book (RFC 9180 sections 4, 5.1 and 6.1), from ML-KEM's shared secret on: pyca's
takes no coins, so what it makes cannot be compared with a vector."""

import hashlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

# ML-KEM-768, HKDF-SHA-512, AES-256-GCM.
SUITE_ID = b"HPKE" + bytes.fromhex("0041 0003 0002")
BASE_MODE = b"\x00"


def shared_secret(coins: bytes, public: bytes) -> bytes:
    """What encapsulation with these coins gives (FIPS 203, algorithm 17, step 1)."""
    return hashlib.sha3_512(coins + hashlib.sha3_256(public).digest()).digest()[:32]


def labeled_extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
    """Section 4."""
    return HKDF.extract(SHA512(), salt, b"HPKE-v1" + SUITE_ID + label + secret)


def labeled_expand(secret: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """Section 4."""
    labeled = size.to_bytes(2, "big") + b"HPKE-v1" + SUITE_ID + label + info
    return HKDFExpand(SHA512(), size, labeled).derive(secret)


def seal(shared: bytes, info: bytes, plaintext: bytes) -> bytes:
    """The ciphertext of the first and only message, without associated data."""
    psk_id_hash, info_hash = labeled_extract(b"", b"psk_id_hash", b""), labeled_extract(b"", b"info_hash", info)
    context = BASE_MODE + psk_id_hash + info_hash
    secret = labeled_extract(shared, b"secret", b"")
    key, nonce = labeled_expand(secret, b"key", context, 32), labeled_expand(secret, b"base_nonce", context, 12)
    return AESGCM(key).encrypt(nonce, plaintext, None)
