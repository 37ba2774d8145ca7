"""Records that no receiver may take, made by an end that has all the right keys. Each is tried on Python's own receiver
and on the program's two."""

import dataclasses
from collections.abc import Callable

from pqgt import records
from pqgt.metadata import MAX_BODY, MAX_METADATA, Metadata
from pqgt.records import HEADER_SIZE, TAG, Kind
from pqgt.session import Session

Wrong = Callable[[Session, Metadata, bytes], bytes]
# By name, in this order. What comes of `ENDING` is followed by the end of the transport: only it can tell.
WRONGS: dict[str, Wrong] = {}
ENDING: dict[str, Wrong] = {}


def wrong(work: Wrong) -> Wrong:
    """Enters it under its name."""
    WRONGS[work.__name__.replace("_", " ")] = work
    return work


def ending(work: Wrong) -> Wrong:
    """Enters it under its name."""
    ENDING[work.__name__.replace("_", " ")] = work
    return work


def sealed(session: Session, metadata: bytes, body: bytes, **fields: object) -> bytes:
    """The next TENSOR with these header fields changed, sealed so that its tags are right for its header."""
    header = session.sending.header(Kind.TENSOR, len(metadata), len(body))
    return records.seal(session.sending.epoch, dataclasses.replace(header, **fields), metadata, body)  # type: ignore[arg-type]


def flipped(data: bytes, at: int) -> bytes:
    """One bit of one byte changed; `at` counts from the end if negative."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@wrong
def a_replayed_record(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return 2 * session.tensor(metadata, body)


@wrong
def a_skipped_sequence_number(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, metadata.encode(), body, sequence=session.sending.sequence + 1)


@wrong
def the_other_direction(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, metadata.encode(), body, direction=1 - session.sending.number)


@wrong
def another_session(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, metadata.encode(), body, session_id=bytes(32))


@wrong
def the_next_epoch_without_key_update(session: Session, metadata: Metadata, body: bytes) -> bytes:
    session.sending.epoch = session.sending.epoch.next()
    return session.tensor(metadata, body)


@wrong
def the_next_key_under_the_old_epoch_number(session: Session, metadata: Metadata, body: bytes) -> bytes:
    following = session.sending.epoch.next()
    session.sending.epoch = dataclasses.replace(following, number=session.sending.epoch.number)
    return session.tensor(metadata, body)


@wrong
def the_old_epoch_after_key_update(session: Session, metadata: Metadata, body: bytes) -> bytes:
    old = session.sending.epoch
    update = session.key_update()
    session.sending.epoch = old
    return update + session.tensor(metadata, body)


@wrong
def the_sequence_from_zero_after_key_update(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return session.key_update() + sealed(session, metadata.encode(), body, sequence=0)


@wrong
def a_bad_tag(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return flipped(session.tensor(metadata, body), -1)


@wrong
def an_altered_chunk(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return flipped(session.tensor(metadata, body), HEADER_SIZE + len(metadata.encode()))


@wrong
def altered_metadata(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return flipped(session.tensor(metadata, body), HEADER_SIZE + 4)


@wrong
def metadata_in_another_encoding(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, b"\xb8\x04" + metadata.encode()[1:], body)


@wrong
def metadata_and_a_byte(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, metadata.encode() + b"\0", body)


@wrong
def no_metadata(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, b"", body)


@wrong
def an_unknown_element_type(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, dataclasses.replace(metadata, dtype="Q8").encode(), body)


@wrong
def extents_for_another_length(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, dataclasses.replace(metadata, extents=(len(body) + 1,), dtype="U8").encode(), body)


@wrong
def sixty_five_extents(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, dataclasses.replace(metadata, extents=(*metadata.extents, *(1,) * 64)).encode(), body)


@wrong
def too_much_metadata_announced(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, metadata.encode(), body, metadata_size=MAX_METADATA + 1)[:HEADER_SIZE]


@wrong
def too_large_a_body_announced(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, metadata.encode(), body, body_size=MAX_BODY + 1)[:HEADER_SIZE]


@wrong
def another_magic(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return b"PQGS" + session.tensor(metadata, body)[4:]


@wrong
def another_version(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return flipped(session.tensor(metadata, body), 4)


@wrong
def an_unknown_type(session: Session, metadata: Metadata, body: bytes) -> bytes:
    record = session.close()
    return record[:5] + b"\x05" + record[6:]


@wrong
def a_bit_in_the_zero(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return flipped(session.tensor(metadata, body), 7)


@wrong
def ready_again(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return records.seal(session.sending.epoch, session.sending.header(Kind.READY), b"", b"")


@wrong
def close_with_a_body(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, b"", body or b"x", kind=Kind.CLOSE)


@wrong
def key_update_with_metadata(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return sealed(session, metadata.encode(), b"", kind=Kind.KEY_UPDATE)


@wrong
def close_with_a_bad_tag(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return flipped(session.close(), -1)


@wrong
def a_tensor_after_close(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return session.close() + sealed(session, metadata.encode(), body)


@ending
def nothing_at_all(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return b""


@ending
def half_a_header(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return session.tensor(metadata, body)[: HEADER_SIZE // 2]


@ending
def a_record_without_its_last_byte(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return session.tensor(metadata, body)[:-1]


@ending
def a_record_without_its_last_chunk(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return session.tensor(metadata, body)[: -(len(body) % records.CHUNK + TAG)]


@ending
def a_tensor_and_no_close(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return session.tensor(metadata, body)


@ending
def a_key_update_and_no_close(session: Session, metadata: Metadata, body: bytes) -> bytes:
    return session.key_update()
