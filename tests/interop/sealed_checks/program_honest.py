"""Files that `pqc-gpu` seals are opened by Python, files that Python writes by `pqc-gpu`, and either rewraps the
other's."""

import io
import pathlib

from pqgs import opener
from pqgs.model import Model
from pqgs.rewrap import rewrap
from pqgt.errors import Unauthentic
from pqgt.identity import did
from protocol_checks.tools import named, refused

from . import vectors
from .program import Bench, bench
from .rights import RIGHTS
from .roundtrips import kept
from .tools import ALICE, BOB, CAROL, PEOPLE, PUBLISHER, opened, public, sealed_by_python, write_model, write_shards

INDEX = "model.safetensors.index.json"


def agreed(at: Bench, sealed: pathlib.Path, files: dict[str, bytes], to: set[str]) -> None:
    """Python and the program open this for each of `to`, bit for bit, and for nobody else."""
    data, several = sealed.read_bytes(), len(files) > 1
    opener.verify(io.BytesIO(data), PUBLISHER.public)
    at.run("verify", sealed, "--trust", at.public("publisher"))
    for who, identity in PEOPLE.items():
        output = at.here / f"opened by {who}"
        if who in to:
            result = opened(data, identity)
            assert result.files() == {name: file for name, file in files.items() if name != INDEX}
            assert result.sealed.manifest.index == files.get(INDEX, b"")
            at.open(sealed, who, output)
            loaded = at.load(sealed, who).summary
            assert loaded["tensors"] == loaded["verified"] == len(result.sealed.manifest.tensors), loaded
            if several:
                assert {file.name: file.read_bytes() for file in output.iterdir()} == files
                for file in output.iterdir():
                    file.unlink()
                output.rmdir()
            else:
                assert [output.read_bytes()] == list(files.values())
                output.unlink()
        else:
            with refused(Unauthentic, "not sealed for"):
                opened(data, identity)
            at.open(sealed, who, output, code=1)
            at.load(sealed, who, code=1)
            assert not output.exists(), f"{who} got something"


def check_one_file() -> None:
    """Every size, sealed by either, for one recipient and for three."""
    with bench() as at:
        model, sealed = at.here / "model.safetensors", at.here / "sealed"
        files = write_model(model)
        for to in (("alice",), ("alice", "bob", "carol")):
            at.seal(model, to, sealed)
            agreed(at, sealed, files, set(to))
            sealed.unlink()
            sealed_by_python(model, sealed, [PEOPLE[who] for who in to])
            agreed(at, sealed, files, set(to))
            sealed.unlink()


def check_shards() -> None:
    """Three files and an index, sealed by either."""
    with bench() as at:
        (at.here / "shards").mkdir()
        index, files = write_shards(at.here / "shards")
        files[INDEX] = index.read_bytes()
        sealed = at.here / "sealed"
        at.seal(index, ("alice", "bob"), sealed)
        agreed(at, sealed, files, {"alice", "bob"})
        sealed.unlink()
        sealed_by_python(index, sealed, [ALICE, BOB])
        agreed(at, sealed, files, {"alice", "bob"})


def check_manifests_alike() -> None:
    """Of one model both say the same but for what is random."""
    with bench() as at:
        (at.here / "shards").mkdir()
        index, _ = write_shards(at.here / "shards")
        model = at.here / "model.safetensors"
        write_model(model)
        for path in (model, index):
            at.seal(path, ("alice",), at.here / "theirs")
            sealed_by_python(path, at.here / "ours", [ALICE])
            ours, theirs = (
                opener.inspect(io.BytesIO((at.here / name).read_bytes())).manifest for name in ("ours", "theirs")
            )
            assert (ours.files, ours.metadata, ours.index, ours.publisher) == (
                theirs.files, theirs.metadata, theirs.index, theirs.publisher,
            )  # fmt: skip
            for one, other in zip(ours.tensors, theirs.tensors, strict=True):
                assert one.metadata == other.metadata, (one.metadata, other.metadata)
                assert one.header != other.header and one.root != other.root
            assert ours.model != theirs.model
            (at.here / "theirs").unlink()


def check_sealed_twice() -> None:
    """Nothing random comes twice, nor a salt within a file."""
    with bench() as at:
        model = at.here / "model.safetensors"
        write_model(model)
        seen: set[bytes] = set()
        for number in range(2):
            at.seal(model, ("alice",), at.here / str(number))
            result = opened((at.here / str(number)).read_bytes(), ALICE)
            manifest = result.sealed.manifest
            fresh = [result.file_key, manifest.model, *(tensor.header[:24] for tensor in manifest.tensors)]
            assert len(set(fresh)) == len(fresh) and not seen & set(fresh)
            seen |= set(fresh)


def check_facts() -> None:
    """What `inspect`, `verify` and `load` say of a file is what Python reads in it."""
    with bench() as at:
        model, sealed = at.here / "model.safetensors", at.here / "sealed"
        write_model(model)
        for seal in (
            lambda: at.seal(model, ("alice", "carol"), sealed, "--release", 9),
            lambda: sealed_by_python(model, sealed, [ALICE, CAROL], 9),
        ):
            seal()
            one = opener.inspect(io.BytesIO(sealed.read_bytes()))
            known = {
                "model_id": one.manifest.model.hex(), "publisher": did(PUBLISHER.public), "release": 9,
                "recipients": [recipient.key_id.hex() for recipient in one.recipients],
                "tensors": len(one.manifest.tensors),
                "bytes": sum(tensor.metadata.size() for tensor in one.manifest.tensors),
            }  # fmt: skip
            for ran in (
                at.run("inspect", sealed), at.run("verify", sealed, "--trust", at.public("publisher")),
                at.load(sealed, "alice"),
            ):  # fmt: skip
                assert {name: ran.summary[name] for name in known} == known, ran.summary
            sealed.unlink()


def check_unusual_files() -> None:
    """What is unusual and right is inspected, verified and opened."""
    with bench() as at:
        sealed, output = at.here / "sealed", at.here / "out.safetensors"
        for name, make in RIGHTS.items():
            with named(name):
                draft = make()
                sealed.write_bytes(draft.build())
                at.run("inspect", sealed)
                at.run("verify", sealed, "--trust", at.public("publisher"))
                at.load(sealed, "alice")
                if draft.fields[7]:
                    at.open(sealed, "alice", output)
                    assert output.read_bytes() == draft.file()
                    output.unlink()


def check_rewrapped() -> None:
    """Python, the program and Python again change the recipients; nothing else changes, and both still open it."""
    with bench() as at:
        model = at.here / "model.safetensors"
        files = write_model(model)
        for by_program in (True, False):
            first, second, third, fourth = (at.here / f"{number} {by_program}" for number in range(4))
            if by_program:
                at.seal(model, ("alice", "bob"), first)
            else:
                sealed_by_python(model, first, [ALICE, BOB])
            rewrap(first, ALICE, PUBLISHER.public, second, add=[public(CAROL)])
            agreed(at, second, files, {"alice", "bob", "carol"})
            rewrapped(at, second, third, "carol", "--remove", at.public("alice"))
            agreed(at, third, files, {"bob", "carol"})
            rewrap(third, BOB, PUBLISHER.public, fourth, add=[public(ALICE)], remove=[public(CAROL)])
            agreed(at, fourth, files, {"alice", "bob"})
            rewrapped(at, fourth, fourth, "bob", "--add", at.public("carol"))
            agreed(at, fourth, files, {"alice", "bob", "carol"})
            assert len({kept(one.read_bytes()) for one in (first, second, third, fourth)}) == 1


def rewrapped(at: Bench, sealed: pathlib.Path, output: pathlib.Path, who: str, *change: str) -> None:
    """By the program, in place."""
    if output != sealed:
        output.write_bytes(sealed.read_bytes())
    at.rewrap(output, who, *change)


def check_trust() -> None:
    """A publisher who is not trusted is exit code 1; `any` takes him."""
    with bench() as at:
        sealed, output = at.here / "sealed", at.here / "out.safetensors"
        files = write_model(at.here / "model.safetensors")
        sealed_by_python(at.here / "model.safetensors", sealed, [ALICE])
        at.open(sealed, "alice", output, trust="carol", code=1)
        assert not output.exists()
        at.run("verify", sealed, "--trust", at.public("carol"), code=1)
        at.open(sealed, "alice", output, trust="any")
        assert [output.read_bytes()] == list(files.values())


def check_release() -> None:
    """It goes into the manifest, and one below the minimum is exit code 1."""
    with bench() as at:
        model, output = at.here / "model.safetensors", at.here / "out.safetensors"
        files = write_model(model)
        for number, release in enumerate((0, 7, 2**64 - 1)):
            theirs, ours = at.here / f"theirs {number}", at.here / f"ours {number}"
            at.seal(model, ("alice",), theirs, "--release", release)
            sealed_by_python(model, ours, [ALICE], release)
            for sealed in (theirs, ours):
                assert opened(sealed.read_bytes(), ALICE, minimum=release).sealed.manifest.release == release
                at.open(sealed, "alice", output, "--min-release", release)
                assert [output.read_bytes()] == list(files.values())
                output.unlink()
                if release + 1 < 2**64:
                    at.open(sealed, "alice", output, "--min-release", release + 1, code=1)
                    assert not output.exists()


def check_vector() -> None:
    """The committed file, by each of its recipients."""
    known = vectors.load()
    with bench() as at:
        sealed, output = at.here / "sealed", at.here / "out.safetensors"
        sealed.write_bytes(vectors.raw(known["file"]))
        vectors.publisher(known).save(at.here / "keys" / "known.pem", at.here / "keys" / "known.pub.pem")
        data = b"".join(vectors.plaintext(tensor["plaintext_bytes"]) for tensor in known["tensors"])
        for number, recipient in enumerate(known["recipients"]):
            who = f"recipient {number}"
            vectors.owner(recipient).save(at.here / "keys" / f"{who}.pem", at.here / "keys" / f"{who}.pub.pem")
            at.open(sealed, who, output, "--min-release", known["release"], trust="known")
            assert output.read_bytes() == vectors.raw(known["files"][0]["header"]) + data
            output.unlink()


def check_model_without_tensors() -> None:
    """By either."""
    with bench() as at:
        model, sealed, output = (at.here / name for name in ("model.safetensors", "sealed", "out.safetensors"))
        model.write_bytes(b"\x02" + bytes(7) + b"{}")
        for seal in (lambda: at.seal(model, ("alice",), sealed), lambda: sealed_by_python(model, sealed, [ALICE])):
            seal()
            assert opened(sealed.read_bytes(), ALICE).files() == {model.name: model.read_bytes()}
            at.open(sealed, "alice", output)
            assert output.read_bytes() == model.read_bytes()
            output.unlink()
            sealed.unlink()
        assert Model.read(model).shards[0].tensors == ()
