# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Refusals are committed before anybody hears of them, many in one transaction; a failure is counted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from twisted.internet.defer import Deferred

from synapse_groupreg.handlers.journal import RefusalJournal
from synapse_groupreg.homeserver.keys import IdentityKey
from synapse_groupreg.retention.records import Entry, Kind
from synapse_groupreg.storage import outbox, refusals
from synapse_groupreg.storage.entries import draft
from synapse_groupreg.storage.refusals import Refusal
from tests.database import SERVER, result_of
from tests.handlers.stage import ALICE, NOW, FakeHomeserver, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable


def refusal(number: int = 0, **facts: Any) -> Refusal:
    return Refusal(
        **{
            "ts_ms": NOW + number,
            "account": ALICE,
            "code": "room-full",
            "attempt": "join",
            "room_id": "!r",
            "dry": False,
        }
        | facts
    )


class SlowDatabase:
    """Commits only when told to: `finish` lets the oldest transaction through, or fails it."""

    dialect = "sqlite"

    def __init__(self) -> None:
        self.under_way: list[Deferred[None]] = []
        self.started: list[list[Refusal]] = []
        self.committed: list[Refusal] = []

    async def run(self, _name: str, _work: Any, batch: Iterable[Refusal], *_: Any) -> None:
        assert not self.under_way, "one writer at a time"
        held = list(batch)
        self.started.append(held)
        done: Deferred[None] = Deferred()
        self.under_way.append(done)
        await done
        self.committed += held

    def finish(self, error: Exception | None = None) -> None:
        done = self.under_way.pop(0)
        if error is None:
            done.callback(None)
        else:
            done.errback(error)


class Recording:
    """Calls of `record`, and which of them returned."""

    def __init__(self) -> None:
        self.database = SlowDatabase()
        self.journal = RefusalJournal(self.database, FakeHomeserver())  # type: ignore[arg-type]  # all that it uses
        self.calls: list[tuple[Refusal, Deferred[None]]] = []

    def record(self) -> None:
        refused = refusal(len(self.calls))
        self.calls.append((refused, Deferred.fromCoroutine(self.journal.record([refused]))))

    @property
    def returned(self) -> list[Refusal]:
        return [refused for refused, call in self.calls if call.called]


def lost_in_metrics() -> float:
    return REGISTRY.get_sample_value("synapse_groupreg_refusals_lost_total", {"server_name": SERVER}) or 0.0


def test_many_at_once_share_two_transactions_and_none_returns_before_its_commit() -> None:
    recording = Recording()
    for _ in range(50):
        recording.record()
    assert [len(batch) for batch in recording.database.started] == [1]
    assert recording.returned == []
    recording.database.finish()
    assert len(recording.returned) == 1
    assert [len(batch) for batch in recording.database.started] == [1, 49]
    recording.database.finish()
    assert len(recording.returned) == len(recording.database.committed) == 50
    assert not recording.database.under_way


def test_who_comes_while_the_second_is_written_waits_for_the_third() -> None:
    recording = Recording()
    for _ in range(3):
        recording.record()
    recording.database.finish()
    recording.record()
    recording.database.finish()
    assert len(recording.returned) == 3
    recording.database.finish()
    assert len(recording.returned) == 4
    assert [len(batch) for batch in recording.database.started] == [1, 2, 1]


def test_a_failed_commit_is_counted_and_told_in_the_log_and_the_refusal_stands(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`record` returns as ever: who called it refuses all the same."""
    recording = Recording()
    before = lost_in_metrics()
    for _ in range(4):
        recording.record()
    recording.database.finish(OSError("disk full"))
    with caplog.at_level(logging.ERROR):
        recording.database.finish(OSError("disk full"))
    assert [call.result for _, call in recording.calls] == [None] * 4
    assert recording.journal.lost == 4
    assert lost_in_metrics() == before + 4
    assert "3 refusals could not be written; they stand all the same" in caplog.text
    recording.record()
    recording.database.finish()
    assert len(recording.database.committed) == 1
    assert recording.journal.lost == 4


@given(st.lists(st.sampled_from(["record", "record", "record", "commit", "fail"]), max_size=40))
def test_in_any_order_of_events_nobody_is_forgotten(events: list[str]) -> None:
    recording = Recording()
    database, journal = recording.database, recording.journal
    finished = 0
    for event in [*events, *["commit"] * 3]:
        if event == "record":
            recording.record()
        elif database.under_way:
            finished += 1
            database.finish(OSError() if event == "fail" else None)
        returned = recording.returned
        assert all(one in returned for one in database.committed)
        assert len(returned) == len(database.committed) + journal.lost
        assert bool(database.under_way) == (len(returned) < len(recording.calls))
    assert len(recording.returned) == len(recording.calls)
    assert len(database.started) == finished


def test_a_waiter_who_records_again_at_once_is_not_lost() -> None:
    """It runs while the batch that it shared is being finished, before the next writer has begun."""
    recording = Recording()

    async def twice() -> None:
        await recording.journal.record([refusal(1)])
        await recording.journal.record([refusal(2)])

    calls = [Deferred.fromCoroutine(twice()) for _ in range(3)]
    while recording.database.under_way:
        recording.database.finish()
    assert all(call.called for call in calls)
    assert len(recording.database.committed) == 6


def test_on_a_real_database_a_flood_is_one_row_with_its_count(stage: Stage) -> None:
    journal = RefusalJournal(stage.database, stage.homeserver)
    for number in range(20):
        result_of(journal.record([refusal(number), refusal(number, code="too-many-joined", dry=True)]))
    found, total = stage.do(refusals.page, {}, 0, 10)
    assert total == 2
    assert {(one.code, one.dry, one.count, one.first_ms, one.last_ms) for one in found} == {
        ("room-full", False, 20, NOW, NOW + 19),
        ("too-many-joined", True, 20, NOW, NOW + 19),
    }
    assert journal.lost == 0


def test_with_a_broken_database_the_refusal_still_stands(stage: Stage) -> None:
    journal = RefusalJournal(stage.database, stage.homeserver)
    stage.database.fail = OSError("gone")
    result_of(journal.record([refusal(), refusal()]))
    assert journal.lost == 2


# Records for the retention store.

KEY = IdentityKey(b"k" * 32)
LOGIN = draft(Kind.login, NOW, type="m.login.password", actor=ALICE)


def in_outbox(stage: Stage) -> list[Entry]:
    stage.do(outbox.number, KEY.seal, NOW)
    found: list[Entry] = stage.do(outbox.read, 0, 100, KEY.open)
    return found


def test_a_refusal_and_a_login_reach_the_outbox_with_their_commit(stage: Stage) -> None:
    journal = RefusalJournal(stage.database, stage.homeserver, seal=KEY.seal)
    result_of(journal.record([refusal(), refusal(1)]))
    result_of(journal.record_entry(LOGIN))
    assert [(one.kind, one.type, one.count) for one in in_outbox(stage)] == [
        (Kind.refusal, "join", 2),
        (Kind.login, "m.login.password", 1),
    ]


def test_only_refused_logins_say_where_they_came_from(stage: Stage) -> None:
    here = {"ip": "192.0.2.7", "user_agent": "a client"}
    journal = RefusalJournal(stage.database, stage.homeserver, seal=KEY.seal, origin=lambda: here)
    result_of(journal.record([refusal(), refusal(attempt="log-in", code="account-blacklisted")]))
    assert {one.type: one.details for one in in_outbox(stage)} == {"join": {}, "log-in": here}


def test_where_no_records_are_kept_nothing_reaches_the_outbox(stage: Stage) -> None:
    journal = RefusalJournal(stage.database, stage.homeserver)
    result_of(journal.record([refusal()]))
    runs = len(stage.database.runs)
    result_of(journal.record_entry(LOGIN))
    assert len(stage.database.runs) == runs
    assert stage.database.rows("SELECT * FROM groupreg_outbox") == []


def test_a_login_that_can_not_be_written_goes_through_and_is_counted(stage: Stage) -> None:
    journal = RefusalJournal(stage.database, stage.homeserver, seal=KEY.seal)
    name, labels = "synapse_groupreg_records_lost_total", {"server_name": SERVER}
    before = REGISTRY.get_sample_value(name, labels) or 0.0
    stage.database.fail = OSError("gone")
    result_of(journal.record_entry(LOGIN))
    assert REGISTRY.get_sample_value(name, labels) == before + 1
    assert journal.lost == 0
