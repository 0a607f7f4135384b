# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reports of messages, rooms and people, taken once out of Synapse's tables, which no callback shows (article 12.1).

Synapse counts the ids up in memory and inserts in any order, and after a deletion of the newest and a restart it uses
theirs again. So what was taken is remembered by id and time, for as long as something older may turn up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.retention.records import Entry, Kind
from synapse_groupreg.storage.entries import draft, given

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction

    Row = tuple[Any, ...]

OVERLAP_MS = 600_000
"""How much later than a younger one a report may be committed; Synapse's statements give up after ten minutes."""
_PAGE = 100
_TABLES = {
    "message": ("event_reports", "room_id, event_id, NULL"),
    "room": ("room_reports", "room_id, NULL, NULL"),
    "user": ("user_reports", "NULL, NULL, target_user_id"),
}
"""Kind of report -> table, and what it is about there: room, event, account."""


def untaken(txn: Transaction, limit: int) -> bool:
    """Whether `take` would find any."""
    return any(_look(txn, kind, limit)[0] for kind in _TABLES)


def waiting(txn: Transaction, *, most: int) -> tuple[int, int | None]:
    """How many reports wait for `take`, and the time of the oldest. Of new ones of a kind, `most` are counted."""
    times = [row[1] for kind in _TABLES for row in _look(txn, kind, most)[0]]
    return len(times), min(times, default=None)


def take(txn: Transaction, limit: int) -> list[Entry]:
    """Reports that were not taken before; they are now. For one process at a time."""
    return [entry for kind in _TABLES for entry in _take(txn, kind, limit)]


def _look(txn: Transaction, kind: str, limit: int) -> tuple[list[Row], int, int]:
    """What is new, the highest id and the newest time of what is not."""
    txn.execute("SELECT id, ts_ms FROM groupreg_reports_seen WHERE kind = ?", (kind,))
    highest, newest = txn.fetchone() or (0, 0)
    found = _behind(txn, kind, highest, limit)
    return [*found, *(_late(txn, kind, highest, newest - OVERLAP_MS) if highest else [])], highest, newest


def _take(txn: Transaction, kind: str, limit: int) -> list[Entry]:
    found, highest, newest = _look(txn, kind, limit)
    if not found:
        return []
    for row in found:
        txn.execute("INSERT INTO groupreg_reports_taken (kind, id, ts_ms) VALUES (?, ?, ?)", (kind, row[0], row[1]))
    highest, newest = max(highest, *(row[0] for row in found)), max(newest, *(row[1] for row in found))
    txn.execute(
        "INSERT INTO groupreg_reports_seen (kind, id, ts_ms) VALUES (?, ?, ?)"
        " ON CONFLICT (kind) DO UPDATE SET id = excluded.id, ts_ms = excluded.ts_ms",
        (kind, highest, newest),
    )
    txn.execute("DELETE FROM groupreg_reports_taken WHERE kind = ? AND ts_ms < ?", (kind, newest - OVERLAP_MS))
    return [_entry(kind, row) for row in found]


def _behind(txn: Transaction, kind: str, highest: int, limit: int) -> list[Row]:
    """Reports with ids never seen: new, whatever their time says."""
    txn.execute(f"{_select(kind)} WHERE id > ? ORDER BY id LIMIT ?", (highest, limit))
    return txn.fetchall()


def _late(txn: Transaction, kind: str, highest: int, since_ms: int) -> list[Row]:
    """Reports that came in below the highest id: late ones, and ones with the id of a report that was deleted."""
    txn.execute("SELECT id, ts_ms FROM groupreg_reports_taken WHERE kind = ?", (kind,))
    taken = {tuple(row) for row in txn.fetchall()}
    found: list[Row] = []
    below = highest + 1
    while True:
        txn.execute(f"{_select(kind)} WHERE id < ? ORDER BY id DESC LIMIT ?", (below, _PAGE))
        rows = txn.fetchall()
        recent = [row for row in rows if row[1] >= since_ms]
        found += [row for row in recent if (row[0], row[1]) not in taken]
        # What Synapse's clock says falls with the id, but for seconds.
        if not recent or len(rows) < _PAGE:
            return found
        below = rows[-1][0]


def _select(kind: str) -> str:
    table, about = _TABLES[kind]
    return f"SELECT id, received_ts, user_id, reason, {about} FROM {table}"


def _entry(kind: str, row: Row) -> Entry:
    _, ts_ms, author, reason, room, event_id, target = row
    details = given(event_id=event_id, reason=reason)
    return draft(Kind.report, ts_ms, type=kind, actor=author, room=room, target=target, details=details)
