"""The device's end of the handshake: M2, and READY once M3 is checked."""

from . import kem, messages
from .errors import Malformed, Unauthentic
from .handshake import End
from .identity import Identity
from .messages import ANY_DEVICE, M1, M2_CLEAR_SIZE, Proof
from .schedule import Schedule
from .session import Session
from .trust import Trust


class Device(End):
    """`receive_m1`, then `receive_m3`, each once. A call that raises ends the handshake."""

    role, peer = b"device", b"host"

    def __init__(
        self, identity: Identity, label: str, trust: Trust, attestation: bytes = b"", longest: int = 2**32 - 1
    ) -> None:
        super().__init__(identity, label, trust)
        self.attestation = attestation
        self.longest = longest

    def encapsulate(self, encapsulation_key: bytes) -> tuple[bytes, bytes]:
        """A fresh shared secret and the ciphertext for it."""
        return kem.encapsulate(encapsulation_key)

    def receive_m1(self, data: bytes) -> bytes:
        """M2."""
        self._lifetime = self.lifetime()
        m1 = M1.decode(data)
        if m1.expected_device not in (ANY_DEVICE, self.identity.key_id):
            raise Unauthentic("the host expects another device")
        if m1.policy.lifetime > self.longest:
            raise Malformed(f"a lifetime of {m1.policy.lifetime} seconds, over the {self.longest} allowed here")
        shared_secret, ciphertext = self.encapsulate(m1.encapsulation_key)
        self._schedule = Schedule.from_shared_secret(shared_secret)
        self._policy = m1.policy
        self.transcript.add(data)

        proof = Proof(self.label, self.identity.public, m1.policy.encode(), self.attestation)
        claims = self.claims(proof)
        header = messages.header(2, M2_CLEAR_SIZE + len(claims) + messages.PROOF_SIZE)
        clear = self.random() + ciphertext
        self.transcript.add(header + clear)
        self._th_m2_clear = self.transcript.hash
        return header + clear + self.seal_proof(self._schedule.role(b"device", self._th_m2_clear), claims)

    def receive_m3(self, data: bytes) -> tuple[bytes, Session]:
        """READY and the session."""
        header, sealed = messages.split(data, 3)
        self.transcript.add(header)
        proof = self.open_proof(self._schedule.role(b"host", self._th_m2_clear), sealed, 3)
        session = self.session(self._schedule, proof, self._policy, self._lifetime)
        return session.ready(), session
