"""A pass over machine code as nvdisasm lists it: what is computed from secrets, along every path.

An instruction that is not in the tables below is a leak of the kind "unproven": the pass cannot speak for it.
"""

import re

from taint.flow import State, follow
from taint.values import BIT, HIDDEN, KNOWN, Memory, Value, computed, joined
from taint.subjects import PARAMS_BYTES

# Of a fixed time, whatever their operands: the compiler waits a number of cycles that it knows for their results.
FIXED = set("""IADD3 IADD IMAD LEA LOP3 LOP SHF PRMT SEL ISETP MOV VIADD VIMNMX VIMNMX3 IMNMX VIADDMNMX PLOP3 R2P P2R IABS BMSK SGXT CS2R
    UIADD3 UIMAD ULEA ULOP3 USHF UPRMT USEL UISETP UMOV UPLOP3 R2UR UP2UR UR2UP S2R S2UR UVIADD UVIMNMX UIABS USGXT UBMSK""".split())
MOVES = {"MOV", "UMOV", "R2UR"}
# From other units, in a time that is known not to vary for known operands alone.
VARYING = {"MUFU", "F2I", "I2F", "F2F", "FLO", "UFLO", "POPC", "UPOPC", "FMUL", "FADD", "FFMA", "FSEL", "FSETP", "HFMA2", "I2FP", "F2FP", "FCHK",
           "VOTE", "VOTEU", "REDUX", "SHFL", "FMNMX", "BREV", "UBREV", "I2I", "I2IP"}
FLOATS = {"I2F", "I2FP"}
CONSTANT = {"LDC", "LDCU", "ULDC"}
ATOMIC = {"RED", "REDG", "ATOMG", "ATOM"}
BRANCHES = {"BRA", "BRX", "BRXU", "CALL", "RET", "EXIT"}
IDLE = {"NOP", "BAR", "BSSY", "BSYNC", "BMOV", "WARPSYNC", "BREAK", "YIELD", "DEPBAR", "MEMBAR", "ERRBAR", "CCTL", "UCGABAR_WAIT", "ACQBULK"}
TWO_PREDICATES = {"ISETP", "UISETP", "FSETP", "PLOP3", "UPLOP3"}

# Where parameters start in the bank of constants, by architecture.
PARAMETERS = {"sm_75": 0x160, "sm_80": 0x160, "sm_89": 0x160, "sm_90": 0x210, "sm_100": 0x380}

LINE = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*)((?:\.\w+)*)(.*)")
REGISTER = re.compile(r"\b(U?R)(\d+|Z)\b(\.64)?")
PREDICATE = re.compile(r"!?(U?P)(\d|T|R)$")
BANK = re.compile(r"c\[(0x[0-9a-f]+)\]\[([^\]]*)\]")


class Instruction:
    def __init__(self, match, labels):
        self.at, guard, self.name, modifiers, rest = match.groups()
        # What nvdisasm knows of an instruction stands behind it.
        rest, _, note = rest.rstrip(" ;").partition('(*"')
        self.text = f"{(guard or '').strip()} {self.name}{modifiers} {rest.strip()}".strip()
        self.modifiers = modifiers.split(".")[1:]
        self.guard = guard.strip().lstrip("@") if guard else None
        if self.guard in ("PT", "UPT"):
            self.guard = None
        self.operands = [operand.strip() for operand in split(rest)] if rest.strip() else []
        self.targets = re.findall(r"\.?[\w$]+", note.split("BRANCH_TARGETS")[1].split('"')[0]) if "BRANCH_TARGETS" in note else []
        self.targets += re.findall(r"`\(([^)]*)\)", rest) if self.name in BRANCHES else []
        self.labels = labels


def split(text: str) -> list[str]:
    """At commas outside brackets."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "[(") - (c in "])")
        if c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return parts + [text[start:]]


def instructions(listing: str) -> list[Instruction]:
    found, labels = [], []
    for line in listing.splitlines():
        label = re.match(r"\s*(\.?[\w$]+):\s*$", line)
        if label:
            labels.append(label[1])
        elif match := LINE.search(line):
            found.append(Instruction(match, labels))
            labels = []
    return found


class Pass:
    def __init__(self, kernel: str, architecture: str, listing: str):
        self.memory = Memory(kernel)
        self.base = PARAMETERS[architecture]
        self.code = instructions(listing)
        places = {label: i for i, one in enumerate(self.code) for label in one.labels}
        returns = [i + 1 for i, one in enumerate(self.code) if one.name == "CALL"]
        self.next = [self._next(i, one, places, returns) for i, one in enumerate(self.code)]

    def _next(self, i: int, one: Instruction, places: dict, returns: list) -> list[int]:
        """Where it may go on; calls are branches, and returns go to behind every call."""
        conditional = one.guard or any(PREDICATE.match(operand) for operand in one.operands)
        if one.name == "RET":
            after = list(returns)
        else:
            after = [places[target] for target in one.targets if one.name in BRANCHES]
        ends = one.name in ("EXIT", "RET", "BRX", "BRXU") or (one.name == "BRA")
        if one.name in ("BRA", "BRX", "BRXU", "CALL") and not after:
            self.memory.leak("unproven", one.at, f"where to? {one.text}")
        return after + ([i + 1] if (conditional or not ends) and i + 1 < len(self.code) else [])

    def run(self) -> Memory:
        reached = follow(self.memory, self.next, lambda i, state: self._step(self.code[i], state))
        for i, one in enumerate(self.code):
            # Behind the last instruction lies a branch to itself, then nothing.
            if i not in reached and one.name != "NOP" and self.next[i] != [i]:
                self.memory.leak("unproven", one.at, f"never reached: {one.text}")
        return self.memory

    def _registers(self, operand: str, count: int, state: State) -> list[Value]:
        """What an operand's registers hold, `count` each where the operand does not say that it is a pair."""
        if bank := BANK.search(operand):
            return self._constant(bank, count, state)
        if predicate := PREDICATE.match(operand):
            kind, number = predicate.groups()
            if number == "R":
                return [state.get(f"{kind}{n}") for n in range(7)]
            return [state.get(kind + number)] if number != "T" else []
        found = []
        for kind, number, pair in REGISTER.findall(operand):
            if number != "Z":
                found += [state.get(f"{kind}{int(number) + k}", self.under) for k in range(2 if pair else count)]
        return found

    def _constant(self, bank, count: int, state: State) -> list[Value]:
        number, place = bank.groups()
        if REGISTER.search(place):
            inside = self._registers(place, 1, state)
            if any(value.secret for value in inside):
                return [HIDDEN]
            # Parameters alone are looked up by a number.
            return [KNOWN]
        at = int(place, 16) - self.base - PARAMS_BYTES
        if int(number, 16) != 0 or at < 0 or at // 8 >= len(self.memory.holds):
            return [KNOWN]
        return [self.memory.pointer(at // 8)] * count

    def _split(self, one: Instruction) -> tuple[list[str], list[str]]:
        """Operands written and read."""
        if one.name in TWO_PREDICATES or one.name in ("VOTE", "VOTEU"):
            return one.operands[:2], one.operands[2:]
        if one.name in ("STG", "STS", "STL", "RED", "REDG") or one.name in IDLE | BRANCHES:
            return [], one.operands
        n = 0
        while n < len(one.operands) and PREDICATE.match(one.operands[n]):
            n += 1
        # R2P writes predicates alone.
        if one.name != "R2P":
            n += 1
            while n < len(one.operands) and PREDICATE.match(one.operands[n]):
                n += 1
        return one.operands[:n], one.operands[n:]

    def _write(self, operands: list[str], count: int, value: Value, guard, state: State) -> None:
        for operand in operands:
            if predicate := PREDICATE.match(operand):
                kind, number = predicate.groups()
                names = [f"{kind}{n}" for n in range(7)] if number == "R" else [kind + number] if number != "T" else []
                new = Value(value.secret, False, frozenset())
            else:
                names = [f"{kind}{int(number) + k}" for kind, number, _ in REGISTER.findall(operand) if number != "Z" for k in range(count)]
                new = value
            if guard is not None and guard.secret:
                new = Value(True, new.bit, new.points)
            for name in names:
                state.set(name, new, self.under)

    def _step(self, one: Instruction, state: State) -> None:
        guard = state.get(one.guard.lstrip("!")) if one.guard else None
        self.under = one.guard
        hidden_guard = guard is not None and guard.secret
        name, memory = one.name, self.memory
        targets, sources = self._split(one)
        pair = "64" in one.modifiers or (name in ("ISETP", "UISETP") and {"U64", "S64"} & set(one.modifiers))
        width = 4 if "128" in one.modifiers else 2 if pair or "WIDE" in one.modifiers or (name == "CS2R" and "32" not in one.modifiers) else 1

        def leak(kind: str) -> None:
            memory.leak(kind, one.at, one.text)

        def read(operands: list[str], count: int) -> list[Value]:
            return [value for operand in operands for value in self._registers(operand, count, state)]

        if name in IDLE:
            if hidden_guard or (name != "BMOV" and any(value.secret for value in read(sources, 1))):
                leak("branch")
        elif name in BRANCHES:
            if hidden_guard or any(value.secret for value in read(sources, 1)):
                leak("branch")
        elif name in FIXED:
            reads = read(sources, 2 if pair else 1)
            if "WIDE" in one.modifiers and len(sources) > 2:
                reads += read(sources[2:3], 2)
            moved = name in MOVES or (name == "IMAD" and set(one.modifiers) & {"MOV"} and sources[:2] == ["RZ", "RZ"])
            if (name in ("SEL", "USEL") and set(sources[:2]) <= {"RZ", "URZ", "0x1", "0x0"}) or (moved and sources[-1] in ("RZ", "URZ", "0x1", "0x0")):
                value = BIT if not computed(reads).secret else Value(True, True, frozenset())
            elif moved and len(reads) == width:
                value = reads[0]
                for other in reads[1:]:
                    value = joined(value, other)
            else:
                value = shifted(one, sources, reads) or computed(reads)
            self._write(targets, width, value, guard, state)
        elif name in VARYING:
            reads = read(sources, 1)
            value = computed(reads)
            if name in ("POPC",) and value.secret:
                memory.declassified.add(one.at)
                if not all(v.bit for v in reads) or hidden_guard:
                    leak("declassified")
                value = KNOWN
            elif value.secret and not (name in FLOATS and memory.floats):
                leak("varying")
            self._write(targets, width, value, guard, state)
        elif name in CONSTANT:
            if hidden_guard or any(v.secret for v in read(sources, 1)):
                leak("address")
            value = read(sources, 1)
            self._write(targets, width, joined(KNOWN, value[0]) if not value or value[0] == KNOWN else value[0], guard, state)
        elif name in ("LDG", "LDS", "LDL") or name in ("STG", "STS", "STL") or name in ATOMIC:
            self._access(one, name, targets, sources, width, guard, state)
        else:
            leak("unproven")

    def _access(self, one: Instruction, name: str, targets, sources, width: int, guard, state: State) -> None:
        memory = self.memory
        # The address is the first operand in brackets, data what follows it.
        place = next(operand for operand in sources if "[" in operand)
        data = sources[sources.index(place) + 1:]
        device = name[2:] == "G" or name in ATOMIC
        address = computed(self._registers(place, 2 if device else 1, state))
        if address.secret or (guard is not None and guard.secret):
            memory.leak("address", one.at, one.text)
        size = next((int(m.lstrip("US")) // 8 for m in one.modifiers if re.fullmatch(r"[US]?(8|16)", m)), 4 * width)
        space = "shared" if name.endswith("S") else "local"
        if device:
            registers = [v for v in self._registers(place.split("][")[-1], 2, state)]
            # A pair's lower word says how far into a binding it points.
            exact = registers[0].points if len(registers) == 2 and registers[0].points else address.points
            plus = re.search(r"\+(-?0x[0-9a-f]+)\]", place)
            offset = int(plus[1], 16) if plus else 0
            if not address.points:
                memory.leak("unproven", one.at, f"whose memory? {one.text}")
        if name.startswith("LD"):
            value = memory.loaded(exact, offset, size) if device else HIDDEN if space in memory.secret else KNOWN
            self._write(targets, width, value, guard, state)
            return
        value = computed([v for operand in data for v in self._registers(operand, width, state)])
        if device:
            memory.stored(exact, offset, size, value, one.at, one.text)
            self._write(targets, width, value, guard, state)
        elif value.secret and space not in memory.secret:
            memory.secret.add(space)


def shifted(one: Instruction, sources: list[str], reads: list[Value]):
    """A pointer with a constant added, by its lower word, whose offset is the pointer's."""
    if one.name not in ("IADD3", "UIADD3", "IADD") or "X" in one.modifiers or len({*reads}) != 1 or not reads[0].points or reads[0].secret:
        return None
    amounts = [operand for operand in sources if operand not in ("RZ", "URZ") and not REGISTER.search(operand) and not BANK.search(operand)]
    if len(amounts) != 1 or not re.fullmatch(r"-?0x[0-9a-f]+", amounts[0]):
        return None
    points = ((binding, None if at is None else at + int(amounts[0], 16)) for binding, at in reads[0].points)
    return Value(False, False, frozenset(points))


def examine(kernel: str, architecture: str, listing: str) -> Memory:
    return Pass(kernel, architecture, listing).run()
