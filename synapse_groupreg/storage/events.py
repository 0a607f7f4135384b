# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Synapse's events, each once, writer by writer. Reads Synapse's tables and writes none of them.

A source is `events/<writer>` or `backfill/<writer>`: one process that persists events, and its stream of new ones or
of older history that it fetched. A position is a stream ordering; of history, where these count down, its negative.
INVARIANT: what Synapse calls a writer's position was reached after every event of this writer up to there was
committed, so reading up to it, and on from there, sees each event once. The highest number that stands in the table
says nothing of the kind: lower ones may be committed later.

What Synapse removes before it was read would be lost: `handlers/draining.py` holds up deletions and purges until it was
read. The expiry of single messages asks nobody, but touches old ones only, so it takes a recorder that stood still for
as long as they were to be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from synapse_groupreg.storage.event_rows import ROW, entries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.config.retention import Content
    from synapse_groupreg.retention.records import Entry
    from synapse_groupreg.storage.database import Dialect, Transaction

STREAMS = ("events", "backfill")
SETTLED_AFTER_MS = 900_000
"""An event of a writer that is no more counts as its last after this time; Synapse's statements give up earlier."""
_WRITER = "COALESCE(instance_name, 'master')"  # before 2020 there was only one, and it had no name


def source_of(stream: str, writer: str) -> str:
    """How a stream of a writer is called."""
    return f"{stream}/{writer}"


def note_start(txn: Transaction, dialect: Dialect, writer: str) -> None:
    """Look at what this process wrote before it stopped; to be called as it starts, before it can write again.

    Synapse notes a writer's position after its events are committed. After a crash in between they stand beyond the
    position until the writer writes again, which may take long. But a process that starts has nothing under way: what
    it wrote before is there, at the latest when the transactions of this moment have ended.
    """
    positions = _positions(txn)
    txid = 0
    if dialect == "postgres":
        txn.execute("SELECT txid_current()")
        txid = int(txn.fetchone()[0])
    for stream in STREAMS:
        source = source_of(stream, writer)
        txn.execute("SELECT first FROM groupreg_writers WHERE source = ?", (source,))
        known = txn.fetchone()
        first = int(known[0]) if known else _newest(txn, stream)
        settled = _newest(txn, stream, writer=writer, above=positions.get(source, first))
        txn.execute(
            "INSERT INTO groupreg_writers (source, first, settled, txid) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (source) DO UPDATE SET settled = excluded.settled, txid = excluded.txid",
            (source, first, settled, txid),
        )


def writers(txn: Transaction) -> dict[str, int]:
    """Up to which position each source can be read now."""
    ends = _positions(txn)
    txn.execute("SELECT source, first, settled, txid FROM groupreg_writers")
    ahead = [row for row in txn.fetchall() if row[2] > ends.get(row[0], row[1])]
    oldest = _oldest_transaction(txn) if any(txid for *_, txid in ahead) else 1
    return ends | {source: int(settled) for source, _, settled, txid in ahead if txid < oldest}


def left_over(txn: Transaction, cursors: Mapping[str, int], now_ms: int) -> dict[str, int]:
    """The same for sources that Synapse knows no more: a writer was renamed or removed, and left events unread.

    It looks through all events behind those cursors, so it is for the start, and for once an hour.
    """
    ends = {}
    known = writers(txn)
    for source, cursor in cursors.items():
        stream, _, writer = source.partition("/")
        if stream in STREAMS and source not in known:
            newest = _newest(txn, stream, writer=writer, above=cursor, before_ms=now_ms - SETTLED_AFTER_MS)
            if newest > cursor:
                ends[source] = newest
    return ends


def first(txn: Transaction, source: str) -> int:
    """Behind which position a source begins that turned up after the start: that of a new writer."""
    txn.execute("SELECT first FROM groupreg_writers WHERE source = ?", (source,))
    row = txn.fetchone()
    return 0 if row is None else int(row[0])


def start_positions(txn: Transaction, from_: Literal["now", "beginning"]) -> dict[str, int]:
    """The cursors of a recorder that begins. `beginning` looks through all events, for writers that are no more."""
    now = _positions(txn)
    if from_ == "now":
        # Where each writer was as it started: people may have been faster than the recorder.
        txn.execute("SELECT source, settled FROM groupreg_writers")
        return now | {source: min(int(settled), now.get(source, int(settled))) for source, settled in txn.fetchall()}
    txn.execute(f"SELECT DISTINCT {_WRITER}, stream_ordering > 0 FROM events")
    wrote = {source_of(STREAMS[0 if new else 1], writer) for writer, new in txn.fetchall()}
    return dict.fromkeys(sorted(wrote | set(now)), 0)


def read(txn: Transaction, source: str, after: int, upto: int, limit: int, *, content: Content = "hash") -> list[Entry]:
    """Events of a source in (after, upto], in order. Fewer than `limit` means that there are no more up to there."""
    return entries(source, rows(txn, source, after, upto, limit), content=content)


def rows(txn: Transaction, source: str, after: int, upto: int, limit: int) -> list[Any]:
    """The same as they stand in the database; for `entries`, which takes longer and needs no transaction."""
    stream, _, writer = source.partition("/")
    order, within, bounds = _window(stream, after, upto)
    txn.execute(
        f"SELECT {ROW} FROM events AS e LEFT JOIN event_json AS j ON j.event_id = e.event_id"
        f" WHERE {within} AND {_WRITER} = ? ORDER BY e.stream_ordering {order} LIMIT ?",
        (*bounds, writer, limit),
    )
    return txn.fetchall()


def count_between(txn: Transaction, source: str, after: int, upto: int, *, most: int) -> int:
    """How many events a source has in (after, upto]; of no more than `most` events, whoever wrote them, it looks."""
    stream, _, writer = source.partition("/")
    _, within, bounds = _window(stream, after, upto)
    some = f"SELECT e.instance_name FROM events AS e WHERE {within} LIMIT ?"
    txn.execute(f"SELECT count(*) FROM ({some}) AS e WHERE {_WRITER} = ?", (*bounds, most, writer))
    return int(txn.fetchone()[0])


def ids(txn: Transaction, stream: str, first: int, last: int) -> dict[int, str]:
    """The event at each position of a stream from `first` to `last`, whoever wrote it."""
    _, within, bounds = _window(stream, first - 1, last)
    txn.execute(f"SELECT e.stream_ordering, e.event_id FROM events AS e WHERE {within}", bounds)
    return {abs(int(ordering)): str(event_id) for ordering, event_id in txn.fetchall()}


def unread(txn: Transaction, room_id: str, cursors: Mapping[str, int]) -> bool:
    """Whether a room has events that a recorder with these cursors has not read."""
    # Not those of writers that were no more when the recorder began: they are none of its sources.
    behind = {source: first(txn, source) for source in writers(txn)} | dict(cursors)
    for stream in STREAMS:
        beyond, sign = _beyond(stream, min((at for source, at in behind.items() if _of(stream, source)), default=0))
        txn.execute(
            f"SELECT {_WRITER}, max({sign}stream_ordering) FROM events WHERE room_id = ? AND {beyond}"
            f" GROUP BY {_WRITER}",
            (room_id,),
        )
        found = {source_of(stream, writer): newest for writer, newest in txn.fetchall()}
        if any(newest > behind.get(source, newest) for source, newest in found.items()):
            return True
    return False


def _of(stream: str, source: str) -> bool:
    return source.startswith(f"{stream}/")


def _positions(txn: Transaction) -> dict[str, int]:
    txn.execute(
        "SELECT stream_name, instance_name, stream_id FROM stream_positions WHERE stream_name IN ('events', 'backfill')"
    )
    return {source_of(stream, writer): abs(int(position)) for stream, writer, position in txn.fetchall()}


def _newest(
    txn: Transaction, stream: str, *, writer: str | None = None, above: int = 0, before_ms: int | None = None
) -> int:
    """The highest position in a stream that is above another; that other one if there is none."""
    beyond, sign = _beyond(stream, above)
    conditions: list[str] = [beyond]
    values: list[Any] = []
    if writer is not None:
        conditions.append(f"{_WRITER} = ?")
        values.append(writer)
    if before_ms is not None:
        conditions.append("received_ts < ?")
        values.append(before_ms)
    txn.execute(f"SELECT max({sign}stream_ordering) FROM events WHERE {' AND '.join(conditions)}", values)
    return int(txn.fetchone()[0] or above)


def _beyond(stream: str, above: int) -> tuple[str, str]:
    """The condition for being above a position, and the sign that makes a position of a stream ordering."""
    return (f"stream_ordering > {int(above)}", "") if stream == "events" else (f"stream_ordering < {-int(above)}", "-")


def _window(stream: str, after: int, upto: int) -> tuple[str, str, tuple[int, int]]:
    if stream == "events":
        return "", "e.stream_ordering > ? AND e.stream_ordering <= ?", (max(after, 0), upto)
    return "DESC", "e.stream_ordering < ? AND e.stream_ordering >= ?", (min(-after, 0), -upto)


def _oldest_transaction(txn: Transaction) -> int:
    txn.execute("SELECT txid_snapshot_xmin(txid_current_snapshot())")
    return int(txn.fetchone()[0])
