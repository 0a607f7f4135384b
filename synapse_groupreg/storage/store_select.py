# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The statement behind a search in one period: which index leads, and what is only looked at on the way.

Each branch walks one index in order of the record's number and stops after `limit` rows; an account's records are two
branches (as actor, as target), several kinds are several, merged in order. There is no index of times: see `windows`.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.storage.store import Selection

FIELDS = (
    "n, ts_ms, kind, source, position, type, verdict, times, room, actor, target, room_prev, actor_prev, facts, "
    "leaf, sealed"
)


class Window(NamedTuple):
    """Numbers of records within a period, both inclusive."""

    low: int
    high: int


@attrs.frozen
class _Branch:
    """An index that leads: its column and value, and a condition that belongs to it."""

    column: str | None
    value: int = 0
    also: str = ""
    values: tuple[int, ...] = ()


def statement(
    wanted: Selection, windows: Sequence[Window], limit: int, *, newest_first: bool, leading: str
) -> tuple[str, list[Any]]:
    """SQL and its values. `leading` is the engine's wording for "this column is that value, n within the window"."""
    direction = "DESC" if newest_first else "ASC"
    branches = _branches(wanted)
    led_by = {branch.column for branch in branches}
    conditions, values = _filters(wanted, led_by)
    parts: list[str] = []
    given: list[Any] = []
    for branch, window in itertools.product(branches, windows):
        where, bound = _where(branch, window, leading)
        ordered = _order(branch, direction, leading)
        parts.append(f"SELECT {FIELDS} FROM {{records}} WHERE {where}{conditions} ORDER BY {ordered} LIMIT ?")
        given += [*bound, *values, limit]
    if len(parts) == 1:
        return parts[0], given
    union = " UNION ALL ".join(f"SELECT * FROM ({part}) AS b{number}" for number, part in enumerate(parts))
    return f"{union} ORDER BY n {direction} LIMIT ?", [*given, limit]


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
    return [_Branch(None)]


def _as_target(account: int) -> _Branch:
    others = " AND target IS NOT NULL AND (actor IS NULL OR actor <> ?)"
    return _Branch("target", account, others, (account,))


def _where(branch: _Branch, window: Window, leading: str) -> tuple[str, list[Any]]:
    if branch.column is None:
        return "n >= ? AND n <= ?", list(window)
    values = [branch.value, window.low, branch.value, window.high]
    return leading.format(column=branch.column) + branch.also, [*values, *branch.values]


def _order(branch: _Branch, direction: str, leading: str) -> str:
    # Where the leading condition compares pairs, the pair is the order too, and no other index can give it.
    if branch.column is not None and leading.startswith("("):
        return f"{branch.column} {direction}, n {direction}"
    return f"n {direction}"


def _filters(wanted: Selection, led_by: set[str | None]) -> tuple[str, list[Any]]:
    found: list[tuple[str, Sequence[Any]]] = []
    # The sign keeps a planner from letting this column's index lead.
    if wanted.room is not None and "room" not in led_by:
        found.append(("+room = ?", (wanted.room,)))
    if wanted.target is not None and "target" not in led_by:
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
