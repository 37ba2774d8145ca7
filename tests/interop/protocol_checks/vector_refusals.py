"""Every change in tests/vectors/channel.json that must be refused, at the step at which it must be."""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pqgt.device import Device
from pqgt.errors import Malformed, OutOfOrder, ProtocolError, SessionOver, Unauthentic
from pqgt.host import Host
from pqgt.messages import HEADER_SIZE, M2_CLEAR_SIZE
from pqgt.records import Kind
from pqgt.session import Session
from pqgt.trust import Trust

from .tools import named
from .vector_ends import Case, Json, VectorHost, load
from .vectors import described, seal

# What the file calls the reason, and how this implementation refuses it.
REASONS: dict[str, type[ProtocolError] | tuple[type[ProtocolError], ...]] = {
    "malformed": Malformed, "version": Malformed, "suite": Malformed, "policy": Malformed, "metadata": Malformed,
    "encapsulation key": Malformed, "wrong device": Unauthentic, "unauthenticated": Unauthentic,
    "signature": Unauthentic, "finished": Unauthentic, "untrusted": Unauthentic, "attestation": Unauthentic,
    "replay": OutOfOrder, "gap": OutOfOrder, "closed": SessionOver, "record": (Malformed, OutOfOrder),
    "ready": (Malformed, OutOfOrder, Unauthentic),
}  # fmt: skip
FIELDS = {
    "name", "case", "changed", "refused", "offset", "opened_offset", "xor", "cut", "append_zeros", "length_field",
    "from_case", "setting", "reason", "sender", "receiver", "deliver",
}  # fmt: skip


def check_refusals() -> None:
    """All of them."""
    file = load()
    cases = {case["name"]: Case(case) for case in file["cases"]}
    assert len(file["refusals"]) >= 100
    for refusal in file["refusals"]:
        with named(str(refusal)):
            assert set(refusal) <= FIELDS, set(refusal) - FIELDS
            if "deliver" in refusal:
                refuse_record(cases, refusal)
            else:
                refuse_message(cases, refusal)


def refuse_message(cases: dict[str, Case], refusal: Json) -> None:
    """A handshake in which one message is changed on its way, or one end is set otherwise."""
    case = cases[refusal["case"]]
    host, device = ends(case, refusal.get("setting"))
    steps = {"m1": device.receive_m1, "m2": host.receive_m2, "m3": device.receive_m3, "m4": host.receive_ready}
    message: bytes = host.start()
    for number, (name, receive) in enumerate(steps.items()):
        assert message == case.messages[number] or name > refusal["changed"]
        if name == refusal["changed"] and "setting" not in refusal:
            message = changed(cases, refusal, message, number)
        try:
            answer = receive(message)
        except ProtocolError as error:
            assert name == refusal["refused"] and isinstance(error, REASONS[refusal["reason"]]), repr(error)
            return
        assert name != refusal["refused"], "accepted"
        if isinstance(answer, bytes):
            message = answer
        elif isinstance(answer, tuple):
            message = answer[0]
    raise AssertionError("the handshake came to its end")


def ends(case: Case, setting: str | None) -> tuple[Host, Device]:
    """The case's, or as the setting says."""
    nobody = Trust.pinned([])
    match setting:
        case None:
            return case.host(), case.device()
        case "the device allows 3599 seconds":
            return case.host(), case.device(longest=3599)
        case "the host trusts no key":
            return case.host(nobody), case.device()
        case "the device trusts no key":
            return case.host(), case.device(nobody)
        case "the host refuses the attestation":
            return case.host(kind=Suspicious), case.device()
    raise AssertionError(f"no setting {setting!r}")


class Suspicious(VectorHost):
    """Its attestation policy accepts none."""

    def check_attestation(self, attestation: bytes) -> None:
        raise Unauthentic("no attestation is good enough")


def changed(cases: dict[str, Case], refusal: Json, message: bytes, index: int) -> bytes:
    """The message or record as the refusal has it."""
    if "from_case" in refusal:
        other = cases[refusal["from_case"]]
        if "deliver" in refusal:
            return bytes.fromhex(other.json["records"][refusal["sender"]][index]["record"])
        return other.messages[index]
    if "opened_offset" in refusal:
        return resealed(cases[refusal["case"]], refusal, index + 1)
    if "offset" in refusal:
        return flipped(message, refusal["offset"], refusal["xor"])
    if "cut" in refusal or "append_zeros" in refusal:
        message = message[: len(message) - refusal.get("cut", 0)] + bytes(refusal.get("append_zeros", 0))
        if refusal["length_field"] == "changed too":
            message = message[:8] + (len(message) - HEADER_SIZE).to_bytes(4, "big") + message[HEADER_SIZE:]
    return message


def flipped(data: bytes, offset: int, xor: str) -> bytes:
    """One byte changed."""
    return data[:offset] + bytes([data[offset] ^ int(xor, 16)]) + data[offset + 1 :]


def resealed(case: Case, refusal: Json, number: int) -> bytes:
    """M2 or M3 with its sealed part changed before sealing."""
    keys = case.json["secrets"]["device" if number == 2 else "host"]
    opened = flipped(case.opened[number], refusal["opened_offset"], refusal["xor"])
    cipher = AESGCM(bytes.fromhex(keys["key"]))
    sealed = cipher.encrypt(bytes.fromhex(keys["iv"]), opened, case.before_sealed(number))
    return case.messages[number - 1][: HEADER_SIZE + (M2_CLEAR_SIZE if number == 2 else 0)] + sealed


def refuse_record(cases: dict[str, Case], refusal: Json) -> None:
    """Records of one sender, delivered in this order, of which the last is changed or out of place."""
    case = cases[refusal["case"]]
    host, device = case.host(), case.device()
    ready, device_session = device.receive_m3(host.receive_m2(device.receive_m1(host.start())))
    sessions = {"host": host.receive_ready(ready), "device": device_session}
    all_records = sealed_records(case, refusal["sender"], sessions[refusal["sender"]])
    receiver = sessions[refusal["receiver"]]
    *before, last = refusal["deliver"]
    for index in before:
        receiver.open_record(all_records[index])
    try:
        receiver.open_record(changed(cases, refusal, all_records[last], last))
    except ProtocolError as error:
        assert isinstance(error, REASONS[refusal["reason"]]), repr(error)
    else:
        raise AssertionError("accepted")
    assert receiver.ended


def sealed_records(case: Case, role: str, sender: Session) -> list[bytes]:
    """The case's records of `role`, READY as its device sent it."""
    sealed = [case.messages[3]] if role == "device" else []
    for known in case.json["records"][role][len(sealed) :]:
        sealed.append(seal(sender, Kind[known["type"]], *described(known)))
    return sealed
