# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing the retention store: what both engines put where. An engine gives the transaction that is fenced."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from synapse_groupreg.storage.store_rows import RowReader
from synapse_groupreg.storage.store_schema import HASH_BYTES, MOST_RECORDS
from synapse_groupreg.storage.store_select import encoded
from synapse_groupreg.storage.store_times import spans_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from synapse_groupreg.storage.store import Batch, Head, KeyRow, Period, Row

    Bases = Mapping[int, tuple[int, tuple[bytes, ...]]]

_WORDS_KEPT = 50_000
_LOOKUP_BYTES = 16

_SPANS = (
    "INSERT INTO {spans} (number, first_ms, last_ms) VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET "
    "first_ms = CASE WHEN excluded.first_ms < {spans}.first_ms THEN excluded.first_ms ELSE {spans}.first_ms END, "
    "last_ms = CASE WHEN excluded.last_ms > {spans}.last_ms THEN excluded.last_ms ELSE {spans}.last_ms END"
)
_KEYS = (
    "INSERT INTO {keys} (purpose, wrapped_by, wrapped) VALUES (?, ?, ?) ON CONFLICT (purpose) DO UPDATE SET "
    "wrapped_by = excluded.wrapped_by, wrapped = excluded.wrapped"
)
_CHECKPOINT = (
    "INSERT INTO {checkpoints} (log, shard, size, note) VALUES (?, ?, ?, ?) ON CONFLICT (log, shard, size) "
    "DO UPDATE SET note = excluded.note"
)
_BASE = (
    "INSERT INTO {bases} (log, shard, size, hashes) VALUES (?, ?, ?, ?) ON CONFLICT (log, shard) "
    "DO UPDATE SET size = excluded.size, hashes = excluded.hashes"
)


class RowStore(RowReader):
    """Writes one log. See `store_engine.Store`."""

    def __init__(self, log: str) -> None:
        super().__init__(log)
        self._refs: dict[bytes, int] = {}
        self._refs_of: Period | None = None

    @abstractmethod
    def _writing(
        self, before: Head, after: Head | None = None, *, period: Period | None = None
    ) -> AbstractContextManager[None]:
        """One transaction that replaces the head, if it is still `before`, by `after` or by itself.

        `period` is written to, if another than the newest. Raises Fenced and StoreUnavailable.
        """

    @abstractmethod
    def _run(self, period: Period | None, sql: str, many: Sequence[Sequence[Any]] = ((),)) -> None:
        """Run a statement in the open transaction, with each of the values."""

    @abstractmethod
    def _insert(self, period: Period, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Put rows with the values of COLUMNS[table] into a period's table, in the open transaction."""

    @abstractmethod
    def _forgotten(self, period: Period) -> None:
        """Remove from the disk what an erasure replaced."""

    def append(self, before: Head, batch: Batch) -> Head:
        """Put records in."""
        period, after = before.period, batch.after
        if after.period != period:
            raise ValueError("Records are put into the period that was begun.")
        if after.size - before.first > MOST_RECORDS:
            raise ValueError("The period is full: it has as many records as four bytes can count.")
        with self._writing(before, after):
            refs = self._interned(period, batch.rows)
            self._insert(period, "names", batch.names)
            self._insert(period, "records", _stored(before.first, refs, batch.rows))
            self._insert(period, "blocks", batch.blocks)
            self._run(period, _SPANS, spans_of(batch.blocks, before.first))
        return after

    def put_checkpoint(self, before: Head, size: int, note: str) -> None:
        """Keep a checkpoint that was signed."""
        with self._writing(before):
            self._run(None, _CHECKPOINT, [(self._log, before.period.shard, size, note)])

    def rewrap(self, before: Head, period: Period, keys: Sequence[KeyRow]) -> None:
        """Replace the wrapping of a period's data keys."""
        with self._writing(before, period=period):
            self._run(period, _KEYS, keys)

    def erase(self, before: Head, period: Period, names: Sequence[int], sealed: Sequence[tuple[int, bytes]]) -> None:
        """Forget these names (sealed, lookup), remove the content of these records and put what is left of them."""
        first = self._first(period)
        with self._writing(before, period=period):
            forgotten = [(os.urandom(_LOOKUP_BYTES), ref) for ref in names]
            self._run(period, "UPDATE {names} SET sealed = NULL, lookup = ? WHERE ref = ?", forgotten)
            left = [(kept, idx - first) for idx, kept in sealed]
            self._run(period, "UPDATE {records} SET content = NULL, sealed = ? WHERE n = ?", left)
        self._forgotten(period)

    def _put_bases(self, after: Head, older: Bases) -> None:
        """The head's own base stands beside those of older shards."""
        bases = dict(older)
        if after.base_size:
            bases[after.period.shard] = (after.base_size, after.base)
        values = [(self._log, shard, size, b"".join(parts)) for shard, (size, parts) in bases.items()]
        assert all(len(joined) % HASH_BYTES == 0 for *_, joined in values)
        self._run(None, _BASE, values)

    def _interned(self, period: Period, rows: Sequence[Row]) -> dict[str | None, int | None]:
        """The numbers of the rows' words, of which the new ones are put in."""
        texts = {row.source for row in rows} | {row.type for row in rows} | {row.verdict for row in rows}
        known: dict[str | None, int | None] = {None: None}
        words = {text: encoded(text) for text in texts if text is not None}
        if self._refs_of != period or len(self._refs) > _WORDS_KEPT:
            self._refs, self._refs_of = {}, period
        missing = [word for word in words.values() if word not in self._refs]
        if missing:
            self._refs |= dict(self._among(period, "SELECT text, ref FROM {{words}} WHERE text IN ({})", missing))
            [(newest,)] = self._fetch(period, "SELECT coalesce(max(ref), -1) FROM {words}")
            new = [word for word in missing if word not in self._refs]
            added = list(enumerate(new, newest + 1))
            self._insert(period, "words", added)
            self._refs |= {word: ref for ref, word in added}
        return known | {text: self._refs[word] for text, word in words.items()}

    def _forget_words(self) -> None:
        """After a transaction that was undone, whose words are not there."""
        self._refs_of = None


def _stored(first: int, refs: Mapping[str | None, int | None], rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Rows as the columns of `records` want them; a 1 in `times` is not written."""
    return [
        (
            idx - first,
            ts_ms,
            position,
            room,
            actor,
            target,
            None if room_prev is None else room_prev - first,
            None if actor_prev is None else actor_prev - first,
            refs[type_],
            refs[source],
            refs[verdict],
            None if times == 1 else times,
            kind,
            leaf,
            sealed,
            facts,
            content,
        )
        for (
            idx,
            ts_ms,
            kind,
            source,
            position,
            type_,
            verdict,
            times,
            room,
            actor,
            target,
            room_prev,
            actor_prev,
            facts,
            leaf,
            sealed,
            content,
        ) in rows
    ]
