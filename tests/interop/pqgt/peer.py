"""Who is at the other end."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Peer:
    """Its label, which it chose itself, and its ML-DSA-65 public key, which it proved."""

    label: str
    public: bytes
