# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finds out that Synapse's database was put back to an older state, and lets the recorder go on from there.

Events that came after the backup are gone from Synapse then, and their positions are given to others; in the store
they stay. From the position on at which both part, each source goes on under the name of its next generation
(`storage/generations.py`). What waited in the outbox of the backup and was recorded since is recorded once.

How it is noticed: after it recorded, the recorder writes to Synapse's database how far it got. In a database that was
put back that is behind what the store says. So it is after a crash in between, too: therefore the newest records are
compared with the events at their positions, which a crash leaves as they are. And the outbox's numbers are given
before they are recorded, so if the last one is below what was recorded, the database is an older one.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.handlers.retention.reading import Opener, Removed
from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.retention.records import Kind, LogName, canonical
from synapse_groupreg.storage import acts, events, generations, outbox, reported
from synapse_groupreg.storage.entries import OUTBOX
from synapse_groupreg.storage.generations import GENERATION
from synapse_groupreg.storage.store import Selection
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.retention.log import Log
    from synapse_groupreg.handlers.retention.reading import OpenRecord
    from synapse_groupreg.retention.records import Entry
    from synapse_groupreg.storage.database import Database, Transaction

    Seal = Callable[[bytes], bytes]

logger = logging.getLogger(__name__)

_PAGE = 1000
_MINUTE_MS = 60_000


@frozen(kw_only=True)
class Stand:
    """What Synapse's database says."""

    told: Mapping[str, int]
    """How far the recorder said that it had got."""
    ends: Mapping[str, int]
    """Where Synapse is with each source."""
    numbered: int
    """The last number that was given to what waits in the outbox."""
    generation: int
    """The newest generation that this database was told to be."""


@attrs.define(kw_only=True)
class Parting:
    """Where records and events of a source part."""

    low: int
    """At this position they are one."""
    at: int
    """The highest known position of that kind."""
    least: int | None = None
    """The lowest position that was looked at."""
    over: bool = False
    """Whether it is found."""
    other: bool = False
    """Whether beyond it Synapse has other events than the records tell of."""
    gone: bool = False
    """Whether beyond it Synapse lacks events that the records tell of."""


class Restored:
    """Looks before each round of recording, which costs one short transaction that reads."""

    def __init__(self, database: Database, homeserver: Homeserver, *, seal: Seal, open_: Seal) -> None:
        self._database = database
        self._homeserver = homeserver
        self._seal = seal
        self._open = open_
        self._looked: Mapping[str, tuple[int, int]] = {}
        """What was found to be right, so that it is not looked at each second: sources, with where they stood."""

    async def look(self, logs: Mapping[LogName, Log]) -> None:
        """Begin a generation if the database was put back. Raises Fenced, StoreUnavailable, SealError."""
        stand = await self._database.run("groupreg_restored", _stand)
        log = logs[LogName.events]
        cursors = log.head.cursors
        taken = max(one.head.cursors.get(OUTBOX, 0) for one in logs.values())
        proven = stand.numbered < taken or stand.generation > generations.of(cursors)
        behind = _behind(stand, generations.positions(cursors), proven=proven)
        if not proven and (not behind or behind == self._looked):
            return
        partings = {source: Parting(low=low, at=low) for source, (low, _) in behind.items()}
        await self._compare(log, partings)
        turns = {
            source: one
            for source, one in partings.items()
            if (proven or one.other or stand.ends.get(source, behind[source][1]) < behind[source][1])
            and _turns(one, behind[source][1], known=source in stand.told)
        }
        if proven or turns:
            await self._begin(logs, stand, taken, turns)
        else:
            self._looked = behind

    async def _compare(self, log: Log, partings: Mapping[str, Parting]) -> None:
        """Go back through the newest records, to where each source's are those of Synapse's events."""
        if not partings:
            return
        pages = _pages(log, partings)
        while page := await self._homeserver.in_thread(next, pages, None):
            for source in {source for source, _ in page}:
                found = [(record.row.position, record.values.get("event_id")) for of, record in page if of == source]
                numbers = [position for position, _ in found]
                known = await self._database.run(
                    "groupreg_restored", events.ids, source.partition("/")[0], min(numbers), max(numbers)
                )
                _part(partings[source], found, known)

    async def _begin(
        self,
        logs: Mapping[LogName, Log],
        stand: Stand,
        taken: int,
        turns: Mapping[str, Parting],
    ) -> None:
        """Say so, and set the cursors. The first is done once, whatever crashes: the generation says whether it was."""
        log = logs[LogName.events]
        before = log.head.cursors
        # After a crash in between it was told already; in a store that began anew there may have been many.
        generation = max(1 + generations.of(before), stand.generation)
        begun = {source: one for source, one in turns.items() if one.other or one.gone}
        recorded = Recorded()
        if stand.numbered < taken:
            for one in logs.values():
                await self._homeserver.in_thread(recorded.learn, one, stand.told.get(OUTBOX, 0))
        now_ms = self._homeserver.now_ms()
        said = {
            "generation": generation,
            "found_ms": now_ms,
            "sources": {
                source: {"goes_on_after": one.at, "recorded_up_to": generations.positions(before)[source]}
                for source, one in sorted(begun.items())
            },
        }

        def settle(txn: Transaction) -> None:
            if stand.numbered < taken:
                outbox.settle(txn, self._seal, self._open, now_ms, above=taken, is_recorded=recorded.has)
            if stand.generation < generation:
                _tell(txn, said, now_ms)

        await self._database.run("groupreg_restored", settle)
        names = generations.current(before)
        cursors = {
            generations.named(source, generation) if source in begun else names[source]: one.at
            for source, one in turns.items()
        }
        await self._homeserver.in_thread(log.append, [], {**cursors, GENERATION: generation}, now_ms)
        logger.warning("Synapse's database was put back to an older state: recording goes on from it, %s", said)


class Recorded:
    """What came by the outbox and is recorded, as far as the backup may have it waiting."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._sums: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
        """Sums of refusals of a minute: their times and counts."""

    def learn(self, log: Log, after: int) -> None:
        """Read the records of a log behind a number of the outbox."""
        parting = Parting(low=after, at=after)
        for page in _pages(log, {OUTBOX: parting}):
            for _, record in page:
                self._add(record)

    def _add(self, record: OpenRecord) -> None:
        row, values = record.row, record.values
        names = tuple(values.pop(field, None) for field in ("room_id", "sender", "target"))
        said = (record.kind, row.ts_ms, row.type, row.verdict, row.times, names, values, record.facts)
        self._known.add(_digest(said))
        if record.kind is Kind.refusal:
            key = (names[1], row.type, row.verdict, row.ts_ms // _MINUTE_MS)
            self._sums.setdefault(key, []).append((row.ts_ms, row.times))

    def has(self, entry: Entry) -> bool:
        """Whether what waits is recorded; of a sum of refusals: within one that went on to grow."""
        if entry.kind is Kind.refusal:
            key = (entry.actor, entry.type, entry.verdict, entry.ts_ms // _MINUTE_MS)
            return any(ts_ms >= entry.ts_ms and count >= entry.count for ts_ms, count in self._sums.get(key, ()))
        names = (entry.room, entry.actor, entry.target)
        said = (entry.kind, entry.ts_ms, entry.type, entry.verdict, entry.count, names, entry.details, entry.facts)
        return _digest(said) in self._known


def _stand(txn: Transaction) -> Stand:
    told = outbox.progress(txn)
    said = reported.restored(txn)
    return Stand(
        told=told,
        ends=events.writers(txn),
        numbered=outbox.last_number(txn),
        generation=1 if said is None else said["generation"],
    )


def _behind(stand: Stand, at: Mapping[str, int], *, proven: bool) -> dict[str, tuple[int, int]]:
    """Sources of which Synapse's database says less than the store, and how far each of both is."""
    found = {}
    for source, cursor in at.items():
        told = stand.told.get(source, 0 if proven else cursor)
        low = min(told, stand.ends.get(source, cursor))
        if low < cursor:
            found[source] = (low, cursor)
    return found


def _pages(log: Log, partings: Mapping[str, Parting]) -> Iterator[list[tuple[str, OpenRecord]]]:
    """Records of these sources beyond where they are known to be one, the newest first, until all partings are over."""
    opener = Opener(log.reader, log.name, log.server_name, log.keys)
    for info in reversed(log.reader.periods()):
        below = info.end
        while not all(one.over for one in partings.values()):
            rows = log.reader.select(info.period, Selection(below=below), _PAGE, newest_first=True)
            if not rows:
                break
            below = rows[-1].idx
            wanted = []
            for row in rows:
                parting = partings.get(generations.source_of(row.source))
                if parting is not None and not parting.over:
                    parting.over = row.position <= parting.low
                    wanted += [] if parting.over else [row]
            try:
                opened = opener.open(info.period, wanted) if wanted else []
            except Removed:
                return
            if opened:
                yield [(generations.source_of(one.row.source), one) for one in opened]


def _part(parting: Parting, found: Iterable[tuple[int, str | None]], known: Mapping[int, str]) -> None:
    """Compare records, the newest first, with the events at their positions."""
    for position, event_id in found:
        if known.get(position) == event_id:
            parting.at, parting.over = position, True
            return
        parting.least = position
        parting.other |= position in known
        parting.gone |= position not in known


def _turns(parting: Parting, cursor: int, *, known: bool) -> bool:
    """Whether a source goes on from elsewhere. `known`: the database knew it when the backup was made."""
    if not (known or parting.at):
        # The backup is of before there were any records: what Synapse had then was not to be recorded.
        parting.at = cursor if parting.least is None else parting.least - 1
    return parting.at < cursor


def _tell(txn: Transaction, said: Mapping[str, Any], now_ms: int) -> None:
    reported.report_restored(txn, said)
    acts.append(
        txn,
        now_ms=now_ms,
        author=SERVER,
        action="synapse-restored",
        subject="Synapse's database",
        reason="an older state of it was put back",
        before=None,
        after=said,
    )


def _digest(said: tuple[Any, ...]) -> bytes:
    kind, *rest = said
    text = canonical([Kind(kind).value, *json.loads(json.dumps(rest, default=dict))])
    return hashlib.sha256(text.encode()).digest()
