"""A pass over PTX: what is computed from secrets, along every path.

An instruction that is not in the tables below is a leak of the kind "unproven".
"""

import re

from taint.subjects import PARAMS_BYTES
from taint.flow import State, follow
from taint.values import BIT, HIDDEN, KNOWN, Memory, Value, computed, joined

# ISA section 9.7.1 to 9.7.9: of the same time for all operands on every GPU, but for the division.
FIXED = set("""add sub mul mad addc subc and or xor not neg abs shl shr shf lop3 prmt bfi bfe setp selp set slct min max mov cvt cvta cnot mul24 mad24
    dp4a szext bmsk""".split())
BRANCHES = {"bra", "ret", "exit", "bar", "barrier"}
DECLARATIONS = re.compile(r"^\s*(\.|\)|\(|\{|\}|//|$)")
LINE = re.compile(r"^\s*(?:@!?(%p\d+)\s+)?([a-z][a-z0-9]*)((?:\.[\w:]+)*)\s*(.*?);\s*$")
REGISTER = re.compile(r"%(?!(?:tid|ntid|ctaid|nctaid|laneid|warpid)\b)[a-zA-Z_]\w*")
SPECIAL = re.compile(r"%(tid|ntid|ctaid|nctaid|laneid|warpid)\b")


class Pass:
    def __init__(self, kernel: str, text: str):
        self.memory = Memory(kernel)
        self.code, places = [], {}
        for i, line in enumerate(text.splitlines()):
            if label := re.match(r"^\s*([$\w]+):\s*$", line):
                places[label[1]] = len(self.code)
            elif not DECLARATIONS.match(line):
                self.code.append((i + 1, line.strip(), LINE.match(line)))
        self.next = [self._next(i, match, places) for i, (_, _, match) in enumerate(self.code)]

    def _next(self, i: int, match, places: dict) -> list[int]:
        guard, name, _, rest = match.groups() if match else (None, "", "", "")
        onward = [i + 1] if i + 1 < len(self.code) else []
        if name == "bra":
            return [places[rest.strip()]] + (onward if guard else [])
        return onward if name not in ("ret", "exit") or guard else []

    def run(self) -> Memory:
        reached = follow(self.memory, self.next, self._one)
        for i, (at, text, _) in enumerate(self.code):
            if i not in reached:
                self.memory.leak("unproven", at, f"never reached: {text}")
        return self.memory

    def _one(self, i: int, state: State) -> None:
        at, text, match = self.code[i]
        self.state = state
        if match is None:
            self.memory.leak("unproven", at, text)
        else:
            self._step(at, text, *match.groups())

    def _get(self, operand: str) -> list[Value]:
        return [self.state.get(name) for name in REGISTER.findall(operand)]

    def _set(self, operand: str, value: Value) -> None:
        for name in REGISTER.findall(operand):
            # Where a guard does not hold, what was there stays.
            self.state.values[name] = joined(self.state.get(name), value) if self.guarded else value

    def _step(self, at: int, text: str, guard, name: str, modifiers: str, rest: str) -> None:
        memory = self.memory
        parts = [part.strip() for part in re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\[{]+", rest) if part.strip()]
        self.guarded = guard is not None
        hidden_guard = self.guarded and self._get(guard)[0].secret
        kinds = modifiers.split(".")[1:]
        sources = [value for part in parts[1:] for value in self._get(part)]

        def leak(kind: str) -> None:
            memory.leak(kind, at, text)

        if name in BRANCHES:
            if hidden_guard or any(value.secret for part in parts for value in self._get(part)):
                leak("branch")
        elif name in ("ld", "st", "atom", "red"):
            if hidden_guard:
                leak("address")
            self._access(at, text, name, kinds, parts)
        elif name == "popc":
            if computed(sources).secret:
                memory.declassified.add(at)
                if not all(value.bit for value in sources) or hidden_guard:
                    leak("declassified")
            self._set(parts[0], KNOWN)
        elif hidden_guard:
            # Compilers write selp; nothing of ours needs more.
            leak("unproven")
        elif name in ("div", "rem") or name in FIXED:
            value = computed(sources)
            float_kinds = [kind for kind in kinds if re.fullmatch(r"[bf](16|32|64)", kind) and kind[0] == "f"]
            if value.secret and (name in ("div", "rem") or (float_kinds and not (name == "cvt" and memory.floats))):
                leak("varying")
            constants = [part for part in parts[1:] if not REGISTER.search(part)]
            if name == "selp" and set(parts[1:3]) <= {"0", "1"}:
                value = Value(value.secret, True, frozenset())
            elif name == "mov" and constants in (["0"], ["1"]) and len(parts) == 2:
                value = BIT
            elif name in ("mov", "cvta") and len(sources) == 1:
                value = sources[0]
            elif name == "add" and "64" in modifiers and len(sources) == 1 and re.fullmatch(r"-?\d+", parts[2]):
                points = frozenset((binding, None if place is None else place + int(parts[2])) for binding, place in sources[0].points)
                value = Value(value.secret, False, points)
            if not sources and not all(re.fullmatch(r"-?(0x)?[0-9a-fA-F]+U?", part) or SPECIAL.search(part) or re.fullmatch(r"[\w$]+", part) for part in parts[1:]):
                leak("unproven")
            self._set(parts[0], value)
        else:
            leak("unproven")

    def _access(self, at: int, text: str, name: str, kinds: list[str], parts: list[str]) -> None:
        memory = self.memory
        place = next(part for part in parts if part.startswith("["))
        inside = re.fullmatch(r"\[([%\w$]+)(?:\+(-?\d+))?\]", place)
        if inside is None:
            memory.leak("unproven", at, text)
            return
        base, offset = inside[1], int(inside[2] or 0)
        size = int(kinds[-1][1:]) // 8 * next((int(kind[1:]) for kind in kinds if re.fullmatch(r"v[24]", kind)), 1)
        address = computed(self._get(base))
        if address.secret:
            memory.leak("address", at, text)
        data = [value for part in parts[parts.index(place) + 1:] for value in self._get(part)]
        if "param" in kinds:
            number = int(base.rsplit("_", 1)[1])
            # By a number that is looked up, the parameters alone.
            self._set(parts[0], memory.pointer(number - 1) if number > 0 else KNOWN)
        elif "global" in kinds:
            points = self._get(base)[0].points if REGISTER.search(base) else frozenset()
            if not points:
                memory.leak("unproven", at, f"whose memory? {text}")
            elif name == "ld":
                self._set(parts[0], memory.loaded(points, offset, size))
            else:
                memory.stored(points, offset, size, computed(data), at, text)
            if name == "atom" and points:
                self._set(parts[0], memory.loaded(points, offset, size))
        elif "const" in kinds and name == "ld":
            self._set(parts[0], KNOWN)
        elif "shared" in kinds or "local" in kinds:
            space = "shared" if "shared" in kinds else "local"
            if name == "ld":
                self._set(parts[0], HIDDEN if space in memory.secret else KNOWN)
            elif computed(data).secret and space not in memory.secret:
                memory.secret.add(space)
        else:
            memory.leak("unproven", at, text)


def examine(kernel: str, text: str) -> Memory:
    return Pass(kernel, text).run()
