# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who vouches for a bundle: the log's key, which signs it and its checkpoint, and the homeserver, for that key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import Conflict
from synapse_groupreg.retention import ed25519, notes
from synapse_groupreg.retention.records import KIND_NUMBERS, Kind
from synapse_groupreg.storage.store import Selection
from synapse_groupreg.storage.store_tree import StoredTree
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.handlers.retention.keys import LogKeys
    from synapse_groupreg.storage.store_engine import StoreReader

_KEYS = Selection(kinds=(KIND_NUMBERS[Kind.key],))
_MANY = 1000


@frozen(kw_only=True)
class Voucher:
    """What the first line of a bundle says of key and checkpoint."""

    note: str
    vkey: str
    endorsement: Mapping[str, Any]


def vouch(reader: StoreReader, keys: LogKeys, origin: str, note: str, *, shard: int, now_ms: int) -> Voucher:
    """The same checkpoint, signed by the key that will sign the bundle, and that key's endorsement.

    Raises Conflict if the store is not what the checkpoint says.
    """
    if not _signed_by(note, notes.Key(origin, keys.public)):
        keys.reload()  # another process may have rotated them since ours were read
    key = notes.Key(origin, keys.public)
    if not _signed_by(note, key):
        note = _signed_anew(reader, keys, key, shard, note)
    endorsement = _recorded(reader, shard, key.vkey) or keys.endorse(origin, key.vkey, now_ms)
    return Voucher(note=note, vkey=key.vkey, endorsement=endorsement)


def _signed_by(note: str, key: notes.Key) -> bool:
    try:
        notes.open_note(note, [key], ed25519.verify)
    except notes.NoteError:
        return False
    return True


def _signed_anew(reader: StoreReader, keys: LogKeys, key: notes.Key, shard: int, note: str) -> str:
    """After a rotation nobody can sign with the old key. What is signed now was signed before: it forks nothing."""
    body, _, _ = note.partition("\n\n")
    checkpoint = notes.Checkpoint.parse(body + "\n")
    if StoredTree(reader, shard).root(checkpoint.size) != checkpoint.root:
        raise Conflict("The store is not the one that its checkpoint says: look with groupreg fsck.")
    return notes.sign(checkpoint.text, key, keys.sign)


def _recorded(reader: StoreReader, shard: int, vkey: str) -> dict[str, Any] | None:
    """The endorsement that the log itself holds."""
    for info in reversed(reader.periods()):
        if info.period.shard == shard:
            for row in reader.select(info.period, _KEYS, _MANY, newest_first=True):
                facts = json.loads(row.facts or "{}")
                if facts.get("vkey") == vkey:
                    endorsement: dict[str, Any] = facts["endorsement"]
                    return endorsement
    return None
