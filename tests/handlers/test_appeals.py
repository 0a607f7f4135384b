# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appeals: who may make one, who may not decide it, and that a decision does what it says, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg import texts
from synapse_groupreg.errors import Conflict, Invalid, NotFound, NotPermitted
from synapse_groupreg.handlers.standing import status
from synapse_groupreg.policy.actions import Impose, Lift, Verify
from synapse_groupreg.policy.appeal_actions import DecideAppeal, MakeAppeal
from synapse_groupreg.policy.appeals import Appeal, Outcome
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import Measure, MeasureKind, Scope
from synapse_groupreg.policy.staff import Staff, StaffRole
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import appeals, measures, notices
from tests.handlers.stage import ADMIN, ALICE, BOB, BOSS, CAROL, DAY, NOW, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Change
    from tests.database import TestDatabase

TEXT = "It was my brother."
SECOND = Staff(user_id=BOSS, admin=True)


@pytest.fixture
def room(stage: Stage) -> str:
    """A group of Alice's, which Bob manages and Carol is a member of."""
    found: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB, CAROL])
    stage.do(seed.set_state, found, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50}})
    return found


def impose(stage: Stage, entity: str, kind: MeasureKind = MeasureKind.warning, **more: Any) -> int:
    given = {"deadline_ms": NOW + DAY} if kind is MeasureKind.warning else {}
    change = stage.act(Impose(kind=kind, entity=entity, reason="advertising", basis="11", **{**given, **more}))
    assert change.id is not None
    return change.id


def bar(stage: Stage, **more: Any) -> int:
    return impose(stage, BOB, MeasureKind.blacklisted, **more)


def appeal(stage: Stage, measure_id: int, by: str = BOB, text: str = TEXT, **more: Any) -> Change:
    return stage.act(MakeAppeal(measure_id=measure_id, text=text), staff=Staff(user_id=by), **more)


def decide(stage: Stage, outcome: Outcome, by: Staff = SECOND, *, dry_run: bool = False, **more: Any) -> Change:
    return stage.act(
        DecideAppeal(appeal_id=1, outcome=outcome, reason="He has a brother.", **more), staff=by, dry_run=dry_run
    )


def now(stage: Stage, measure_id: int) -> Measure:
    found: Measure = stage.do(measures.get, measure_id)
    return found


def kept(stage: Stage) -> Appeal:
    found: Appeal = stage.do(appeals.get, 1)
    return found


def told(stage: Stage, account: str) -> list[dict[str, Any]]:
    found, _ = stage.do(notices.page, {"account": account}, 0, 100)
    return [one.facts for one in found if one.code == "appeal"]


def test_who_is_bound_appeals_from_every_account(stage: Stage) -> None:
    for user_id in (BOB, CAROL):
        stage.act(Verify(user_id=user_id, assurance=Assurance.real_name, provider="office", digest="same"))
    case = bar(stage, scope=Scope.account)
    for stranger in (ALICE, ADMIN):
        with pytest.raises(NotFound, match=f"no measure {case} that concerns you"):
            appeal(stage, case, stranger)
    assert appeal(stage, case, CAROL).changed
    assert (kept(stage).author, kept(stage).text, kept(stage).state) == (CAROL, TEXT, "open")


def test_the_founder_and_managers_appeal_for_a_group(stage: Stage, room: str) -> None:
    case = impose(stage, room)
    with pytest.raises(NotFound):
        appeal(stage, case, CAROL)
    assert appeal(stage, case, BOB, dry_run=True).changed
    stage.do(seed.set_membership, room, ALICE, "leave")
    assert appeal(stage, case, ALICE).changed, "the founder of a group that was cleared is still its founder"


def test_who_leads_a_group_that_a_glob_covers_appeals(sqlite_db: TestDatabase) -> None:
    stage = Stage(sqlite_db, second_staff="none")
    room_id: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB])
    case = impose(stage, f"{room_id[:6]}*", MeasureKind.blacklisted)
    with pytest.raises(NotFound):
        appeal(stage, case, BOB)
    assert appeal(stage, case, ALICE).changed


def test_one_is_open_at_a_time_and_the_same_again_is_the_same(stage: Stage, room: str) -> None:
    case = impose(stage, room)
    first = appeal(stage, case)
    again = appeal(stage, case)
    assert (again.id, again.changed) == (first.id, False)
    with pytest.raises(Conflict, match="waits already"):
        appeal(stage, case, ALICE)
    assert stage.do(appeals.insert, Appeal(id=0, measure_id=case, author=ALICE, text="x", made_ms=NOW)) is None
    decide(stage, Outcome.upheld)
    assert appeal(stage, case, ALICE).changed


def test_nothing_is_left_to_say_to_what_is_over(stage: Stage) -> None:
    case = bar(stage, until_ms=NOW + 5)
    stage.homeserver.now += 5
    with pytest.raises(Conflict, match="is over"):
        appeal(stage, case)


def test_neither_its_author_nor_the_measures_decides(stage: Stage) -> None:
    case = bar(stage)
    appeal(stage, case)
    with pytest.raises(NotPermitted, match="imposed this measure yourself"):
        decide(stage, Outcome.upheld, Staff(user_id=ADMIN, admin=True))
    with pytest.raises(NotPermitted, match="your own appeal"):
        decide(stage, Outcome.lifted, Staff(user_id=BOB, roles=frozenset({StaffRole.reviewer})))
    with pytest.raises(NotPermitted):
        decide(stage, Outcome.lifted, Staff(user_id=CAROL, roles=frozenset({StaffRole.operator, StaffRole.inspector})))
    assert decide(stage, Outcome.upheld, Staff(user_id=CAROL, roles=frozenset({StaffRole.reviewer}))).changed


def test_where_one_person_runs_the_server_they_decide(sqlite_db: TestDatabase) -> None:
    stage = Stage(sqlite_db, second_staff="none")
    appeal(stage, bar(stage))
    assert decide(stage, Outcome.upheld, Staff(user_id=ADMIN, admin=True)).changed


@pytest.mark.parametrize("outcome", Outcome)
def test_a_decision_does_what_it_says(stage: Stage, outcome: Outcome) -> None:
    case = bar(stage, scope=Scope.account, until_ms=NOW + 10 * DAY)
    before = now(stage, case)
    appeal(stage, case)
    stage.homeserver.now += 7
    more = {"until_ms": NOW + DAY, "scope": Scope.groups} if outcome is Outcome.changed else {}
    tried, seen = decide(stage, outcome, dry_run=True, **more), stage.contents()
    assert tried.changed
    assert kept(stage).state == "open"
    assert stage.contents() == seen
    done = decide(stage, outcome, **more)
    assert (done.before, done.after, done.facts) == (tried.before, tried.after, tried.facts)
    after = now(stage, case)
    match outcome:
        case Outcome.upheld:
            assert after == before
        case Outcome.changed:
            assert (after.until_ms, after.scope, after.author) == (NOW + DAY, Scope.groups, ADMIN)
            assert (after.reason, after.basis) == (before.reason, before.basis)
        case Outcome.lifted:
            assert (after.lifted_ms, after.lifted_by, after.lift_reason) == (NOW + 7, BOSS, "He has a brother.")
    decided = kept(stage)
    assert (decided.state, decided.decided_by, decided.decided_ms) == (outcome.value, BOSS, NOW + 7)
    assert (decided.text, decided.answer) == (TEXT, "He has a brother.")
    assert told(stage, BOB) == [{"case": case, "outcome": outcome.value, "answer": "He has a brother."}]
    assert not decide(stage, outcome, **more).changed
    assert len(told(stage, BOB)) == 1
    with pytest.raises(Conflict, match="decided already"):
        stage.act(DecideAppeal(appeal_id=1, outcome=outcome, reason="otherwise"), staff=SECOND)


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_can_be_told(outcome: Outcome, language: str) -> None:
    assert "12" in texts.text(f"appeal.{outcome}", language, case=12)


def test_a_warning_gets_a_later_deadline(stage: Stage, room: str) -> None:
    case = impose(stage, room)
    appeal(stage, case)
    with pytest.raises(Invalid, match="must not make the measure harder"):
        decide(stage, Outcome.changed, deadline_ms=NOW + 1)
    decide(stage, Outcome.changed, deadline_ms=NOW + 2 * DAY)
    assert now(stage, case).deadline_ms == NOW + 2 * DAY


def test_what_is_to_change_is_said_and_only_then(stage: Stage) -> None:
    appeal(stage, bar(stage))
    with pytest.raises(Invalid, match="needs what is to change"):
        decide(stage, Outcome.changed)
    with pytest.raises(Invalid, match="only"):
        decide(stage, Outcome.upheld, until_ms=NOW + 1)


def test_an_appeal_is_decided_also_when_the_measure_was_lifted_meanwhile(stage: Stage) -> None:
    case = bar(stage)
    appeal(stage, case)
    stage.act(Lift(measure_id=case, reason="mistake"))
    with pytest.raises(Conflict, match="is over"):
        decide(stage, Outcome.changed, until_ms=NOW + 1)
    decide(stage, Outcome.lifted)
    assert now(stage, case).lift_reason == "mistake"
    assert told(stage, BOB)[0]["outcome"] == "lifted"


def test_what_people_write_stands_in_one_place(stage: Stage) -> None:
    case = bar(stage)
    appeal(stage, case)
    decide(stage, Outcome.lifted)
    lines = stage.journal()
    assert [(one.author, one.action, one.subject) for one in lines[1:]] == [
        (BOB, "appeal", "appeal 1"),
        (BOSS, "lift", BOB),
        (BOSS, "decide-appeal", "appeal 1"),
    ]
    where = {name for name, rows in stage.contents().items() if TEXT in json.dumps(rows, default=str)}
    assert where == {"groupreg_appeals"}
    assert TEXT not in repr(MakeAppeal(measure_id=case, text=TEXT))


def test_staff_see_how_many_wait(stage: Stage) -> None:
    appeal(stage, bar(stage))
    assert stage.do(status, NOW)["appeals"] == 1
    decide(stage, Outcome.upheld)
    assert stage.do(status, NOW)["appeals"] == 0
