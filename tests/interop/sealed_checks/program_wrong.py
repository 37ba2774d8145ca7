"""Every wrong file and the program: exit code 1 or 2 with a reason from every command that must notice, none of its
output left; nothing from a command that need not."""

from protocol_checks.tools import named

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
                failures.append(f"{name}: {error}")
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
    # `rewrap` knows no publisher: it asks for his signature alone.
    code = REFUSED if wrong.level in REWRAP else 0
    at.run("rewrap", sealed, "--identity", at.secret("alice"), "--add", at.public("carol"), code=code)
    if code == REFUSED:
        assert sealed.read_bytes() == data, "rewrapped and refused"
    assert sorted(at.here.rglob("*")) == before, "something is left of rewrapping"
