"""The session policy: 8 bytes in M1, which M2 repeats ("Messages", policy)."""

import dataclasses

from .errors import Malformed
from .reader import Reader

SIZE = 8


@dataclasses.dataclass(frozen=True)
class Policy:
    """Lifetime in seconds, and log2 of the most chunks under one key."""

    lifetime: int = 3600
    log2_chunks: int = 24

    def encode(self) -> bytes:
        """8 bytes."""
        return self.lifetime.to_bytes(4, "big") + bytes([self.log2_chunks, 0, 0, 0])

    @classmethod
    def decode(cls, data: bytes) -> "Policy":
        """Refuses a lifetime of zero, any log2 but 23 and 24, flags, and non-zero padding."""
        reader = Reader(data)
        policy = cls(reader.integer(4), reader.integer(1))
        reader.expect("the policy's flags", bytes(1))
        reader.expect("the policy's zeros", bytes(2))
        reader.done()
        if policy.lifetime == 0:
            raise Malformed("a lifetime of zero")
        if policy.log2_chunks not in (23, 24):
            raise Malformed(f"2^{policy.log2_chunks} chunks under one key")
        return policy
