"""Every wrong file is refused by whoever must notice, and by nobody before him: what is wrong in it is what it says."""

import io
import pathlib

from pqgs import opener
from pqgs.rewrap import rewrap
from pqgt.errors import Malformed, Unauthentic
from protocol_checks.tools import named, refused

from .tools import ALICE, CAROL, PUBLISHER, folder, opened, public
from .wrongs import Level, all_wrongs

# Who refuses what.
INSPECT = {Level.FORM}
VERIFY = INSPECT | {Level.SIGNED, Level.TRUSTED, Level.ROOTED}
REWRAP = INSPECT | {Level.SIGNED, Level.TRUSTED, Level.WRAPPED, Level.COMMITTED}
OPEN = set(Level)


def check_python_refuses() -> None:
    """All of them, by inspecting, verifying, rewrapping and opening."""
    with folder() as here:
        wrongs = all_wrongs()
        assert len(wrongs) > 200
        for name, wrong in wrongs.items():
            with named(name):
                data = wrong.build()
                refuse(wrong.level in INSPECT, lambda: opener.inspect(io.BytesIO(data)))
                refuse(wrong.level in VERIFY, lambda: opener.verify(io.BytesIO(data), PUBLISHER.public))
                refuse(wrong.level in REWRAP, lambda: rewrapped(here, data))
                refuse(True, lambda: opened(data, ALICE).tensors())


def refuse(must: bool, work: object) -> None:
    """Must this fail, or must it not?"""
    assert callable(work)
    if must:
        with refused((Malformed, Unauthentic)):
            work()
    else:
        work()


def rewrapped(here: pathlib.Path, data: bytes) -> None:
    """Adds CAROL."""
    (here / "sealed").write_bytes(data)
    rewrap(here / "sealed", ALICE, PUBLISHER.public, here / "rewrapped", add=[public(CAROL)])
