"""ML-KEM-768 (FIPS 203)."""

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from .errors import Malformed

PUBLIC_SIZE = 1184
CIPHERTEXT_SIZE = 1088
MODULUS = 3329


def check_modulus(public: bytes) -> None:
    """FIPS 203 section 7.2: every 12-bit coefficient is reduced. Two are in three bytes, little-endian; the last 32
    bytes are rho.
    """
    for at in range(0, PUBLIC_SIZE - 32, 3):
        pair = int.from_bytes(public[at : at + 3], "little")
        if pair & 0xFFF >= MODULUS or pair >> 12 >= MODULUS:
            raise Malformed("the encapsulation key has a coefficient that is not reduced")


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """The shared secret (32 bytes) and the ciphertext for it."""
    if len(public) != PUBLIC_SIZE:
        raise Malformed("an encapsulation key has 1184 bytes")
    check_modulus(public)
    return MLKEM768PublicKey.from_public_bytes(public).encapsulate()


def decapsulate(secret: MLKEM768PrivateKey, ciphertext: bytes) -> bytes:
    """The shared secret; for a ciphertext of somebody else an unrelated one, without an error (implicit rejection)."""
    if len(ciphertext) != CIPHERTEXT_SIZE:
        raise Malformed("an ML-KEM-768 ciphertext has 1088 bytes")
    return secret.decapsulate(ciphertext)
