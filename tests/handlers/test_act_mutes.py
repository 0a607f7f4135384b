# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mutes: who may, whom, for how long, that they hold for exactly that, and that nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import Conflict, NotFound, NotPermitted
from synapse_groupreg.handlers.upkeep import close_replaced
from synapse_groupreg.policy.actions import Grant, Impose, SetMode, Verify
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.group_actions import MuteMember, UnmuteMember
from synapse_groupreg.policy.measures import MeasureKind
from synapse_groupreg.policy.mutes import DEFAULT_MS, LONGEST_MS, Muted
from synapse_groupreg.policy.numbers import number
from synapse_groupreg.policy.staff import Staff, StaffRole
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import mutes, numbers, quotas, refusals, rooms
from tests.handlers.stage import ADMIN, ALICE, BOB, CAROL, DAY, NOW, Process, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Change
    from tests.database import TestDatabase

DAVE, STRANGER, HOUR = seed.local("dave"), seed.local("eve"), 3_600_000
GIVEN = number(5)


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    stage = Stage(sqlite_db, second_staff="none")
    stage.do(seed.make_user, DAVE)
    return stage


@pytest.fixture
def room(stage: Stage) -> str:
    """A group of Alice's, which Bob manages; Carol and Dave are members."""
    found: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB, CAROL, DAVE])
    stage.do(seed.set_state, found, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50}})
    stage.do(numbers.give, GIVEN, found, NOW)
    return found


def mute(stage: Stage, room: str, user_id: str = CAROL, by: str = BOB, **more: Any) -> Change:
    given = {"until_ms": stage.homeserver.now + HOUR, **more}
    return stage.act(MuteMember(group=room, user_id=user_id, **given), staff=Staff(user_id=by))


def unmute(stage: Stage, room: str, user_id: str = CAROL, by: str = BOB) -> Change:
    return stage.act(UnmuteMember(group=room, user_id=user_id), staff=Staff(user_id=by))


def sent(stage: Stage, user_id: str, room: str) -> str | None:
    """The code by which a message is refused."""
    refused = Process(stage).send(user_id, room)
    return None if refused is None else refused.code


def test_it_holds_in_this_group_until_its_end_and_nowhere_else(stage: Stage, room: str) -> None:
    other: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[CAROL])
    change = mute(stage, GIVEN, until_ms=NOW + HOUR, reason="Shouting.")
    assert change.subject == CAROL
    assert change.after == {"room": room, "until_ms": NOW + HOUR, "reason": "Shouting.", "author": BOB}
    assert (sent(stage, CAROL, room), sent(stage, CAROL, other), sent(stage, DAVE, room)) == ("muted", None, None)
    stage.homeserver.now = NOW + HOUR - 1
    assert sent(stage, CAROL, room) == "muted"
    stage.homeserver.now = NOW + HOUR
    assert sent(stage, CAROL, room) is None
    assert unmute(stage, room).changed is False, "it is over by itself"
    line = stage.journal()[-1]
    assert (line.author, line.action, line.subject, line.reason, line.after) == (
        BOB,
        "mute",
        CAROL,
        "Shouting.",
        change.after,
    )


def test_a_process_that_starts_knows_it_too(stage: Stage, room: str) -> None:
    mute(stage, room)
    stage.snapshot.version = None
    assert sent(stage, CAROL, room) == "muted"


def test_a_warm_send_of_anybody_else_asks_the_database_nothing(stage: Stage, room: str) -> None:
    mute(stage, room)
    process = Process(stage)
    ran = len(stage.database.runs)
    assert process.send(DAVE, room) is None
    stage.homeserver.now += HOUR
    assert process.send(CAROL, room) is None
    assert len(stage.database.runs) == ran


def test_undone_it_is_as_before(stage: Stage, room: str) -> None:
    before = stage.contents()["groupreg_mutes"]
    mute(stage, room)
    assert unmute(stage, room, by=ALICE).after is None
    assert sent(stage, CAROL, room) is None
    assert stage.contents()["groupreg_mutes"] == before == []
    assert not unmute(stage, room).changed


def test_again_it_changes_the_end_and_the_reason(stage: Stage, room: str) -> None:
    mute(stage, room, until_ms=NOW + HOUR)
    change = mute(stage, room, by=ALICE, until_ms=NOW + DAY, reason="Still shouting.")
    assert change.before is not None
    assert change.before["until_ms"] == NOW + HOUR
    stage.homeserver.now += 1
    assert not mute(stage, room, until_ms=NOW + DAY, reason="Still shouting.").changed
    stage.homeserver.now = NOW + DAY - 1
    assert sent(stage, CAROL, room) == "muted"


@pytest.mark.parametrize("by", [CAROL, DAVE, ADMIN])
def test_only_who_looks_after_the_group_may(stage: Stage, room: str, by: str) -> None:
    stage.act(Grant(user_id=DAVE, roles=frozenset(StaffRole)))
    staff = Staff(user_id=by, roles=frozenset(StaffRole), admin=by == ADMIN)
    for action in (MuteMember(group=room, user_id=BOB), UnmuteMember(group=room, user_id=BOB)):
        before = stage.contents()
        with pytest.raises(NotPermitted, match="founder and the managers"):
            stage.act(action, staff=staff)
        assert stage.contents() == before


def test_a_stranger_is_told_the_same_of_a_group_as_where_there_is_none(stage: Stage, room: str) -> None:
    stage.do(seed.make_user, STRANGER)
    for named in ("!ghost:test.example.org", room, number(6), GIVEN):
        with pytest.raises(NotFound, match=f"no group {named} that you are in.* !group lists your groups"):
            mute(stage, named, by=STRANGER)


def test_what_is_no_number_is_told_so(stage: Stage, room: str) -> None:
    del room
    for named in ("12345", f"{GIVEN[:-1]}{(int(GIVEN[-1]) + 1) % 10}", "nonsense"):
        with pytest.raises(NotFound, match="is no number of a group"):
            mute(stage, named)
    with pytest.raises(NotPermitted, match="no server admin"):
        stage.act(MuteMember(group=GIVEN, user_id=CAROL))


@pytest.mark.parametrize(("by", "whom"), [(BOB, ALICE), (ALICE, BOB), (BOB, BOB), (ALICE, ALICE)])
def test_nobody_who_looks_after_the_group_is_muted(stage: Stage, room: str, by: str, whom: str) -> None:
    with pytest.raises(Conflict):
        mute(stage, room, whom, by)
    assert sent(stage, whom, room) is None


def test_a_manager_who_is_muted_from_before_does_not_undo_that(stage: Stage, room: str) -> None:
    mute(stage, room)
    stage.do(seed.set_state, room, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50, CAROL: 50}})
    with pytest.raises(Conflict, match="yourself"):
        unmute(stage, room, by=CAROL)
    assert sent(stage, CAROL, room) == "muted"
    assert unmute(stage, room).changed


@pytest.mark.parametrize("until_ms", [NOW - 1, NOW, NOW + LONGEST_MS + 1])
def test_it_ends_and_not_too_late(stage: Stage, room: str, until_ms: int) -> None:
    with pytest.raises(Conflict, match="30 days"):
        mute(stage, room, until_ms=until_ms)


def test_without_an_end_it_is_an_hour(stage: Stage, room: str) -> None:
    change = mute(stage, room, until_ms=None)
    assert change.after is not None
    assert change.after["until_ms"] == NOW + DEFAULT_MS


def test_only_members_of_groups_are_muted(stage: Stage, room: str) -> None:
    with pytest.raises(Conflict, match="not in this group"):
        mute(stage, room, seed.local("ghost"))
    direct: str = stage.do(seed.make_room, ALICE, kind=RoomKind.direct, members=[CAROL])
    with pytest.raises(Conflict, match="no group"):
        mute(stage, direct, by=ALICE)


def test_it_binds_the_person_and_no_manager_by_another_account(stage: Stage, room: str) -> None:
    for user_id in (CAROL, DAVE, ALICE):
        stage.act(Verify(user_id=user_id, assurance=Assurance.contact, provider="office", digest="d"))
    mute(stage, room)
    assert (sent(stage, CAROL, room), sent(stage, DAVE, room), sent(stage, ALICE, room)) == ("muted", "muted", None)
    with pytest.raises(Conflict, match="yourself"):
        unmute(stage, room, by=ALICE)
    stage.do(seed.set_membership, room, ALICE, "leave")
    assert sent(stage, ALICE, room) == "muted"
    unmute(stage, room)
    assert sent(stage, DAVE, room) is None


def test_who_left_and_came_back_is_still_muted(stage: Stage, room: str) -> None:
    mute(stage, room)
    stage.do(seed.set_membership, room, CAROL, "leave")
    assert unmute(stage, room).changed, "who left can be unmuted"
    stage.do(seed.set_membership, room, CAROL, "join")
    mute(stage, room)
    for membership in ("leave", "join"):
        stage.do(seed.set_membership, room, CAROL, membership)
    assert sent(stage, CAROL, room) == "muted"


def test_what_the_staff_imposed_stays(stage: Stage, room: str) -> None:
    kind = MeasureKind.posting_suspended
    stage.act(Impose(kind=kind, entity=CAROL, room=room, reason="spam", basis="11.2", grave="flood", review_ms=NOW + 9))
    assert not unmute(stage, room).changed
    assert sent(stage, CAROL, room) == "posting-suspended"


@pytest.mark.parametrize(
    ("kind", "said"),
    [(MeasureKind.management_suspended, "suspended your management"), (MeasureKind.blacklisted, "barred from groups")],
)
def test_who_may_not_manage_mutes_nobody(stage: Stage, room: str, kind: MeasureKind, said: str) -> None:
    stage.act(Impose(kind=kind, entity=BOB, reason="r", basis="b", grave="g", review_ms=NOW + 9))
    with pytest.raises(NotPermitted, match=said) as refused:
        mute(stage, room)
    assert " https://matrix.example.org/_synapse/client/groupreg/rules#" in refused.value.message
    with pytest.raises(NotPermitted):
        stage.act(MuteMember(group=room, user_id=CAROL), staff=Staff(user_id=BOB), dry_run=True)
    found, _ = stage.do(refusals.page, {}, 0, 10)
    told = [(one.account, one.attempt, one.room_id, one.count, one.dry) for one in found]
    assert told == [(BOB, "manage", room, 1, False)], "a refusal like any other; what was only tried is none"
    stage.act(SetMode(mode="dry"))
    assert mute(stage, room).facts == {"dry": True}, "a dry run refuses nothing, and says that of this too"
    assert sent(stage, CAROL, room) is None


def test_it_goes_over_to_the_successor(stage: Stage, room: str) -> None:
    mute(stage, room)
    stage.do(rooms.set_category, room, "study")
    stage.do(quotas.expect_successor, room, NOW)
    new: str = stage.do(seed.make_room, ALICE, predecessor=room, members=[BOB, CAROL])
    stage.do(seed.set_state, room, ALICE, "m.room.tombstone", {"replacement_room": new})
    stage.homeserver.now += 20_000
    assert stage.do(close_replaced, stage.homeserver.now) == {room: new}
    assert sent(stage, CAROL, new) == "muted"
    assert stage.do(mutes.of_room, room, NOW) == []
    assert stage.do(rooms.category, new) == "study", "and so does what it is about"
    with pytest.raises(Conflict, match="moved"):
        unmute(stage, room)


def test_postgres_keeps_them_the_same(pg_db: TestDatabase) -> None:
    stage = Stage(pg_db)
    room: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[CAROL])
    mute(stage, room, by=ALICE, reason="Shouting.")
    mute(stage, room, by=ALICE, until_ms=NOW + DAY)
    assert sent(stage, CAROL, room) == Muted.code
    assert [one.until_ms for one in stage.do(mutes.of_room, room, NOW)] == [NOW + DAY]
    stage.do(mutes.forget_ended, NOW + DAY)
    assert stage.do(mutes.of_room, room, NOW) == []
