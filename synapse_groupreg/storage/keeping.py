# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Legal holds, and the work that waits for the recorder: what only the owner of the retention store may do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.storage import paging
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.storage.database import Transaction

PURGE, LOOK, ROTATE, EPOCH, ERASE = "purge", "look", "rotate", "epoch", "erase"
"""Kinds of work: remove a period; look at once for what is due; change keys; go on after a loss; erase in a period."""
_HOLD = "id, log, from_ms, to_ms, until_ms, reason, basis, author, made_ms, lifted_ms, lifted_by"


@frozen(kw_only=True)
class Hold:
    """Records from `from_ms` to `to_ms` that are kept until `until_ms`, whatever `keep` says."""

    id: int = 0
    log: str
    from_ms: int
    to_ms: int
    until_ms: int
    reason: str
    basis: str
    author: str
    made_ms: int
    lifted_ms: int | None = None
    lifted_by: str | None = None

    def in_force(self, now_ms: int) -> bool:
        """Whether it keeps anything now."""
        return self.lifted_ms is None and now_ms < self.until_ms

    def touches(self, oldest_ms: int | None, newest_ms: int | None) -> bool:
        """Whether any of its time lies between these; of a period that has no records, none does."""
        if oldest_ms is None or newest_ms is None:
            return False
        return self.from_ms <= newest_ms and oldest_ms <= self.to_ms


@frozen(kw_only=True)
class Work:
    """Something that the recorder is to do."""

    id: int
    kind: str
    log: str
    subject: str
    payload: dict[str, Any]
    made_ms: int
    outbox_id: int | None


def add_hold(txn: Transaction, hold: Hold) -> Hold:
    """Write a new hold; the one returned has its number."""
    txn.execute(
        "INSERT INTO groupreg_holds (log, from_ms, to_ms, until_ms, reason, basis, author, made_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (hold.log, hold.from_ms, hold.to_ms, hold.until_ms, hold.reason, hold.basis, hold.author, hold.made_ms),
    )
    return attrs.evolve(hold, id=int(txn.fetchall()[0][0]))


def get_hold(txn: Transaction, hold_id: int) -> Hold | None:
    """One hold."""
    txn.execute(f"SELECT {_HOLD} FROM groupreg_holds WHERE id = ?", (hold_id,))
    row = txn.fetchone()
    return None if row is None else _hold(row)


def extend_hold(txn: Transaction, hold_id: int, until_ms: int) -> None:
    """Set when a hold ends."""
    txn.execute("UPDATE groupreg_holds SET until_ms = ? WHERE id = ?", (until_ms, hold_id))


def lift_hold(txn: Transaction, hold_id: int, by: str, now_ms: int) -> None:
    """End a hold."""
    txn.execute(
        "UPDATE groupreg_holds SET lifted_ms = ?, lifted_by = ? WHERE id = ? AND lifted_ms IS NULL",
        (now_ms, by, hold_id),
    )


def holds_in_force(txn: Transaction, now_ms: int) -> list[Hold]:
    """All holds that keep something now."""
    txn.execute(f"SELECT {_HOLD} FROM groupreg_holds WHERE lifted_ms IS NULL AND until_ms > ? ORDER BY id", (now_ms,))
    return [_hold(row) for row in txn.fetchall()]


def page_of_holds(txn: Transaction, *, ended: bool, now_ms: int, start: int, limit: int) -> tuple[list[Hold], int]:
    """Holds, the newest first, and how many there are; with `ended` also those that are over."""
    met = () if ended else ("lifted_ms IS NULL AND until_ms > ?", [now_ms])
    rows, total = paging.page(txn, _HOLD, "groupreg_holds", *met, start=start, limit=limit)
    return [_hold(row) for row in rows], total


def queue(txn: Transaction, kind: str, log: str, subject: str, *, payload: Mapping[str, Any], now_ms: int) -> bool:
    """Ask for work; False if the same is waiting already."""
    txn.execute(
        "INSERT INTO groupreg_store_work (kind, log, subject, payload, made_ms) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, log, subject) DO NOTHING",
        (kind, log, subject, json.dumps(payload, sort_keys=True), now_ms),
    )
    return txn.rowcount == 1


def waiting(txn: Transaction, kind: str | None = None) -> list[Work]:
    """Work that is not done, in the order in which it was asked for."""
    where, values = ("1 = 1", ()) if kind is None else ("kind = ?", (kind,))
    columns = "id, kind, log, subject, payload, made_ms, outbox_id"
    txn.execute(f"SELECT {columns} FROM groupreg_store_work WHERE {where} ORDER BY id", values)
    return [
        Work(id=row[0], kind=row[1], log=row[2], subject=row[3], payload=json.loads(row[4]), made_ms=row[5],
             outbox_id=row[6])
        for row in txn.fetchall()
    ]  # fmt: skip


def erasures_wait(txn: Transaction) -> bool:
    """Whether anybody's records are still to be erased."""
    txn.execute("SELECT 1 FROM groupreg_erasures WHERE done_ms IS NULL LIMIT 1")
    return txn.fetchone() is not None


def advance(txn: Transaction, work_id: int, payload: Mapping[str, Any]) -> None:
    """Note how far a piece of work is."""
    txn.execute(
        "UPDATE groupreg_store_work SET payload = ? WHERE id = ?", (json.dumps(payload, sort_keys=True), work_id)
    )


def claim(txn: Transaction, work_id: int) -> bool:
    """Whether the record of this work is still to be written; the row's lock lets one of two rivals write it."""
    txn.execute("UPDATE groupreg_store_work SET outbox_id = -1 WHERE id = ? AND outbox_id IS NULL", (work_id,))
    return txn.rowcount == 1


def told(txn: Transaction, work_id: int, outbox_id: int) -> None:
    """Note the record of this work, in the transaction that writes it."""
    txn.execute("UPDATE groupreg_store_work SET outbox_id = ? WHERE id = ?", (outbox_id, work_id))


def is_recorded(txn: Transaction, outbox_id: int, up_to: int) -> bool:
    """Whether the store has what was put into the outbox under this id, if it has the outbox up to a number."""
    txn.execute("SELECT seq FROM groupreg_outbox WHERE id = ?", (outbox_id,))
    row = txn.fetchone()
    # What is no longer there was recorded: nothing else removes it.
    return row is None or (row[0] is not None and int(row[0]) <= up_to)


def done(txn: Transaction, work_id: int) -> None:
    """Forget a piece of work."""
    txn.execute("DELETE FROM groupreg_store_work WHERE id = ?", (work_id,))


def _hold(row: tuple[Any, ...]) -> Hold:
    number, log, from_ms, to_ms, until_ms, reason, basis, author, made_ms, lifted_ms, lifted_by = row
    return Hold(
        id=number,
        log=log,
        from_ms=from_ms,
        to_ms=to_ms,
        until_ms=until_ms,
        reason=reason,
        basis=basis,
        author=author,
        made_ms=made_ms,
        lifted_ms=lifted_ms,
        lifted_by=lifted_by,
    )
