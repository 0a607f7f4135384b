# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Searching the retention store, the newest records first; this blocks (articles 11.4, 13.1, 13.2).

A page costs one look-up of each name and one statement a period, until it is full. Both logs are joined by time as far
as their own order allows: within a log, records come in the order in which they were recorded.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, NamedTuple

from synapse_groupreg.errors import Invalid, Problem
from synapse_groupreg.handlers.retention.reading import Removed
from synapse_groupreg.retention.records import KIND_NUMBERS, Kind, LogName, log_of
from synapse_groupreg.storage.store import Selection
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.handlers.retention.reading import Opener, OpenRecord
    from synapse_groupreg.storage.store import Period, Row

MOST = 1000
"""Records on a page, at most."""
_NAMED = {"room": "room", "account": "account", "actor": "account", "target": "account"}
"""Condition -> kind of the name that it gives."""
_OF_BOTH = {Kind.key, Kind.tally, Kind.close, Kind.epoch}
"""Kinds that each log makes itself."""
_TOKEN = re.compile(r"\d{1,9}\.\d{1,18}(_\d{1,9}\.\d{1,18})*", re.ASCII)


@frozen(kw_only=True)
class Wanted:
    """What a search is for: records that meet all conditions that are given. Times are inclusive."""

    log: LogName | None = None
    room: str | None = None
    account: str | None = None
    """As sender or as target."""
    actor: str | None = None
    """As sender."""
    target: str | None = None
    """As target of what somebody else did."""
    kinds: tuple[Kind, ...] = ()
    types: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    """Of refusals, whether they were enforced or only journalled."""
    from_ms: int | None = None
    to_ms: int | None = None

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The codes, as records have them."""
        return tuple(f"{how}:{code}" for code in self.codes for how in ("refused", "dry"))


class Position(NamedTuple):
    """Where a search goes on in a log: below this index of this shard, and in all older shards."""

    shard: int
    below: int


END = Position(0, 0)
"""There is nothing more."""


@frozen
class Hit:
    """A record that was found."""

    log: LogName
    record: OpenRecord


class Stream:
    """What meets a search in one log, the newest first, as far as one page can need it."""

    def __init__(self, opener: Opener, wanted: Wanted, start: Position | None, limit: int) -> None:
        """`start` is None for the newest. Raises SealError, StoreUnavailable."""
        self.opener = opener
        # One more than the page holds tells whether, and where, it goes on.
        self._found = _found(opener, wanted, start, limit + 1)
        self._taken = 0

    @property
    def next_ms(self) -> int | None:
        """The time of what comes next; None at the end."""
        return self._found[self._taken][1].ts_ms if self._taken < len(self._found) else None

    def take(self) -> tuple[Period, Row]:
        """What comes next, which then belongs to the page."""
        self._taken += 1
        return self._found[self._taken - 1]

    @property
    def position(self) -> Position:
        """Where the next page goes on. What is recorded meanwhile does not move it."""
        if self._taken == len(self._found):
            return END
        period, row = self._found[self._taken]
        return Position(period.shard, row.idx + 1)


def page(streams: Sequence[Stream], limit: int) -> list[Hit]:
    """The newest of all, at most `limit`. Raises SealError, StoreUnavailable."""
    taken: list[tuple[Opener, Period, Row]] = []
    while len(taken) < limit:
        waiting = [(stream.next_ms, at) for at, stream in enumerate(streams) if stream.next_ms is not None]
        if not waiting:
            break
        newest = streams[max(waiting)[1]]
        taken.append((newest.opener, *newest.take()))
    opened = _opened(taken)
    keys = [(opener.log, period, row.idx) for opener, period, row in taken]
    return [Hit(LogName(key[0]), opened[key]) for key in keys if key in opened]


def logs_of(wanted: Wanted) -> list[LogName]:
    """The logs in which there can be such records."""
    possible = {log for kind in wanted.kinds or Kind for log in (LogName if kind in _OF_BOTH else (log_of(kind),))}
    return [log for log in LogName if log in possible and wanted.log in (None, log)]


def _found(opener: Opener, wanted: Wanted, start: Position | None, limit: int) -> list[tuple[Period, Row]]:
    found: list[tuple[Period, Row]] = []
    for period, first in _periods(opener, wanted):
        below = start.below if start is not None and start.shard == period.shard else None
        if len(found) >= limit or (start is not None and period.shard > start.shard) or (below or first + 1) <= first:
            continue
        selection = _selection(opener, period, wanted, below)
        if selection is not None:
            rows = opener.reader.select(period, selection, limit - len(found), newest_first=True)
            found += [(period, row) for row in rows]
    return found


def _periods(opener: Opener, wanted: Wanted) -> list[tuple[Period, int]]:
    """The periods that can have such records, with their first index, the newest first."""
    extents = [(period, first) for period, first, _ in reversed(opener.reader.extents())]
    if wanted.from_ms is None and wanted.to_ms is None:
        return extents
    return [*extents[:1], *(one for one in extents[1:] if _within(opener.times(one[0]), wanted))]


def _within(times: tuple[int | None, int | None], wanted: Wanted) -> bool:
    oldest, newest = times
    early = wanted.from_ms is not None and newest is not None and newest < wanted.from_ms
    late = wanted.to_ms is not None and oldest is not None and oldest > wanted.to_ms
    return not (early or late)


def _selection(opener: Opener, period: Period, wanted: Wanted, below: int | None) -> Selection | None:
    """The search in the numbers of a period; None where a name doesn't occur."""
    refs = {}
    for condition, kind in _NAMED.items():
        name = getattr(wanted, condition)
        if name is not None:
            found = opener.find(period, kind, name)
            if found is None:
                return None
            refs[condition] = found.ref
    return Selection(
        **refs,
        kinds=[KIND_NUMBERS[kind] for kind in wanted.kinds],
        types=wanted.types,
        verdicts=wanted.verdicts,
        from_ms=wanted.from_ms,
        to_ms=wanted.to_ms,
        below=below,
    )


def _opened(taken: Sequence[tuple[Opener, Period, Row]]) -> dict[tuple[str, Period, int], OpenRecord]:
    """Period by period, with one look-up of all names; without what was purged meanwhile."""
    groups: dict[tuple[str, Period], tuple[Opener, list[Row]]] = {}
    for opener, period, row in taken:
        groups.setdefault((opener.log, period), (opener, []))[1].append(row)
    opened = {}
    for (log, period), (opener, rows) in groups.items():
        with contextlib.suppress(Removed):
            opened.update({(log, period, one.row.idx): one for one in opener.open_each(period, rows)})
    return opened


def token_of(positions: Sequence[Position]) -> str | None:
    """What a client gives to go on; None at the end."""
    if all(position == END for position in positions):
        return None
    return "_".join(f"{position.shard}.{position.below}" for position in positions)


def positions_of(token: str | None, count: int) -> list[Position | None]:
    """The inverse of `token_of`, for a search in so many streams. Raises Invalid."""
    if token is None:
        return [None] * count
    parts = token.split("_")
    if not _TOKEN.fullmatch(token) or len(parts) != count:
        raise Invalid([Problem("from", "must be the next_token of the page before")])
    return [Position(*map(int, part.split("."))) for part in parts]
