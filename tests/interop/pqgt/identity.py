"""An end's long-term key, its key-id and DID, and the PEM files both live in ("Identities")."""

import hashlib
import pathlib
import re

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

BLOCK = re.compile(rb"-----BEGIN [A-Z ]+-----\n.*?-----END [A-Z ]+-----\n", re.S)


def key_id(public: bytes) -> bytes:
    """SHA3-256 of the ML-DSA-65 public key; never taken from the peer."""
    return hashlib.sha3_256(public).digest()


def did(public: bytes) -> str:
    """`did:pqaid:` and the key-id in lower-case hex."""
    return "did:pqaid:" + key_id(public).hex()


class Identity:
    """An ML-DSA-65 key pair. The ML-KEM-768 key beside it in the file takes no part in a handshake."""

    def __init__(self, signing: MLDSA65PrivateKey, kem: MLKEM768PrivateKey) -> None:
        self.signing = signing
        self.kem = kem
        self.public = signing.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> "Identity":
        """A fresh one."""
        return cls(MLDSA65PrivateKey.generate(), MLKEM768PrivateKey.generate())

    @classmethod
    def load(cls, path: pathlib.Path) -> "Identity":
        """From a file of two PKCS#8 blocks that hold seeds: ML-DSA-65 (RFC 9881), then ML-KEM-768 (RFC 9935)."""
        keys = [serialization.load_pem_private_key(block, None) for block in BLOCK.findall(path.read_bytes())]
        match keys:
            case [MLDSA65PrivateKey() as signing, MLKEM768PrivateKey() as kem]:
                return cls(signing, kem)
        raise ValueError(f"{path}: not an ML-DSA-65 and an ML-KEM-768 private key")

    def save(self, secret: pathlib.Path, public: pathlib.Path) -> None:
        """Both files, PKCS#8 and SPKI, the ML-DSA-65 key first in each."""
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        spki, plain = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.NoEncryption()
        keys = (self.signing, self.kem)
        secret.touch(mode=0o600)
        secret.write_bytes(b"".join(key.private_bytes(pem, pkcs8, plain) for key in keys))
        public.write_bytes(b"".join(key.public_key().public_bytes(pem, spki) for key in keys))

    @property
    def key_id(self) -> bytes:
        """Our own key-id, 32 bytes."""
        return key_id(self.public)


def load_public(path: pathlib.Path) -> bytes:
    """The ML-DSA-65 public key, raw, of a file of SPKI blocks whose first it is."""
    key = serialization.load_pem_public_key(BLOCK.findall(path.read_bytes())[0])
    if not isinstance(key, MLDSA65PublicKey):
        raise ValueError(f"{path}: the first block is not an ML-DSA-65 public key")
    return key.public_bytes_raw()
