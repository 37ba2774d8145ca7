"""Another recipients' part ("Rewrapping")."""

import dataclasses
import pathlib
import shutil
from collections.abc import Sequence

from pqgt.identity import Identity

from . import opener, recipients
from .manifest import digest
from .recipients import Recipient, key_id


def rewrap(
    path: pathlib.Path, identity: Identity, trust: bytes | None, output: pathlib.Path,
    add: Sequence[bytes] = (), remove: Sequence[bytes] = (),
) -> None:  # fmt: skip
    """By one of the recipients. `add` and `remove`: encapsulation keys. The other recipients' wrapped keys stay."""
    with path.open("rb") as source:
        opened = opener.unseal(source, identity, trust)
        opened.check_commitments()
        front, manifest = opened.sealed.front, digest(opened.sealed.front.manifest)
        gone = {key_id(public) for public in (*add, *remove)}
        kept = [one for one in opened.sealed.recipients if one.key_id not in gone]
        added = [Recipient.wrap(opened.file_key, public, manifest) for public in add]
        wrapped = recipients.encode(kept + added)
        mac = recipients.mac(opened.file_key, manifest, wrapped)
        with output.open("wb") as out:
            out.write(dataclasses.replace(front, recipients=wrapped, mac=mac).encode())
            source.seek(opened.sealed.start)
            shutil.copyfileobj(source, out)
