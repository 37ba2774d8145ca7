"""Python's writer, opener and rewrapping among themselves."""

import hashlib
import io
import pathlib

from pqgs import opener
from pqgs.model import Model
from pqgs.rewrap import rewrap
from pqgs.writer import seal
from pqgt.errors import Malformed, Unauthentic
from protocol_checks.tools import named, refused

from . import tools
from .draft import Draft
from .rights import RIGHTS
from .tools import ALICE, BOB, CAROL, PUBLISHER, folder, opened, public, sealed_by_python, write_model, write_shards


def check_one_file() -> None:
    """Every size comes back bit for bit, to each of three recipients and to nobody else."""
    with folder() as here:
        files = write_model(here / "model.safetensors")
        sealed_by_python(here / "model.safetensors", here / "sealed", (ALICE, BOB, CAROL), release=3)
        data = (here / "sealed").read_bytes()
        for one in (ALICE, BOB, CAROL):
            assert opened(data, one, minimum=3).files() == files
        assert opened(data, ALICE, None).files() == files
        for trust, minimum, saying in ((ALICE.public, 0, "not trusted"), (PUBLISHER.public, 4, "older")):
            with refused(Unauthentic, saying):
                opened(data, ALICE, trust, minimum)
        with refused(Unauthentic, "not sealed for"):
            opened(data, PUBLISHER)
        assert opener.verify(io.BytesIO(data), PUBLISHER.public, 3).manifest.metadata["é"] == ""


def check_shards() -> None:
    """Three files and their index."""
    with folder() as here:
        index, files = write_shards(here)
        sealed_by_python(index, here / "sealed", (ALICE,))
        result = opened((here / "sealed").read_bytes(), ALICE)
        assert result.files() == files and result.sealed.manifest.index == index.read_bytes()
        assert result.sealed.manifest.metadata["of"] == "model-00001-of-00003.safetensors"


def check_nothing() -> None:
    """Models without tensors: of no file, of a file that has none."""
    with folder() as here:
        for model in (Model(()), Model.read(empty(here / "empty.safetensors"))):
            seal(model, PUBLISHER, [public(ALICE)], 0, here / "sealed")
            data = (here / "sealed").read_bytes()
            assert len(data) % 4096 == 0 and opened(data, ALICE).tensors() == []


def empty(path: pathlib.Path) -> pathlib.Path:
    """A .safetensors file without tensors."""
    path.write_bytes(tools.safetensors([]))
    return path


def check_rewrap() -> None:
    """Adds, removes, both; bodies, manifest, key and signature stay."""
    with folder() as here:
        files = write_model(here / "model.safetensors")
        sealed_by_python(here / "model.safetensors", here / "0", (ALICE, BOB))
        steps = (({"add": [public(CAROL)]}, {ALICE, BOB, CAROL}), ({"remove": [public(BOB)]}, {ALICE, CAROL}),
                 ({"add": [public(BOB)], "remove": [public(ALICE)]}, {BOB, CAROL}))  # fmt: skip
        for number, (change, who) in enumerate(steps):
            rewrap(here / str(number), CAROL if number > 1 else ALICE, None, here / str(number + 1), **change)
            before, after = ((here / str(at)).read_bytes() for at in (number, number + 1))
            for one in (ALICE, BOB, CAROL):
                if one in who:
                    assert opened(after, one).files() == files
                else:
                    with refused(Unauthentic, "not sealed for"):
                        opened(after, one)
            assert kept(before) == kept(after)


def kept(data: bytes) -> tuple[bytes, ...]:
    """What rewrapping must not change."""
    sealed = opener.inspect(io.BytesIO(data))
    front = sealed.front
    return front.manifest, front.public, front.signature, hashlib.sha3_256(data[sealed.start :]).digest()


def check_rights() -> None:
    """Every unusual file opens; so the one that will be made wrong is right as it is."""
    for name, make in RIGHTS.items():
        with named(name):
            draft = make()
            result = opened(draft.build(), ALICE)
            assert result.tensors() == list(draft.plaintexts)
            assert list(result.files().values()) == ([draft.file()] if draft.fields[7] else [])


def check_every_bit_of_the_front() -> None:
    """One bit of every byte of a small file."""
    data = Draft(names=("one",), plaintexts=(b"x",), to=(ALICE,)).build()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        with named(f"byte {at}"), refused((Malformed, Unauthentic)):
            opened(bytes(changed), ALICE).tensors()
