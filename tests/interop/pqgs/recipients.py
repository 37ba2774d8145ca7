"""The file key, wrapped for each recipient, and the MAC over that ("Recipients")."""

import dataclasses
import hashlib
import hmac
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from pqgt.errors import Malformed, Unauthentic
from pqgt.kem import check_modulus

from . import cbor
from .expand import expand

KEY_SIZE, ENCAPSULATED_SIZE, WRAPPED_SIZE, MAC_SIZE = 32, 1088, 48, 64
MAX_RECIPIENTS_SIZE = 1_048_576
SUITE = Suite(KEM.MLKEM768, KDF.HKDF_SHA512, AEAD.AES_256_GCM)


def key_id(public: bytes) -> bytes:
    """SHA3-256 of the encapsulation key."""
    return hashlib.sha3_256(public).digest()


def info(recipient: bytes, manifest_digest: bytes) -> bytes:
    """What HPKE binds a wrapped key to."""
    return b"pqgt sealed v1" + recipient + manifest_digest


@dataclasses.dataclass(frozen=True, order=True)
class Recipient:
    """The file key for one of them."""

    key_id: bytes
    encapsulated: bytes
    wrapped: bytes

    @classmethod
    def wrap(cls, file_key: bytes, public: bytes, manifest_digest: bytes) -> "Recipient":
        """For the owner of this encapsulation key."""
        check_modulus(public)
        both = SUITE.encrypt(
            file_key, MLKEM768PublicKey.from_public_bytes(public), info(key_id(public), manifest_digest)
        )
        return cls(key_id(public), both[:ENCAPSULATED_SIZE], both[ENCAPSULATED_SIZE:])

    def unwrap(self, secret: MLKEM768PrivateKey, manifest_digest: bytes) -> bytes:
        """The file key, by the owner."""
        try:
            return SUITE.decrypt(self.encapsulated + self.wrapped, secret, info(self.key_id, manifest_digest))
        except InvalidTag as error:
            raise Unauthentic("a wrapped key that does not open") from error

    def encode(self) -> bytes:
        """The array of three."""
        return cbor.array(cbor.data(self.key_id), cbor.data(self.encapsulated), cbor.data(self.wrapped))


def encode(recipients: Iterable[Recipient]) -> bytes:
    """In ascending order of key-ids."""
    return cbor.array(*(one.encode() for one in sorted(recipients)))


def decode(data: bytes) -> list[Recipient]:
    """Of exactly these bytes."""
    decoder = cbor.Decoder(data)
    recipients: list[Recipient] = []
    for _ in range(decoder.head(cbor.ARRAY)):
        decoder.expect_head(cbor.ARRAY, 3)
        one = Recipient(decoder.data(32), decoder.data(ENCAPSULATED_SIZE), decoder.data(WRAPPED_SIZE))
        if recipients and one.key_id <= recipients[-1].key_id:
            raise Malformed("recipients that do not ascend")
        recipients.append(one)
    decoder.done()
    if not recipients:
        raise Malformed("no recipients")
    return recipients


def mac(file_key: bytes, manifest_digest: bytes, recipients: bytes) -> bytes:
    """Over their encoding."""
    key = expand(file_key, b"pqgt recipients v1", 64)
    return hmac.digest(key, manifest_digest + recipients, "sha512")
