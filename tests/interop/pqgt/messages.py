"""M1, M2 and M3 ("Messages"): the header, the clear parts and the sealed parts as they are before sealing."""

import dataclasses

from . import kem, signature
from .errors import Malformed
from .policy import SIZE as POLICY_SIZE
from .policy import Policy
from .reader import Reader

MAGIC, VERSION, SUITE = b"PQGT", b"\x00\x01", 1
HEADER_SIZE, RANDOM_SIZE, KEY_ID_SIZE, FINISHED_SIZE, TAG_SIZE = 12, 32, 32, 64, 16
MAX_LABEL, MAX_ATTESTATION = 255, 65536
ANY_DEVICE = bytes(KEY_ID_SIZE)

M1_SIZE = RANDOM_SIZE + POLICY_SIZE + KEY_ID_SIZE + kem.PUBLIC_SIZE
M2_CLEAR_SIZE = RANDOM_SIZE + kem.CIPHERTEXT_SIZE
PROOF_SIZE = signature.SIGNATURE_SIZE + FINISHED_SIZE + TAG_SIZE
_M2_LEAST = M2_CLEAR_SIZE + 1 + signature.PUBLIC_SIZE + POLICY_SIZE + 4 + PROOF_SIZE
_M3_LEAST = 1 + signature.PUBLIC_SIZE + PROOF_SIZE
# Type to the least and greatest length that can follow a header: checked before anything is read.
LENGTHS = {
    1: (M1_SIZE, M1_SIZE),
    2: (_M2_LEAST, _M2_LEAST + MAX_LABEL + MAX_ATTESTATION),
    3: (_M3_LEAST, _M3_LEAST + MAX_LABEL),
}


def header(kind: int, length: int) -> bytes:
    """The 12 bytes before a message of `length` bytes."""
    return MAGIC + VERSION + bytes([kind, SUITE]) + length.to_bytes(4, "big")


def parse_header(data: bytes, kind: int) -> int:
    """The length of what follows, if this is the header of a message of type `kind`."""
    reader = Reader(data)
    reader.expect("the magic", MAGIC)
    reader.expect("the version", VERSION)
    reader.expect("the message type", bytes([kind]))
    reader.expect("the suite", bytes([SUITE]))
    length = reader.integer(4)
    reader.done()
    least, most = LENGTHS[kind]
    if not least <= length <= most:
        raise Malformed(f"M{kind} of {length} bytes")
    return length


def split(data: bytes, kind: int) -> tuple[bytes, bytes]:
    """Header and what follows, which is exactly as long as the header says."""
    length = parse_header(data[:HEADER_SIZE], kind)
    if len(data) != HEADER_SIZE + length:
        raise Malformed(f"M{kind} says {length} bytes and has {len(data) - HEADER_SIZE}")
    return data[:HEADER_SIZE], data[HEADER_SIZE:]


@dataclasses.dataclass(frozen=True)
class M1:
    """Host to device, all in the clear."""

    random: bytes
    policy: Policy
    expected_device: bytes
    encapsulation_key: bytes

    def encode(self) -> bytes:
        """1268 bytes with the header."""
        body = self.random + self.policy.encode() + self.expected_device + self.encapsulation_key
        return header(1, len(body)) + body

    @classmethod
    def decode(cls, data: bytes) -> "M1":
        """The modulus of the encapsulation key is the device's to check, with the KEM."""
        reader = Reader(split(data, 1)[1])
        m1 = cls(
            reader.take(RANDOM_SIZE),
            Policy.decode(reader.take(POLICY_SIZE)),
            reader.take(KEY_ID_SIZE),
            reader.take(kem.PUBLIC_SIZE),
        )
        reader.done()
        return m1


@dataclasses.dataclass(frozen=True)
class Proof:
    """The sealed part of M2 or M3. Only M2's has policy and attestation; in M3 both are None."""

    label: str
    public: bytes
    policy: bytes | None = None
    attestation: bytes | None = None
    signature: bytes = b""
    finished: bytes = b""

    def claims(self) -> bytes:
        """What comes before the signature."""
        label = self.label.encode()
        claims = len(label).to_bytes(1, "big") + label + self.public
        if self.policy is not None and self.attestation is not None:
            claims += self.policy + len(self.attestation).to_bytes(4, "big") + self.attestation
        return claims

    @classmethod
    def decode(cls, data: bytes, kind: int) -> "Proof":
        """From the opened sealed part of M2 (`kind` 2) or M3 (3)."""
        reader = Reader(data)
        try:
            label = reader.take(reader.integer(1)).decode()
        except UnicodeDecodeError as error:
            raise Malformed("the label is not UTF-8") from error
        public = reader.take(signature.PUBLIC_SIZE)
        policy = attestation = None
        if kind == 2:
            policy = reader.take(POLICY_SIZE)
            if (length := reader.integer(4)) > MAX_ATTESTATION:
                raise Malformed(f"an attestation of {length} bytes")
            attestation = reader.take(length)
        proof = cls(
            label, public, policy, attestation, reader.take(signature.SIGNATURE_SIZE), reader.take(FINISHED_SIZE)
        )
        reader.done()
        return proof
