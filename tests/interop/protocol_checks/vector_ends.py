"""Both ends of a case of tests/vectors/channel.json: they draw what the case says instead of random bytes.

pyca/cryptography takes no coins for ML-KEM and ML-DSA. So the shared secret is computed from the case's coins (FIPS
203, algorithm 17, step 1) and must be what decapsulation gives, and signatures are the case's, which the other end
verifies.
"""

import hashlib
import json
import pathlib
import typing

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from pqgt import signature
from pqgt.clock import Lifetime
from pqgt.device import Device
from pqgt.host import Host
from pqgt.identity import Identity
from pqgt.messages import FINISHED_SIZE, HEADER_SIZE, M2_CLEAR_SIZE, RANDOM_SIZE
from pqgt.policy import Policy
from pqgt.trust import Trust

Json = typing.Any
FILE = pathlib.Path(__file__).parents[2] / "vectors" / "channel.json"


def load() -> Json:
    """The whole file."""
    return json.loads(FILE.read_text())


class Frozen(Lifetime):
    """Time stands still: some cases live for one second."""

    def check(self, seconds: int) -> None:
        """Never over."""


class Case:
    """One case, its hexadecimal decoded where it is used most."""

    def __init__(self, case: Json) -> None:
        self.json = case
        self.messages = [bytes.fromhex(case["messages"][f"m{number}"]) for number in (1, 2, 3, 4)]
        self.opened = {number: bytes.fromhex(case["opened"][f"m{number}"]) for number in (2, 3)}
        self.identity = {role: identity_of(case["inputs"][role]) for role in ("host", "device")}

    def before_sealed(self, number: int) -> bytes:
        """The transcript up to the sealed part of M2 or M3, which is the AAD of its seal."""
        up_to_m2 = self.messages[0] + self.messages[1][: HEADER_SIZE + M2_CLEAR_SIZE]
        return up_to_m2 if number == 2 else up_to_m2 + self.opened[2] + self.messages[2][:HEADER_SIZE]

    def signature(self, number: int) -> bytes:
        """The one in M2 or M3."""
        return self.opened[number][-FINISHED_SIZE - signature.SIGNATURE_SIZE : -FINISHED_SIZE]

    def host(self, trust: Trust | None = None, kind: "type[VectorHost] | None" = None) -> Host:
        """The host, which trusts the case's device."""
        inputs = self.json["inputs"]["host"]
        policy = Policy(inputs["policy"]["ttl_seconds"], inputs["policy"]["log2_chunks"])
        trust = Trust.pinned([self.identity["device"].public]) if trust is None else trust
        expected = bytes.fromhex(inputs["expected_device"])
        host = (kind or VectorHost)(self.identity["host"], inputs["label"], trust, policy, expected)
        host.case = self
        return host

    def device(self, trust: Trust | None = None, longest: int = 2**32 - 1) -> Device:
        """The device, which trusts the case's host."""
        inputs = self.json["inputs"]["device"]
        trust = Trust.pinned([self.identity["host"].public]) if trust is None else trust
        attestation = bytes.fromhex(inputs["attestation"])
        device = VectorDevice(self.identity["device"], inputs["label"], trust, attestation, longest)
        device.case = self
        return device


def identity_of(inputs: Json) -> Identity:
    """From the seed of its signing key; its file's KEM key plays no part."""
    return Identity(
        MLDSA65PrivateKey.from_seed_bytes(bytes.fromhex(inputs["identity_seed"])), MLKEM768PrivateKey.generate()
    )


class VectorHost(Host):
    """Draws the case's random, KEM key and signature."""

    case: Case
    lifetime = Frozen

    def random(self) -> bytes:
        return bytes.fromhex(self.case.json["inputs"]["host"]["random"])

    def kem_key(self) -> MLKEM768PrivateKey:
        return MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(self.case.json["inputs"]["host"]["kem_seed"]))

    def sign(self, transcript_hash: bytes) -> bytes:
        return self.case.signature(3)


class VectorDevice(Device):
    """Draws the case's random, encapsulation and signature."""

    case: Case
    lifetime = Frozen

    def random(self) -> bytes:
        return bytes.fromhex(self.case.json["inputs"]["device"]["random"])

    def encapsulate(self, encapsulation_key: bytes) -> tuple[bytes, bytes]:
        super().encapsulate(encapsulation_key)
        coins = bytes.fromhex(self.case.json["inputs"]["device"]["encapsulation_m"])
        both = hashlib.sha3_512(coins + hashlib.sha3_256(encapsulation_key).digest()).digest()
        return both[:32], self.case.messages[1][HEADER_SIZE + RANDOM_SIZE : HEADER_SIZE + M2_CLEAR_SIZE]

    def sign(self, transcript_hash: bytes) -> bytes:
        return self.case.signature(2)
