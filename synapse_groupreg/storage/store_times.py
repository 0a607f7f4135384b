# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""From times to numbers of records. There is no index of times: blocks say between which times their records are.

Times need not ascend, so what comes out may hold more than was asked for, and never less; each row's own time decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.storage.store_schema import BLOCK, MOST_RECORDS, SPAN
from synapse_groupreg.storage.store_select import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_groupreg.storage.store import Block, Selection

    Fetch = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

_LONG_AGO = -(1 << 62)
_AT_LAST = 1 << 62


def windows(fetch: Fetch, first: int, wanted: Selection) -> list[Window]:
    """Where in a period that begins at index `first` the selection's records can be, in ascending order."""
    low = 0 if wanted.since is None else max(wanted.since - first, 0)
    high = MOST_RECORDS - 1 if wanted.below is None else min(wanted.below - first, MOST_RECORDS) - 1
    if wanted.from_ms is None and wanted.to_ms is None:
        parts = [Window(0, MOST_RECORDS - 1)]
    else:
        times = (
            _LONG_AGO if wanted.from_ms is None else wanted.from_ms,
            _AT_LAST if wanted.to_ms is None else wanted.to_ms,
        )
        parts = _at(fetch, first, times)
    clipped = [Window(max(part.low, low), min(part.high, high)) for part in parts]
    return [part for part in clipped if part.low <= part.high]


def _at(fetch: Fetch, first: int, times: tuple[int, int]) -> list[Window]:
    begin = -(-first // BLOCK)  # the first block that lies wholly within the period
    # Most searches are of times that lie before the block that isn't complete, of which nothing is looked at then.
    sql = (
        f"SELECT newest, low, high, spans, EXISTS (SELECT 1 FROM {{records}} WHERE n >= (newest + 1) * {BLOCK} - ? "
        "AND ts_ms >= ? AND ts_ms <= ?) "
        "FROM (SELECT max(number) AS newest FROM {blocks} WHERE number >= ?) AS b, "
        "(SELECT min(number) AS low, max(number) AS high, count(*) AS spans FROM {spans} "
        "WHERE last_ms >= ? AND first_ms <= ?) AS s"
    )
    rows = fetch(sql, (first, *times, begin, *times))
    newest, low, high, spans, lately = rows[0] if rows else (None,) * 5
    if newest is None:
        return [Window(0, MOST_RECORDS - 1)]
    # What no whole block covers: fewer than two blocks, of which the older one is always looked at.
    found = [Window(0, begin * BLOCK - first - 1)]
    found += [
        Window(one * BLOCK - first, (last + 1) * BLOCK - 1 - first)
        for run in (_runs(fetch, times, (low, high), spans) if spans else ())
        for one, last in _blocks(fetch, times, (max(run[0] * SPAN, begin), min((run[1] + 1) * SPAN - 1, newest)))
    ]
    return [*found, Window((newest + 1) * BLOCK - first, MOST_RECORDS - 1)] if lately else found


def _runs(fetch: Fetch, times: tuple[int, int], ends: tuple[int, int], count: int) -> list[tuple[int, int]]:
    """The spans that touch the times, neighbours together: so a few late records don't make all between be read."""
    if count == ends[1] - ends[0] + 1:
        return [ends]
    runs: list[tuple[int, int]] = []
    for (number,) in fetch("SELECT number FROM {spans} WHERE last_ms >= ? AND first_ms <= ? ORDER BY number", times):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _blocks(fetch: Fetch, times: tuple[int, int], bounds: tuple[int, int]) -> list[tuple[int, int]]:
    """The first and the last block that touch the times, between two blocks.

    INVARIANT: not beyond the newest that was seen, or what was completed since would be found here and after it.
    """
    touching = "SELECT number FROM {blocks} WHERE number >= ? AND number <= ? AND last_ms >= ? AND first_ms <= ?"
    ends = (f"SELECT * FROM ({touching} ORDER BY number {order} LIMIT 1) AS e" for order in ("ASC", "DESC"))
    found = [number for (number,) in fetch(" UNION ALL ".join(ends), (*bounds, *times) * 2)]
    return [(min(found), max(found))] if found else []


def spans_of(blocks: Sequence[Block], first: int) -> list[tuple[int, int, int]]:
    """What blocks that were completed say of their spans; not blocks that began in an earlier period."""
    spans: dict[int, tuple[int, int]] = {}
    for block in blocks:
        if block.number * BLOCK >= first:
            low, high = spans.get(block.number // SPAN, (block.first_ms, block.last_ms))
            spans[block.number // SPAN] = (min(low, block.first_ms), max(high, block.last_ms))
    return [(number, *times) for number, times in spans.items()]
