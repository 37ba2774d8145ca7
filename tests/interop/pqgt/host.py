"""The host's end of the handshake: M1, M3, and no session before READY verifies."""

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from . import kem, messages
from .errors import Malformed, Unauthentic
from .handshake import End
from .identity import Identity, key_id
from .messages import ANY_DEVICE, HEADER_SIZE, M1, M2_CLEAR_SIZE, RANDOM_SIZE, Proof
from .policy import Policy
from .records import Kind
from .schedule import Schedule
from .session import Session
from .trust import Trust


class Host(End):
    """`start`, then `receive_m2`, then `receive_ready`, each once. A call that raises ends the handshake."""

    role, peer = b"host", b"device"

    def __init__(
        self, identity: Identity, label: str, trust: Trust, policy: Policy = Policy(), expected: bytes = ANY_DEVICE
    ) -> None:
        super().__init__(identity, label, trust)
        self.policy = policy
        self.expected = expected

    def kem_key(self) -> MLKEM768PrivateKey:
        """Fresh for this handshake."""
        return MLKEM768PrivateKey.generate()

    def start(self) -> bytes:
        """M1."""
        self._lifetime = self.lifetime()
        self._kem = self.kem_key()
        encapsulation_key = self._kem.public_key().public_bytes_raw()
        m1 = M1(self.random(), self.policy, self.expected, encapsulation_key).encode()
        self.transcript.add(m1)
        return m1

    def receive_m2(self, data: bytes) -> bytes:
        """Checks all of M2, then makes M3."""
        header, body = messages.split(data, 2)
        clear, sealed = body[:M2_CLEAR_SIZE], body[M2_CLEAR_SIZE:]
        self._schedule = Schedule.from_shared_secret(kem.decapsulate(self._kem, clear[RANDOM_SIZE:]))
        del self._kem
        self.transcript.add(header + clear)
        th = self.transcript.hash
        self._proof = self.open_proof(self._schedule.role(b"device", th), sealed, 2)
        if self._proof.policy != self.policy.encode():
            raise Malformed("M2 does not repeat M1's policy")
        if self.expected not in (ANY_DEVICE, key_id(self._proof.public)):
            raise Unauthentic("another device than the expected one")
        self.check_attestation(self._proof.attestation or b"")

        claims = self.claims(Proof(self.label, self.identity.public))
        self.transcript.add(messages.header(3, len(claims) + messages.PROOF_SIZE))
        m3_header = self.transcript.data[-HEADER_SIZE:]
        return m3_header + self.seal_proof(self._schedule.role(b"host", th), claims)

    def check_attestation(self, attestation: bytes) -> None:
        """The attestation policy: none here. docs/attestation.md has the format."""

    def receive_ready(self, data: bytes) -> Session:
        """The session, once the device has proved that it has the keys."""
        session = self.session(self._schedule, self._proof, self.policy, self._lifetime)
        if session.open_record(data).kind != Kind.READY:
            raise Malformed("M4 is not READY")
        return session
