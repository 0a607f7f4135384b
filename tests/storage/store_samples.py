# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A log that is written through the contract, and remembered: what a store of it must answer, from a plain list."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from synapse_groupreg.storage.store import Batch, Block, Head, KeyRow, NameRow, Period, Row
from synapse_groupreg.storage.store_schema import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from synapse_groupreg.storage.store import Selection
    from synapse_groupreg.storage.store_engine import Store, StoreReader

NOVEMBER = Period(1, "2026-11")
DECEMBER = Period(1, "2026-12")
JANUARY = Period(1, "2027-01")
NOON = 1_795_000_000_000
KEYS = [KeyRow("details", "k1", b"\x01" * 40), KeyRow("names", "k1", b"\x02" * 40)]


class Place(Protocol):
    """Where a log of the test's own is, on one engine."""

    def store(self, log: str = "events") -> Store: ...
    def reader(self, log: str = "events") -> StoreReader: ...
    def close(self) -> None: ...


def digest(*what: object) -> bytes:
    return hashlib.sha256(repr(what).encode()).digest()


def row(idx: int, ts_ms: int = NOON, **given: Any) -> Row:
    values: dict[str, Any] = {
        "idx": idx,
        "ts_ms": ts_ms,
        "kind": 0,
        "source": "events/master",
        "position": idx + 1000,
        "type": "m.room.message",
        "verdict": None,
        "times": 1,
        "room": None,
        "actor": None,
        "target": None,
        "room_prev": None,
        "actor_prev": None,
        "facts": None,
        "leaf": digest("leaf", idx),
        "sealed": digest("sealed", idx) * 2,
        "content": None,
    }
    return Row(**{**values, **given})


def name(ref: int, kind: str = "account") -> NameRow:
    return NameRow(ref, kind, digest("token", ref)[:16], digest("lookup", ref)[:16], digest("name", ref))


@attrs.define
class Log:
    """Writes a log, and is the model of it."""

    store: Store
    head: Head | None = None
    rows: dict[int, Row] = attrs.field(factory=dict)
    """Of the shard, by index."""
    names: dict[Period, dict[int, NameRow]] = attrs.field(factory=dict)

    def now(self) -> Head:
        assert self.head is not None
        return self.head

    def begin(self, period: Period = NOVEMBER, keys: Sequence[KeyRow] = KEYS) -> Head:
        before = self.head if self.head is not None else self.store.acquire()
        after = following(before, period)
        if before is not None and period.shard != before.period.shard:
            self.rows.clear()
        self.head = self.store.begin(before, after, keys)
        self.names[period] = {}
        return self.head

    def append(self, rows: Sequence[Row], names: Sequence[NameRow] = (), **after: Any) -> Head:
        batch = self.batch(rows, names, **after)
        self.head = self.store.append(self.now(), batch)
        self.rows |= {one.idx: one for one in rows}
        self.names[self.head.period] |= {one.ref: one for one in names}
        return self.head

    def batch(self, rows: Sequence[Row], names: Sequence[NameRow] = (), **after: Any) -> Batch:
        before = self.now()
        size = before.size + len(rows)
        cursors = dict(before.cursors)
        for one in rows:
            cursors[one.source] = one.position
        given = {"size": size, "cursors": cursors, "frontier": (digest("frontier", size),), **after}
        return Batch(
            rows=rows,
            names=names,
            blocks=blocks(self.rows | {one.idx: one for one in rows}, before.size, size),
            after=attrs.evolve(before, **given),
        )

    def fill(self, count: int, start_ms: int = NOON) -> Head:
        """Append records of three rooms and five accounts, a second apart."""
        size = self.now().size
        new = [
            row(idx, start_ms + idx * 1000, room=1 + idx % 3, actor=11 + idx % 5) for idx in range(size, size + count)
        ]
        known = self.names[self.now().period]
        fresh = {ref: "room" if ref < 10 else "account" for one in new for ref in (one.room, one.actor) if ref}
        return self.append(new, [name(ref, kind) for ref, kind in fresh.items() if ref not in known])

    def of(self, info: Period, reader: StoreReader) -> list[Row]:
        """The model's records of a period."""
        [found] = [one for one in reader.periods() if one.period == info]
        return [self.rows[idx] for idx in range(found.first, found.end)]


def following(before: Head | None, period: Period) -> Head:
    """The head of a period that begins after `before`."""
    if before is None:
        return Head(epoch=1, period=period, first=0, size=0, frontier=(), cursors={}, closed=False)
    if period.shard != before.period.shard:
        fresh: dict[str, Any] = {"first": 0, "size": 0, "frontier": (), "base": (), "base_size": 0}
        return attrs.evolve(before, period=period, closed=False, **fresh)
    return attrs.evolve(before, period=period, first=before.size, closed=False)


def blocks(rows: dict[int, Row], before: int, after: int) -> list[Block]:
    """The blocks that were completed when the log grew."""
    found = []
    for number in range(before // BLOCK, after // BLOCK):
        times = [rows[idx].ts_ms for idx in range(number * BLOCK, (number + 1) * BLOCK)]
        found.append(Block(number, digest("block", number), min(times), max(times)))
    return found


def meets(one: Row, wanted: Selection) -> bool:
    """What a selection says, word for word."""
    conditions = (
        wanted.room is None or one.room == wanted.room,
        wanted.account is None or wanted.account in (one.actor, one.target),
        wanted.actor is None or one.actor == wanted.actor,
        wanted.target is None or (one.target == wanted.target and one.actor != wanted.target),
        not wanted.kinds or one.kind in wanted.kinds,
        not wanted.types or one.type in wanted.types,
        not wanted.verdicts or one.verdict in wanted.verdicts,
        wanted.from_ms is None or one.ts_ms >= wanted.from_ms,
        wanted.to_ms is None or one.ts_ms <= wanted.to_ms,
        wanted.below is None or one.idx < wanted.below,
        wanted.since is None or one.idx >= wanted.since,
    )
    return all(conditions)


def selected(rows: Iterable[Row], wanted: Selection, limit: int, *, newest_first: bool) -> list[Row]:
    found = sorted((one for one in rows if meets(one, wanted)), key=lambda one: one.idx, reverse=newest_first)
    return [one._replace(content=None) for one in found[:limit]]
