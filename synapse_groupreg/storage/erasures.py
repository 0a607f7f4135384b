# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose records are to be erased, and how far that is. A name stands here only until it is done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.storage import paging
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.storage.database import Transaction

_COLUMNS = "id, account, reason, duty_ended, author, asked_ms, next_ms, names, records, periods, done_ms, missing"
_ERASED = "erased"


@frozen(kw_only=True)
class Erasure:
    """A wish to erase what the retention store says of an account up to `asked_ms`."""

    id: int = 0
    account: str | None
    """None once it is done."""
    reason: str = ""
    duty_ended: str | None = None
    """Why the duty to keep the records is over; None while it runs."""
    author: str = ""
    asked_ms: int
    next_ms: int | None = None
    """When more of it can be carried out."""
    names: int = 0
    records: int = 0
    """How many were erased."""
    periods: tuple[str, ...] = ()
    """Those that were gone through."""
    done_ms: int | None = None
    missing: tuple[str, ...] = ()
    """Shards with records that may be theirs, like `events/1`, which are not in this store: they have to wait."""


def open_of(txn: Transaction, account: str) -> Erasure | None:
    """The erasure of an account that is not done."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_erasures WHERE account = ? AND done_ms IS NULL", (account,))
    row = txn.fetchone()
    return None if row is None else _erasure(row)


def get(txn: Transaction, erasure_id: int) -> Erasure | None:
    """One erasure."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_erasures WHERE id = ?", (erasure_id,))
    row = txn.fetchone()
    return None if row is None else _erasure(row)


def add(txn: Transaction, account: str, *, reason: str, author: str, now_ms: int) -> Erasure:
    """Write a new one."""
    txn.execute(
        "INSERT INTO groupreg_erasures (account, reason, author, asked_ms) VALUES (?, ?, ?, ?) RETURNING id",
        (account, reason, author, now_ms),
    )
    found = get(txn, int(txn.fetchall()[0][0]))
    assert found is not None
    return found


def end_duty(txn: Transaction, erasure_id: int, why: str, now_ms: int) -> None:
    """Note why no duty keeps the records any more; it is about all records up to now."""
    txn.execute(
        "UPDATE groupreg_erasures SET duty_ended = ?, asked_ms = ? WHERE id = ?",
        (why, now_ms, erasure_id),
    )


def unfinished(txn: Transaction) -> list[Erasure]:
    """All that are not done, the oldest first."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_erasures WHERE done_ms IS NULL ORDER BY id")
    return [_erasure(row) for row in txn.fetchall()]


def page(txn: Transaction, *, start: int, limit: int) -> tuple[list[Erasure], int]:
    """Erasures, the newest first, and how many there are."""
    rows, total = paging.page(txn, _COLUMNS, "groupreg_erasures", start=start, limit=limit)
    return [_erasure(row) for row in rows], total


def count(txn: Transaction, erasure: Erasure, period: str, names: int, records: int) -> None:
    """Note that a period was gone through, in the transaction of the record that says so."""
    txn.execute(
        "UPDATE groupreg_erasures SET periods = ?, names = names + ?, records = records + ? WHERE id = ?",
        (json.dumps([*erasure.periods, period]), names, records, erasure.id),
    )


def add_records(txn: Transaction, erasure_id: int, count: int) -> None:
    """Note that so many were erased besides, in the transaction of the record that says so."""
    txn.execute("UPDATE groupreg_erasures SET records = records + ? WHERE id = ?", (count, erasure_id))


def wait(txn: Transaction, erasure_id: int, next_ms: int | None, missing: Sequence[str]) -> None:
    """Note when more can be carried out, and which shards are not there."""
    sql = "UPDATE groupreg_erasures SET next_ms = ?, missing = ? WHERE id = ?"
    txn.execute(sql, (next_ms, json.dumps(list(missing)), erasure_id))


def finish(txn: Transaction, erasure: Erasure, now_ms: int) -> None:
    """Note that it is done, and forget whose records they were, here and where it was proposed."""
    sql = "UPDATE groupreg_erasures SET account = NULL, next_ms = NULL, done_ms = ? WHERE id = ?"
    txn.execute(sql, (now_ms, erasure.id))
    txn.execute("SELECT id, payload FROM groupreg_proposals WHERE action = 'erase-records'")
    for number, text in txn.fetchall():
        payload = json.loads(text)
        if payload.get("user_id") == erasure.account:
            payload["user_id"] = _ERASED
            sql = "UPDATE groupreg_proposals SET payload = ? WHERE id = ?"
            txn.execute(sql, (json.dumps(payload, ensure_ascii=False, sort_keys=True), number))


def _erasure(row: tuple[Any, ...]) -> Erasure:
    number, account, reason, duty_ended, author, asked_ms, next_ms, names, records, periods, done_ms, missing = row
    return Erasure(
        id=number,
        account=account,
        reason=reason,
        duty_ended=duty_ended,
        author=author,
        asked_ms=asked_ms,
        next_ms=next_ms,
        names=names,
        records=records,
        periods=tuple(json.loads(periods)),
        done_ms=done_ms,
        missing=tuple(json.loads(missing)),
    )
