# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of measures: they move with a room, end, fall due; and what is left to do about closed groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.policy.measures import Measure, MeasureKind, ReportState, SubjectKind
from synapse_groupreg.storage import measures, removals
from tests.storage import seed

if TYPE_CHECKING:
    from tests.database import TestDatabase

ANN, ROOM, NEW = seed.local("ann"), "!room:x", "!new:x"


def impose(db: TestDatabase, kind: MeasureKind, subject: str = ROOM, **how: Any) -> Measure:
    measure = Measure(
        id=0,
        kind=kind,
        subject_kind=SubjectKind.room if subject.startswith("!") else SubjectKind.account,
        subject=subject,
        entity=subject,
        reason="spam",
        basis="11.1",
        author="@staff:x",
        start_ms=1,
        **how,
    )
    written: Measure = db.do(measures.insert, measure)
    return written


def test_every_field_comes_back_as_it_was_written_and_changed(db: TestDatabase) -> None:
    full = impose(
        db, MeasureKind.warning, ANN, room=ROOM, note="n", grave="g", deadline_ms=9, until_ms=8, request_key="k"
    )
    assert db.do(measures.by_key, "k") == full
    assert db.do(measures.by_key, "other") is None
    reported = attrs.evolve(full, report=ReportState.handed_in, report_text="r", report_by="@b:x", report_ms=5)
    db.do(measures.update, reported)
    assert db.do(measures.get, full.id) == reported


def test_measures_on_a_room_and_in_it_move_and_others_stay(db: TestDatabase) -> None:
    on_room, over = impose(db, MeasureKind.warning), impose(db, MeasureKind.warning, until_ms=3)
    in_room = impose(db, MeasureKind.posting_suspended, ANN, room=ROOM)
    elsewhere = impose(db, MeasureKind.posting_suspended, ANN, room="!other:x")
    assert {one.id for one in db.do(measures.move, ROOM, NEW, 5)} == {on_room.id, in_room.id}
    assert db.do(measures.get, on_room.id) == attrs.evolve(on_room, subject=NEW, entity=NEW)
    assert db.do(measures.get, in_room.id) == attrs.evolve(in_room, room=NEW)
    for one in (over, elsewhere):
        assert db.do(measures.get, one.id) == one


def test_an_end_is_taken_once_and_again_when_it_was_moved(db: TestDatabase) -> None:
    ends, lifted, endless = (impose(db, MeasureKind.warning, until_ms=until) for until in (5, 5, None))
    db.do(measures.update, attrs.evolve(lifted, lifted_ms=2, lifted_by="@b:x"))
    assert db.do(measures.take_ended, 4, 10) == []
    assert [one.id for one in db.do(measures.take_ended, 5, 10)] == [ends.id]
    assert db.do(measures.take_ended, 9, 10) == []
    db.do(measures.update, attrs.evolve(ends, until_ms=20))
    assert [one.id for one in db.do(measures.take_ended, 20, 10)] == [ends.id]
    assert db.do(measures.get, endless.id) == endless


def test_what_is_in_force_is_counted_found_and_due(db: TestDatabase) -> None:
    warned = impose(db, MeasureKind.warning, deadline_ms=5)
    closed = impose(db, MeasureKind.closed, review_ms=7, report=ReportState.due)
    over = impose(db, MeasureKind.closed, "!gone:x", until_ms=3)
    assert db.do(measures.counts, 4) == {"warning": 1, "closed": 1}
    assert db.do(measures.of_groups, [ROOM, "!gone:x", NEW], MeasureKind.closed, 4) == {ROOM}
    assert [[one.id for one in db.do(measures.due, now_ms, 9)] for now_ms in (4, 5, 7)] == [
        [],
        [warned.id],
        [warned.id, closed.id],
    ]
    db.do(measures.update, attrs.evolve(over, report=ReportState.due))
    assert db.do(measures.reports_due) == 2
    for now_ms, start, found, total in (
        (4, 0, [closed, over], 2),
        (5, 0, [warned, closed], 3),
        (5, 2, [over], 3),
    ):
        page, counted = db.do(measures.waiting, now_ms, start, 2)
        assert ([one.id for one in page], counted) == ([one.id for one in found], total)
    assert db.do(measures.kinds_ever, [(SubjectKind.room, "!gone:x")], 9) == [over.kind]
    db.do(measures.update, attrs.evolve(over, lifted_ms=2))
    assert db.do(measures.kinds_ever, [(SubjectKind.room, "!gone:x")], 9) == []
    page = db.do(measures.page, ended=True, subject=None, kinds=[MeasureKind.closed], now_ms=4, start=0, limit=1)
    assert (page[0], page[1]) == ([db.do(measures.get, over.id)], 2)


def test_a_removal_waits_is_tried_again_and_ends(db: TestDatabase) -> None:
    for _ in range(2):
        db.do(removals.add, 7, ROOM, 10)
    assert db.do(removals.next_due, 9) is None
    found = db.do(removals.next_due, 10)
    db.do(removals.put_back, found, next_ms=20, problem="broken")
    assert db.do(removals.next_due, 19) is None
    again = db.do(removals.next_due, 20)
    assert (again.tries, again.problem) == (1, "broken")
    db.do(removals.put_back, again, next_ms=20, problem=None)
    assert db.do(removals.next_due, 20).tries == 0
    assert db.do(removals.waiting, 7)
    db.do(removals.finish, 7, 30)
    assert (db.do(removals.waiting, 7), db.do(removals.undone)) == (False, [])
    assert not db.do(removals.drop, 7), "what was done can't be called off"
    db.do(removals.add, 8, ROOM, 10)
    assert db.do(removals.drop, 8)
