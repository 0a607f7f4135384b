# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether store and key files belong together, and to this server: asked at start, before anything is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import CannotStart
from synapse_groupreg.handlers.retention.keys import about, open_period_keys
from synapse_groupreg.handlers.retention.log import origin_of
from synapse_groupreg.retention import ed25519, notes
from synapse_groupreg.retention.sealing import SealError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.handlers.retention.keys import LogKeys
    from synapse_groupreg.storage.store import Head, StoreReader

_PLACE = ("host", "port", "dbname")


def check_place(store: Mapping[str, Any], synapses: Mapping[str, Any]) -> None:
    """Refuse a store in Synapse's own database: whoever restores or empties that would take the records along."""
    if store["name"] != synapses["name"]:
        return
    ours, theirs = _located(store), _located(synapses)
    if ours == theirs:
        raise CannotStart(
            "retention.store names Synapse's own database: the retention store needs one of its own, which no restored"
            " backup of Synapse's takes along"
        )


def check(reader: StoreReader, log: str, server_name: str, keys: LogKeys, *, renewing: bool) -> None:
    """Refuse keys that a log was not made with, and the log of another server. `renewing`: the keys are under way.

    Raises CannotStart, and StoreUnavailable.
    """
    head = reader.head()
    if head is None:
        return
    origin = origin_of(server_name, log, head.period.shard)
    found = reader.checkpoints(head.period.shard)
    if found:
        _check_origin(found[0][1], origin)
    _check_wrapping(reader, head, log, origin, keys)
    if found and not renewing:
        _check_signing(found[0][1], log, origin, keys)


def _check_origin(note: str, origin: str) -> None:
    signed = note.partition("\n")[0]
    if signed != origin:
        raise CannotStart(
            f"retention.store is that of another server: its checkpoints are of {signed}, and here they would be of"
            f" {origin}; name this server's own store"
        )


def _check_wrapping(reader: StoreReader, head: Head, log: str, origin: str, keys: LogKeys) -> None:
    rows = reader.keys(head.period)
    known = {key.id for key in keys.ring.keys}
    try:
        if all(row.wrapped_by in known for row in rows):
            open_period_keys(keys.ring, about(origin, head.period.month), rows)
            return
    except SealError:
        pass
    raise CannotStart(
        f"retention.keys in retention.keys_path is not the key file of this store: the log {log} can't be opened by it."
        " Put the original file back, or name the store that belongs to it in retention.store"
    )


def _check_signing(note: str, log: str, origin: str, keys: LogKeys) -> None:
    try:
        notes.open_note(note, [notes.Key(origin, keys.public)], ed25519.verify)
    except notes.NoteError:
        raise CannotStart(
            f"retention-signing.key in retention.keys_path is not the key that signed the log {log}: put the original"
            " file back; a new key is made by groupreg retention rotate-keys --signing, which is recorded"
        ) from None


def _located(settings: Mapping[str, Any]) -> tuple[str, ...]:
    given = settings.get("args") or {}
    if settings["name"] == "sqlite3":
        return (os.path.realpath(Path(str(given.get("database", "")))),)
    named = {**given, "dbname": given.get("dbname", given.get("database"))}
    defaults = {"host": "localhost", "port": 5432}
    return tuple(str(named.get(name) or defaults.get(name)) for name in _PLACE)
