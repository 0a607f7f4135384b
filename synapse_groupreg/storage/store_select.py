# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The statements behind a search in one period: which index leads, and what is only looked at on the way.

The hundred rows of a page lie anywhere in a period, each on a page of its own that may have to come from the disk. So
first the numbers of records are taken from the index that leads, which has them side by side, and then only these rows
are read. An account's records are two branches (as actor, as target), several kinds are several, merged in order. There
is no index of times: see `windows`.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_groupreg.storage.store import Selection

FIELDS = (
    "n, ts_ms, kind, source, position, type, verdict, times, room, actor, target, room_prev, actor_prev, facts, "
    "leaf, sealed"
)


class Window(NamedTuple):
    """Numbers of records within a period, both inclusive."""

    low: int
    high: int


@frozen
class _Branch:
    """An index that leads: its column and value, and a condition that belongs to it."""

    column: str
    value: int
    also: str = ""


class Search:
    """A selection as statements. `leading` is the engine's wording for "this column is that value, n in the window"."""

    def __init__(self, wanted: Selection, *, newest_first: bool, leading: str) -> None:
        self._branches = _branches(wanted)
        self._direction = "DESC" if newest_first else "ASC"
        self._leading = leading
        self._conditions, self._values = _filters(wanted, {branch.column for branch in self._branches})
        self.led = bool(self._branches)
        """Whether an index leads; else all rows of a window are looked at as they lie."""

    def numbers(self, windows: Sequence[Window], limit: int) -> tuple[str, list[Any]]:
        """The first so many numbers of records in the windows, each once, of which `rows` may leave some out."""
        parts: list[str] = []
        given: list[Any] = []
        for where, values, branch in self._led_by(windows):
            ordered = _order(branch, self._direction, self._leading)
            parts.append(f"SELECT n FROM {{records}} WHERE {where} ORDER BY {ordered} LIMIT ?")
            given += [*values, limit]
        if len(parts) == 1:
            return parts[0], given
        union = " UNION ".join(f"SELECT n FROM ({part}) AS b{number}" for number, part in enumerate(parts))
        return f"{union} ORDER BY n {self._direction} LIMIT ?", [*given, limit]

    def rows(self, numbers: Sequence[int]) -> tuple[str, list[Any]]:
        """Those of these records that meet the selection."""
        return self._rows(f"n IN ({_marks(numbers)})"), [*numbers, *self._values]

    def rows_between(self, windows: Sequence[Window], numbers: Sequence[int]) -> tuple[str, list[Any]]:
        """The same, where `numbers` are the first ones in the windows; by the index that found them, not by numbers."""
        ends = min(numbers), max(numbers)
        clipped = [Window(max(low, ends[0]), min(high, ends[1])) for low, high in windows]
        parts = list(self._led_by([window for window in clipped if window.low <= window.high]))
        sql = self._rows(f"({' OR '.join(f'({where})' for where, _, _ in parts)})")
        return sql, [*itertools.chain(*(values for _, values, _ in parts)), *self._values]

    def _led_by(self, windows: Sequence[Window]) -> Iterator[tuple[str, list[int], _Branch]]:
        """The condition, and its values, of each index in each window."""
        for branch, (low, high) in itertools.product(self._branches, windows):
            where = self._leading.format(column=branch.column) + branch.also
            yield where, [branch.value, low, branch.value, high], branch

    def rows_within(self, windows: Sequence[Window], limit: int) -> tuple[str, list[Any]]:
        """The first so many records in the windows that meet the selection, where no index leads."""
        part = self._rows("n >= ? AND n <= ?") + " LIMIT ?"
        union = " UNION ALL ".join(f"SELECT * FROM ({part}) AS b{number}" for number in range(len(windows)))
        given = [value for window in windows for value in (*window, *self._values, limit)]
        return f"{union} ORDER BY n {self._direction} LIMIT ?", [*given, limit]

    def _rows(self, where: str) -> str:
        return f"SELECT {FIELDS} FROM {{records}} WHERE {where}{self._conditions} ORDER BY n {self._direction}"

    def beyond(self, windows: Sequence[Window], number: int) -> list[Window]:
        """What is left of the windows after this number."""
        if self._direction == "DESC":
            clipped = [Window(low, min(high, number - 1)) for low, high in windows]
        else:
            clipped = [Window(max(low, number + 1), high) for low, high in windows]
        return [window for window in clipped if window.low <= window.high]


def _branches(wanted: Selection) -> list[_Branch]:
    if wanted.actor is not None:
        return [_Branch("actor", wanted.actor)]
    if wanted.target is not None:
        return [_as_target(wanted.target)]
    if wanted.account is not None:
        return [_Branch("actor", wanted.account), _as_target(wanted.account)]
    if wanted.room is not None:
        return [_Branch("room", wanted.room)]
    # The commonest kind, 0, is not indexed: nearly every record is found.
    if wanted.kinds and all(wanted.kinds):
        return [_Branch("kind", kind, " AND kind <> 0") for kind in sorted(set(wanted.kinds))]
    return []


def _as_target(account: int) -> _Branch:
    return _Branch("target", account, " AND target IS NOT NULL")


def _order(branch: _Branch, direction: str, leading: str) -> str:
    # Where the leading condition compares pairs, the pair is the order too, and no other index can give it.
    if leading.startswith("("):
        return f"{branch.column} {direction}, n {direction}"
    return f"n {direction}"


def _filters(wanted: Selection, led_by: set[str]) -> tuple[str, list[Any]]:
    found: list[tuple[str, Sequence[Any]]] = []
    # The sign keeps a planner from letting this column's index lead.
    if wanted.room is not None and "room" not in led_by:
        found.append(("+room = ?", (wanted.room,)))
    if wanted.target is not None:
        found.append(("(+target = ? AND (actor IS NULL OR actor <> ?))", (wanted.target, wanted.target)))
    if wanted.account is not None and (wanted.actor, wanted.target) != (None, None):
        found.append(("(+actor = ? OR +target = ?)", (wanted.account, wanted.account)))
    if wanted.kinds and "kind" not in led_by:
        found.append((f"+kind IN ({_marks(wanted.kinds)})", wanted.kinds))
    found += _words("type", wanted.types) + _words("verdict", wanted.verdicts)
    if wanted.from_ms is not None:
        found.append(("ts_ms >= ?", (wanted.from_ms,)))
    if wanted.to_ms is not None:
        found.append(("ts_ms <= ?", (wanted.to_ms,)))
    return "".join(f" AND {text}" for text, _ in found), [value for _, values in found for value in values]


def _words(column: str, texts: Sequence[str]) -> list[tuple[str, Sequence[Any]]]:
    if not texts:
        return []
    within = f"{column} IN (SELECT ref FROM {{words}} WHERE text IN ({_marks(texts)}))"
    return [(within, [encoded(text) for text in texts])]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def encoded(text: str) -> bytes:
    """A word as it is stored; any string is."""
    return text.encode("utf-8", "surrogatepass")
