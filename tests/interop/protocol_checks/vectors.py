"""Every value of every case in tests/vectors/channel.json, derived again, and every record opened and sealed again."""

import hashlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pqgt import records, schedule
from pqgt.messages import FINISHED_SIZE, HEADER_SIZE, M2_CLEAR_SIZE
from pqgt.metadata import Metadata
from pqgt.records import Header, Kind
from pqgt.schedule import Epoch, RoleKeys, Schedule
from pqgt.session import Record, Session
from pqgt.signature import SIGNATURE_SIZE

from .tools import named
from .vector_ends import Case, Json, load

MEMBERS = {"name", "inputs", "messages", "opened", "transcript_hashes", "secrets", "traffic", "records"}
RECORD = {"type", "epoch", "sequence", "aad", "nonce", "tags", "bytes", "sha3_256"}
TENSOR = RECORD | {"id", "name", "dtype", "shape", "plaintext_bytes", "metadata"}


def check_cases() -> None:
    """All of them."""
    cases = load()["cases"]
    assert len(cases) >= 4
    for json in cases:
        with named(json["name"]):
            assert set(json) == MEMBERS
            case = Case(json)
            sessions = agree_on_handshake(case)
            agree_on_transcript_and_secrets(case)
            for role, sender, receiver in (("host", *sessions), ("device", *sessions[::-1])):
                agree_on_traffic(json["traffic"][role], sender.sending.epoch)
                agree_on_records(json, role, sender, receiver)


def agree_on_handshake(case: Case) -> tuple[Session, Session]:
    """Both ends send the case's messages, byte for byte, and accept each other's."""
    inputs = case.json["inputs"]
    for role in ("host", "device"):
        equal(case.identity[role].key_id, inputs[role]["key_id"])
    host, device = case.host(), case.device()
    m1 = host.start()
    m2 = device.receive_m1(m1)
    m3 = host.receive_m2(m2)
    m4, device_session = device.receive_m3(m3)
    assert [m1, m2, m3, m4] == case.messages
    session = host.receive_ready(m4)
    for one in (session, device_session):
        equal(one.sending.session_id, case.json["secrets"]["session_id"])
        equal(one.exporter, case.json["secrets"]["exporter"])
        exported = case.json["secrets"]["exported"]
        size = len(exported["value"]) // 2
        equal(one.export(exported["label"].encode(), bytes.fromhex(exported["context"]), size), exported["value"])
    assert (session.peer.label, device_session.peer.label) == (inputs["device"]["label"], inputs["host"]["label"])
    # The device's counters go back to READY, so that it can be sealed and opened again like every other record.
    device_session.sending.sequence = device_session.sending.used = 0
    session.receiving.sequence = session.receiving.used = 0
    return session, device_session


def agree_on_transcript_and_secrets(case: Case) -> None:
    """Every transcript hash of the messages and what was opened; every secret of the shared one and the hashes."""
    hashes, secrets = case.json["transcript_hashes"], case.json["secrets"]
    transcript = case.messages[0] + case.messages[1][: HEADER_SIZE + M2_CLEAR_SIZE]
    equal(hashlib.sha512(transcript).digest(), hashes["m2_clear"])
    shared = Schedule.from_shared_secret(bytes.fromhex(secrets["shared_secret"]))
    th_m2_clear = bytes.fromhex(hashes["m2_clear"])
    equal(shared.early_secret, secrets["es"])
    for number, role in ((2, "device"), (3, "host")):
        keys = shared.role(role.encode(), th_m2_clear)
        agree_on_role_keys(keys, secrets[role])
        opened, aad = case.opened[number], case.before_sealed(number)
        if number == 3:
            transcript += case.messages[2][:HEADER_SIZE]
        assert transcript == aad
        claims = opened[: -SIGNATURE_SIZE - FINISHED_SIZE]
        equal(hashlib.sha512(transcript + claims).digest(), hashes[f"m{number}_signed"])
        equal(hashlib.sha512(transcript + opened[:-FINISHED_SIZE]).digest(), hashes[f"m{number}_finished"])
        transcript += opened
        equal(hashlib.sha512(transcript).digest(), hashes[f"m{number}"])
        equal(keys.finished(bytes.fromhex(hashes[f"m{number}_finished"])), opened[-FINISHED_SIZE:].hex())
        assert case.messages[number - 1].endswith(AESGCM(keys.key).encrypt(keys.iv, opened, aad))
    th_m3 = bytes.fromhex(hashes["m3"])
    equal(shared.derived, secrets["derived"])
    equal(shared.main_secret, secrets["ms"])
    equal(shared.session_id(th_m3), secrets["session_id"])
    equal(shared.exporter(th_m3), secrets["exporter"])
    for role in ("host", "device"):
        equal(shared.traffic(role.encode(), th_m3).secret, case.json["traffic"][role][0]["secret"])
    exported = secrets["exported"]
    size, context = len(exported["value"]) // 2, bytes.fromhex(exported["context"])
    equal(schedule.export(shared.exporter(th_m3), exported["label"].encode(), context, size), exported["value"])


def agree_on_role_keys(keys: RoleKeys, known: Json) -> None:
    """A role's four."""
    equal(keys.secret, known["secret"])
    equal(keys.key, known["key"])
    equal(keys.iv, known["iv"])
    equal(keys.finished_key, known["finished_key"])


def agree_on_traffic(known: Json, epoch: Epoch) -> None:
    """One direction's epochs, from the first on."""
    for number, values in enumerate(known):
        assert epoch.number == number == values["epoch"]
        equal(epoch.secret, values["secret"])
        equal(epoch.key, values["key"])
        equal(epoch.base_nonce, values["base_nonce"])
        epoch = epoch.next()


def agree_on_records(case: Json, role: str, sender: Session, receiver: Session) -> None:
    """One direction's records: sealed by the sender, opened by the receiver, and every field of them."""
    for index, known in enumerate(case["records"][role]):
        with named(f"record {index} of the {role}"):
            metadata, body = described(known)
            epoch, header = sender.sending.epoch, sender.sending.header(Kind[known["type"]], len(metadata), len(body))
            record = seal(sender, Kind[known["type"]], metadata, body)
            assert receiver.open_record(record) == Record(
                Kind[known["type"]], Metadata.decode(metadata, len(body)) if metadata else None, body
            )
            assert (header.epoch, header.sequence) == (known["epoch"], known["sequence"])
            assert len(record) == known["bytes"] and hashlib.sha3_256(record).hexdigest() == known["sha3_256"]
            assert ("record" in known) == (len(record) <= 4096)
            if "record" in known:
                equal(record, known["record"])
            equal(records.associated_data(header.encode(), metadata), known["aad"])
            equal(records.nonce(epoch.base_nonce, header.sequence, 0), known["nonce"])
            assert chunk_tags(record, header) == known["tags"]
    assert receiver.receiving.closed and receiver.receiving.epoch.number == len(case["traffic"][role]) - 1


def described(known: Json) -> tuple[bytes, bytes]:
    """A record's metadata, encoded, and its plaintext."""
    assert set(known) - {"record"} == (TENSOR if known["type"] == "TENSOR" else RECORD)
    if known["type"] != "TENSOR":
        return b"", b""
    metadata = Metadata(known["id"], known["name"], known["dtype"], tuple(known["shape"]))
    equal(metadata.encode(), known["metadata"])
    return metadata.encode(), plaintext(known["plaintext_bytes"])


def plaintext(size: int) -> bytes:
    """Byte i is 7i + 13, modulo 251."""
    return bytes((7 * i + 13) % 251 for i in range(size))


def seal(sender: Session, kind: Kind, metadata: bytes, body: bytes) -> bytes:
    """With the sender's own rules, which READY passes only here."""
    header = sender.sending.header(kind, len(metadata), len(body))
    sender.sending.check(header)
    record = records.seal(sender.sending.epoch, header, metadata, body)
    sender.sending.advance(header)
    return record


def chunk_tags(record: bytes, header: Header) -> list[str]:
    """The tag of every chunk."""
    at, tags = records.HEADER_SIZE + header.metadata_size, []
    for index in range(records.chunks(header.body_size)):
        at += min(records.CHUNK, header.body_size - index * records.CHUNK)
        tags.append(record[at : at + records.TAG].hex())
        at += records.TAG
    assert at == len(record)
    return tags


def equal(value: bytes, known: str) -> None:
    """In hexadecimal, so that an error can be read."""
    assert value.hex() == known, f"{value.hex()} is not {known}"
