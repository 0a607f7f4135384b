# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Imposing, changing, ending and lifting measures: what staff may, whom it touches, and that lifting undoes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import Conflict, Invalid, NotFound
from synapse_groupreg.handlers.removing import Removing
from synapse_groupreg.handlers.standing import status, waiting
from synapse_groupreg.handlers.upkeep import Upkeep, close_replaced
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import MeasureKind, ReportState, Switch
from synapse_groupreg.policy.staff import Staff, StaffRole
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import measures, notices, quotas, removals, state
from tests.database import result_of
from tests.handlers.stage import ADMIN, ALICE, BOB, CAROL, DAY, EVE, NOW, FakeHomeserver, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Change
    from tests.database import TestDatabase

WHY = {"reason": "advertising", "basis": "article 11"}


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    """Nobody else has to agree here."""
    return Stage(sqlite_db, second_staff="none")


@pytest.fixture
def room(stage: Stage) -> str:
    found: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB])
    return found


def impose(stage: Stage, kind: MeasureKind, entity: str, **more: Any) -> Change:
    return stage.act(actions.Impose(kind=kind, entity=entity, **{**WHY, **more}))


def warn(stage: Stage, entity: str) -> Change:
    return impose(stage, MeasureKind.warning, entity, deadline_ms=NOW + DAY)


def in_turn(stage: Stage, kind: MeasureKind, entity: str, **more: Any) -> Change:
    """Impose after what comes before it in the usual order."""
    warn(stage, entity)
    if kind is MeasureKind.closed:
        impose(stage, MeasureKind.posting_suspended, entity)
    return impose(stage, kind, entity, **more)


def queued(stage: Stage) -> list[tuple[str, str, str]]:
    found, _ = stage.do(notices.page, {}, 0, 100)
    return sorted((one.account, one.attempt, one.code) for one in found)


# What goes together.


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("entity", (MeasureKind.joining_suspended, BOB, {})),
        ("entity", (MeasureKind.closed, BOB, {})),
        ("entity", (MeasureKind.management_suspended, "room", {})),
        ("entity", (MeasureKind.founding_revoked, "room", {})),
        ("kind", (MeasureKind.emergency, BOB, {})),
        ("entity", (MeasureKind.warning, "remote.example.org", {})),
        ("entity", (MeasureKind.warning, "@b*:remote.example.org", {})),
        ("deadline_ms", (MeasureKind.warning, "room", {})),
        ("deadline_ms", (MeasureKind.posting_suspended, BOB, {"deadline_ms": NOW + 1})),
        ("deadline_ms", (MeasureKind.warning, BOB, {"deadline_ms": NOW})),
        ("room", (MeasureKind.posting_suspended, "room", {"room": "room"})),
        ("room", (MeasureKind.founding_revoked, BOB, {"room": "room"})),
        ("until_ms", (MeasureKind.posting_suspended, BOB, {"until_ms": NOW})),
    ],
)
def test_what_does_not_go_together_is_named(
    stage: Stage, room: str, field: str, wrong: tuple[MeasureKind, str, dict[str, Any]]
) -> None:
    kind, entity, more = wrong
    here = {name: room if value == "room" else value for name, value in more.items()}
    with pytest.raises(Invalid) as caught:
        impose(stage, kind, room if entity == "room" else entity, **here)
    assert field in [problem.path for problem in caught.value.problems]
    assert stage.do(measures.open_ones, NOW) == []


def test_only_groups_of_this_server_are_suspended(stage: Stage) -> None:
    direct = stage.do(seed.make_room, ALICE, kind=RoomKind.direct, members=[BOB])
    with pytest.raises(Conflict, match="is no group, but a direct room"):
        warn(stage, direct)
    with pytest.raises(NotFound, match="in no room"):
        warn(stage, "!nowhere")
    warn(stage, BOB)
    with pytest.raises(NotFound, match="in no room"):
        impose(stage, MeasureKind.posting_suspended, BOB, room="!nowhere")


def test_conflicts_say_which_measure_is_in_the_way(stage: Stage, room: str) -> None:
    closed = in_turn(stage, MeasureKind.closed, room).id
    with pytest.raises(Conflict, match=rf"Measure {closed} \(closed\) includes this"):
        impose(stage, MeasureKind.joining_suspended, room)
    other = stage.do(seed.make_room, ALICE, kind=RoomKind.group)
    everywhere = in_turn(stage, MeasureKind.posting_suspended, BOB).id
    with pytest.raises(Conflict, match=f"Measure {everywhere} holds in every group"):
        impose(stage, MeasureKind.posting_suspended, BOB, room=other)


def test_the_same_kind_on_the_same_subject_extends(stage: Stage, room: str) -> None:
    first = in_turn(stage, MeasureKind.posting_suspended, BOB, room=room, until_ms=NOW + 5)
    again = impose(stage, MeasureKind.posting_suspended, BOB, room=room, until_ms=NOW + 9)
    assert (again.id, (again.after or {})["until_ms"]) == (first.id, NOW + 9)
    everywhere = impose(stage, MeasureKind.posting_suspended, BOB)
    assert everywhere.id != first.id


def test_the_usual_order_is_skipped_with_a_reason_and_a_review_only(stage: Stage, room: str) -> None:
    for more in ({}, {"grave": "threats"}, {"review_ms": NOW + DAY}):
        with pytest.raises(Conflict, match="was not warned yet: impose a warning first"):
            impose(stage, MeasureKind.closed, room, **more)
    assert impose(stage, MeasureKind.closed, room, grave="threats", review_ms=NOW + DAY).changed
    warned = warn(stage, BOB).id or 0
    stage.act(actions.Lift(measure_id=warned))
    with pytest.raises(Conflict, match="was not warned yet"):  # a warning that was taken back is none
        impose(stage, MeasureKind.posting_suspended, BOB)


def test_who_was_only_warned_is_to_be_suspended_first(stage: Stage, room: str) -> None:
    warn(stage, room)
    with pytest.raises(Conflict, match="was not suspended yet: suspend first"):
        impose(stage, MeasureKind.closed, room)


def test_two_of_staff_for_a_skipped_step_for_staff_for_globs_and_for_many(sqlite_db: TestDatabase) -> None:
    stage = Stage(sqlite_db)
    crowd = [seed.local(f"crowd{number}") for number in range(21)]
    large = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=crowd)
    small = stage.do(seed.make_room, ALICE, kind=RoomKind.group)
    stage.act(actions.Grant(user_id=CAROL, roles=frozenset({StaffRole.reviewer})))
    boss = Staff(user_id=seed.local("boss"), admin=True)

    def waits(change: Change) -> bool:
        return change.proposed and not change.changed

    assert waits(impose(stage, MeasureKind.posting_suspended, small, grave="threats", review_ms=NOW + DAY))
    assert waits(impose(stage, MeasureKind.warning, CAROL))
    assert waits(impose(stage, MeasureKind.warning, ADMIN))
    assert waits(impose(stage, MeasureKind.blacklisted, "*.evil.example.com"))
    assert not waits(impose(stage, MeasureKind.blacklisted, "evil.example.com"))
    for group in (small, large):
        warn(stage, group)
        assert not waits(impose(stage, MeasureKind.posting_suspended, group))
    assert not waits(impose(stage, MeasureKind.closed, small))
    change = impose(stage, MeasureKind.closed, large, note="seen", key="k")
    assert waits(change)
    assert stage.do(status, NOW)["proposals"] == 5
    stage.act(actions.Approve(proposal_id=change.facts["proposal"]["id"]), staff=boss)
    assert stage.do(status, NOW)["proposals"] == 4
    found = stage.do(measures.by_key, "k")
    assert (found.kind, found.author, found.note) == (MeasureKind.closed, ADMIN, "seen")
    assert not impose(stage, MeasureKind.closed, large, note="seen", key="k").changed


def test_a_key_is_for_one_act(stage: Stage) -> None:
    first = impose(stage, MeasureKind.warning, BOB, key="k")
    stage.act(actions.Lift(measure_id=first.id or 0))
    again = impose(stage, MeasureKind.warning, BOB, key="k")
    assert (again.id, again.changed) == (first.id, False)
    with pytest.raises(Conflict, match="choose a new one"):
        impose(stage, MeasureKind.warning, CAROL, key="k")


# What follows.


def test_those_concerned_are_told_once_of_each_change(stage: Stage, room: str) -> None:
    stage.do(seed.set_state, room, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50}})
    change = warn(stage, room)
    told = [(ALICE, "imposed", "warning"), (BOB, "imposed", "warning")]
    assert change.facts["effects"] == [{"effect": "notice", "accounts": [ALICE, BOB]}]
    assert queued(stage) == told
    warn(stage, room)
    assert queued(stage) == told
    stage.act(actions.Lift(measure_id=change.id or 0, reason="settled"))
    assert queued(stage) == sorted([*told, (ALICE, "lifted", "warning"), (BOB, "lifted", "warning")])
    impose(stage, MeasureKind.blacklisted, EVE)  # of another server
    impose(stage, MeasureKind.blacklisted, "evil.example.com")
    assert len(queued(stage)) == 4


def test_a_person_is_told_in_all_accounts_and_nobody_in_a_dry_run(stage: Stage) -> None:
    for user_id in (ALICE, BOB):
        stage.act(actions.Verify(user_id=user_id, assurance=Assurance.real_name, provider="office", digest="d"))
    tried = stage.act(actions.Impose(kind=MeasureKind.warning, entity=ALICE, **WHY), dry_run=True)
    assert tried.facts["effects"] == [{"effect": "notice", "accounts": [ALICE, BOB]}]
    assert queued(stage) == []
    assert (warn(stage, ALICE).after or {})["subject_kind"] == "person"
    assert [account for account, _, _ in queued(stage)] == [ALICE, BOB]


def test_the_end_is_told_and_journalled_once(stage: Stage) -> None:
    impose(stage, MeasureKind.warning, BOB, until_ms=NOW + 10)
    keeper = Upkeep(stage.config, stage.database, stage.homeserver)
    result_of(keeper.often())
    stage.homeserver.now = NOW + 10
    for _ in range(2):
        result_of(keeper.often())
    assert queued(stage) == [(BOB, "ended", "warning"), (BOB, "imposed", "warning")]
    assert [one.action for one in stage.journal()] == ["impose", "end"]
    impose(stage, MeasureKind.warning, BOB, until_ms=NOW + 20)
    stage.act(actions.Lift(measure_id=2))
    stage.homeserver.now = NOW + 20
    result_of(keeper.often())
    assert [one.action for one in stage.journal()] == ["impose", "end", "impose", "lift"]


class Door(FakeHomeserver):
    """Lets members out of rooms; fails for whom it is told to."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.removed: list[str] = []
        self.failing: set[str] = set()

    async def take_out(self, user_id: str, room_id: str, _reason: str) -> None:
        if user_id in self.failing:
            raise OSError
        self.removed.append(user_id)
        self.stage.do(seed.set_membership, room_id, user_id, "leave")


def test_members_of_a_closed_group_are_removed_whatever_fails(stage: Stage, room: str) -> None:
    door = Door(stage)
    removed, failing = door.removed, door.failing
    failing.add(BOB)
    closed = in_turn(stage, MeasureKind.closed, room)
    week = stage.config.measures.closed_readable
    assert closed.facts["effects"][1] == {"effect": "removal", "room_id": room, "members": 2, "due_ms": NOW + week}
    # Nobody founded it any more: the place is free.
    subject, accounts = stage.do(quotas.subject_of, ALICE)
    assert stage.do(quotas.rooms_founded, subject, accounts, NOW, default=1).used == 0
    work = Removing(stage.database, door)
    result_of(work.work())
    assert removed == []
    door.now = NOW + week
    result_of(work.work())
    assert removed == [ALICE]
    assert "could not be removed" in stage.do(status, door.now)["removals"][0]["problem"]
    result_of(work.work())
    assert removed == [ALICE], "not before its next try"
    failing.clear()
    door.now += 3_600_000
    for _ in range(2):
        result_of(Removing(stage.database, door).work())  # as after a restart
        door.now += 1_000
    assert removed == [ALICE, BOB]
    assert stage.do(removals.undone) == []
    assert stage.do(state.joined, room) == []


def test_who_lifts_in_time_keeps_the_members(stage: Stage, room: str) -> None:
    closed = in_turn(stage, MeasureKind.closed, room)
    lifted = stage.act(actions.Lift(measure_id=closed.id or 0))
    assert lifted.facts["effects"][1] == {"effect": "removal-cancelled", "room_id": room}
    assert stage.do(removals.undone) == []
    subject, accounts = stage.do(quotas.subject_of, ALICE)
    assert stage.do(quotas.rooms_founded, subject, accounts, NOW, default=1).used == 1


def test_a_passed_deadline_is_shown_and_nothing_more(stage: Stage, room: str) -> None:
    warned = warn(stage, room)
    assert stage.do(waiting, NOW, 0, 9)[0] == []
    stage.homeserver.now = NOW + DAY
    result_of(Upkeep(stage.config, stage.database, stage.homeserver).often())
    (shown,) = stage.do(waiting, stage.homeserver.now, 0, 9)[0]
    assert (shown["id"], shown["next_step"]) == (warned.id, "posting-suspended")
    assert len(stage.do(measures.open_ones, stage.homeserver.now)) == 1


def test_an_upgrade_takes_measures_along(stage: Stage, room: str) -> None:
    warned = warn(stage, room).id
    suspended = in_turn(stage, MeasureKind.posting_suspended, BOB, room=room).id
    elsewhere = impose(stage, MeasureKind.management_suspended, BOB).id
    stage.do(quotas.expect_successor, room, NOW - 20_000)
    new = stage.do(seed.make_room, ALICE, predecessor=room)
    stage.do(seed.set_state, room, ALICE, "m.room.tombstone", {"replacement_room": new})
    assert stage.do(close_replaced, NOW) == {room: new}
    found = {one.id: one for one in stage.do(measures.open_ones, NOW)}
    assert (found[warned].subject, found[suspended].room, found[elsewhere].room) == (new, new, None)
    snapshot = stage.refresh()
    assert [one.id for one in snapshot.room(new, NOW).measures] == [warned]
    assert {one.room for one in snapshot.account_measures(BOB, NOW)} == {None, new}


def test_reports_are_due_where_the_operator_says_so(sqlite_db: TestDatabase) -> None:
    stage = Stage(sqlite_db, measures={"report": "due"})
    number = impose(stage, MeasureKind.warning, BOB).id or 0
    assert (stage.do(status, NOW)["reports_due"], stage.do(status, NOW)["due"]) == (1, [])
    assert [one["id"] for one in stage.do(waiting, NOW, 0, 9)[0]] == [number]
    for state_, text in ((ReportState.handed_in, None), (ReportState.not_reported, None)):
        with pytest.raises(Invalid, match="must give"):
            stage.act(actions.SetReport(measure_id=number, state=state_, text=text))
    stage.act(actions.SetReport(measure_id=number, state=ReportState.handed_in, text="receipt 5"))
    assert stage.do(status, NOW)["reports_due"] == 0
    assert stage.do(measures.get, number).report_by == ADMIN


def test_notes_are_in_no_journal(stage: Stage) -> None:
    impose(stage, MeasureKind.warning, BOB, note="informant")
    assert all("informant" not in str(one) for one in stage.journal())


# Emergencies.


def test_an_emergency_is_a_measure_on_everybody(stage: Stage) -> None:
    both = (Switch.posting, Switch.joining)
    on = actions.SwitchEmergency(on=True, switches=both, until_ms=NOW + 10, reason="flood")
    assert stage.act(on).changed
    assert not stage.act(on).changed
    seen = stage.refresh().account_measures(EVE, NOW)
    assert {one.subject for one in seen} == set(both)
    assert stage.snapshot.account_measures(EVE, NOW + 10) == ()
    off = actions.SwitchEmergency(on=False, switches=(Switch.posting,))
    assert stage.act(off).changed
    assert not stage.act(off).changed
    assert [one.subject for one in stage.refresh().account_measures(BOB, NOW)] == ["joining"]
    for wrong in (
        actions.SwitchEmergency(on=True, switches=both, reason="flood"),
        actions.SwitchEmergency(on=True, switches=both, until_ms=NOW, reason="flood"),
        actions.SwitchEmergency(on=True, switches=both, until_ms=NOW + 9),
        actions.SwitchEmergency(on=True, switches=(Switch.founding,), room="!r", until_ms=NOW + 9, reason="flood"),
    ):
        with pytest.raises(Invalid):
            stage.act(wrong)
