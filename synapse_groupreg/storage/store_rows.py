# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading the retention store: the SQL of both engines. An engine says where a period's tables are and runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from synapse_groupreg.storage.store import Head, KeyRow, NameRow, Period, PeriodInfo, Row
from synapse_groupreg.storage.store_schema import BLOCK, STATE, checked_log, hashes, head_of
from synapse_groupreg.storage.store_select import Search
from synapse_groupreg.storage.store_times import windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_groupreg.storage.store import Selection
    from synapse_groupreg.storage.store_select import Window

_MANY = 500
"""Values in one IN list; SQLite's oldest limit is 999."""
_WORDS_KEPT = 50_000
"""Texts that are remembered, at most: whoever invents types of events must not fill the memory."""
_WINDOWS = 8
"""That are looked through by one statement: usually there are two or three."""
_FEW = 10
"""Numbers that are looked at, at least, where some are missing yet."""
_COLUMN = {"room": "room", "account": "actor"}


class RowReader(ABC):
    """Reads one log; a period that was removed reads as empty. See `store_engine.StoreReader`."""

    leading = "{column} = ? AND n >= ? AND {column} = ? AND n <= ?"

    def __init__(self, log: str) -> None:
        self._log = checked_log(log)
        self._firsts: dict[Period, int] = {}
        self._texts: dict[tuple[Period, int], str] = {}

    @abstractmethod
    def _fetch(self, period: Period | None, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows from a period's tables, or from the head tables; none if the period is not there."""

    @abstractmethod
    def _scattered(
        self, period: Period, search: Search, parts: Sequence[Window], numbers: Sequence[int]
    ) -> list[tuple[Any, ...]]:
        """The rows of the first numbers in some windows, several at once: they lie anywhere in a period."""

    @abstractmethod
    def _stream(self, period: Period, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The same, a few rows at a time."""

    @abstractmethod
    def _bytes(self, period: Period) -> int:
        """What a period takes on disk."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the files and connections."""

    def head(self) -> Head | None:
        """The newest shard's head; None before the first `begin`."""
        rows = self._fetch(None, f"SELECT {', '.join(STATE)} FROM {{state}} WHERE log = ?", (self._log,))
        return head_of(rows[0]) if rows else None

    def periods(self) -> list[PeriodInfo]:
        """All periods, the oldest first."""
        rows = self._fetch(
            None,
            "SELECT p.shard, p.month, p.first, coalesce(p.size, s.size), coalesce(p.closed, s.closed) "
            "FROM {periods} p JOIN {state} s ON s.log = p.log WHERE p.log = ? ORDER BY p.shard, p.month",
            (self._log,),
        )
        found = []
        for shard, month, first, end, closed in rows:
            period = Period(shard, month)
            oldest, newest = self._times(period, first)
            info = PeriodInfo(
                period=period,
                first=first,
                end=end,
                closed=bool(closed),
                oldest_ms=oldest,
                newest_ms=newest,
                bytes=self._bytes(period),
            )
            found.append(info)
        return found

    def extents(self) -> list[tuple[Period, int, int]]:
        """All periods with their first index and one past the last, the oldest first; cheaper than `periods`."""
        rows = self._fetch(
            None,
            "SELECT p.shard, p.month, p.first, coalesce(p.size, s.size) FROM {periods} p "
            "JOIN {state} s ON s.log = p.log WHERE p.log = ? ORDER BY p.shard, p.month",
            (self._log,),
        )
        return [(Period(shard, month), first, end) for shard, month, first, end in rows]

    def _times(self, period: Period, first: int) -> tuple[int | None, int | None]:
        """From the spans, and from the records that no whole block of the period covers."""
        [(low, high)] = self._fetch(period, "SELECT min(number), max(number) FROM {blocks}") or [(None, None)]
        if low is None:
            times = self._fetch(period, "SELECT min(ts_ms), max(ts_ms) FROM {records}")
        else:
            covered = (max(low * BLOCK - first, 0), (high + 1) * BLOCK - first)
            if low * BLOCK < first:
                covered = ((low + 1) * BLOCK - first, covered[1])
            times = self._fetch(period, "SELECT min(first_ms), max(last_ms) FROM {spans}")
            times += self._fetch(period, "SELECT min(ts_ms), max(ts_ms) FROM {records} WHERE n < ?", covered[:1])
            times += self._fetch(period, "SELECT min(ts_ms), max(ts_ms) FROM {records} WHERE n >= ?", covered[1:])
        oldest = [low_ms for low_ms, _ in times if low_ms is not None]
        newest = [high_ms for _, high_ms in times if high_ms is not None]
        return min(oldest, default=None), max(newest, default=None)

    def keys(self, period: Period) -> list[KeyRow]:
        """The period's data keys."""
        rows = self._fetch(period, "SELECT purpose, wrapped_by, wrapped FROM {keys} ORDER BY purpose")
        return [KeyRow(*row) for row in rows]

    def find_name(self, period: Period, kind: str, lookup: bytes) -> NameRow | None:
        """The name with this keyed digest."""
        sql = "SELECT ref, kind, token, lookup, sealed FROM {names} WHERE lookup = ? AND kind = ?"
        rows = self._fetch(period, sql, (lookup, kind))
        return NameRow(*rows[0]) if rows else None

    def find_names(self, period: Period, lookups: Sequence[bytes]) -> list[NameRow]:
        """The names with these keyed digests, in any order."""
        sql = "SELECT ref, kind, token, lookup, sealed FROM {{names}} WHERE lookup IN ({})"
        return [NameRow(*row) for row in self._among(period, sql, lookups)]

    def names(self, period: Period, refs: Sequence[int]) -> list[NameRow]:
        """These names, in any order."""
        sql = "SELECT ref, kind, token, lookup, sealed FROM {{names}} WHERE ref IN ({})"
        return [NameRow(*row) for row in self._among(period, sql, refs)]

    def last_ref(self, period: Period) -> int:
        """The highest ref of the period's names; 0 if it has none."""
        rows = self._fetch(period, "SELECT coalesce(max(ref), 0) FROM {names}")
        return int(rows[0][0]) if rows else 0

    def count_of(self, period: Period, kind: str, ref: int) -> int:
        """How many records of the period are of a room or, as actor, of an account."""
        rows = self._fetch(period, f"SELECT count(*) FROM {{records}} WHERE {_COLUMN[kind]} = ?", (ref,))
        return int(rows[0][0]) if rows else 0

    def newest_of(self, period: Period, kind: str, ref: int) -> int | None:
        """Index of the newest record of a room or, as actor, of an account in the period."""
        rows = self._fetch(period, f"SELECT max(n) FROM {{records}} WHERE {_COLUMN[kind]} = ?", (ref,))
        return None if not rows or rows[0][0] is None else self._first(period) + int(rows[0][0])

    def tallies(self, period: Period) -> Iterator[tuple[bytes, str, int, int]]:
        """Token, `room` or `account`, number of records (as room, as actor) and last index, ordered by token.

        A name that stands in no header, because it was only ever a target, has none.
        """
        counted = " UNION ALL ".join(
            f"SELECT {column} AS ref, count(*) AS records, max(n) AS n FROM {{records}} "
            f"WHERE {column} IS NOT NULL GROUP BY {column}"
            for column in _COLUMN.values()
        )
        sql = (
            "SELECT names.token, names.kind, counted.records, counted.n "
            f"FROM ({counted}) AS counted JOIN {{names}} AS names ON names.ref = counted.ref ORDER BY names.token"
        )
        first = self._first(period)
        for token, kind, records, last in self._stream(period, sql):
            yield token, kind, records, first + last

    def select(self, period: Period, wanted: Selection, limit: int, *, newest_first: bool) -> list[Row]:
        """Records that meet the selection, without `content`, in order of index."""
        first = self._first(period)
        found: list[tuple[Any, ...]] = []
        parts = windows(lambda sql, values: self._fetch(period, sql, values), first, wanted)
        parts = parts[::-1] if newest_first else parts
        search = Search(wanted, newest_first=newest_first, leading=self.leading)
        for start in range(0, len(parts), _WINDOWS):
            chunk, left = parts[start : start + _WINDOWS], limit - len(found)
            if left > 0 and search.led:
                found += self._led(period, search, chunk, left)
            elif left > 0:
                found += self._fetch(period, *search.rows_within(chunk, left))
        return self._rows(period, first, found)

    def _led(self, period: Period, search: Search, parts: Sequence[Window], limit: int) -> list[tuple[Any, ...]]:
        """Rows within some windows: their numbers from the index, and then no more rows than are likely needed."""
        found: list[tuple[Any, ...]] = []
        taken, step = 0, min(limit, _MANY)
        while parts and len(found) < limit:
            numbers = [number for (number,) in self._fetch(period, *search.numbers(parts, step))]
            if numbers:
                found += self._scattered(period, search, parts, numbers)
            if len(numbers) < step:
                break
            taken += step
            parts = search.beyond(parts, numbers[-1])
            # As many more as it takes if others are thrown out as often as these were.
            likely = (limit - len(found)) * taken // max(len(found), 1) + _FEW
            step = min(likely, 4 * step, _MANY)
        return found[:limit]

    def content(self, period: Period, idx: int) -> bytes | None:
        """The sealed content of a record."""
        rows = self._fetch(period, "SELECT content FROM {records} WHERE n = ?", (idx - self._first(period),))
        return rows[0][0] if rows else None

    def leaves(self, shard: int, start: int, end: int) -> list[bytes]:
        """Leaf hashes of [start, end) in order, across periods. Raises KeyError if one was removed."""
        found: list[bytes] = []
        sql = "SELECT leaf FROM {records} WHERE n >= ? AND n < ? ORDER BY n"
        for period, first, last in self._across(shard, start, end):
            low = max(start, first)
            rows = self._fetch(period, sql, (low - first, min(end, last) - first))
            if low != start + len(found):
                break
            found += [leaf for (leaf,) in rows]
        if len(found) != max(end - start, 0):
            raise KeyError(start + len(found))
        return found

    def nodes(self, shard: int, start: int, end: int) -> dict[int, bytes]:
        """Nodes of the complete blocks of [start, end), by block number, as far as they are there."""
        found: dict[int, bytes] = {}
        wanted = (-(-start // BLOCK), end // BLOCK)
        # A block stands in the period that completed it.
        for period, _, _ in self._across(shard, start, end):
            found |= self._fetch(period, "SELECT number, node FROM {blocks} WHERE number >= ? AND number < ?", wanted)
        return found

    def checkpoints(self, shard: int, *, newest: int = 1) -> list[tuple[int, str]]:
        """Size and signed note, the newest first."""
        sql = "SELECT size, note FROM {checkpoints} WHERE log = ? AND shard = ? ORDER BY size DESC LIMIT ?"
        return [(size, note) for size, note in self._fetch(None, sql, (self._log, shard, newest))]

    def bases(self) -> dict[int, tuple[int, tuple[bytes, ...]]]:
        """Of each shard: how many records were removed, and the compact range of these."""
        rows = self._fetch(None, "SELECT shard, size, hashes FROM {bases} WHERE log = ?", (self._log,))
        return {shard: (size, hashes(joined)) for shard, size, joined in rows}

    def _across(self, shard: int, start: int, end: int) -> list[tuple[Period, int, int]]:
        """The shard's periods that hold something of [start, end), with their first index and their end."""
        rows = self._fetch(
            None,
            "SELECT p.month, p.first, coalesce(p.size, s.size) FROM {periods} p JOIN {state} s ON s.log = p.log "
            "WHERE p.log = ? AND p.shard = ? AND p.first < ? AND coalesce(p.size, s.size) > ? ORDER BY p.first",
            (self._log, shard, end, start),
        )
        return [(Period(shard, month), first, last) for month, first, last in rows]

    def _first(self, period: Period) -> int:
        if period not in self._firsts:
            sql = "SELECT first FROM {periods} WHERE log = ? AND shard = ? AND month = ?"
            rows = self._fetch(None, sql, (self._log, *period))
            if not rows:
                return 0
            self._firsts[period] = rows[0][0]
        return self._firsts[period]

    def _rows(self, period: Period, first: int, found: list[tuple[Any, ...]]) -> list[Row]:
        texts = self._known(
            period, {number for row in found for number in (row[3], row[5], row[6]) if number is not None}
        )
        rows = []
        for row in found:
            n, ts_ms, kind, source, position, type_, verdict, times, room, actor, target, room_prev, *rest = row
            actor_prev, facts, leaf, sealed = rest
            rows.append(
                Row(
                    first + n,
                    ts_ms,
                    kind,
                    texts[source],
                    position,
                    None if type_ is None else texts[type_],
                    None if verdict is None else texts[verdict],
                    1 if times is None else times,
                    room,
                    actor,
                    target,
                    None if room_prev is None else first + room_prev,
                    None if actor_prev is None else first + actor_prev,
                    facts,
                    leaf,
                    sealed,
                    None,
                )
            )
        return rows

    def _known(self, period: Period, numbers: set[int]) -> dict[int, str]:
        """Texts never change, so they are remembered."""
        if len(self._texts) > _WORDS_KEPT:
            self._texts.clear()
        missing = [number for number in numbers if (period, number) not in self._texts]
        for number, text in self._among(period, "SELECT ref, text FROM {{words}} WHERE ref IN ({})", missing):
            self._texts[period, number] = text.decode("utf-8", "surrogatepass")
        return {number: self._texts[period, number] for number in numbers}

    def _among(self, period: Period, sql: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Rows of a statement in which `{}` stands for the marks of the values."""
        for start in range(0, len(values), _MANY):
            chunk = values[start : start + _MANY]
            yield from self._fetch(period, sql.format(", ".join("?" * len(chunk))), chunk)
