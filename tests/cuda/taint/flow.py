"""Along every path of a kernel."""

from typing import Callable

from taint.values import KNOWN, Memory, Value, joined


class State:
    """What registers hold at one place. Beside it, what they hold where a predicate is one way: compilers write a register under a
    predicate and read it under the same."""

    def __init__(self):
        self.values: dict = {}
        self.when: dict = {}

    def copy(self) -> "State":
        other = State()
        other.values, other.when = dict(self.values), dict(self.when)
        return other

    def get(self, name: str, guard=None) -> Value:
        if guard and (name, guard) in self.when:
            return self.when[name, guard]
        return self.values.get(name, KNOWN)

    def set(self, name: str, value: Value, guard=None) -> None:
        if name[-2:-1] == "P":
            self.when = {key: old for key, old in self.when.items() if key[1].lstrip("!") != name}
        elif self.when:
            self.when = {key: old for key, old in self.when.items() if key[0] != name or key[1].lstrip("!") == (guard or "").lstrip("!")}
        if guard is None or guard.lstrip("!") == name:
            self.values[name] = value if guard is None else joined(self.get(name), value)
            for key in [key for key in self.when if key[0] == name]:
                del self.when[key]
            return
        opposite = guard[1:] if guard[0] == "!" else f"!{guard}"
        other = self.when.setdefault((name, opposite), self.get(name))
        self.when[name, guard] = value
        self.values[name] = joined(other, value)

    def merge(self, other: "State") -> bool:
        """Joins another into it; whether it changed. What one of them does not know is public there."""
        changed = False
        for name in self.values.keys() | other.values.keys():
            old = self.values.get(name, KNOWN)
            new = joined(old, other.values.get(name, KNOWN))
            if new != old:
                self.values[name] = new
                changed = True
        for key, old in list(self.when.items()):
            if key not in other.when:
                del self.when[key]
                changed = True
            elif (new := joined(old, other.when[key])) != old:
                self.when[key] = new
                changed = True
        return changed


def follow(memory: Memory, after: list[list[int]], step: Callable[[int, State], None]) -> set[int]:
    """Takes every instruction with all that may be known where it stands, until nothing more is found, and again where memory has become
    secret meanwhile. `after` says where each goes on. Returns those that were reached."""
    starts = {0}
    for i, places in enumerate(after):
        if places != [i + 1]:
            starts.update(places)
            starts.add(i + 1)
    reached: set[int] = set()
    while True:
        known = len(memory.secret)
        before, work = {0: State()}, {0}
        while work:
            i = min(work)
            work.remove(i)
            state = before[i].copy()
            while True:
                reached.add(i)
                step(i, state)
                if len(after[i]) != 1 or after[i][0] in starts:
                    break
                i = after[i][0]
            for j in after[i]:
                if j not in before:
                    before[j] = state.copy()
                    work.add(j)
                elif before[j].merge(state):
                    work.add(j)
        if len(memory.secret) == known:
            return reached
