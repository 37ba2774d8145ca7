"""Driver attestations in a handshake (docs/attestation.md): Python's device presents one to `transfer --policy`, and
`serve --attestation` one to Python's host.
"""

import contextlib
import hashlib
import time

import cbor2
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from pqgt import exchange
from pqgt.device import Device
from pqgt.host import Host
from pqgt.identity import Identity, key_id
from pqgt.transport import Stream

from .program import served, transferred
from .safetensors import SMALL
from .serve_wrong import closed
from .tools import DEVICE, HOST, TRUST_DEVICE, TRUST_HOST, named, tensor
from .transfer_honest import Keeper, model

MODULE = b"a driver module" * 1000
VENDOR, STRANGER = Identity.generate(), Identity.generate()


def attestation(signer: MLDSA65PrivateKey, module: bytes = MODULE, name: str = "nvidia.ko", age: int = 0) -> bytes:
    """A statement about `module`, made `age` seconds ago and valid for a day."""
    now = int(time.time()) - age
    payload = cbor2.dumps({
        1: name, 2: "1.0", 3: "linux-x86_64", 4: hashlib.sha3_256(module).digest(), 5: len(module), 6: 7, 7: now,
        8: now + 86400, 9: now,
    })  # fmt: skip
    protected = cbor2.dumps({1: -49, 4: key_id(signer.public_key().public_bytes_raw())})
    signature = signer.sign(cbor2.dumps(["Signature1", protected, b"pqgt driver v1", payload]))
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))


def check_transfer_with_a_policy() -> None:
    """The right attestation lets the tensors go; none, or any other, stops the program before M3."""
    good = attestation(VENDOR.signing)
    with model(SMALL) as (path, bodies):
        here = path.parent
        VENDOR.save(here / "vendor.pem", here / "vendor.pub.pem")
        (here / "module.ko").write_bytes(MODULE)
        (here / "policy.toml").write_text('trusted_signers = ["vendor.pub.pem"]\nname = "nvidia.ko"\n')
        options = ("--policy", f"{here}/policy.toml", "--module", f"{here}/module.ko")
        keeper = Keeper(attestation=good)
        result = transferred(path, keeper.serve, *options)
        assert result.code == 0 and keeper.tensors.keys() == bodies.keys(), result.said
        for name, bad in {
            "none": b"",
            "a stranger's": attestation(STRANGER.signing),
            "of another module": attestation(VENDOR.signing, b"another"),
            "of another name": attestation(VENDOR.signing, name="amdgpu.ko"),
            "too old": attestation(VENDOR.signing, age=90000),
            "a bit changed": good[:-1] + bytes([good[-1] ^ 1]),
            "a byte behind": good + b"\0",
        }.items():
            with named(name):
                result = transferred(path, lambda stream, bad=bad: refused_m2(stream, bad), *options)  # type: ignore[misc]
                assert result.code == 1, (result.code, result.said)


def refused_m2(stream: Stream, presented: bytes) -> None:
    """A device that presents this and gets no M3."""
    stream.send(Device(DEVICE, "", TRUST_HOST, presented).receive_m1(stream.message(1)))
    assert closed(stream) == b""


class Curious(Host):
    """Keeps what was presented."""

    presented = b""

    def check_attestation(self, attestation: bytes) -> None:
        self.presented = attestation


def check_serve_presents_one() -> None:
    """Byte for byte the file's."""
    with model(SMALL) as (path, _):
        file = path.parent / "a.cose"
        file.write_bytes(attestation(VENDOR.signing))
        for options, presented in ((("--attestation", str(file)), file.read_bytes()), ((), b"")):
            with served("--once", *options) as server, contextlib.closing(server.connect()) as stream:
                ours = Curious(HOST, "curious", TRUST_DEVICE)
                exchange.carry(stream, ours, [tensor(10)])
                assert ours.presented == presented
