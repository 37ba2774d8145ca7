"""`pqc-gpu transfer --connect` and a Python device: everything honest crosses and comes back."""

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Iterator

from pqgt import exchange
from pqgt.device import Device
from pqgt.records import Kind
from pqgt.transport import Stream

from . import safetensors
from .program import Transferred, transferred
from .tools import DEVICE, TRUST_HOST


@dataclasses.dataclass
class Keeper:
    """A device that keeps what it got."""

    update_every: int = 0
    label: str = "python device"
    attestation: bytes = b""
    tensors: dict[str, tuple[str, tuple[int, ...], bytes]] = dataclasses.field(default_factory=dict)
    updates: int = 0

    def serve(self, stream: Stream) -> None:
        """One session."""
        device = Device(DEVICE, self.label, TRUST_HOST, self.attestation)
        for record in exchange.serve(stream, device, self.update_every):
            if record.metadata is None:
                self.updates += record.kind == Kind.KEY_UPDATE
            else:
                self.tensors[record.metadata.name] = (record.metadata.dtype, record.metadata.extents, record.body)


@contextlib.contextmanager
def model(
    tensors: list[safetensors.Described] = safetensors.TENSORS,
) -> Iterator[tuple[pathlib.Path, dict[str, bytes]]]:
    """A file, and what is in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.safetensors"
        yield path, safetensors.write(path, tensors)


def succeeded(result: Transferred, bodies: dict[str, bytes], keeper: Keeper) -> None:
    """Every tensor arrived as it is in the file, and the program says that all came back."""
    assert result.code == 0 and result.summary is not None, result.said
    count = len(bodies)
    assert [result.summary[name] for name in ("tensors", "verified", "rejected")] == [count, count, 0]
    assert result.summary["bytes"] == sum(map(len, bodies.values()))
    assert keeper.tensors == {name: (dtype, tuple(shape), bodies[name]) for name, dtype, shape in safetensors.TENSORS}


def check_sizes_and_updates() -> None:
    """Every tensor of the file, with key updates of neither end, of one and of both."""
    with model() as (path, bodies):
        for program, ours in ((0, 0), (2, 0), (0, 1), (1, 3)):
            keeper = Keeper(ours)
            options = ("--update-key-every", str(program)) if program else ()
            succeeded(transferred(path, keeper.serve, *options), bodies, keeper)
            assert (keeper.updates > 0) == (program > 0), f"the program updated its keys {keeper.updates} times"


def check_labels_and_attestations() -> None:
    """The longest and the emptiest label, one that tries to write to the terminal, and an attestation nobody asked
    for.
    """
    with model() as (path, bodies):
        for keeper in (Keeper(label=""), Keeper(label="ß" * 127 + "x"), Keeper(label="\x1b[2J\n\0"),
                       Keeper(attestation=bytes(65536))):  # fmt: skip
            result = transferred(path, keeper.serve)
            succeeded(result, bodies, keeper)
            assert "\x1b" not in result.said


def check_small_pieces() -> None:
    """A device whose bytes come one by one, or in odd pieces."""
    with model() as (path, bodies):
        keeper = Keeper(1)
        succeeded(transferred(path, lambda stream: keeper.serve(Crumbling(stream.socket))), bodies, keeper)


class Crumbling(Stream):
    """Sends small pieces."""

    def send(self, data: bytes) -> None:
        piece = 97 if len(data) < 20000 else 16001
        for at in range(0, len(data), piece):
            super().send(data[at : at + piece])
