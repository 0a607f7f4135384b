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
    " lifted_ms, lifted_by, lift_reason, list_room, list_event"
)
_OPEN = "lifted_ms IS NULL AND (until_ms IS NULL OR until_ms > ?)"


def get(txn: Transaction, measure_id: int) -> Measure | None:
    """One measure."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_measures WHERE id = ?", (measure_id,))
    row = txn.fetchone()
    return None if row is None else _measure(row)


def insert(txn: Transaction, measure: Measure) -> Measure:
    """Write a new measure; the one returned has its number."""
    txn.execute(
        "INSERT INTO groupreg_measures (kind, subject_kind, subject, entity, scope, reason, basis, author, start_ms,"
        " until_ms, review_ms, list_room, list_event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
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
            measure.list_room,
            measure.list_event,
        ),
    )
    return attrs.evolve(measure, id=int(txn.fetchone()[0]))


def update(txn: Transaction, measure: Measure) -> None:
    """Write what may change: scope, reason, basis, end, review, lift, and who keeps it."""
    txn.execute(
        "UPDATE groupreg_measures SET scope = ?, reason = ?, basis = ?, until_ms = ?, review_ms = ?, lifted_ms = ?,"
        " lifted_by = ?, lift_reason = ?, author = ?, list_room = ?, list_event = ? WHERE id = ?",
        (
            measure.scope.value,
            measure.reason,
            measure.basis,
            measure.until_ms,
            measure.review_ms,
            measure.lifted_ms,
            measure.lifted_by,
            measure.lift_reason,
            measure.author,
            measure.list_room,
            measure.list_event,
            measure.id,
        ),
    )


def of_subjects(txn: Transaction, kind: SubjectKind, subjects: Iterable[str], now_ms: int) -> list[Measure]:
    """The measures on these subjects that are in force now or later."""
    sql = f"SELECT {_COLUMNS} FROM groupreg_measures WHERE subject IN ({{}}) AND subject_kind = ? AND {_OPEN}"
    return [_measure(row) for row in select_in(txn, sql, subjects, kind.value, now_ms)]


def open_ones(txn: Transaction, now_ms: int) -> list[Measure]:
    """All measures that are in force now or later."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_measures WHERE {_OPEN}", (now_ms,))
    return [_measure(row) for row in txn.fetchall()]


def of_kinds(txn: Transaction, kinds: Iterable[SubjectKind], now_ms: int) -> list[Measure]:
    """The measures on subjects of these kinds that are in force now or later."""
    sql = f"SELECT {_COLUMNS} FROM groupreg_measures WHERE subject_kind IN ({{}}) AND {_OPEN}"
    return [_measure(row) for row in select_in(txn, sql, (kind.value for kind in kinds), now_ms)]


def of_lists(txn: Transaction, now_ms: int) -> list[Measure]:
    """The measures that policy rooms keep and that are in force now or later."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_measures WHERE list_room IS NOT NULL AND {_OPEN}", (now_ms,))
    return [_measure(row) for row in txn.fetchall()]


def events_lifted_by_staff(txn: Transaction, server: str) -> set[tuple[str, str]]:
    """Room and event of the rules whose entry staff ended: it stays ended until the rule changes."""
    txn.execute(
        "SELECT DISTINCT list_room, list_event FROM groupreg_measures WHERE list_room IS NOT NULL"
        " AND lifted_ms IS NOT NULL AND lifted_by <> ?",
        (server,),
    )
    return {(row[0], row[1]) for row in txn.fetchall()}


def page(
    txn: Transaction, *, ended: bool, subject: str | None, now_ms: int, start: int, limit: int
) -> tuple[list[Measure], int]:
    """Measures, the newest first, and how many there are; with `ended` also those that are over.

    `subject` narrows it to one account (its person included), room, server or glob.
    """
    where, values = _OPEN, list[object]([now_ms])
    if ended:
        where, values = "1 = 1", []
    if subject is not None:
        where += (
            " AND (entity = ? OR subject = ? OR (subject_kind = 'person' AND subject ="
            " (SELECT person_id FROM groupreg_person_accounts WHERE user_id = ?)))"
        )
        values = [*values, subject, subject, subject]
    txn.execute(f"SELECT count(*) FROM groupreg_measures WHERE {where}", values)
    total = int(txn.fetchone()[0])
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_measures WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?",
        (*values, limit, start),
    )
    return [_measure(row) for row in txn.fetchall()], total


def _measure(row: tuple[Any, ...]) -> Measure:
    number, kind, subject_kind, subject, entity, scope, *texts_and_times = row
    reason, basis, author, start_ms, until_ms, review_ms, lifted_ms, *lifted_and_list = texts_and_times
    lifted_by, lift_reason, list_room, list_event = lifted_and_list
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
        list_room=list_room,
        list_event=list_event,
    )
