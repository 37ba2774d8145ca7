"""Files that an opener must refuse, and who notices."""

import dataclasses
import enum
from collections.abc import Callable

from . import wrong_bodies, wrong_fronts, wrong_keys, wrong_manifests
from .draft import Draft


class Level(enum.Enum):
    """What must refuse a file; what is named earlier must not have to, and what needs less than it may accept it."""

    # The form of the front, or the file's length: whoever reads it.
    FORM = enum.auto()
    # The publisher's signature: who verifies, and so who opens or rewraps.
    SIGNED = enum.auto()
    # The publisher is another one than is trusted.
    TRUSTED = enum.auto()
    # What was wrapped for a recipient, and the MAC: who opens or rewraps; nobody can tell without a key.
    WRAPPED = enum.auto()
    # A body, or what stands between bodies: who verifies or opens. To rewrap does not ask.
    ROOTED = enum.auto()
    # A commitment: who opens or rewraps, for he has another file key than the tensors.
    COMMITTED = enum.auto()
    # A body whose root the publisher signed: who opens it.
    SEALED = enum.auto()


@dataclasses.dataclass(frozen=True)
class Wrong:
    """One such file."""

    level: Level
    build: Callable[[], bytes]


def from_draft(change: Callable[[Draft], object]) -> Callable[[], bytes]:
    """A draft, changed, and built; or, where the change gives bytes, these."""

    def build() -> bytes:
        draft = Draft()
        result = change(draft)
        return result if isinstance(result, bytes) else draft.build()

    return build


def all_wrongs() -> dict[str, Wrong]:
    """Every one, by its name."""
    result: dict[str, Wrong] = {}
    for group in (
        (Level.FORM, wrong_fronts.FORMS), (Level.FORM, wrong_manifests.FORMS), (Level.FORM, wrong_keys.FORMS),
        (Level.SIGNED, wrong_keys.SIGNED), (Level.TRUSTED, wrong_keys.TRUSTED), (Level.WRAPPED, wrong_keys.WRAPPED),
        (Level.ROOTED, wrong_bodies.ROOTED), (Level.COMMITTED, wrong_bodies.COMMITTED),
        (Level.SEALED, wrong_bodies.SEALED),
    ):  # fmt: skip
        for name, change in group[1].items():
            assert name not in result, name
            result[name] = Wrong(group[0], from_draft(change))
    return result
