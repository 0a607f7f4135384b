# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each report is taken once, in whatever order Synapse's ids are committed, also when it uses one again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synapse_groupreg.retention.records import Entry, Kind
from synapse_groupreg.storage import reports
from synapse_groupreg.storage.reports import OVERLAP_MS

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

NOW = 1_800_000_000_000


def report(txn: Transaction, number: int, ts_ms: int, reason: str = "spam") -> None:
    txn.execute(
        "INSERT INTO event_reports (id, received_ts, room_id, event_id, user_id, reason, content)"
        " VALUES (?, ?, '!r:x', ?, '@a:x', ?, '{}')",
        (number, ts_ms, f"$e{number}", reason),
    )


def take(db: TestDatabase, limit: int = 1000) -> list[Entry]:
    some = db.do(reports.untaken, limit)
    found = db.do(reports.take, limit)
    assert bool(found) == some
    return found


def ids(found: list[Entry]) -> list[str]:
    return [one.details["event_id"] for one in found]


def test_reports_of_all_three_kinds_are_taken_with_what_they_are_about(db: TestDatabase) -> None:
    db.do(report, 1, NOW)
    db.rows("INSERT INTO room_reports VALUES (1, 5, '!q:x', '@b:x', 'bad room') RETURNING 1")
    db.rows(
        "INSERT INTO user_reports (id, received_ts, target_user_id, user_id, reason)"
        " VALUES (1, 6, '@evil:y', '@c:x', '') RETURNING 1"
    )
    message, room, user = take(db)
    assert {message.kind, room.kind, user.kind} == {Kind.report}
    assert (message.type, message.ts_ms, message.actor, message.room) == ("message", NOW, "@a:x", "!r:x")
    assert message.details == {"event_id": "$e1", "reason": "spam"}
    assert (room.type, room.ts_ms, room.actor, room.room, room.details) == (
        *("room", 5, "@b:x", "!q:x"),
        {"reason": "bad room"},
    )
    assert (user.type, user.actor, user.target, user.room, user.details) == ("user", "@c:x", "@evil:y", None, {})
    assert take(db) == []


def test_many_are_taken_a_few_at_a_time(db: TestDatabase) -> None:
    for number in range(1, 251):
        db.do(report, number, NOW + number)
    found = []
    while some := take(db, limit=100):
        found += some
    assert ids(found) == [f"$e{number}" for number in range(1, 251)]


def test_one_that_commits_late_is_taken(db: TestDatabase) -> None:
    db.do(report, 2, NOW + 2)
    assert ids(take(db)) == ["$e2"]
    db.do(report, 3, NOW + OVERLAP_MS)
    assert ids(take(db)) == ["$e3"]
    db.do(report, 1, NOW + 1)
    assert ids(take(db)) == ["$e1"]
    assert take(db) == []


def test_one_with_the_id_of_a_deleted_one_is_taken(db: TestDatabase) -> None:
    """Synapse counts on from the highest id that it finds as it starts."""
    for number in (1, 2, 3):
        db.do(report, number, NOW + number)
    take(db)
    db.rows("DELETE FROM event_reports WHERE id > 1 RETURNING 1")
    db.do(report, 2, NOW + 10)
    assert ids(take(db)) == ["$e2"]
    db.rows("DELETE FROM event_reports RETURNING 1")
    db.do(report, 1, NOW + 20)
    assert ids(take(db)) == ["$e1"]
    assert take(db) == []


def test_a_clock_that_went_back_hides_none(db: TestDatabase) -> None:
    db.do(report, 1, NOW)
    take(db)
    db.do(report, 2, NOW - 10 * OVERLAP_MS)
    assert ids(take(db)) == ["$e2"]
    db.do(report, 3, NOW - 9 * OVERLAP_MS)
    assert ids(take(db)) == ["$e3"]
    assert take(db) == []


def test_what_is_remembered_does_not_grow(db: TestDatabase) -> None:
    for number in range(1, 40):
        db.do(report, number, NOW + number * OVERLAP_MS // 4)
        take(db)
    assert len(db.rows("SELECT * FROM groupreg_reports_taken")) <= 6


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["begin", "commit", "take", "delete", "restart"]), max_size=40))
def test_in_any_order_each_is_taken_once(sqlite_db: TestDatabase, steps: list[str]) -> None:
    db = sqlite_db
    for table in ("event_reports", "groupreg_reports_seen", "groupreg_reports_taken"):
        db.do(lambda txn, table=table: txn.execute(f"DELETE FROM {table}"))
    next_id, clock, open_, made, found = 1, NOW, [], set(), []
    for step in [*steps, "commit", "commit", "commit", "take"]:
        clock += 1000
        if step == "begin" and len(open_) < 3:
            open_.append((next_id, clock))
            next_id += 1
        elif step == "commit" and open_:
            number, ts_ms = open_.pop()  # the youngest first, as threads may
            db.do(report, number, ts_ms, str(ts_ms))
            made.add(str(ts_ms))
        elif step == "take":
            found += take(db)
        elif step == "delete" and not open_:
            # Of what was not taken yet nobody can know.
            found += take(db)
            db.do(lambda txn: txn.execute("DELETE FROM event_reports WHERE id = (SELECT max(id) FROM event_reports)"))
        elif step == "restart" and not open_:
            ((highest,),) = db.rows("SELECT max(id) FROM event_reports")
            next_id = (highest or 0) + 1
    reasons = [one.details["reason"] for one in found]
    assert len(reasons) == len(set(reasons))
    assert set(reasons) == made
