# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures, blacklist entries among them (article 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.policy.measures import Measure, MeasureKind, Scope, SubjectKind
from synapse_groupreg.storage.database import select_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction

_COLUMNS = (
    "id, kind, subject_kind, subject, entity, scope, reason, basis, author, start_ms, until_ms, review_ms,"
    " lifted_ms, lifted_by, lift_reason"
)


def get(txn: Transaction, measure_id: int) -> Measure | None:
    """One measure."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_measures WHERE id = ?", (measure_id,))
    row = txn.fetchone()
    return None if row is None else _measure(row)


def insert(txn: Transaction, measure: Measure) -> Measure:
    """Write a new measure; the one returned has its number."""
    txn.execute(
        "INSERT INTO groupreg_measures (kind, subject_kind, subject, entity, scope, reason, basis, author, start_ms,"
        " until_ms, review_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            measure.kind.value,
            measure.subject_kind.value,
            measure.subject,
            measure.entity,
            measure.scope.value,
            measure.reason,
            measure.basis,
            measure.author,
            measure.start_ms,
            measure.until_ms,
            measure.review_ms,
        ),
    )
    return attrs.evolve(measure, id=int(txn.fetchone()[0]))


def update(txn: Transaction, measure: Measure) -> None:
    """Write what may change: scope, reason, basis, end, review and lift."""
    txn.execute(
        "UPDATE groupreg_measures SET scope = ?, reason = ?, basis = ?, until_ms = ?, review_ms = ?, lifted_ms = ?,"
        " lifted_by = ?, lift_reason = ? WHERE id = ?",
        (
            measure.scope.value,
            measure.reason,
            measure.basis,
            measure.until_ms,
            measure.review_ms,
            measure.lifted_ms,
            measure.lifted_by,
            measure.lift_reason,
            measure.id,
        ),
    )


def of_subjects(txn: Transaction, kind: SubjectKind, subjects: Iterable[str], now_ms: int) -> list[Measure]:
    """The measures on these subjects that are in force now or later."""
    sql = (
        f"SELECT {_COLUMNS} FROM groupreg_measures WHERE subject IN ({{}}) AND subject_kind = ?"
        " AND lifted_ms IS NULL AND (until_ms IS NULL OR until_ms > ?)"
    )
    return [_measure(row) for row in select_in(txn, sql, subjects, kind.value, now_ms)]


def open_ones(txn: Transaction, now_ms: int) -> list[Measure]:
    """All measures that are in force now or later."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_measures WHERE lifted_ms IS NULL AND (until_ms IS NULL OR until_ms > ?)",
        (now_ms,),
    )
    return [_measure(row) for row in txn.fetchall()]


def page(txn: Transaction, *, ended: bool, now_ms: int, start: int, limit: int) -> tuple[list[Measure], int]:
    """Measures, the newest first, and how many there are; with `ended` also those that are over."""
    where = "1 = 1 OR ? > 0" if ended else "lifted_ms IS NULL AND (until_ms IS NULL OR until_ms > ?)"
    txn.execute(f"SELECT count(*) FROM groupreg_measures WHERE {where}", (now_ms,))
    total = int(txn.fetchone()[0])
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_measures WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?",
        (now_ms, limit, start),
    )
    return [_measure(row) for row in txn.fetchall()], total


def _measure(row: tuple[Any, ...]) -> Measure:
    number, kind, subject_kind, subject, entity, scope, *texts_and_times = row
    reason, basis, author, start_ms, until_ms, review_ms, lifted_ms, lifted_by, lift_reason = texts_and_times
    return Measure(
        id=number,
        kind=MeasureKind(kind),
        subject_kind=SubjectKind(subject_kind),
        subject=subject,
        entity=entity,
        scope=Scope(scope),
        reason=reason,
        basis=basis,
        author=author,
        start_ms=start_ms,
        until_ms=until_ms,
        review_ms=review_ms,
        lifted_ms=lifted_ms,
        lifted_by=lifted_by,
        lift_reason=lift_reason,
    )
