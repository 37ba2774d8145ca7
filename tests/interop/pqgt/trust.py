"""Whom an end talks to: the keys it has pinned, and nobody else."""

import dataclasses
from collections.abc import Iterable

from .errors import Unauthentic
from .identity import key_id


@dataclasses.dataclass(frozen=True)
class Trust:
    """A set of key-ids. `None` trusts any key, which says nothing about who the peer is."""

    key_ids: frozenset[bytes] | None

    @classmethod
    def pinned(cls, publics: Iterable[bytes]) -> "Trust":
        """Exactly these public keys."""
        return cls(frozenset(map(key_id, publics)))

    def check(self, own: bytes, peer: bytes) -> None:
        """Raises unless `peer` is pinned. An end that meets its own key meets a mirror."""
        if peer == own:
            raise Unauthentic("the peer presents our own key")
        if self.key_ids is not None and key_id(peer) not in self.key_ids:
            raise Unauthentic("the peer's key is not pinned")
