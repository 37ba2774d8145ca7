"""Wrong prefixes, lengths and paddings; files too short and too long."""

import functools
from collections.abc import Callable

from .draft import Draft, flipped

Change = Callable[[Draft], object]

PREFIX = b"PQGS\x01\0\0\0"


def lengths(manifest: int, recipients: int, draft: Draft) -> bytes:
    """A file whose prefix claims this, over all that is there."""
    return PREFIX + manifest.to_bytes(4, "big") + recipients.to_bytes(4, "big") + draft.build()[16:]


def claims(manifest: int, recipients: int, size: int, draft: Draft) -> bytes:
    """A file of `size` bytes that claims more."""
    return lengths(manifest, recipients, draft)[:size]


def lengths_off(manifest: int, recipients: int, draft: Draft) -> bytes:
    """By so much."""
    data = draft.build()
    return lengths(int.from_bytes(data[8:12], "big") + manifest, int.from_bytes(data[12:16], "big") + recipients, draft)


def cut(part: str, draft: Draft) -> bytes:
    """A file that ends within this part of its front, one byte early."""
    data = draft.build()
    at = 16 + int.from_bytes(data[8:12], "big")
    ends = {"prefix": 16, "manifest": at, "public key": at + 1952, "signature": at + 5261}
    ends["recipients"] = ends["signature"] + int.from_bytes(data[12:16], "big")
    ends["MAC"] = ends["recipients"] + 64
    ends["padding"] = -(-ends["MAC"] // 4096) * 4096
    return data[: ends[part] - 1]


def padded(change: Callable[[bytes], bytes], draft: Draft) -> None:
    """Other zeros before the bodies."""
    draft.front_padding = lambda at: change(bytes(-at % 4096))


def longer(tail: bytes, draft: Draft) -> None:
    """Something behind the last body."""
    draft.tail = tail


FORMS: dict[str, Change] = {
    "an empty file": lambda draft: b"",
    "a file of zeros": lambda draft: bytes(65536),
    "a safetensors file": lambda draft: b"\x02" + bytes(7) + b"{}",
    **{f"prefix, byte {at}": lambda draft, at=at: flipped(draft.build(), at) for at in range(8)},  # type: ignore[misc]
    "version 2": lambda draft: b"PQGS\x02" + draft.build()[5:],
    "no manifest": functools.partial(lengths, 0, 1),
    "no recipients' part": functools.partial(lengths, 1, 0),
    "a manifest of 64 MiB and a byte": functools.partial(lengths, 67_108_865, 1200),
    "recipients of 1 MiB and a byte": functools.partial(lengths, 1000, 1_048_577),
    "a manifest of 4 GiB": functools.partial(lengths, 2**32 - 1, 1200),
    "recipients of 4 GiB": functools.partial(lengths, 1000, 2**32 - 1),
    "64 MiB and 1 MiB claimed in 16 bytes": functools.partial(claims, 67_108_864, 1_048_576, 16),
    "64 MiB and 1 MiB claimed in 1 KiB": functools.partial(claims, 67_108_864, 1_048_576, 1024),
    "a manifest that claims a byte of the public key": functools.partial(lengths_off, 1, 0),
    "a manifest that claims a byte less": functools.partial(lengths_off, -1, 0),
    "recipients that claim a byte of the MAC": functools.partial(lengths_off, 0, 1),
    "recipients that claim a byte less": functools.partial(lengths_off, 0, -1),
    **{
        f"cut in the {part}": functools.partial(cut, part)
        for part in ("prefix", "manifest", "public key", "signature", "recipients", "MAC", "padding")
    },
    "padding of the front, first byte": functools.partial(padded, lambda zeros: flipped(zeros, 0)),
    "padding of the front, last byte": functools.partial(padded, lambda zeros: flipped(zeros, -1)),
    "a front padded by 4096 more": functools.partial(padded, lambda zeros: zeros + bytes(4096)),
    "a front without padding": functools.partial(padded, lambda zeros: b""),
    "a zero behind the last body": functools.partial(longer, b"\0"),
    "zeros to the next 4096 behind the last body": lambda draft: longer(bytes(-len(draft.bodies[-1]) % 4096), draft),
    "another body behind the last": lambda draft: longer(
        bytes(-len(draft.bodies[-1]) % 4096) + draft.bodies[-1], draft
    ),
    "the last byte is missing": lambda draft: draft.build()[:-1],
    "the last tag is missing": lambda draft: draft.build()[:-16],
    "the last body is missing": lambda draft: draft.build()[: -len(draft.bodies[-1])],
    "all bodies are missing": lambda draft: draft.build()[: -(24576 + len(draft.bodies[-1]))],
    "a body not aligned": lambda draft: setattr(draft, "gaps", [b"", b""]),
    "a body one block late": lambda draft: setattr(
        draft, "gaps", [bytes(-len(body) % 4096 + 4096) for body in draft.bodies[:2]]
    ),
}
