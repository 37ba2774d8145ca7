"""The handshake, Python against Python: honest ones agree, and nothing altered, forged or misdirected gets through."""

from pqgt import kem, messages, records
from pqgt.device import Device
from pqgt.errors import Malformed, ProtocolError, Unauthentic
from pqgt.host import Host
from pqgt.identity import Identity
from pqgt.policy import Policy
from pqgt.records import Kind
from pqgt.trust import Trust

from .liars import DEVICES, HOSTS
from .tools import DEVICE, HOST, TRUST_DEVICE, TRUST_HOST, device, handshake, host, named, refused


def check_agreement() -> None:
    """Both ends have the same session, and know each other."""
    ours, theirs = handshake(
        Host(HOST, "h" * 255, TRUST_DEVICE, Policy(1, 23), DEVICE.key_id), Device(DEVICE, "δ", TRUST_HOST, b"a" * 65536)
    )
    assert ours.sending.session_id == theirs.sending.session_id == ours.receiving.session_id
    assert ours.exporter == theirs.exporter and ours.export(b"x", b"y", 99) == theirs.export(b"x", b"y", 99)
    assert (ours.peer.label, ours.peer.public) == ("δ", DEVICE.public)
    assert (theirs.peer.label, theirs.peer.public) == ("h" * 255, HOST.public)
    assert theirs.policy == Policy(1, 23) and ours.sending.limit == 1 << 23


def check_lengths() -> None:
    """The sizes the document names."""
    ours, theirs = host(), device()
    m1 = ours.start()
    m2 = theirs.receive_m1(m1)
    m3 = ours.receive_m2(m2)
    ready, _ = theirs.receive_m3(m3)
    assert (len(m1), len(ready)) == (1268, 80)
    assert len(m2) == 12 + 32 + 1088 + 1 + len("python device") + 1952 + 8 + 4 + 3309 + 64 + 16
    assert len(m3) == 12 + 1 + len("python host") + 1952 + 3309 + 64 + 16


def check_every_header_byte() -> None:
    """A header altered in any byte is refused, and so are cut and lengthened messages."""
    m1 = host().start()
    ours, theirs = host(), device()
    m2 = theirs.receive_m1(ours.start())
    m3 = ours.receive_m2(m2)
    for kind, message in ((1, m1), (2, m2), (3, m3)):
        for at in range(messages.HEADER_SIZE):
            with refused(Malformed):
                messages.split(flipped(message, at), kind)
        for altered in (message[:-1], message + b"\0", message[:5]):
            with refused(Malformed):
                messages.split(altered, kind)


def flipped(data: bytes, at: int) -> bytes:
    """One bit of one byte changed."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def check_every_part_of_m2_and_m3() -> None:
    """One bit changed anywhere in M1, M2, M3 or READY ends it, at the latest when the next message arrives."""
    for at in (12, 43, 47, 90, 1267):
        ours, theirs = host(), device()
        with refused():
            ours.receive_m2(theirs.receive_m1(flipped(ours.start(), at)))
    for at in (12, 43, 44, 1131, 1132, 1133, 3200, 6000, -65, -1):
        ours, theirs = host(), device()
        m2 = theirs.receive_m1(ours.start())
        with refused(Unauthentic):
            ours.receive_m2(flipped(m2, at % len(m2)))
    for at in (12, 13, 2000, -100, -17, -1):
        ours, theirs = host(), device()
        m3 = ours.receive_m2(theirs.receive_m1(ours.start()))
        with refused(Unauthentic):
            theirs.receive_m3(flipped(m3, at % len(m3)))
    for at in range(80):
        ours, theirs = host(), device()
        ready, _ = theirs.receive_m3(ours.receive_m2(theirs.receive_m1(ours.start())))
        with refused():
            ours.receive_ready(flipped(ready, at))


def check_policies() -> None:
    """Lifetime zero, another key limit, flags and non-zero padding are refused."""
    assert Policy.decode(bytes.fromhex("00000e1018000000")) == Policy(3600, 24)
    for policy in ("0000000018000000", "00000e1016000000", "00000e1019000000", "00000e1018010000", "00000e1018800000",
                   "00000e1018000100", "00000e1018000001", "00000e10180000", "00000e101800000000"):  # fmt: skip
        with refused(Malformed):
            Policy.decode(bytes.fromhex(policy))


def check_modulus() -> None:
    """A coefficient of 3329 or more is refused, in either half of three bytes and in the last ones."""
    public = host().start()[-kem.PUBLIC_SIZE :]
    kem.check_modulus(public)
    for at in (0, 600, 1149):
        for value in (3329, 3329 << 12, 4095, 4095 << 12):
            with refused(Malformed):
                kem.encapsulate(public[:at] + value.to_bytes(3, "little") + public[at + 3 :])


def check_trust() -> None:
    """Strangers, mirrors and devices other than the expected one are refused."""
    stranger = Identity.generate()
    with refused(Unauthentic, "not pinned"):
        handshake(host(), Device(stranger, "", TRUST_HOST))
    with refused(Unauthentic, "not pinned"):
        handshake(Host(stranger, "", TRUST_DEVICE), device())
    with refused(Unauthentic, "own key"):
        handshake(Host(DEVICE, "", TRUST_DEVICE), device())
    with refused(Unauthentic, "own key"):
        Trust(None).check(HOST.public, HOST.public)
    with refused(Unauthentic, "expects another"):
        handshake(Host(HOST, "", TRUST_DEVICE, expected=stranger.key_id), device())
    # A device that does not look at the expected key-id is found out by the host.
    with refused(Unauthentic, "another device"):
        handshake(Host(HOST, "", Trust(None), expected=DEVICE.key_id), Device(Pretender.generate(), "", TRUST_HOST))


class Pretender(Identity):
    """Believes that it is the device that is expected."""

    @property
    def key_id(self) -> bytes:
        return DEVICE.key_id


def check_lies() -> None:
    """Whatever one end lies about inside the seal, the other finds."""
    for device_kind in DEVICES:
        with named(device_kind.__name__), refused((Malformed, Unauthentic)):
            handshake(host(), device_kind(DEVICE, "liar", TRUST_HOST))
    for host_kind in HOSTS:
        with named(host_kind.__name__), refused((Malformed, Unauthentic)):
            handshake(host_kind(HOST, "liar", TRUST_DEVICE), device())


def check_replays() -> None:
    """A message of another handshake, or one's own sent back, is refused."""
    old_host, old_device = host(), device()
    m2 = old_device.receive_m1(old_host.start())
    m3 = old_host.receive_m2(m2)
    ready, _ = old_device.receive_m3(m3)
    ours, theirs = host(), device()
    m1 = ours.start()
    fresh = theirs.receive_m1(m1)
    with refused(Malformed):
        ours.receive_m2(m1)
    ours = host()
    ours.start()
    with refused(Unauthentic):
        ours.receive_m2(m2)
    with refused(Malformed):
        theirs.receive_m3(fresh)
    theirs = device()
    theirs.receive_m1(host().start())
    with refused(Unauthentic):
        theirs.receive_m3(m3)
    ours, theirs = host(), device()
    ours.receive_m2(theirs.receive_m1(ours.start()))
    with refused(ProtocolError):
        ours.receive_ready(ready)


def check_only_ready_opens_a_session() -> None:
    """A device that sends anything else as its first record gets no session, though its keys are right."""
    for kind, body in ((Kind.TENSOR, b""), (Kind.KEY_UPDATE, b""), (Kind.CLOSE, b"")):
        ours, theirs = host(), device()
        _, session = theirs.receive_m3(ours.receive_m2(theirs.receive_m1(ours.start())))
        session.sending.sequence = 0
        header = session.sending.header(kind)
        with refused():
            ours.receive_ready(records.seal(session.sending.epoch, header, b"", body))
