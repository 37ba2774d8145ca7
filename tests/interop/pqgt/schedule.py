"""Every secret of a session ("Keys")."""

import dataclasses
import hashlib
import hmac

from .hkdf import SECRET_SIZE, expand_label, extract


@dataclasses.dataclass(frozen=True)
class RoleKeys:
    """What one role seals and finishes its one handshake message with."""

    secret: bytes

    @property
    def key(self) -> bytes:
        """AES-256-GCM key, 32 bytes."""
        return expand_label(self.secret, b"key", b"", 32)

    @property
    def iv(self) -> bytes:
        """The nonce, 12 bytes."""
        return expand_label(self.secret, b"iv", b"", 12)

    @property
    def finished_key(self) -> bytes:
        """HMAC-SHA-512 key, 64 bytes."""
        return expand_label(self.secret, b"finished", b"", SECRET_SIZE)

    def finished(self, transcript_hash: bytes) -> bytes:
        """Over TH up to and including the signature."""
        return hmac.digest(self.finished_key, transcript_hash, "sha512")


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One direction's traffic secret and what comes of it."""

    number: int
    secret: bytes

    @property
    def key(self) -> bytes:
        """AES-256-GCM key, 32 bytes."""
        return expand_label(self.secret, b"key", b"", 32)

    @property
    def base_nonce(self) -> bytes:
        """12 bytes, to be XORed with sequence and chunk number."""
        return expand_label(self.secret, b"iv", b"", 12)

    def next(self) -> "Epoch":
        """The epoch after a KEY_UPDATE."""
        number = self.number + 1
        return Epoch(number, expand_label(self.secret, b"epoch", number.to_bytes(4, "big"), SECRET_SIZE))


@dataclasses.dataclass(frozen=True)
class Schedule:
    """ES, and what depends on it and the transcript hashes."""

    early_secret: bytes

    @classmethod
    def from_shared_secret(cls, shared_secret: bytes) -> "Schedule":
        """ES of the ML-KEM shared secret."""
        return cls(extract(bytes(SECRET_SIZE), shared_secret))

    def role(self, role: bytes, th_m2_clear: bytes) -> RoleKeys:
        """`host` or `device`, at TH(M1 ‖ M2 clear)."""
        return RoleKeys(expand_label(self.early_secret, role, th_m2_clear, SECRET_SIZE))

    @property
    def derived(self) -> bytes:
        """The salt of MS."""
        return expand_label(self.early_secret, b"derived", hashlib.sha512(b"").digest(), SECRET_SIZE)

    @property
    def main_secret(self) -> bytes:
        """MS."""
        return extract(self.derived, bytes(SECRET_SIZE))

    def traffic(self, role: bytes, th_m3: bytes) -> Epoch:
        """The epoch 0 of what `role` sends, at TH(M1 ‖ M2 ‖ M3)."""
        return Epoch(0, expand_label(self.main_secret, role + b" traffic", th_m3, SECRET_SIZE))

    def session_id(self, th_m3: bytes) -> bytes:
        """32 bytes, in every record's header."""
        return expand_label(self.main_secret, b"session id", th_m3, 32)

    def exporter(self, th_m3: bytes) -> bytes:
        """The secret other protocols bind to."""
        return expand_label(self.main_secret, b"exporter", th_m3, SECRET_SIZE)


def export(exporter: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """`size` bytes for another protocol."""
    return expand_label(exporter, label, hashlib.sha512(context).digest(), size)
