"""Every wrong file and the program: exit code 1 or 2 with a reason from every command that must notice, none of its
output left; nothing from a command that need not."""

import io
from random import Random

from pqgs import opener
from pqgt.errors import Malformed
from protocol_checks.tools import named

from .draft import Draft, canonical
from .program import Bench, bench
from .refusals import INSPECT, REWRAP, VERIFY
from .wrongs import Wrong, all_wrongs

REFUSED = (1, 2)


def check_every_one() -> None:
    """All that fail are told, not the first alone."""
    failures: list[str] = []
    with bench() as at:
        for name, wrong in all_wrongs().items():
            try:
                with named(name):
                    refused_by_program(at, wrong)
            except AssertionError as error:
                failures.append(f"{name}: {str(error)[:300]}")
    assert not failures, "\n".join([f"{len(failures)} wrong files:", *failures])


def refused_by_program(at: Bench, wrong: Wrong) -> None:
    """By whatever must."""
    sealed, output = at.here / "sealed", at.here / "out.safetensors"
    data = wrong.build()
    sealed.write_bytes(data)
    before = sorted(at.here.rglob("*"))
    # Whether the signature holds is for `inspect` to tell, and no reason to refuse the form.
    at.run("inspect", sealed, code=REFUSED if wrong.level in INSPECT else (0, 1))
    at.run("verify", sealed, "--trust", at.public("publisher"), code=REFUSED if wrong.level in VERIFY else 0)
    at.open(sealed, "alice", output, code=REFUSED)
    assert sorted(at.here.rglob("*")) == before, "something is left of what was refused"
    at.load(sealed, "alice", code=REFUSED)
    code = REFUSED if wrong.level in REWRAP else 0
    at.rewrap(sealed, "alice", "--add", at.public("carol"), code=code)
    if code == REFUSED:
        assert sealed.read_bytes() == data, "rewrapped and refused"
    assert sorted(at.here.rglob("*")) == before, "something is left of rewrapping"


def check_random_changes() -> None:
    """Manifests and recipients changed at random, then signed and under a right MAC: Python and the program agree on
    which of them have the one form.
    """
    random, taken = Random(1), 0
    with bench() as at:
        sealed = at.here / "sealed"
        for number in range(600):
            draft = Draft()
            if number % 3:
                draft.manifest = mutated(random, draft.manifest)
            else:
                draft.recipients = mutated(random, canonical(draft.listed()))
            data = draft.build()
            sealed.write_bytes(data)
            try:
                opener.inspect(io.BytesIO(data))
                code: int | tuple[int, ...] = 0
                taken += 1
            except Malformed:
                code = REFUSED
            with named(f"change {number}: {draft.manifest.hex()} {(draft.recipients or b'').hex()}"):
                at.run("inspect", sealed, code=code)
    assert 20 < taken < 580, f"{taken} of 600 have the form: that says little"


def mutated(random: Random, data: bytes) -> bytes:
    """A bit, a byte, some bytes more or less, or bytes from elsewhere."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(len(changed))
        match random.randrange(6):
            case 0:
                changed[at] ^= 1 << random.randrange(8)
            case 1:
                changed[at] = random.randrange(256)
            case 2:
                del changed[at : at + random.randrange(1, 5)]
            case 3:
                changed[at:at] = random.randbytes(random.randrange(1, 5))
            case 4:
                changed[at : at + 4] = changed[(other := random.randrange(len(changed))) : other + 4]
            case 5:
                # Where heads are: near what looks like one.
                changed[at] = random.choice((0, 1, 2, 0x18, 0x19, 0x1B, 0x40, 0x58, 0x61, 0x80, 0x9F, 0xA0, 0xBF, 0xFF))
    return bytes(changed)
