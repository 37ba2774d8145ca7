"""Cobblestone-256: C2SP chunked-encryption with SHA-512 and AES-256-GCM, salt and commitment apart from the chunks."""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pqgt.errors import Malformed, Unauthentic

from .expand import expand

CHUNK, TAG = 16384, 16
SALT_SIZE, HEADER_SIZE = 24, 56
LABEL = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"


def sealed_size(size: int) -> int:
    """Bytes of the chunks of a message of `size` bytes."""
    return size + TAG * (size // CHUNK + 1)


class Message:
    """The keys of one message ("Key derivation")."""

    def __init__(self, input_key: bytes, salt: bytes, context: bytes) -> None:
        both = expand(input_key, LABEL + salt + context, 32 + 12 + 32)
        self.salt, self.key, self.base_nonce, self.commitment = salt, both[:32], both[32:44], both[44:]

    @property
    def header(self) -> bytes:
        """What stands before the chunks."""
        return self.salt + self.commitment

    def nonce(self, number: int) -> bytes:
        """Of a chunk."""
        return (int.from_bytes(self.base_nonce, "big") ^ number).to_bytes(12, "big")

    def seal_chunk(self, number: int, plaintext: bytes) -> bytes:
        """One chunk and its tag."""
        return AESGCM(self.key).encrypt(self.nonce(number), plaintext, None)

    def seal(self, plaintext: bytes) -> bytes:
        """All chunks. The last is always shorter, so a message of whole chunks ends with an empty one."""
        return b"".join(
            self.seal_chunk(number, plaintext[number * CHUNK : (number + 1) * CHUNK])
            for number in range(len(plaintext) // CHUNK + 1)
        )


def chunks(body: bytes) -> list[bytes]:
    """A body's chunks, tags included; the last one is shorter than the others can be, and has a tag at least."""
    parts = [body[at : at + CHUNK + TAG] for at in range(0, len(body), CHUNK + TAG)]
    if not parts or not TAG <= len(parts[-1]) < CHUNK + TAG:
        raise Malformed("chunks that do not end with a short one")
    return parts


def committed(input_key: bytes, context: bytes, header: bytes) -> Message:
    """The message with this header, once its commitment holds."""
    message = Message(input_key, header[:SALT_SIZE], context)
    if not hmac.compare_digest(message.commitment, header[SALT_SIZE:]):
        raise Unauthentic("a commitment that does not hold")
    return message


def unseal(input_key: bytes, context: bytes, header: bytes, body: bytes) -> bytes:
    """The message, once its commitment and all its tags hold."""
    message = committed(input_key, context, header)
    cipher = AESGCM(message.key)
    try:
        parts = [cipher.decrypt(message.nonce(at), chunk, None) for at, chunk in enumerate(chunks(body))]
    except InvalidTag as error:
        raise Unauthentic("a tag that does not hold") from error
    return b"".join(parts)
