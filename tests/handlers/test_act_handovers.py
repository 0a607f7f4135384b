# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A group is handed over by consent of both, with a place for it, and nobody else is asked or told."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg import texts
from synapse_groupreg.config import LabelsConfig
from synapse_groupreg.errors import Conflict, GroupRegError, NotFound, NotPermitted
from synapse_groupreg.handlers import act_handovers
from synapse_groupreg.handlers.notices import Notices
from synapse_groupreg.handlers.standing import status
from synapse_groupreg.handlers.upkeep import close_replaced
from synapse_groupreg.handlers.wording import Words
from synapse_groupreg.policy.actions import Impose, LimitAccount, Verify
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.group_actions import AcceptGroup, DeclineGroup, MuteMember, OfferGroup
from synapse_groupreg.policy.handovers import OFFERED_MS
from synapse_groupreg.policy.measures import MeasureKind
from synapse_groupreg.policy.numbers import number
from synapse_groupreg.policy.staff import Staff, StaffRole
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import handovers, labels, mutes, notices, numbers, quotas, rooms
from tests.database import result_of
from tests.handlers.stage import ADMIN, ALICE, BOB, CAROL, EVE, NOW, Stage
from tests.storage import seed
from tests.storage.rivals import at_once

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Change
    from tests.database import TestDatabase

GIVEN = number(5)
LEVELS = {"users": {ALICE: 100, BOB: 50, CAROL: 50}}


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    return Stage(sqlite_db, second_staff="none")


def a_group(stage: Stage, given: str = GIVEN) -> str:
    """A group of Alice's, which Bob and Carol manage."""
    found: str = stage.do(seed.make_room, ALICE, kind=RoomKind.group, members=[BOB, CAROL, EVE])
    stage.do(seed.set_state, found, ALICE, "m.room.power_levels", LEVELS)
    stage.do(seed.set_state, found, ALICE, "m.room.name", {"name": "Chess"})
    stage.do(numbers.give, given, found, NOW)
    return found


@pytest.fixture
def room(stage: Stage) -> str:
    return a_group(stage)


def offer(stage: Stage, room: str, user_id: str = BOB, by: str = ALICE) -> Change:
    return stage.act(OfferGroup(group=room, user_id=user_id), staff=Staff(user_id=by))


def accept(stage: Stage, room: str, by: str = BOB) -> Change:
    return stage.act(AcceptGroup(group=room), staff=Staff(user_id=by))


def decline(stage: Stage, room: str, by: str = BOB) -> Change:
    return stage.act(DeclineGroup(group=room), staff=Staff(user_id=by))


def founder(stage: Stage, room: str) -> str:
    row = stage.do(rooms.get, room)
    return str(row.founder)


def founded(stage: Stage, user_id: str) -> int:
    subject, accounts = stage.do(quotas.subject_of, user_id)
    used: int = stage.do(quotas.rooms_founded, subject, accounts, stage.homeserver.now, default=9).used
    return used


def told(stage: Stage, account: str) -> list[str]:
    found, _ = stage.do(notices.page, {"account": account}, 0, 99)
    return [one.attempt for one in found[::-1] if one.code == notices.HANDOVER]


def test_both_consent_and_the_place_goes_with_it(stage: Stage, room: str) -> None:
    change = offer(stage, GIVEN)
    assert (change.subject, change.after) == (room, {"founder": ALICE, "offered_to": BOB})
    assert founder(stage, room) == ALICE, "nothing changes before it is accepted"
    assert (founded(stage, ALICE), founded(stage, BOB)) == (1, 0)
    change = accept(stage, room)
    assert (change.before, change.after) == (
        {"founder": ALICE, "offered_to": BOB},
        {"founder": BOB, "offered_to": None},
    )
    assert founder(stage, room) == BOB
    assert (founded(stage, ALICE), founded(stage, BOB)) == (0, 1)
    assert [(one.author, one.action) for one in stage.journal()] == [(ALICE, "transfer"), (BOB, "accept-transfer")]
    assert (told(stage, BOB), told(stage, ALICE), told(stage, CAROL)) == (["offered"], ["accepted"], [])
    assert not accept(stage, room).changed, "again it is the same"
    assert offer(stage, room, ALICE, by=BOB).changed, "who founded it is a manager now, and can get it back"


def test_an_offer_asked_for_twice_is_told_once(stage: Stage, room: str) -> None:
    offer(stage, room)
    assert not offer(stage, room).changed
    assert told(stage, BOB) == ["offered"]
    offer(stage, room, CAROL)
    assert (told(stage, BOB), told(stage, CAROL)) == (["offered", "withdrawn"], ["offered"])
    with pytest.raises(NotPermitted, match="no offer"):
        accept(stage, room)


@pytest.mark.parametrize(
    ("by", "expected"), [(BOB, (["offered"], ["declined"])), (ALICE, (["offered", "withdrawn"], []))]
)
def test_it_is_turned_down_or_taken_back(
    stage: Stage, room: str, by: str, expected: tuple[list[str], list[str]]
) -> None:
    offer(stage, room)
    assert decline(stage, room, by).after == {"founder": ALICE, "offered_to": None}
    assert (told(stage, BOB), told(stage, ALICE)) == expected
    for answering in (accept, decline):
        with pytest.raises(NotPermitted, match="no offer"):
            answering(stage, room)
    assert founder(stage, room) == ALICE


def test_a_stranger_is_told_of_an_offer_the_same_as_where_there_is_no_group(stage: Stage, room: str) -> None:
    stage.do(seed.make_user, stranger := seed.local("stranger"))
    offer(stage, room)
    for answering in (AcceptGroup, DeclineGroup):
        for named in (room, "!ghost:test.example.org", number(6)):
            with pytest.raises(NotFound, match=f"no group {named} that you are in"):
                stage.act(answering(group=named), staff=Staff(user_id=stranger))


def test_an_offer_lapses(stage: Stage, room: str) -> None:
    offer(stage, room)
    stage.homeserver.now += OFFERED_MS
    with pytest.raises(NotPermitted, match="no offer"):
        accept(stage, room)
    stage.do(handovers.forget_ended, stage.homeserver.now)
    assert stage.contents()["groupreg_handovers"] == []


@pytest.mark.parametrize("by", [BOB, EVE, ADMIN])
def test_only_the_founder_offers(stage: Stage, room: str, by: str) -> None:
    staff = Staff(user_id=by, roles=frozenset(StaffRole), admin=by == ADMIN)
    with pytest.raises(NotPermitted, match="Only the founder"):
        stage.act(OfferGroup(group=room, user_id=CAROL), staff=staff)


@pytest.mark.parametrize("by", [CAROL, ADMIN, ALICE])
def test_only_who_was_asked_accepts(stage: Stage, room: str, by: str) -> None:
    offer(stage, room)
    with pytest.raises(NotPermitted, match="no offer"):
        stage.act(AcceptGroup(group=room), staff=Staff(user_id=by, admin=by == ADMIN))
    assert founder(stage, room) == ALICE


@pytest.mark.parametrize(
    ("user_id", "why"), [(ALICE, "yourself"), (ADMIN, "not in this group"), (EVE, "another server")]
)
def test_it_is_offered_to_managers_of_this_server(stage: Stage, room: str, user_id: str, why: str) -> None:
    with pytest.raises(Conflict, match=why):
        offer(stage, room, user_id)


def test_who_is_a_manager_no_more_does_not_accept(stage: Stage, room: str) -> None:
    offer(stage, room)
    stage.do(seed.set_membership, room, BOB, "leave")
    with pytest.raises(GroupRegError):
        accept(stage, room)
    assert founder(stage, room) == ALICE


def test_it_takes_a_free_place(stage: Stage, room: str) -> None:
    stage.act(LimitAccount(user_id=BOB, limits={"rooms_founded": 1}))
    own = stage.do(seed.make_room, BOB, kind=RoomKind.group)
    offer(stage, room)
    with pytest.raises(NotPermitted, match="1 founded, 1 allowed"):
        accept(stage, room)
    stage.do(seed.set_membership, own, BOB, "leave")
    assert accept(stage, room).changed


def test_from_one_account_of_a_person_to_another_it_takes_none(stage: Stage, room: str) -> None:
    for user_id in (ALICE, BOB):
        stage.act(Verify(user_id=user_id, assurance=Assurance.contact, provider="office", digest="d"))
    stage.act(LimitAccount(user_id=BOB, limits={"rooms_founded": 1}))
    offer(stage, room)
    assert accept(stage, room).changed
    assert founded(stage, BOB) == 1


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (MeasureKind.founding_revoked, "revoked your right"),
        (MeasureKind.management_suspended, "suspended your management"),
        (MeasureKind.blacklisted, "barred from groups"),
    ],
)
def test_who_may_not_found_or_manage_takes_no_group_over(stage: Stage, room: str, kind: MeasureKind, why: str) -> None:
    offer(stage, room)
    stage.act(Impose(kind=kind, entity=BOB, reason="r", basis="b", grave="g", review_ms=NOW + 9))
    with pytest.raises(NotPermitted, match=why):
        accept(stage, room)
    assert founder(stage, room) == ALICE


def test_who_is_not_verified_enough_to_found_takes_no_group_over(sqlite_db: TestDatabase) -> None:
    stage = Stage(sqlite_db, identity={"required": {"found": "real_name"}})
    room = a_group(stage)
    offer(stage, room)
    with pytest.raises(NotPermitted, match="real name"):
        accept(stage, room)


def test_a_founder_is_muted_no_more(stage: Stage, room: str) -> None:
    stage.do(seed.set_state, room, ALICE, "m.room.power_levels", {"users": {ALICE: 100}})
    stage.act(MuteMember(group=room, user_id=BOB), staff=Staff(user_id=ALICE))
    stage.do(seed.set_state, room, ALICE, "m.room.power_levels", LEVELS)
    offer(stage, room)
    accept(stage, room)
    assert stage.do(mutes.of_room, room, NOW) == []
    assert stage.refresh().mute(BOB, room, NOW) is None


def test_the_new_founder_upgrades_it_and_the_old_one_does_not(stage: Stage, room: str) -> None:
    offer(stage, room)
    accept(stage, room)
    stage.do(quotas.expect_successor, room, NOW)
    stage.homeserver.now += 20_000
    for by, expected in ((ALICE, {}), (BOB, 1)):
        new = stage.do(seed.make_room, by, predecessor=room, members=[CAROL])
        stage.do(seed.set_state, room, by, "m.room.tombstone", {"replacement_room": new})
        closed = stage.do(close_replaced, stage.homeserver.now)
        assert closed == ({room: new} if expected else {})
    with pytest.raises(Conflict, match="moved"):
        offer(stage, room, CAROL, by=BOB)


def test_labels_name_the_new_founder(stage: Stage, room: str) -> None:
    offer(stage, room)
    accept(stage, room)
    assert stage.do(labels.promised, NOW) == [], "a group without labels gets none"
    stage.config = stage.config.model_copy(update={"labels": LabelsConfig(enabled=True)})
    stage.do(seed.set_state, room, ALICE, "org.groupreg.labels", {"founder": ALICE})
    offer(stage, room, CAROL, by=BOB)
    accept(stage, room, CAROL)
    assert stage.do(labels.promised, NOW) == [(room, CAROL)], "in the name of who accepted"
    assert stage.do(status, NOW)["labels"] == 1


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_what_both_are_told(stage: Stage, room: str, language: str) -> None:
    offer(stage, room)
    decline(stage, room)
    words = Words(stage.database, stage.homeserver, language)  # type: ignore[arg-type]  # no more of it is needed
    sender = Notices(stage.config.notices, stage.database, stage.homeserver, words, account="@groupreg:x")  # type: ignore[arg-type]  # as above
    found, _ = stage.do(notices.page, {}, 0, 99)
    said = {one.account: result_of(sender._text(one)) for one in found}
    assert f"!group transfer {GIVEN} accept" in said[BOB]
    assert "Chess" in said[BOB]
    assert texts.moment(NOW + OFFERED_MS, language) in said[BOB]
    assert said[ALICE] == texts.text("handover.declined", language, person=BOB, name="Chess")


def test_of_two_offers_one_is_accepted_for_one_place(pg_db: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has counted waits a moment for the rival to count too, who can't while the place is locked."""
    stage = Stage(pg_db)
    two = [a_group(stage, number(one)) for one in (7, 8)]
    stage.act(LimitAccount(user_id=BOB, limits={"rooms_founded": 1}))
    for room in two:
        offer(stage, room)

    def take(room: str) -> Any:
        def work(database: TestDatabase) -> bool:
            own = attrs.evolve(stage.setting(Staff(user_id=BOB)), now_ms=NOW)
            try:
                return database.do(act_handovers.accept, own, AcceptGroup(group=room)).changed
            except NotPermitted:
                return False

        return work

    both_counted, set_founder = threading.Barrier(2, timeout=0.3), rooms.set_founder

    def slowly(*args: Any) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            both_counted.wait()
        set_founder(*args)

    monkeypatch.setattr(rooms, "set_founder", slowly)
    assert sorted(at_once(stage.database, [take(room) for room in two])) == [False, True]
    assert founded(stage, BOB) == 1
