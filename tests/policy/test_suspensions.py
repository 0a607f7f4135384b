# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each kind of measure cuts, and what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from synapse_groupreg.policy import judge
from synapse_groupreg.policy.measures import (
    IMPOSED_ON,
    MeasureKind,
    Scope,
    SubjectKind,
    Switch,
    next_step,
    skips_a_step,
)
from synapse_groupreg.policy.types import Found, Invite, Join, LogIn, Manage, RoomKind, Send
from tests.policy.samples import ALICE, BOB, DIRECT, GROUP, NOW, SPACE, config, measure

if TYPE_CHECKING:
    from synapse_groupreg.policy.types import Attempt

RULES = config()
OTHER = attrs.evolve(GROUP, room_id="!other:test.example.org")
SEND, MANAGED = Send(actor=ALICE, room=GROUP), Send(actor=ALICE, room=GROUP, manages=True)
OWN = Send(actor=ALICE, room=GROUP, manages=True, retracts_own=True)
JOIN, INVITE = Join(actor=ALICE, room=GROUP), Invite(actor=ALICE, room=GROUP, invitee=BOB)
KICK, NAMED = Manage(actor=ALICE, room=GROUP), Manage(actor=ALICE, room=GROUP, about_oneself=True)
FOUND, UPGRADE = Found(actor=ALICE), Found(actor=ALICE, replaces=GROUP)
UPLOAD, LOG_IN = Manage(actor=ALICE), LogIn(actor=ALICE)
ALL: dict[str, Attempt] = {
    "send": SEND,
    "managed": MANAGED,
    "own": OWN,
    "join": JOIN,
    "invite": INVITE,
    "kick": KICK,
    "named": NAMED,
    "found": FOUND,
    "upgrade": UPGRADE,
    "upload": UPLOAD,
    "log in": LOG_IN,
}
ON_SOMEBODY = {
    MeasureKind.warning: set(),
    MeasureKind.posting_suspended: {"send", "managed"},
    MeasureKind.management_suspended: {"managed", "invite", "kick", "upgrade"},
    MeasureKind.founding_revoked: {"found", "upgrade"},
}
ON_ROOM = {
    MeasureKind.warning: set(),
    MeasureKind.posting_suspended: {"send", "managed", "upgrade"},
    MeasureKind.joining_suspended: {"join", "invite", "upgrade"},
    MeasureKind.closed: {"send", "managed", "join", "invite", "kick", "named", "upgrade"},
}
SWITCHED = {
    Switch.posting: {"send", "managed"},
    Switch.joining: {"join", "invite"},
    Switch.founding: {"found", "upgrade"},
}


def refused(attempt: Attempt) -> list[str]:
    return [violation.code for violation in judge(attempt, RULES).violations]


def on_actor(attempt: Attempt, **facts: object) -> Attempt:
    return attrs.evolve(attempt, actor=attrs.evolve(attempt.actor, measures=(measure(**facts),)))


def on_room(attempt: Attempt, kind: MeasureKind) -> Attempt:
    under = attrs.evolve(GROUP, measures=(measure(SubjectKind.room, kind=kind),))
    if isinstance(attempt, LogIn):
        return attempt
    if isinstance(attempt, Found):
        return attrs.evolve(attempt, replaces=attempt.replaces and under)
    return attrs.evolve(attempt, room=attempt.room and under)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", ON_SOMEBODY)
@pytest.mark.parametrize("subject_kind", [SubjectKind.account, SubjectKind.person])
def test_what_a_measure_on_somebody_cuts(name: str, kind: MeasureKind, subject_kind: SubjectKind) -> None:
    expected = [kind.value] if name in ON_SOMEBODY[kind] else []
    assert refused(on_actor(ALL[name], kind=kind, subject_kind=subject_kind)) == expected


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", ON_ROOM)
def test_what_a_measure_on_a_group_cuts(name: str, kind: MeasureKind) -> None:
    expected = [f"room-{kind.value}"] if name in ON_ROOM[kind] else []
    assert refused(on_room(ALL[name], kind)) == expected


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("switch", Switch)
def test_what_an_emergency_stops(name: str, switch: Switch) -> None:
    facts = {"kind": MeasureKind.emergency, "subject_kind": SubjectKind.everybody, "subject": switch.value}
    attempt = on_actor(ALL[name], **facts)
    assert refused(attempt) == (["emergency"] if name in SWITCHED[switch] else [])
    staff = attrs.evolve(attempt, actor=attrs.evolve(attempt.actor, staff=True))
    assert refused(staff) == []


@pytest.mark.parametrize("kind", [MeasureKind.posting_suspended, MeasureKind.management_suspended])
def test_a_measure_for_one_group_holds_in_no_other(kind: MeasureKind) -> None:
    for attempt in (MANAGED, KICK, UPLOAD, FOUND):
        in_it = on_actor(attempt, kind=kind, room=GROUP.room_id)
        if isinstance(attempt, Send | Manage) and attempt.room is not None:
            assert refused(attrs.evolve(in_it, room=OTHER)) == []
    assert refused(on_actor(MANAGED, kind=kind, room=GROUP.room_id)) == [kind.value]
    assert refused(on_actor(FOUND, kind=kind, room=GROUP.room_id)) == []


@pytest.mark.parametrize("kind", MeasureKind)
def test_direct_chats_stay_free_and_spaces_do_not(kind: MeasureKind) -> None:
    if kind in (MeasureKind.blacklisted, MeasureKind.emergency):
        return
    direct = [attrs.evolve(one, room=DIRECT) for one in (SEND, MANAGED, JOIN, INVITE, KICK)]
    for attempt in (*direct, Found(actor=ALICE, kind=RoomKind.direct)):
        assert refused(on_actor(attempt, kind=kind)) == []
    space = on_actor(attrs.evolve(MANAGED, room=SPACE), kind=kind)
    assert refused(space) == ([kind.value] if "managed" in ON_SOMEBODY.get(kind, ()) else [])


def test_what_the_person_is_told() -> None:
    told = judge(on_actor(SEND, kind=MeasureKind.posting_suspended, id=12, until_ms=99), RULES).violations[0]
    assert told.facts() == {"reason": "fraud", "case": 12, "until_ms": 99}


def test_a_milder_measure_is_found_behind_one_that_does_not_hold_here() -> None:
    elsewhere = measure(kind=MeasureKind.posting_suspended, room=OTHER.room_id, id=1)
    here = measure(kind=MeasureKind.posting_suspended, room=GROUP.room_id, id=2)
    attempt = attrs.evolve(SEND, actor=attrs.evolve(ALICE, measures=(elsewhere, here)))
    assert [one.facts()["case"] for one in judge(attempt, RULES).violations] == [2]


STEPS = {
    MeasureKind.warning: 1,
    MeasureKind.posting_suspended: 2,
    MeasureKind.joining_suspended: 2,
    MeasureKind.management_suspended: 2,
    MeasureKind.founding_revoked: 2,
    MeasureKind.closed: 3,
}


@pytest.mark.parametrize("kind", MeasureKind)
@pytest.mark.parametrize("before", [None, *MeasureKind])
def test_the_usual_order(kind: MeasureKind, before: MeasureKind | None) -> None:
    """Warn, suspend, close. A blacklist entry and an emergency stand for themselves."""
    if before is MeasureKind.emergency:
        return  # on everybody, never on this subject
    reached = 0 if before is None else STEPS.get(before, 3)
    expected = kind in STEPS and STEPS[kind] > reached + 1
    assert skips_a_step(kind, [] if before is None else [before]) is expected


def test_a_deadline_that_passed_proposes_the_next_step_and_nothing_more() -> None:
    warning = measure(SubjectKind.room, kind=MeasureKind.warning, deadline_ms=NOW)
    assert next_step(warning, NOW - 1) is None
    assert next_step(warning, NOW) is MeasureKind.posting_suspended
    assert next_step(attrs.evolve(warning, lifted_ms=NOW), NOW) is None
    assert refused(attrs.evolve(SEND, room=attrs.evolve(GROUP, measures=(warning,)))) == []


def test_every_kind_can_be_imposed_on_something() -> None:
    assert set(IMPOSED_ON) == set(MeasureKind)
    assert all(IMPOSED_ON.values())
    assert measure(kind=MeasureKind.closed).scope is Scope.groups
