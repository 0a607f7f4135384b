# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups that were closed, and whose members are to be removed (article 11.1): until it is done, whatever crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction

_COLUMNS = "measure_id, room_id, due_ms, next_ms, tries, done_ms, problem"


@frozen(kw_only=True)
class Removal:
    """One group."""

    measure_id: int
    room_id: str
    due_ms: int
    """Until when its members can read it."""
    next_ms: int
    tries: int
    """How often in succession it failed."""
    done_ms: int | None
    problem: str | None


def add(txn: Transaction, measure_id: int, room_id: str, due_ms: int) -> None:
    """Let the members of a group be removed, in the transaction that closes it."""
    txn.execute(
        "INSERT INTO groupreg_removals (measure_id, room_id, due_ms, next_ms, tries) VALUES (?, ?, ?, ?, 0)"
        " ON CONFLICT (measure_id) DO NOTHING",
        (measure_id, room_id, due_ms, due_ms),
    )


def drop(txn: Transaction, measure_id: int) -> bool:
    """Remove nobody (more): the group is open again. Whether there was something to do."""
    txn.execute("DELETE FROM groupreg_removals WHERE measure_id = ? AND done_ms IS NULL", (measure_id,))
    return bool(txn.rowcount > 0)


def next_due(txn: Transaction, now_ms: int) -> Removal | None:
    """The next group whose time has come."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_removals WHERE done_ms IS NULL AND next_ms <= ? ORDER BY next_ms LIMIT 1",
        (now_ms,),
    )
    row = txn.fetchone()
    return None if row is None else _removal(row)


def waiting(txn: Transaction, measure_id: int) -> bool:
    """Whether it still is to be done."""
    txn.execute("SELECT 1 FROM groupreg_removals WHERE measure_id = ? AND done_ms IS NULL", (measure_id,))
    return txn.fetchone() is not None


def finish(txn: Transaction, measure_id: int, now_ms: int) -> None:
    """Nobody is left."""
    txn.execute(
        "UPDATE groupreg_removals SET done_ms = ?, problem = NULL WHERE measure_id = ?",
        (now_ms, measure_id),
    )


def put_back(txn: Transaction, removal: Removal, *, next_ms: int, problem: str | None) -> None:
    """Go on later; a problem counts as a failed try."""
    tries = removal.tries + 1 if problem else 0
    txn.execute(
        "UPDATE groupreg_removals SET next_ms = ?, tries = ?, problem = ? WHERE measure_id = ? AND done_ms IS NULL",
        (next_ms, tries, problem, removal.measure_id),
    )


def undone(txn: Transaction) -> list[Removal]:
    """All that wait or are under way."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_removals WHERE done_ms IS NULL ORDER BY due_ms")
    return [_removal(row) for row in txn.fetchall()]


def _removal(row: tuple[Any, ...]) -> Removal:
    return Removal(**dict(zip(_COLUMNS.split(", "), row, strict=True)))
