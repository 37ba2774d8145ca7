"""Runs the program on files in a folder."""

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import sys
import typing
from collections.abc import Iterator

from .tools import PEOPLE, folder

PROGRAM = sys.argv[1]
# Seconds for anything at all: only a failure takes so long.
PATIENCE = 60


@dataclasses.dataclass
class Ran:
    """How it ended."""

    code: int
    summary: dict[str, typing.Any]
    said: str


@dataclasses.dataclass
class Bench:
    """A folder with everybody's key files in `keys` and nothing else yet."""

    here: pathlib.Path

    def secret(self, who: str) -> str:
        """The file with somebody's secret keys."""
        return str(self.here / "keys" / f"{who}.pem")

    def public(self, who: str) -> str:
        """The file with somebody's public keys."""
        return str(self.here / "keys" / f"{who}.pub.pem")

    def run(self, *args: object, code: int | tuple[int, ...] = 0) -> Ran:
        """With `--json`; it must end with this exit code, or one of these, and say one line if it fails."""
        done = subprocess.run(
            [PROGRAM, *map(str, args), "--json"], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        codes = code if isinstance(code, tuple) else (code,)
        assert done.returncode in codes, f"exit {done.returncode}, not {code}, of {args}: {done.stderr}{done.stdout}"
        assert done.stdout.count("\n") <= 1, f"more than one JSON object: {done.stdout}"
        assert done.returncode == 0 or done.stderr.startswith("pqc-gpu: "), f"no reason given for {args}: {done.stderr}"
        return Ran(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)

    def seal(self, model: pathlib.Path, to: tuple[str, ...], output: pathlib.Path, *options: object) -> Ran:
        """By the publisher."""
        recipients = [part for who in to for part in ("--to", self.public(who))]
        return self.run("seal", model, *recipients, "--sign-with", self.secret("publisher"), "-o", output, *options)

    def open(
        self, sealed: pathlib.Path, who: str, output: pathlib.Path, *options: object, trust: str = "publisher",
        code: int | tuple[int, ...] = 0,
    ) -> Ran:  # fmt: skip
        """By one of the recipients."""
        return self.run(
            "open", sealed, "--identity", self.secret(who), "--trust", self.trusted(trust), "-o", output, *options,
            code=code,
        )  # fmt: skip

    def rewrap(self, sealed: pathlib.Path, who: str, *change: str, code: int | tuple[int, ...] = 0) -> Ran:
        """By one of the recipients, in place."""
        trust = ("--trust", self.public("publisher"))
        return self.run("rewrap", sealed, "--identity", self.secret(who), *trust, *change, code=code)

    def load(self, sealed: pathlib.Path, who: str, code: int | tuple[int, ...] = 0) -> Ran:
        """By one of the recipients, into the CPU device."""
        trust = ("--trust", self.public("publisher"))
        return self.run("load", sealed, "--device", "cpu", "--identity", self.secret(who), *trust, code=code)

    def trusted(self, who: str) -> str:
        """What `--trust` takes."""
        return who if who == "any" else self.public(who)


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """A new one."""
    with folder() as here:
        (here / "keys").mkdir()
        for name, identity in PEOPLE.items():
            identity.save(here / "keys" / f"{name}.pem", here / "keys" / f"{name}.pub.pem")
        yield Bench(here)
