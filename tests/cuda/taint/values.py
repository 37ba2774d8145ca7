"""What a pass knows of a value, and of memory."""

from typing import NamedTuple

from taint.subjects import CONTEXT, KERNELS, PUBLIC, SEALED, SECRET, STAMP_BYTES


class Value(NamedTuple):
    """Of a register."""

    secret: bool
    # 0 or 1 by its form.
    bit: bool
    # Which bindings it may point into: pairs of a binding and the offset, None where that is not known.
    points: frozenset


KNOWN = Value(False, False, frozenset())
BIT = Value(False, True, frozenset())
HIDDEN = Value(True, False, frozenset())


def joined(a: Value, b: Value) -> Value:
    """Either of two."""
    if a is b or a == b:
        return a
    points = a.points | b.points
    bindings = {binding for binding, _ in points}
    if len(bindings) < len(points):
        # One offset or the other is any: a loop that counts a pointer up has no end of them.
        points = frozenset((binding, None if (binding, None) in points or len([1 for other, _ in points if other == binding]) > 1 else
                            next(at for other, at in points if other == binding)) for binding in bindings)
    return Value(a.secret or b.secret, a.bit and b.bit, points)


def computed(sources: list[Value]) -> Value:
    """What any function makes of values; a pointer with something added points elsewhere in the same binding."""
    secret, points = False, frozenset()
    for value in sources:
        secret = secret or value.secret
        points |= value.points
    if points:
        points = frozenset((binding, None) for binding, _ in points)
    return Value(secret, False, points) if secret or points else KNOWN


class Memory:
    """A kernel's memory, and where it leaks. Shared and local memory is secret from the first secret that is stored anywhere in it."""

    def __init__(self, kernel: str):
        self.holds, self.declassifies, self.floats = KERNELS[kernel]
        self.secret: set = set()
        self.leaks: dict = {}
        self.declassified: set = set()

    def leak(self, kind: str, at, text: str) -> None:
        self.leaks.setdefault((at, kind), text)

    def pointer(self, binding: int) -> Value:
        """A kernel's argument."""
        return Value(False, False, frozenset([(binding, 0)]))

    def _stamp(self, binding: int, offset, size: int) -> bool:
        return self.holds[binding] == CONTEXT and offset is not None and 0 <= offset and offset + size <= STAMP_BYTES

    def loaded(self, points: frozenset, offset, size: int) -> Value:
        """What a load from device memory gives."""
        for binding, base in points:
            at = None if base is None or offset is None else base + offset
            kind = self.holds[binding]
            if kind == SECRET or binding in self.secret or (kind == CONTEXT and not self._stamp(binding, at, size)):
                return HIDDEN
        return KNOWN

    def stored(self, points: frozenset, offset, size: int, value: Value, at, text: str) -> None:
        """A store into device memory."""
        if not value.secret:
            return
        for binding, base in points:
            place = None if base is None or offset is None else base + offset
            if self.holds[binding] == PUBLIC or self._stamp(binding, place, size):
                self.leak("stored", at, text)
            elif self.holds[binding] == SEALED:
                self.secret.add(binding)
