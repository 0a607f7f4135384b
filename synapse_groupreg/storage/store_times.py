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
    [(newest,)] = fetch("SELECT max(number) FROM {blocks} WHERE number >= ?", (begin,)) or [(None,)]
    if newest is None:
        return [Window(0, MOST_RECORDS - 1)]
    # What no whole block covers is always looked at: fewer than two blocks.
    before = Window(0, begin * BLOCK - first - 1)
    after = Window((newest + 1) * BLOCK - first, MOST_RECORDS - 1)
    within = [
        Window(low * BLOCK - first, (high + 1) * BLOCK - 1 - first)
        for run in _runs(fetch, times)
        for low, high in _blocks(fetch, times, begin, run)
    ]
    return [before, *within, after]


def _runs(fetch: Fetch, times: tuple[int, int]) -> list[tuple[int, int]]:
    """Spans that touch the times, neighbours together: a few late records don't make everything between be read."""
    sql = "SELECT number FROM {spans} WHERE last_ms >= ? AND first_ms <= ? ORDER BY number"
    runs: list[tuple[int, int]] = []
    for (number,) in fetch(sql, times):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _blocks(fetch: Fetch, times: tuple[int, int], begin: int, run: tuple[int, int]) -> list[tuple[int, int]]:
    """The first and the last block that touch the times, in a run of spans."""
    touching = "FROM {blocks} WHERE number >= ? AND number <= ? AND last_ms >= ? AND first_ms <= ? ORDER BY number"
    bounds = (max(run[0] * SPAN, begin), (run[1] + 1) * SPAN - 1)
    found = fetch(f"SELECT number {touching} LIMIT 1", (*bounds, *times))
    found += fetch(f"SELECT number {touching} DESC LIMIT 1", (*bounds, *times))
    return [(found[0][0], found[1][0])] if found else []


def spans_of(blocks: Sequence[Block], first: int) -> list[tuple[int, int, int]]:
    """What blocks that were completed say of their spans; not blocks that began in an earlier period."""
    spans: dict[int, tuple[int, int]] = {}
    for block in blocks:
        if block.number * BLOCK >= first:
            low, high = spans.get(block.number // SPAN, (block.first_ms, block.last_ms))
            spans[block.number // SPAN] = (min(low, block.first_ms), max(high, block.last_ms))
    return [(number, *times) for number, times in spans.items()]
