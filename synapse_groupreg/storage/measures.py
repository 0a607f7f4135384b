# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures, blacklist entries among them (article 11)."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.policy.measures import Measure, MeasureKind, ReportState, Scope, SubjectKind
from synapse_groupreg.storage import paging
from synapse_groupreg.storage.database import select_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction

_FIELDS = tuple(field.name for field in attrs.fields(Measure))
_COLUMNS = ", ".join(_FIELDS)
_ENUMS: dict[str, type[StrEnum]] = {
    "kind": MeasureKind,
    "subject_kind": SubjectKind,
    "scope": Scope,
    "report": ReportState,
}
_OFTEN_ALIKE = ("reason", "basis", "author")
"""Kept once each: a process knows all measures, and many were imposed alike."""
_FIXED = ("id", "kind", "subject_kind", "subject", "entity", "start_ms", "room")
"""What never changes, but by an upgrade of the room."""
_OPEN = "lifted_ms IS NULL AND (until_ms IS NULL OR until_ms > ?)"


def get(txn: Transaction, measure_id: int) -> Measure | None:
    """One measure."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_measures WHERE id = ?", (measure_id,))
    row = txn.fetchone()
    return None if row is None else _measure(row)


def by_key(txn: Transaction, key: str) -> Measure | None:
    """The measure that was asked for under a key."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_measures WHERE request_key = ?", (key,))
    row = txn.fetchone()
    return None if row is None else _measure(row)


def insert(txn: Transaction, measure: Measure) -> Measure:
    """Write a new measure; the one returned has its number."""
    fields = _FIELDS[1:]
    marks = ", ".join("?" * len(fields))
    txn.execute(
        f"INSERT INTO groupreg_measures ({', '.join(fields)}) VALUES ({marks}) RETURNING id", _values(measure, fields)
    )
    return attrs.evolve(measure, id=int(txn.fetchone()[0]))


def update(txn: Transaction, measure: Measure) -> None:
    """Write what may change: what it says, its end, review, lift and report, and who keeps it."""
    fields = [field for field in _FIELDS if field not in _FIXED]
    changed = ", ".join(f"{field} = ?" for field in fields)
    # Whoever moves the end of a measure is told of the new one too.
    txn.execute(
        f"UPDATE groupreg_measures SET end_told = CASE WHEN until_ms = ? THEN end_told ELSE 0 END, {changed}"
        " WHERE id = ?",
        (measure.until_ms, *_values(measure, fields), measure.id),
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


def in_force(txn: Transaction, kind: MeasureKind, now_ms: int) -> list[Measure]:
    """The measures of a kind that are in force now."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_measures WHERE kind = ? AND start_ms <= ? AND {_OPEN}",
        (kind.value, now_ms, now_ms),
    )
    return [_measure(row) for row in txn.fetchall()]


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
    txn: Transaction,
    *,
    ended: bool,
    subject: str | None,
    now_ms: int,
    start: int,
    limit: int,
    kinds: Iterable[MeasureKind] = (),
) -> tuple[list[Measure], int]:
    """Measures, the newest first, and how many there are; with `ended` also those that are over.

    `subject` narrows it to one account (its person included), room, server or glob, `kinds` to these kinds.
    """
    where, values = _OPEN, list[object]([now_ms])
    if ended:
        where, values = paging.EVERYTHING, []
    wanted = [kind.value for kind in kinds]
    if wanted:
        where += f" AND kind IN ({', '.join('?' * len(wanted))})"
        values += wanted
    if subject is not None:
        where += (
            " AND (entity = ? OR subject = ? OR (subject_kind = 'person' AND subject ="
            " (SELECT person_id FROM groupreg_person_accounts WHERE user_id = ?)))"
        )
        values = [*values, subject, subject, subject]
    rows, total = paging.page(txn, _COLUMNS, "groupreg_measures", where, values, start=start, limit=limit)
    return [_measure(row) for row in rows], total


def of_groups(txn: Transaction, room_ids: Iterable[str], kind: MeasureKind, now_ms: int) -> set[str]:
    """Those of the rooms on which a measure of this kind lies."""
    sql = (
        "SELECT subject FROM groupreg_measures WHERE subject IN ({}) AND subject_kind = 'room' AND kind = ?"
        f" AND start_ms <= ? AND {_OPEN}"
    )
    return {str(row[0]) for row in select_in(txn, sql, room_ids, kind.value, now_ms, now_ms)}


def kinds_ever(txn: Transaction, subjects: Iterable[tuple[SubjectKind, str]], now_ms: int) -> list[MeasureKind]:
    """The kinds that lie or lay on any of these subjects, but for those that were lifted."""
    found = []
    for kind, subject in subjects:
        txn.execute(
            "SELECT DISTINCT kind FROM groupreg_measures WHERE subject_kind = ? AND subject = ?"
            " AND lifted_ms IS NULL AND start_ms <= ?",
            (kind.value, subject, now_ms),
        )
        found += [MeasureKind(row[0]) for row in txn.fetchall()]
    return found


def move(txn: Transaction, old_room: str, new_room: str, now_ms: int) -> list[Measure]:
    """Let the measures on a group, and those on somebody in it, go over to its successor; as they are then."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_measures"
        f" WHERE ((subject_kind = 'room' AND subject = ?) OR room = ?) AND {_OPEN}",
        (old_room, old_room, now_ms),
    )
    moved = []
    for row in txn.fetchall():
        before = _measure(row)
        if before.subject_kind is SubjectKind.room:
            after = attrs.evolve(before, subject=new_room, entity=new_room)
        else:
            after = attrs.evolve(before, room=new_room)
        txn.execute(
            "UPDATE groupreg_measures SET subject = ?, entity = ?, room = ? WHERE id = ?",
            (after.subject, after.entity, after.room, after.id),
        )
        moved.append(after)
    return moved


def take_ended(txn: Transaction, now_ms: int, limit: int) -> list[Measure]:
    """Measures whose end came and of which nobody was told yet; they count as told now."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_measures WHERE until_ms IS NOT NULL AND end_told = 0 AND until_ms <= ?"
        " ORDER BY until_ms LIMIT ?",
        (now_ms, limit),
    )
    found = [_measure(row) for row in txn.fetchall()]
    for measure in found:
        txn.execute("UPDATE groupreg_measures SET end_told = 1 WHERE id = ?", (measure.id,))
    return [measure for measure in found if measure.lifted_ms is None]


def counts(txn: Transaction, now_ms: int) -> dict[str, int]:
    """How many measures of each kind are in force."""
    txn.execute(
        f"SELECT kind, count(*) FROM groupreg_measures WHERE start_ms <= ? AND {_OPEN} GROUP BY kind", (now_ms, now_ms)
    )
    return {str(row[0]): int(row[1]) for row in txn.fetchall()}


def due(txn: Transaction, now_ms: int, limit: int) -> list[Measure]:
    """Measures in force that wait for staff: their deadline passed, or their review date came; the oldest first."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_measures WHERE {_OPEN}"
        " AND (deadline_ms <= ? OR review_ms <= ?) ORDER BY id LIMIT ?",
        (now_ms, now_ms, now_ms, limit),
    )
    return [_measure(row) for row in txn.fetchall()]


def waiting(txn: Transaction, now_ms: int, start: int, limit: int) -> tuple[list[Measure], int]:
    """The same and those whose report is due, be they in force or over; and how many there are."""
    where = f"(({_OPEN} AND (deadline_ms <= ? OR review_ms <= ?)) OR report = ?)"
    values = (now_ms, now_ms, now_ms, ReportState.due.value)
    rows, total = paging.page(txn, _COLUMNS, "groupreg_measures", where, values, order="id", start=start, limit=limit)
    return [_measure(row) for row in rows], total


def reports_due(txn: Transaction) -> int:
    """How many measures are to be reported and aren't yet."""
    txn.execute("SELECT count(*) FROM groupreg_measures WHERE report = ?", (ReportState.due.value,))
    return int(txn.fetchone()[0])


def _values(measure: Measure, fields: Iterable[str]) -> tuple[Any, ...]:
    # Enums are texts already; psycopg2 wants them plain.
    return tuple(_value(getattr(measure, field)) for field in fields)


def _value(held: Any) -> Any:
    if isinstance(held, tuple):
        return json.dumps(held)
    return str(held) if isinstance(held, str) else held


def _measure(row: tuple[Any, ...]) -> Measure:
    values: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    for name in _OFTEN_ALIKE:
        values[name] = sys.intern(values[name])
    if values["entity"] == values["subject"]:
        values["entity"] = values["subject"]
    if values["accepted"] is not None:
        values["accepted"] = tuple(json.loads(values["accepted"]))
    return Measure(**values | {name: kind(values[name]) for name, kind in _ENUMS.items()})
