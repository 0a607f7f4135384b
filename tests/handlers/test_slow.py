# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Slow mode: a member posts once in so many seconds, whoever looks after the group as they like, and nobody by SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.errors import Conflict, NotPermitted
from synapse_groupreg.handlers import slow
from synapse_groupreg.handlers.gate import GO_ON
from synapse_groupreg.handlers.slow import Posts
from synapse_groupreg.handlers.upkeep import close_replaced
from synapse_groupreg.policy.actions import Impose, Lift, SetMode
from synapse_groupreg.policy.group_actions import SlowDown
from synapse_groupreg.policy.slow import LONGEST_S, SlowMode
from synapse_groupreg.policy.staff import Staff
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import quotas, rooms
from tests.database import result_of
from tests.handlers.stage import ADMIN, ALICE, BOB, CAROL, NOW, Process, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Change
    from tests.database import TestDatabase

DAVE, BRIDGE = seed.local("dave"), seed.local("bridge_1")


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    return Stage(sqlite_db, exempt=["@bridge_*:test.example.org"])


@pytest.fixture
def room(stage: Stage) -> str:
    """A group of Alice's, which Bob manages; Carol, Dave and a bridge are members."""
    found: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB, CAROL, DAVE, BRIDGE])
    stage.do(seed.set_state, found, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50}})
    return found


@pytest.fixture
def process(stage: Stage) -> Process:
    return Process(stage)


def slow_down(stage: Stage, room: str, seconds: int | None = 30, by: str = BOB) -> Change:
    change = stage.act(SlowDown(group=room, seconds=seconds), staff=Staff(user_id=by))
    stage.refresh()
    return change


def test_each_member_posts_once_in_so_many_seconds(stage: Stage, process: Process, room: str) -> None:
    other: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[CAROL])
    change = slow_down(stage, room)
    assert (change.before, change.after) == ({"seconds": None}, {"seconds": 30})
    assert process.send(CAROL, room) is None
    stage.homeserver.now += 12_345
    assert process.send(CAROL, room) == SlowMode(seconds=30, wait=18)
    assert (process.send(DAVE, room), process.send(CAROL, other), process.send(CAROL, other)) == (None, None, None)
    stage.homeserver.now = NOW + 29_999
    assert process.send(CAROL, room) == SlowMode(seconds=30, wait=1), "what was refused is no post"
    stage.homeserver.now = NOW + 30_000
    assert process.send(CAROL, room) is None
    assert process.send(CAROL, room) is not None
    line = stage.journal()[-1]
    assert (line.author, line.action, line.subject) == (BOB, "slow", room)


def test_what_is_no_post_is_free(stage: Stage, process: Process, room: str) -> None:
    slow_down(stage, room)
    for _ in range(3):
        assert result_of(process.gate.send(CAROL, room)) is GO_ON
    assert process.send(CAROL, room) is None, "and counts for none"


def test_who_looks_after_the_group_and_who_is_exempt_posts_as_they_like(
    stage: Stage, process: Process, room: str
) -> None:
    slow_down(stage, room)
    for user_id in (ALICE, BOB, BRIDGE, ADMIN):
        assert [process.send(user_id, room) for _ in range(3)] == [None] * 3


def test_a_post_costs_no_sql(stage: Stage, process: Process, room: str) -> None:
    slow_down(stage, room)
    process.send(BOB, room)
    process.send(BOB, room)  # who is seen to look after the group
    ran = len(stage.database.runs)
    for _ in range(20):
        stage.homeserver.now += 2_000
        assert process.send(BOB, room) is None
    for _ in range(3):
        stage.homeserver.now += 30_000
        assert (process.send(CAROL, room), process.send(BRIDGE, room)) == (None, None)
    assert len(stage.database.runs) == ran


def test_who_leads_no_more_is_slowed_within_a_minute(stage: Stage, process: Process, room: str) -> None:
    slow_down(stage, room)
    assert [process.send(BOB, room) for _ in range(2)] == [None] * 2
    stage.do(seed.set_state, room, ALICE, "m.room.power_levels", {"users": {ALICE: 100}})
    stage.homeserver.now += 60_000
    assert process.send(BOB, room) is None
    assert process.send(BOB, room) is not None


def test_another_end_holds_at_once(stage: Stage, process: Process, room: str) -> None:
    slow_down(stage, room, 3_600)
    process.send(CAROL, room)
    slow_down(stage, room, 5)
    stage.homeserver.now += 1_000
    assert process.send(CAROL, room) == SlowMode(seconds=5, wait=4)
    stage.homeserver.now += 4_000
    assert process.send(CAROL, room) is None
    assert not slow_down(stage, room, 5).changed
    assert slow_down(stage, room, None).after == {"seconds": None}
    assert [process.send(CAROL, room) for _ in range(3)] == [None] * 3


def test_what_is_refused_for_another_reason_is_no_post(stage: Stage, process: Process, room: str) -> None:
    slow_down(stage, room)
    case = stage.act(Impose(entity=CAROL, reason="r", basis="b")).id
    stage.refresh()
    refused = process.send(CAROL, room)
    assert refused is not None
    assert refused.code == "account-blacklisted"
    stage.act(Lift(measure_id=case or 0))
    stage.refresh()
    assert process.send(CAROL, room) is None


def test_a_dry_run_refuses_nothing_and_says_so(stage: Stage, process: Process, room: str) -> None:
    stage.act(SetMode(mode="dry"))
    assert slow_down(stage, room).facts == {"dry": True}
    assert [process.send(CAROL, room) for _ in range(3)] == [None] * 3
    assert slow_down(stage, room, None).facts == {}


def test_a_process_knows_its_own_posts_only(stage: Stage, process: Process, room: str) -> None:
    """As the documentation says: in memory there is no more to know."""
    slow_down(stage, room)
    assert (process.send(CAROL, room), Process(stage).send(CAROL, room)) == (None, None)
    assert process.send(CAROL, room) is not None


def test_a_process_that_starts_knows_of_it(stage: Stage, room: str) -> None:
    stage.act(SlowDown(group=room, seconds=30), staff=Staff(user_id=BOB))
    stage.snapshot.version = None
    started = Process(stage)
    assert [started.send(CAROL, room) is None for _ in range(2)] == [True, False]


@pytest.mark.parametrize("by", [CAROL, ADMIN])
def test_only_who_looks_after_the_group_may(stage: Stage, room: str, by: str) -> None:
    with pytest.raises(NotPermitted, match="founder and the managers"):
        stage.act(SlowDown(group=room, seconds=5), staff=Staff(user_id=by, admin=by == ADMIN))
    assert stage.do(rooms.slow_ones) == {}


@pytest.mark.parametrize("seconds", [-1, 0, LONGEST_S + 1])
def test_it_is_not_too_slow(stage: Stage, room: str, seconds: int) -> None:
    with pytest.raises(Conflict, match="1 to 3600"):
        slow_down(stage, room, seconds)


def test_it_goes_over_to_the_successor(stage: Stage, process: Process, room: str) -> None:
    slow_down(stage, room)
    stage.do(quotas.expect_successor, room, NOW)
    new: str = stage.do(seed.make_room, ALICE, predecessor=room, members=[CAROL])
    stage.do(seed.set_state, room, ALICE, "m.room.tombstone", {"replacement_room": new})
    stage.homeserver.now += 20_000
    assert stage.do(close_replaced, stage.homeserver.now) == {room: new}
    stage.refresh()
    assert process.send(CAROL, new) is None
    assert process.send(CAROL, new) == SlowMode(seconds=30, wait=30)


def test_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "_MOST", 3)
    posts = Posts()
    for number in range(3):
        assert posts.begin(("!r", str(number)), 5_000, NOW + number) is None
    assert posts.begin(("!r", "3"), 5_000, NOW + 3_600_001) is None, "two that matter no more are forgotten"
    assert sorted(post[1] for post in posts._last_ms) == ["2", "3"]
    for number in range(4, 6):
        assert posts.begin(("!r", str(number)), 5_000, NOW + 3_600_001) is None
    assert len(posts._last_ms) <= 3
    assert posts.begin(("!r", "5"), 5_000, NOW) is None, "a clock was turned back"


def test_postgres_keeps_it_the_same(pg_db: TestDatabase) -> None:
    stage = Stage(pg_db)
    room: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[CAROL])
    process = Process(stage)
    slow_down(stage, room, by=ALICE)
    assert stage.snapshot.slow == stage.do(rooms.slow_ones) == stage.do(rooms.slow_ones, [room]) == {room: 30_000}
    assert [process.send(CAROL, room) is None for _ in range(2)] == [True, False]
