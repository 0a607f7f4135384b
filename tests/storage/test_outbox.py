# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever is written or committed in whatever order, the outbox gives out each entry once, and no count is lost."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from cryptography.exceptions import InvalidTag

from synapse_groupreg.homeserver.keys import IdentityKey
from synapse_groupreg.retention.records import Entry, Kind
from synapse_groupreg.storage import acts, outbox, refusals
from synapse_groupreg.storage.database import migrations, statements
from synapse_groupreg.storage.entries import draft
from synapse_groupreg.storage.refusals import Refusal
from tests.storage.rivals import at_once

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

KEY = IdentityKey(b"k" * 32)
MINUTE = 60_000
NOW = 100 * MINUTE
ONE = Refusal(ts_ms=NOW, account="@a:x", code="room-full", attempt="join", room_id="!r:x", dry=False)
LOGIN = draft(
    Kind.login, NOW, type="m.login.password", actor="@a:x", details={"ip": "198.51.100.7", "user_agent": "Kaleido"}
)


def put(db: TestDatabase, *entries: Entry) -> None:
    db.do(outbox.append, entries, KEY.seal)


def number(db: TestDatabase, now_ms: int = NOW, limit: int = 1000) -> int:
    return db.do(outbox.number, KEY.seal, now_ms, limit)


def read(db: TestDatabase, after: int = 0, limit: int = 1000) -> list[Entry]:
    return db.do(outbox.read, after, limit, KEY.open)


def refuse(db: TestDatabase, *found: Refusal) -> None:
    def work(txn: Transaction) -> None:
        outbox.append(txn, refusals.add(txn, found, record=True), KEY.seal)

    db.do(work)


def act(txn: Transaction, number: int, **said: Any) -> None:
    line = {"author": "@s:x", "action": "cap", "subject": "!r:x", "reason": None, "before": None, "after": None, **said}
    acts.append(txn, now_ms=number, **line)


def test_what_goes_in_comes_out_once_numbered(db: TestDatabase) -> None:
    full = attrs.evolve(
        LOGIN, verdict="refused:x", count=3, room="!r:x", target="@b:x", facts={"provider": "cas"}, position=0
    )
    put(db, LOGIN, full)
    assert read(db) == []
    assert number(db) == 2
    assert read(db) == [attrs.evolve(LOGIN, position=1), attrs.evolve(full, position=2)]
    assert number(db) == 0
    assert [one.position for one in read(db, after=1)] == [2]


def test_numbers_go_on_after_rows_were_removed(db: TestDatabase) -> None:
    put(db, LOGIN, LOGIN)
    number(db)
    db.do(outbox.forget, 2)
    assert db.do(outbox.waiting, most=9) == (0, None)
    put(db, LOGIN)
    number(db)
    assert [one.position for one in read(db)] == [3]


def test_a_database_from_a_backup_gives_no_number_that_was_recorded(db: TestDatabase) -> None:
    put(db, LOGIN)
    db.do(outbox.number, KEY.seal, NOW, above=40)
    put(db, LOGIN)
    db.do(outbox.number, KEY.seal, NOW, above=7)
    assert [one.position for one in read(db)] == [41, 42]


def test_only_what_was_recorded_is_forgotten(db: TestDatabase) -> None:
    put(db, *(attrs.evolve(LOGIN, ts_ms=NOW + one) for one in range(3)))
    number(db, limit=2)
    db.do(outbox.forget, 2)
    assert db.do(outbox.waiting, most=9) == (1, NOW + 2)
    assert db.do(outbox.waiting, most=0)[0] == 0, "no more are counted"
    assert number(db) == 1


def test_an_entry_is_there_if_and_only_if_what_it_tells_is(db: TestDatabase) -> None:
    def fail(txn: Transaction) -> None:
        outbox.append(txn, refusals.add(txn, [ONE], record=True), KEY.seal)
        act(txn, 1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        db.do(fail)
    assert (number(db, NOW + 10 * MINUTE), read(db)) == (0, [])
    assert db.rows("SELECT * FROM groupreg_acts_unrecorded") == []


def test_nothing_can_be_read_without_the_key(db: TestDatabase) -> None:
    put(db, LOGIN)
    number(db)
    table = str(db.rows("SELECT * FROM groupreg_outbox"))
    assert not [one for one in ("198.51", "Kaleido", "@a:x", "login") if one in table]
    with pytest.raises(InvalidTag):
        db.do(outbox.read, 0, 10, IdentityKey(b"x" * 32).open)


def test_two_entries_that_say_the_same_look_different(db: TestDatabase) -> None:
    put(db, LOGIN, LOGIN)
    ((first,), (second,)) = db.rows("SELECT payload FROM groupreg_outbox")
    assert first[:16] != second[:16]


def test_what_has_no_encoding_is_replaced(db: TestDatabase) -> None:
    put(
        db,
        draft(Kind.report, NOW, actor="@a\0:x", details={"reason": "\ud800 ok \U0001f600"}, facts={"a\udfff": ["\0"]}),
    )
    number(db)
    (entry,) = read(db)
    assert (entry.actor, entry.details) == ("@a\ufffd:x", {"reason": "\ufffd ok \U0001f600"})
    assert entry.facts == {"a\ufffd": ["\ufffd"]}


# Refusals.


def counts(entries: list[Entry]) -> list[tuple[int, int]]:
    return [(one.ts_ms, one.count) for one in entries]


def test_the_first_of_a_minute_is_told_at_once_and_the_rest_when_it_is_over(db: TestDatabase) -> None:
    refuse(db, ONE, attrs.evolve(ONE, ts_ms=NOW + 1))
    for later in range(2, 50):
        refuse(db, attrs.evolve(ONE, ts_ms=NOW + later))
    number(db, NOW + 64_999)
    assert counts(read(db)) == [(NOW, 2)]
    number(db, NOW + 65_000)
    assert counts(read(db)) == [(NOW, 2), (NOW + 49, 48)]
    first, rest = read(db)
    assert (first.kind, first.type, first.verdict) == (Kind.refusal, "join", "refused:room-full")
    assert (rest.actor, rest.room, rest.verdict) == ("@a:x", "!r:x", "refused:room-full")
    refuse(db, attrs.evolve(ONE, ts_ms=NOW + 3))  # late as it is, it counts
    number(db, NOW + 65_000)
    assert counts(read(db, after=2)) == [(NOW + 49, 1)]
    assert number(db, NOW + 9 * MINUTE) == 0


def test_a_dry_run_and_another_code_are_entries_of_their_own(db: TestDatabase) -> None:
    refuse(db, ONE, attrs.evolve(ONE, dry=True), attrs.evolve(ONE, code="identity-required", room_id=None))
    number(db)
    assert sorted((one.verdict or "", one.count) for one in read(db)) == [
        ("dry:room-full", 1),
        ("refused:identity-required", 1),
        ("refused:room-full", 1),
    ]


def test_where_the_first_was_tried_from_is_told(db: TestDatabase) -> None:
    here, there = ({"ip": one} for one in ("192.0.2.1", "192.0.2.2"))
    refuse(db, attrs.evolve(ONE, ts_ms=NOW + 2, details=there), attrs.evolve(ONE, ts_ms=NOW + 1, details=here))
    number(db)
    assert read(db)[0].details == here


def test_without_a_store_nothing_is_put_in_and_nothing_is_lost_for_later(db: TestDatabase) -> None:
    assert db.do(refusals.add, [ONE, ONE]) == []
    assert db.rows("SELECT * FROM groupreg_outbox") == []
    refuse(db, attrs.evolve(ONE, ts_ms=NOW + 1))
    number(db, NOW + 2 * MINUTE)
    assert counts(read(db)) == [(NOW, 3)]


# Acts, and what was there before the upgrade.


def test_acts_are_told_with_what_they_changed(db: TestDatabase) -> None:
    db.do(act, 5, reason="理由", after={"members": 2})
    db.do(act, 6, author="server", action="mode", subject="mode")
    db.do(act, 7, subject="@b:x")
    db.do(act, 8, subject="@spam*:x")
    assert number(db) == 4
    cap, mode, about, glob = read(db)
    assert (cap.kind, cap.type, cap.actor, cap.room, cap.ts_ms) == (Kind.act, "cap", "@s:x", "!r:x", 5)
    assert cap.details == {"subject": "!r:x", "reason": "理由", "after": '{"members": 2}'}
    assert (mode.actor, mode.details["author"], mode.room, mode.target) == (None, "server", None, None)
    assert (about.target, glob.target) == ("@b:x", None)
    assert number(db) == 0


def test_what_was_there_before_the_upgrade_gets_in_once(db: TestDatabase) -> None:
    def undo(txn: Transaction) -> None:
        """Bring the schema back to where it was before."""
        for statement in _undone(db.dialect):
            txn.execute(statement)

    db.do(undo)
    for one in range(3):
        db.do(act, one)
    db.rows(
        "INSERT INTO groupreg_refusals (minute_ms, account, code, attempt, dry, count, first_ms, last_ms)"
        " VALUES (0, '@a:x', 'room-full', 'join', 0, 41, 5, 9) RETURNING 1"
    )
    db.do(lambda txn: [txn.execute(one) for one in statements(dict(migrations())[4], db.dialect)])
    db.do(act, 3)
    number(db)
    found = read(db)
    assert sorted(one.ts_ms for one in found if one.kind is Kind.act) == [0, 1, 2, 3]
    assert counts([one for one in found if one.kind is Kind.refusal]) == [(5, 41)]
    assert number(db, NOW + MINUTE) == 0


def _undone(dialect: str) -> list[str]:
    made = ("outbox", "outbox_last", "recorded", "writers", "reports_seen", "reports_taken", "acts_unrecorded")
    trigger = "groupreg_acts_note" + (" ON groupreg_acts" if dialect == "postgres" else "")
    function = ["DROP FUNCTION groupreg_note_act"] if dialect == "postgres" else []
    return [
        f"DROP TRIGGER {trigger}",
        *function,
        *(f"DROP TABLE groupreg_{name}" for name in made),
        "DROP INDEX groupreg_refusals_unrecorded",
        "ALTER TABLE groupreg_refusals DROP COLUMN recorded",
    ]


# Rivals.


def test_rivals_give_each_entry_one_number(db: TestDatabase) -> None:
    rivals, each = 4, 30

    def work(mine: TestDatabase) -> None:
        for one in range(each):
            put(mine, attrs.evolve(LOGIN, ts_ms=NOW + one))
            mine.do(act, one)
            refuse(mine, attrs.evolve(ONE, ts_ms=one))
            if one % 3 == 0:
                number(mine, NOW, limit=7)

    at_once(db, [work] * rivals)
    while number(db):
        pass
    found = read(db, limit=10_000)
    assert [one.position for one in found] == list(range(1, len(found) + 1))
    kinds = [one.kind for one in found]
    assert (kinds.count(Kind.login), kinds.count(Kind.act)) == (rivals * each, rivals * each)
    assert sum(one.count for one in found if one.kind is Kind.refusal) == rivals * each
    assert len({one.facts["act"] for one in found if one.facts}) == rivals * each


def test_what_commits_late_gets_a_later_number(pg_db: TestDatabase) -> None:
    slow = pg_db.another()
    with slow.begin() as txn:
        outbox.append(txn, [attrs.evolve(LOGIN, type="slow")], KEY.seal)
        act(txn, 1)
        put(pg_db, attrs.evolve(LOGIN, type="quick"))
        pg_db.do(act, 2)
        assert number(pg_db) == 2
    slow.close()
    assert [one.ts_ms for one in read(pg_db)] == [NOW, 2]
    assert number(pg_db) == 2
    assert [(one.position, one.ts_ms) for one in read(pg_db, after=2)] == [(3, NOW), (4, 1)]


# Progress.


def test_how_far_the_recorder_is_can_be_read_by_all(db: TestDatabase) -> None:
    db.do(outbox.publish_progress, {"events/master": 5, "outbox": 2})
    db.do(outbox.publish_progress, {"events/master": 9})
    assert db.do(outbox.progress) == {"events/master": 9, "outbox": 2}


def test_where_it_came_from_is_decided_on_the_way_out(db: TestDatabase) -> None:
    put(db, attrs.evolve(LOGIN, position=77, source="elsewhere"))
    ((payload,),) = db.rows("SELECT payload FROM groupreg_outbox")
    assert json.loads(KEY.open(b64decode(payload))).keys().isdisjoint({"source", "position"})
