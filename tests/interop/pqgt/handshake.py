"""What both ends of a handshake do: keep the transcript, prove an identity in M2 or M3, check the peer's proof."""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import messages, signature
from .clock import Lifetime
from .errors import Unauthentic
from .identity import Identity
from .messages import Proof
from .peer import Peer
from .policy import Policy
from .schedule import RoleKeys, Schedule
from .session import Session
from .trust import Trust


class Transcript:
    """The messages in order, headers included, their sealed parts as plaintext and without the tag."""

    def __init__(self) -> None:
        self.data = b""

    def add(self, data: bytes) -> None:
        """Appends a message or a part of one."""
        self.data += data

    @property
    def hash(self) -> bytes:
        """TH up to here: SHA-512."""
        return hashlib.sha512(self.data).digest()


class End:
    """An end of one handshake. Tests of the other end override `claims`, `sign` and `finish` to lie in them; those of
    the vectors override what is random.
    """

    role: bytes
    peer: bytes
    lifetime = Lifetime

    def __init__(self, identity: Identity, label: str, trust: Trust) -> None:
        self.identity = identity
        self.label = label
        self.trust = trust
        self.transcript = Transcript()

    def random(self) -> bytes:
        """The 32 random bytes of our message."""
        return os.urandom(messages.RANDOM_SIZE)

    def claims(self, proof: Proof) -> bytes:
        """What is said before the signature."""
        return proof.claims()

    def sign(self, transcript_hash: bytes) -> bytes:
        """Our signature over TH up to it."""
        return signature.sign(self.identity.signing, self.role, transcript_hash)

    def finish(self, keys: RoleKeys, transcript_hash: bytes) -> bytes:
        """Our Finished over TH up to and including the signature."""
        return keys.finished(transcript_hash)

    def seal_proof(self, keys: RoleKeys, claims: bytes) -> bytes:
        """The sealed part. The transcript stands just before it, and after the call just behind it."""
        aad = self.transcript.data
        self.transcript.add(claims)
        self.transcript.add(self.sign(self.transcript.hash))
        self.transcript.add(self.finish(keys, self.transcript.hash))
        return AESGCM(keys.key).encrypt(keys.iv, self.transcript.data[len(aad) :], aad)

    def open_proof(self, keys: RoleKeys, sealed: bytes, kind: int) -> Proof:
        """The peer's proof, its seal, signature, Finished and key checked. The transcript then includes it."""
        try:
            plain = AESGCM(keys.key).decrypt(keys.iv, sealed, self.transcript.data)
        except InvalidTag as error:
            raise Unauthentic(f"the seal of M{kind} does not open") from error
        proof = Proof.decode(plain, kind)
        self.transcript.add(plain[: -signature.SIGNATURE_SIZE - messages.FINISHED_SIZE])
        signature.verify(proof.public, self.peer, self.transcript.hash, proof.signature)
        self.transcript.add(proof.signature)
        if not hmac.compare_digest(keys.finished(self.transcript.hash), proof.finished):
            raise Unauthentic(f"the Finished of M{kind} is not right")
        self.transcript.add(proof.finished)
        self.trust.check(self.identity.public, proof.public)
        return proof

    def session(self, schedule: Schedule, peer: Proof, policy: Policy, lifetime: Lifetime) -> Session:
        """Traffic keys, once the transcript is M1 ‖ M2 ‖ M3 and everything in it is checked."""
        th = self.transcript.hash
        return Session(
            self.role, schedule.traffic(b"host", th), schedule.traffic(b"device", th), schedule.session_id(th),
            schedule.exporter(th), policy, lifetime, Peer(peer.label, peer.public),
        )  # fmt: skip
