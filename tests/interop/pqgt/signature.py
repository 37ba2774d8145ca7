"""ML-DSA-65 (FIPS 204) over the transcript hash ("Messages", Signature)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from .errors import Unauthentic

PUBLIC_SIZE = 1952
SIGNATURE_SIZE = 3309


def message(role: bytes, transcript_hash: bytes) -> bytes:
    """What `role` (`host` or `device`) signs: 64 spaces, the role's text, a zero, TH up to the signature."""
    return b"\x20" * 64 + b"PQGT v1 " + role + b"\x00" + transcript_hash


def sign(secret: MLDSA65PrivateKey, role: bytes, transcript_hash: bytes) -> bytes:
    """Pure ML-DSA-65, hedged, empty context."""
    return secret.sign(message(role, transcript_hash))


def verify(public: bytes, role: bytes, transcript_hash: bytes, signature: bytes) -> None:
    """Raises if the signature is not `public`'s over this transcript."""
    try:
        MLDSA65PublicKey.from_public_bytes(public).verify(signature, message(role, transcript_hash))
    except (InvalidSignature, ValueError) as error:
        raise Unauthentic(f"the {role.decode()}'s signature does not verify") from error
