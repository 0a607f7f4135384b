# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether store and key files belong together, and to this server: asked at start, before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import CannotStart
from synapse_groupreg.handlers.retention.keys import about, open_period_keys
from synapse_groupreg.handlers.retention.log import origin_of
from synapse_groupreg.handlers.retention.places import same_place
from synapse_groupreg.retention import ed25519, notes
from synapse_groupreg.retention.records import b64
from synapse_groupreg.retention.sealing import SealError
from synapse_groupreg.storage.store import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.handlers.retention.keys import LogKeys
    from synapse_groupreg.storage.known_logs import KnownLog
    from synapse_groupreg.storage.store import Head
    from synapse_groupreg.storage.store_engine import StoreReader


def check_place(store: Mapping[str, Any], synapses: Mapping[str, Any]) -> None:
    """Refuse a store in Synapse's own database: whoever restores or empties that would take the records along."""
    if same_place(store, synapses):
        raise CannotStart(
            "retention.store names Synapse's own database: the retention store needs one of its own, which no restored"
            " backup of Synapse's takes along"
        )


def check_missing(reader: StoreReader, log: str, file: Path, *, known: bool, published: bool) -> None:
    """Refuse to make a key file that isn't there where a log was begun: by keys that nobody could do without.

    `known`: to Synapse's database; `published`: a checkpoint lies beside the keys. Raises CannotStart.
    """
    if known:
        who = "Synapse's database remembers"
    elif published:
        who = "a published checkpoint says"
    elif _is_begun(reader, file):
        who = "retention.store says"
    else:
        return
    raise CannotStart(
        f"{file.name} is not in {file.parent}, the folder of retention.keys_path, and {who} that the log {log} was"
        " begun by keys, which no new ones replace: put the original files back, or name their folder; if they are"
        ' lost for good, see "Keys" in docs/retention.md'
    )


def _is_begun(reader: StoreReader, file: Path) -> bool:
    try:
        return reader.head() is not None
    except StoreUnavailable as error:
        raise CannotStart(
            f"{file.name} is not in {file.parent}, the folder of retention.keys_path, and whether retention.store was"
            f" begun by such a key can't be seen: {error} Keys are made once it can be"
        ) from None


def check(
    reader: StoreReader,
    log: str,
    server_name: str,
    keys: LogKeys,
    *,
    renewing: bool,
    known: KnownLog | None = None,
) -> None:
    """Refuse keys that a log was not made with, and the log of another server. `renewing`: the keys are under way.

    `known`: what Synapse's database remembers of it. Raises CannotStart, and StoreUnavailable.
    """
    head = reader.head()
    if known is not None and not renewing and (head is None or _is_behind(head, known)):
        _check_remembered(known, keys)
    if head is None:
        return
    origin = origin_of(server_name, log, head.period.shard)
    found = reader.checkpoints(head.period.shard)
    if found:
        _check_origin(found[0][1], origin)
    _check_wrapping(reader, head, log, origin, keys)
    if found and not renewing:
        _check_signing(found[0][1], log, origin, keys)


def _is_behind(head: Head, known: KnownLog) -> bool:
    return (head.period.shard, head.size) < (known.shard, known.size)


def _check_remembered(known: KnownLog, keys: LogKeys) -> None:
    """Of a store that lacks what is remembered nothing shows which its keys are. One that has it says so itself."""
    wrong = [] if known.wrapping_key in {key.id for key in keys.ring.keys} else ["retention.keys"]
    wrong += [] if known.signing_key == b64(keys.public) else ["retention-signing.key"]
    if wrong:
        raise CannotStart(
            f"{wrong[0]} in retention.keys_path is not the one by which the log {known.log} was kept, as Synapse's"
            f" database remembers ({known.size} records of it were signed), and retention.store lacks these records:"
            " put the original files back, or name their places"
        )


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
