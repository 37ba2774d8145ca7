"""Ends that lie inside the sealed part of their handshake message, each in one thing."""

from pqgt import signature
from pqgt.device import Device
from pqgt.handshake import End
from pqgt.host import Host
from pqgt.identity import Identity
from pqgt.messages import Proof
from pqgt.policy import Policy
from pqgt.schedule import RoleKeys

OTHER = Identity.generate()


class ForgedSignature(End):
    """Signs with a key that is not the one it presents."""

    def sign(self, transcript_hash: bytes) -> bytes:
        return signature.sign(OTHER.signing, self.role, transcript_hash)


class EmptySignature(End):
    """Does not sign."""

    def sign(self, transcript_hash: bytes) -> bytes:
        return bytes(signature.SIGNATURE_SIZE)


class SignatureOfTheOtherRole(End):
    """Signs what the peer would sign."""

    def sign(self, transcript_hash: bytes) -> bytes:
        return signature.sign(self.identity.signing, self.peer, transcript_hash)


class SignatureOfAnotherTranscript(End):
    """Signs, but not this handshake."""

    def sign(self, transcript_hash: bytes) -> bytes:
        return super().sign(bytes(64))


class WrongFinished(End):
    """Has the keys, but not for this transcript."""

    def finish(self, keys: RoleKeys, transcript_hash: bytes) -> bytes:
        return keys.finished(bytes(64))


class BrokenLabel(End):
    """Its label is not UTF-8."""

    def claims(self, proof: Proof) -> bytes:
        claims = proof.claims()
        return b"\x02\xc3\x28" + claims[1 + claims[0] :]


class LabelTooLong(End):
    """Its label ends behind everything."""

    def claims(self, proof: Proof) -> bytes:
        claims = proof.claims()
        return bytes([claims[0] ^ 0x80]) + claims[1:]


class ByteTooMany(End):
    """A byte between its claims and its signature."""

    def claims(self, proof: Proof) -> bytes:
        return proof.claims() + b"\0"


class LongerPolicy(End):
    """Another lifetime than the host's."""

    def claims(self, proof: Proof) -> bytes:
        return Proof(proof.label, proof.public, Policy(7200).encode(), b"").claims()


class PolicyOfFewerChunks(End):
    """Another key limit than the host's."""

    def claims(self, proof: Proof) -> bytes:
        return Proof(proof.label, proof.public, Policy(3600, 23).encode(), b"").claims()


class AttestationThatIsNone(End):
    """Announces one attestation byte more than there are."""

    def claims(self, proof: Proof) -> bytes:
        return proof.claims()[:-4] + (1).to_bytes(4, "big")


BOTH = (
    ForgedSignature, EmptySignature, SignatureOfTheOtherRole, SignatureOfAnotherTranscript, WrongFinished, BrokenLabel,
    LabelTooLong, ByteTooMany,
)  # fmt: skip
HOSTS: list[type[Host]] = [type(liar.__name__, (liar, Host), {}) for liar in BOTH]
DEVICES: list[type[Device]] = [
    type(liar.__name__, (liar, Device), {})
    for liar in (*BOTH, LongerPolicy, PolicyOfFewerChunks, AttestationThatIsNone)
]
