"""Wrong signatures, publishers, recipients and MACs."""

import functools
import hmac
from collections.abc import Callable

from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from pqgs.expand import expand
from pqgs.front import signed
from pqgs.tree import hashed

from .draft import Draft, canonical, flipped
from .manifests import longer_heads
from .tools import ALICE, BOB, CAROL, public

Change = Callable[[Draft], object]


def recipients(change: Callable[[list[list[bytes]]], object]) -> Change:
    """Others, under a MAC that is right."""
    return lambda draft: setattr(draft, "recipients", canonical(change(draft.listed())))


def recipients_bytes(change: Callable[[bytes], bytes]) -> Change:
    """Other bytes, under a MAC that is right."""
    return lambda draft: setattr(draft, "recipients", change(canonical(draft.listed())))


def signature(change: Callable[[Draft], bytes]) -> Change:
    """Another."""
    return lambda draft: setattr(draft, "signature", change(draft))


def signs(message: Callable[[Draft], bytes], context: bytes | None = None) -> Change:
    """The publisher's, of something else."""
    return signature(lambda draft: draft.publisher.signing.sign(message(draft), context))


def mac(change: Callable[[Draft, bytes], bytes]) -> Change:
    """Another, over the recipients that belong."""

    def changed(draft: Draft) -> None:
        draft.recipients = canonical(draft.listed())
        draft.mac = change(draft, draft.recipients)

    return changed


def after_the_mac(change: Callable[[Draft, list[list[bytes]]], list[list[bytes]]]) -> Change:
    """Recipients changed by who has no file key: the MAC is the one over what was there."""

    def changed(draft: Draft) -> None:
        listed = draft.listed()
        draft.mac = draft.mac_of(canonical(listed))
        draft.recipients = canonical(sorted(change(draft, listed)))

    return changed


def alice(change: Callable[[Draft, list[bytes]], list[bytes]]) -> Change:
    """ALICE's entry changed by who has the file key: the MAC is right."""

    def changed(draft: Draft) -> None:
        entries = {entry[0]: entry for entry in draft.listed()}
        own = hashed(public(ALICE))
        entries[own] = change(draft, entries[own])
        draft.recipients = canonical(sorted(entries.values()))

    return changed


def under(suite: Suite, aad: bytes, draft: Draft, entry: list[bytes]) -> list[bytes]:
    """The file key wrapped in another way."""
    both = openssl.hpke._encrypt_with_aad(
        suite, draft.file_key, ALICE.kem.public_key(), b"pqgt sealed v1" + entry[0] + draft.digest, aad
    )
    return [entry[0], both[:1088], both[1088:]]


def spliced(draft: Draft) -> None:
    """The recipients' part of another file of the same publisher, to the same recipients."""
    other = Draft()
    draft.recipients = canonical(other.listed())
    draft.mac = other.mac_of(draft.recipients)


def other_file_key(draft: Draft) -> None:
    """Another key, wrapped rightly and under its own right MAC. The bodies do not know it."""
    key = bytes(range(32))
    draft.recipients = canonical(sorted(draft.wrapped(one, key=key) for one in draft.to))
    draft.mac = draft.mac_of(draft.recipients, key)


def two_file_keys(draft: Draft) -> None:
    """ALICE gets another key than BOB, whose MAC it is."""
    entries = [draft.wrapped(ALICE, key=bytes(range(32))), draft.wrapped(BOB)]
    draft.recipients = canonical(sorted(entries))


def taken_over(draft: Draft) -> bytes:
    """CAROL puts her own key and signature over the manifest of another publisher."""
    draft.public, draft.publisher = CAROL.public, CAROL
    return draft.build()


def other_public(draft: Draft) -> None:
    """A bit of the public key, of which the manifest knows."""
    draft.public = flipped(draft.public, 1000)
    draft.fields[4] = hashed(draft.public)


def after_signing(change: Change) -> Change:
    """The manifest changed, its signature the one before."""

    def changed(draft: Draft) -> None:
        draft.signature = draft.publisher.signing.sign(signed(draft.manifest))
        change(draft)

    return changed


FORMS: dict[str, Change] = {
    "recipients: none": recipients(lambda listed: []),
    "recipients: one twice": recipients(lambda listed: [listed[0], listed[0], listed[1]]),
    "recipients: one twice, wrapped anew": lambda draft: setattr(
        draft, "recipients", canonical(sorted([*draft.listed(), draft.wrapped(BOB)]))
    ),
    "recipients: descending": recipients(lambda listed: listed[::-1]),
    "recipients: a map": recipients(lambda listed: {entry[0]: entry[1] for entry in listed}),
    "recipients: one without list": recipients(lambda listed: listed[0]),
    "recipients: key-id of 31 bytes": recipients(lambda listed: [[listed[0][0][:31], *listed[0][1:]], listed[1]]),
    "recipients: key-id of 33 bytes": recipients(lambda listed: [[listed[0][0] + b"\0", *listed[0][1:]], listed[1]]),
    "recipients: encapsulated key of 1087 bytes": recipients(
        lambda listed: [[listed[0][0], listed[0][1][:-1], listed[0][2]], listed[1]]),
    "recipients: ciphertext of 47 bytes": recipients(lambda listed: [[*listed[0][:2], listed[0][2][:-1]], listed[1]]),
    "recipients: ciphertext of 49 bytes": recipients(
        lambda listed: [[*listed[0][:2], listed[0][2] + b"\0"], listed[1]]),
    "recipients: two fields": recipients(lambda listed: [listed[0][:2], listed[1]]),
    "recipients: four fields": recipients(lambda listed: [[*listed[0], b""], listed[1]]),
    "recipients: text": recipients(lambda listed: [["x" * 32, *listed[0][1:]]]),
    "recipients: a byte behind": recipients_bytes(lambda data: data + b"\0"),
    "recipients: a byte missing": recipients_bytes(lambda data: data[:-1]),
    "recipients: indefinite": recipients_bytes(lambda data: b"\x9f" + data[1:] + b"\xff"),
    "recipients: tagged": recipients_bytes(lambda data: b"\xc6" + data),
    "recipients: 2^64 - 1 claimed": recipients_bytes(lambda data: b"\x9b" + b"\xff" * 8 + data[1:]),
    "recipients: a key-id of 2^63 bytes": recipients_bytes(lambda data: data[:2] + b"\x5b\x80" + bytes(7) + data[4:]),
    "recipients: nested 100,000 deep": recipients_bytes(lambda data: b"\x81" * 100_000),
    **{
        f"recipients: longer head {number}": recipients_bytes(
            lambda data, number=number: longer_heads(data)[number][1]  # type: ignore[misc]
        )
        for number in range(0, 9)
    },
    "another publisher's key over it": taken_over,
}  # fmt: skip

SIGNED: dict[str, Change] = {
    "signature: first byte": signature(lambda draft: flipped(draft.publisher.signing.sign(signed(draft.manifest)), 0)),
    "signature: last byte": signature(lambda draft: flipped(draft.publisher.signing.sign(signed(draft.manifest)), -1)),
    "signature: zeros": signature(lambda draft: bytes(3309)),
    "signature: of another key": signature(lambda draft: CAROL.signing.sign(signed(draft.manifest))),
    "signature: of another manifest": signs(lambda draft: signed(Draft().manifest)),
    "signature: of the manifest itself": signs(lambda draft: draft.manifest),
    "signature: of the digest alone": signs(lambda draft: draft.digest),
    "signature: for a host": signs(lambda draft: signed(draft.manifest).replace(b"sealed", b"host")),
    "signature: for no one": signs(lambda draft: signed(draft.manifest).replace(b" sealed", b"")),
    "signature: without the spaces": signs(lambda draft: signed(draft.manifest)[64:]),
    "signature: without the zero": signs(lambda draft: signed(draft.manifest).replace(b"sealed\0", b"sealed")),
    "signature: with a context": signs(lambda draft: signed(draft.manifest), b"pqgt sealed v1"),
    "public key: one bit, named in the manifest": other_public,
    "a release changed after signing": after_signing(lambda draft: draft.fields.update({3: 8})),
    "a root changed after signing": after_signing(lambda draft: draft.fields[6][0].__setitem__(5, bytes(32))),
}  # fmt: skip

TRUSTED: dict[str, Change] = {
    "another publisher": lambda draft: Draft(publisher=CAROL).build(),
    "a recipient as publisher": lambda draft: Draft(publisher=ALICE).build(),
}

WRAPPED: dict[str, Change] = {
    "not for this recipient": lambda draft: Draft(to=(BOB,)).build(),
    "wrapped: encapsulated key": alice(lambda draft, own: [own[0], flipped(own[1], 500), own[2]]),
    "wrapped: ciphertext": alice(lambda draft, own: [*own[:2], flipped(own[2], 0)]),
    "wrapped: tag": alice(lambda draft, own: [*own[:2], flipped(own[2], -1)]),
    "wrapped: zeros": alice(lambda draft, own: [own[0], bytes(1088), bytes(48)]),
    "wrapped: another's": alice(lambda draft, own: [own[0], *draft.wrapped(BOB)[1:]]),
    "wrapped: under another's key-id": alice(lambda draft, own: draft.wrapped(ALICE, info=hashed(public(BOB)))),
    "wrapped: without key-id": alice(lambda draft, own: draft.wrapped(ALICE, info=b"")),
    "wrapped: for another manifest": alice(lambda draft, own: draft.wrapped(ALICE, manifest=Draft().digest)),
    "wrapped: for no manifest": alice(lambda draft, own: draft.wrapped(ALICE, manifest=b"")),
    "wrapped: another HPKE KDF": alice(
        functools.partial(under, Suite(KEM.MLKEM768, KDF.HKDF_SHA256, AEAD.AES_256_GCM), b"")),
    "wrapped: another HPKE AEAD": alice(
        functools.partial(under, Suite(KEM.MLKEM768, KDF.HKDF_SHA512, AEAD.CHACHA20_POLY1305), b"")),
    "wrapped: with associated data": alice(
        functools.partial(under, Suite(KEM.MLKEM768, KDF.HKDF_SHA512, AEAD.AES_256_GCM), b"pqgt")),
    "wrapped: another file key than the MAC's": two_file_keys,
    "wrapped: the recipients of another file": spliced,
    "MAC: first byte": mac(lambda draft, wrapped: flipped(draft.mac_of(wrapped), 0)),
    "MAC: last byte": mac(lambda draft, wrapped: flipped(draft.mac_of(wrapped), -1)),
    "MAC: zeros": mac(lambda draft, wrapped: bytes(64)),
    "MAC: under another key": mac(lambda draft, wrapped: draft.mac_of(wrapped, bytes(32))),
    "MAC: of the recipients alone": mac(lambda draft, wrapped: mac_over(draft, wrapped)),
    "MAC: with the manifest itself": mac(lambda draft, wrapped: mac_over(draft, draft.manifest + wrapped)),
    "MAC: of another manifest": mac(lambda draft, wrapped: mac_over(draft, Draft().digest + wrapped)),
    "a recipient stripped": after_the_mac(
        lambda draft, listed: [one for one in listed if one[0] == hashed(public(ALICE))]),
    "a recipient injected": after_the_mac(lambda draft, listed: [*listed, draft.wrapped(CAROL, key=bytes(32))]),
    "a recipient replaced": after_the_mac(
        lambda draft, listed: [one if one[0] == hashed(public(ALICE)) else draft.wrapped(CAROL, key=bytes(32))
                               for one in listed]),
}  # fmt: skip


def mac_over(draft: Draft, message: bytes) -> bytes:
    """Of anything, under the right key."""
    return hmac.digest(expand(draft.file_key, b"pqgt recipients v1", 64), message, "sha512")
