# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Turns entries into rows of the store: tokens for names, chains of previous records, digests, encryption."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.retention import tree
from synapse_groupreg.retention.records import (
    KIND_NUMBERS,
    SEED_BYTES,
    TOKEN_BYTES,
    Header,
    b64,
    canonical,
    digests,
    quoted,
)
from synapse_groupreg.retention.sealing import NONCE_BYTES, Purpose, pack
from synapse_groupreg.storage.store import NameRow, Row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from synapse_groupreg.retention.records import Entry
    from synapse_groupreg.retention.sealing import PeriodKeys
    from synapse_groupreg.storage.store import Period
    from synapse_groupreg.storage.store_engine import StoreReader

_RANDOM = SEED_BYTES + NONCE_BYTES
_REMEMBERED = 200_000
"""Names in memory, about 60 MB; beyond, all are forgotten and looked up again."""


@attrs.define
class Known:
    """A room or account of the period."""

    ref: int
    token: str
    quoted: str
    last: int | None
    """Index of its newest record, as room or as actor."""


class Sealer:
    """Seals for one period. It takes what it sealed for stored: after a failure, make a new one."""

    def __init__(self, reader: StoreReader, period: Period, keys: PeriodKeys) -> None:
        self._reader = reader
        self._period = period
        self._keys = keys
        self._details = keys.sealer(Purpose.details)
        self._names = keys.sealer(Purpose.names)
        self._content = keys.sealer(Purpose.content)
        self._known: dict[tuple[str, str], Known] = {}
        self._last_ref = reader.last_ref(period)

    def seal(self, entries: Sequence[Entry], first: int) -> tuple[list[Row], list[NameRow]]:
        """Rows for these entries from index `first` on, and the names that they are the first to mention."""
        mentioned = {("room", entry.room) for entry in entries}
        mentioned |= {("account", name) for entry in entries for name in (entry.actor, entry.target)}
        self._learn(mentioned)
        new: list[NameRow] = []
        random = os.urandom(_RANDOM * len(entries))
        rows = [
            self._row(entry, first + at, random[_RANDOM * at : _RANDOM * (at + 1)], new)
            for at, entry in enumerate(entries)
        ]
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        return rows, new

    def find(self, kind: str, name: str) -> Known | None:
        """What the period knows of a room or account."""
        self._learn({(kind, name)})
        return self._known.get((kind, name))

    def _row(self, entry: Entry, idx: int, random: bytes, new: list[NameRow]) -> Row:
        seed, nonce = random[:SEED_BYTES], random[SEED_BYTES:]
        room = None if entry.room is None else self._name("room", entry.room, new)
        actor = None if entry.actor is None else self._name("account", entry.actor, new)
        target = None if entry.target is None else self._name("account", entry.target, new)
        details = {field: quoted(value) for field, value in entry.details.items()}
        fields = details.copy()
        if room is not None:
            fields["room_id"] = room.quoted
        if actor is not None:
            fields["sender"] = actor.quoted
        if target is not None:
            fields["target"] = target.quoted
        header = Header(
            kind=entry.kind,
            source=entry.source,
            position=entry.position,
            ts_ms=entry.ts_ms,
            type=entry.type,
            verdict=entry.verdict,
            count=entry.count,
            room=None if room is None else room.token,
            room_prev=None if room is None else room.last,
            actor=None if actor is None else actor.token,
            actor_prev=None if actor is None else actor.last,
            facts=entry.facts,
            digests=digests(seed, fields),
        )
        row = Row(
            idx,
            entry.ts_ms,
            KIND_NUMBERS[entry.kind],
            entry.source,
            entry.position,
            entry.type,
            entry.verdict,
            entry.count,
            None if room is None else room.ref,
            None if actor is None else actor.ref,
            None if target is None else target.ref,
            header.room_prev,
            header.actor_prev,
            None if entry.facts is None else canonical(entry.facts),
            tree.leaf_hash(header.text().encode()),
            self._details(idx, nonce, pack(seed, details)),
            None if entry.content is None else self._content(idx, os.urandom(NONCE_BYTES), entry.content),
        )
        if room is not None:
            room.last = idx
        if actor is not None:
            actor.last = idx
        return row

    def _learn(self, mentioned: AbstractSet[tuple[str, str | None]]) -> None:
        """Look up, all at once, the names that aren't in memory."""
        wanted = {
            self._keys.lookup(kind, name): (kind, name)
            for kind, name in mentioned - self._known.keys()
            if name is not None
        }
        for row in self._reader.find_names(self._period, [*wanted]) if wanted else ():
            kind, name = wanted[bytes(row.lookup)]
            last = self._reader.newest_of(self._period, kind, row.ref)
            self._known[kind, name] = Known(row.ref, b64(bytes(row.token)), quoted(name), last)

    def _name(self, kind: str, name: str, new: list[NameRow]) -> Known:
        known = self._known.get((kind, name))
        if known is None:
            known = self._known[kind, name] = self._make(kind, name, new)
        return known

    def _make(self, kind: str, name: str, new: list[NameRow]) -> Known:
        self._last_ref += 1
        token = os.urandom(TOKEN_BYTES)
        sealed = self._names(self._last_ref, os.urandom(NONCE_BYTES), name.encode())
        new.append(NameRow(self._last_ref, kind, token, self._keys.lookup(kind, name), sealed))
        return Known(self._last_ref, b64(token), quoted(name), None)
