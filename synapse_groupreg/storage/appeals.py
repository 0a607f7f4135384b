# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appeals, beside the measures that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.policy.appeals import Appeal, Outcome
from synapse_groupreg.storage import paging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction

_FIELDS = tuple(field.name for field in attrs.fields(Appeal))
_COLUMNS = ", ".join(_FIELDS)


def get(txn: Transaction, appeal_id: int) -> Appeal | None:
    """One appeal."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_appeals WHERE id = ?", (appeal_id,))
    row = txn.fetchone()
    return None if row is None else _appeal(row)


def open_one(txn: Transaction, measure_id: int) -> Appeal | None:
    """The open appeal against a measure."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_appeals WHERE measure_id = ? AND outcome IS NULL", (measure_id,))
    row = txn.fetchone()
    return None if row is None else _appeal(row)


def insert(txn: Transaction, wanted: Appeal) -> Appeal | None:
    """Write a new appeal; the one returned has its number. None if another one is open against the measure."""
    txn.execute(
        "INSERT INTO groupreg_appeals (measure_id, author, text, made_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING id",
        (wanted.measure_id, wanted.author, wanted.text, wanted.made_ms),
    )
    row = txn.fetchone()
    return None if row is None else attrs.evolve(wanted, id=int(row[0]))


def decide(txn: Transaction, appeal: Appeal) -> bool:
    """Write down how an open appeal is decided; False if somebody else did so meanwhile."""
    assert appeal.outcome is not None
    txn.execute(
        "UPDATE groupreg_appeals SET outcome = ?, answer = ?, decided_by = ?, decided_ms = ?"
        " WHERE id = ? AND outcome IS NULL",
        (appeal.outcome.value, appeal.answer, appeal.decided_by, appeal.decided_ms, appeal.id),
    )
    return bool(txn.rowcount == 1)


def of_measure(txn: Transaction, measure_id: int) -> list[Appeal]:
    """All appeals against a measure, the oldest first."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_appeals WHERE measure_id = ? ORDER BY id", (measure_id,))
    return [_appeal(row) for row in txn.fetchall()]


def written_by(txn: Transaction, author: str, until_ms: int) -> list[Appeal]:
    """What somebody wrote up to a time, as far as it was not erased; the oldest first."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_appeals WHERE author = ? AND made_ms <= ? AND erased_ms IS NULL ORDER BY id",
        (author, until_ms),
    )
    return [_appeal(row) for row in txn.fetchall()]


def erase(txn: Transaction, appeal_ids: Iterable[int], now_ms: int) -> None:
    """Forget what the authors of appeals wrote."""
    for number in appeal_ids:
        txn.execute("UPDATE groupreg_appeals SET text = '', erased_ms = ? WHERE id = ?", (now_ms, number))


def waiting(txn: Transaction) -> int:
    """How many are open."""
    txn.execute("SELECT count(*) FROM groupreg_appeals WHERE outcome IS NULL")
    return int(txn.fetchone()[0])


def page(
    txn: Transaction, *, decided: bool, measure_id: int | None, author: str | None, start: int, limit: int
) -> tuple[list[Appeal], int]:
    """Appeals, the newest first, and how many there are; with `decided` also those that are."""
    where, values = paging.EVERYTHING if decided else "outcome IS NULL", list[object]()
    for column, value in (("measure_id", measure_id), ("author", author)):
        if value is not None:
            where += f" AND {column} = ?"
            values.append(value)
    rows, total = paging.page(txn, _COLUMNS, "groupreg_appeals", where, values, start=start, limit=limit)
    return [_appeal(row) for row in rows], total


def _appeal(row: tuple[Any, ...]) -> Appeal:
    values: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    outcome = values["outcome"]
    return Appeal(**values | {"outcome": None if outcome is None else Outcome(outcome)})
