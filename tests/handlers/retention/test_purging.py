# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was kept long enough is removed: whole months, the oldest first, recorded once, whatever crashes (13.2)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.handlers.retention import purging
from synapse_groupreg.handlers.retention.recorder import RETRY_MS
from synapse_groupreg.retention.records import KIND_NUMBERS, Kind, LogName
from synapse_groupreg.storage import keeping
from synapse_groupreg.storage.keeping import Hold
from synapse_groupreg.storage.store import StoreUnavailable
from tests.database import result_of
from tests.handlers.retention.keeper import DAY, KEEP, MONTH, Keeper, seal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.database import TestDatabase
    from tests.storage.store_places import Place

FORCED = {"by": "@staff:test.example.org", "reason": "the duty is over"}


@pytest.fixture
def keeper(place: Place, tmp_path: Path, sqlite_db: TestDatabase) -> Iterator[Keeper]:
    made = Keeper(place, tmp_path, sqlite_db)
    yield made
    made.close()


def old(keeper: Keeper) -> None:
    """Two months are due."""
    keeper.live(6)
    keeper.pass_(2 * MONTH)
    keeper.login()


def hold(keeper: Keeper, **given: Any) -> Hold:
    now = keeper.homeserver.now
    said: dict[str, Any] = {
        "log": "events",
        "from_ms": 0,
        "to_ms": now,
        "until_ms": now + DAY,
        "reason": "r",
        "basis": "b",
    }
    return keeper.database.do(keeping.add_hold, Hold(**{**said, "author": "@s:x", "made_ms": now, **given}))


def force(keeper: Keeper) -> None:
    now = keeper.homeserver.now
    keeper.database.do(keeping.queue, keeping.LOOK, "", "", payload=FORCED, now_ms=now)


def test_a_month_goes_when_its_newest_record_was_kept_long_enough(keeper: Keeper) -> None:
    keeper.live(6)
    before = keeper.months()
    keeper.login()
    keeper.work()
    newest = keeper.place.reader("events").periods()[0].newest_ms
    assert newest is not None
    keeper.pass_(newest + KEEP - keeper.homeserver.now - 2000)
    keeper.tick()
    assert keeper.months()[: len(before)] == before
    keeper.pass_(3_600_000)
    keeper.work()
    assert keeper.months()[: len(before) - 1] == before[1:]
    [facts] = keeper.told(Kind.purge)
    assert (facts["log"], facts["from"], facts["months"]) == ("events", 0, before[:1])
    keeper.check()


def test_one_month_goes_a_day_and_no_more(keeper: Keeper) -> None:
    old(keeper)
    keeper.work()
    first = len(keeper.told(Kind.purge))
    for _ in range(5):
        keeper.pass_(3_600_000)
        keeper.work()
    assert len(keeper.told(Kind.purge)) == first == 1
    keeper.pass_(DAY)
    keeper.work()
    assert len(keeper.told(Kind.purge)) == 2
    keeper.check()


def test_acts_are_kept_as_long_as_keep_acts_says(keeper: Keeper) -> None:
    old(keeper)
    before = keeper.months("acts")
    keeper.work()
    assert len(keeper.told(Kind.purge)) == 1
    assert keeper.months("acts")[: len(before)] == before


@pytest.mark.parametrize("forced", [False, True])
def test_a_hold_keeps_what_it_touches_and_all_that_is_younger(keeper: Keeper, forced: bool) -> None:
    old(keeper)
    infos = keeper.place.reader("events").periods()
    oldest = infos[0].oldest_ms
    assert oldest is not None
    held = hold(keeper, from_ms=oldest, to_ms=oldest, until_ms=keeper.homeserver.now + 30 * DAY)
    if forced:
        force(keeper)
    keeper.work()
    assert keeper.told(Kind.purge) == []
    keeper.database.do(keeping.lift_hold, held.id, "@s:x", keeper.homeserver.now)
    keeper.pass_(DAY)
    keeper.work()
    assert len(keeper.told(Kind.purge)) == 1


def test_a_hold_that_ended_keeps_nothing(keeper: Keeper) -> None:
    old(keeper)
    hold(keeper, until_ms=keeper.homeserver.now)
    keeper.work()
    assert len(keeper.told(Kind.purge)) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_jumps_forwards_removes_nothing(keeper: Keeper, restarted: bool) -> None:
    keeper.live(2)
    keeper.login()
    keeper.work()
    before = keeper.months()
    keeper.homeserver.now += 4000 * DAY
    if restarted:
        keeper.kill()
    for _ in range(20):  # and records come, so that the newest is no older than the clock
        keeper.login()
        keeper.work()
        keeper.pass_(3_600_000)
    assert keeper.months()[: len(before)] == before
    assert "clock" in keeper.keeping.alarms


def test_after_a_day_of_steady_running_the_clock_is_believed(keeper: Keeper) -> None:
    keeper.live(2)
    keeper.kill()
    keeper.homeserver.now += 400 * DAY
    for _ in range(26):
        keeper.work()
        keeper.pass_(3_600_000)
    assert keeper.keeping.alarms == {}
    assert len(keeper.told(Kind.purge)) == 1


def test_a_clock_that_goes_backwards_removes_nothing_and_goes_on(keeper: Keeper) -> None:
    keeper.live(8)
    keeper.login()
    keeper.work()
    before = keeper.months()
    keeper.homeserver.now -= 300 * DAY
    for _ in range(5):
        keeper.login()
        keeper.work()
        keeper.pass_(3_600_000)
    assert keeper.months() == before
    keeper.check()


def test_staff_may_have_all_removed_at_once_that_is_due(keeper: Keeper) -> None:
    keeper.live(10)
    keeper.homeserver.now += 2 * DAY  # a doubted clock
    force(keeper)
    keeper.work()
    told = keeper.told(Kind.purge)
    assert len(told) >= 3
    assert [one["from"] for one in told[1:]] == [one["to"] for one in told[:-1]]
    newest = keeper.place.reader("events").periods()[0].newest_ms
    assert newest is not None
    assert newest + KEEP >= keeper.homeserver.now - 60_000
    [*_, last] = [one for one in keeper.records(LogName.acts) if one.kind is Kind.purge]
    assert (last.names["sender"], last.values["reason"]) == (FORCED["by"], FORCED["reason"])
    keeper.check()


@pytest.mark.parametrize("dies", [False, True])
def test_space_that_cannot_be_given_back_now_is_given_back_later(
    keeper: Keeper, dies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.live(10)
    keeper.homeserver.now += 2 * DAY
    force(keeper)
    keeper.work()
    removed = keeper.place.at_rest()

    def fail(_: Any) -> None:
        raise StoreUnavailable("The retention store is locked by another process.")

    with monkeypatch.context() as locked:
        locked.setattr(type(keeper.recorder.logs[LogName.events].reader), "free", fail)
        result_of(keeper.recorder.free())
    assert keeper.place.at_rest() == removed
    if dies:
        keeper.kill()
    keeper.pass_(RETRY_MS)
    keeper.tick()
    result_of(keeper.recorder.free())
    assert len(keeper.place.at_rest()) < len(removed)
    assert not [one for one in keeper.place.at_rest() if "gone" in one]
    keeper.check()


def test_what_is_so_old_that_nothing_came_since_goes_too(keeper: Keeper) -> None:
    keeper.live(1)
    keeper.pass_(KEEP + MONTH)
    keeper.kill()
    keeper.tick()
    force(keeper)
    keeper.work()
    [facts] = keeper.told(Kind.purge)
    head = keeper.place.reader("events").head()
    assert head is not None
    assert (facts["to"], head.base_size) == (head.size, head.size)
    keeper.check()


def assert_told(keeper: Keeper, before: list[str]) -> None:
    """What is gone was recorded before, and the record is signed: nobody can remove without a trace."""
    there = keeper.months()
    signed = {
        one.facts["months"][0]: one.row.idx
        for one in keeper.records(LogName.acts, kinds=[KIND_NUMBERS[Kind.purge]])
        if one.facts is not None
    }
    [(size, _)] = keeper.place.reader("acts").checkpoints(1)
    assert all(signed[month] < size for month in before if month not in there)


def test_nothing_goes_before_its_record_is_in_the_store_and_signed(keeper: Keeper) -> None:
    keeper.live(6)
    keeper.tick()
    before, now = keeper.months(), keeper.homeserver.now
    period = keeper.place.reader("events").periods()[0].period
    keeper.database.do(purging.wish, "events", period, now, FORCED)
    for _ in range(4):  # the recorder does nothing else meanwhile
        [work] = keeper.database.do(keeping.waiting)
        result_of(keeper.keeping._purging.step(keeper.recorder.logs, work))
    assert work.outbox_id is not None
    assert keeper.months() == before
    result_of(keeper.recorder._take_outbox())  # recorded, and no checkpoint covers it
    result_of(keeper.keeping._purging.step(keeper.recorder.logs, work))
    assert keeper.months() == before
    keeper.work()
    assert keeper.months() == before[1:]


def test_two_that_remove_the_same_month_record_it_once(keeper: Keeper) -> None:
    keeper.live(1)
    now = keeper.homeserver.now
    keeper.database.do(keeping.queue, keeping.PURGE, "events", "x", payload=FORCED, now_ms=now)
    [work] = keeper.database.do(keeping.waiting)
    for _ in range(2):  # both read that it is not told yet
        keeper.database.do(purging._tell, work, {"log": "events"}, seal, now)
    assert keeper.database.rows("SELECT count(*) FROM groupreg_outbox") == [(1,)]


def test_wherever_the_process_dies_a_month_is_removed_and_recorded_once(
    place: Place, tmp_path: Path, sqlite_db: TestDatabase, stride: int
) -> None:
    keeper = Keeper(place, tmp_path, sqlite_db, keep_acts="36500d")
    step, died, removed = 0, True, 0
    keeper.live(6)
    while died:
        keeper.pass_(MONTH)
        keeper.login()
        before = keeper.months()
        force(keeper)
        keeper.found_dead = partial(assert_told, keeper, before)
        died = keeper.work_and_die_at(step)
        gone = [month for month in before if month not in keeper.months()]
        removed += len(gone)
        told = keeper.told(Kind.purge)
        assert [one["months"] for one in told[len(told) - len(gone) :]] == [[month] for month in gone]
        assert len(told) == removed
        step += stride
    assert step > 20
    keeper.check()
    keeper.close()
