# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every action has in common: who may, the journal in the same transaction, trying, and doing it twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import Conflict, NotFound, NotPermitted
from synapse_groupreg.policy import actions, appeal_actions, group_actions, packet_actions, record_actions
from synapse_groupreg.policy.actions import Action
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import ReportState, Switch
from synapse_groupreg.policy.staff import Staff, StaffRole
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import acts, changes, quotas
from tests.handlers.acts_to_try import ENTRY, IMPORT, MAKE, an_import, one_room
from tests.handlers.stage import ADMIN, ALICE, BOB, DAY, NOW, Stage

if TYPE_CHECKING:
    pass

PERMITTED = {
    actions.Verify: {"identity_officer", "admin"},
    actions.Unverify: {"identity_officer", "admin"},
    actions.CommitImport: {"identity_officer", "admin"},
    actions.LimitAccount: {"operator", "admin"},
    actions.CapRoom: {"operator", "admin"},
    actions.LabelRoom: {"admin"},  # who founded the room of this test
    actions.Impose: {"reviewer", "admin"},
    actions.Lift: {"reviewer", "admin"},
    actions.SetReport: {"reviewer", "admin"},
    actions.SwitchEmergency: {"operator", "reviewer", "admin"},
    actions.ImportRules: {"reviewer", "admin"},
    actions.Follow: {"reviewer", "admin"},
    actions.Unfollow: {"reviewer", "admin"},
    actions.Approve: {"reviewer", "admin"},
    actions.Reject: {"reviewer", "admin"},
    actions.Grant: {"admin"},
    actions.SetMode: {"operator", "admin"},
    record_actions.Export: {"inspector", "admin"},
}
EXPECTED: dict[type[Action], tuple[str, Any, Any]] = {
    actions.Verify: (
        ALICE,
        {"assurance": "none", "identities": {}, "linked_accounts": [], "person": None},
        {"assurance": "real_name", "identities": {"operator": "real_name"}, "linked_accounts": [], "person": "known"},
    ),
    actions.Unverify: (
        ALICE,
        {"assurance": "contact", "identities": {"operator": "contact"}, "linked_accounts": [], "person": None},
        {"assurance": "none", "identities": {}, "linked_accounts": [], "person": None},
    ),
    actions.CommitImport: (f"import {IMPORT}", None, {"accounts": 2, "linked": 1, "unchanged": 0}),
    actions.LimitAccount: (ALICE, {"rooms_founded": None}, {"rooms_founded": 3}),
    actions.CapRoom: ("!", {"members": None}, {"members": 7}),
    actions.LabelRoom: ("!", {"labels": None}, {"labels": {"0": "Member", "50": "Manager", "100": "Founder"}}),
    actions.Grant: (ALICE, {"roles": []}, {"roles": ["reviewer"]}),
    actions.SetMode: ("mode", {"mode": "enforce"}, {"mode": "dry"}),
}
LINES = {actions.CommitImport: 3, actions.ImportRules: 2, actions.Unfollow: 2, actions.Approve: 2}
"""How many lines an act writes, where there is one for each account or entry, or for what was proposed, besides."""
SAME = ("changed", "subject", "before", "after")
EVERY = pytest.mark.parametrize("kind", list(MAKE), ids=lambda kind: kind.__name__)
SETTING = pytest.mark.parametrize(
    "kind", sorted({*MAKE} - {record_actions.Export}, key=str), ids=lambda kind: kind.__name__
)
"""Actions that set something; each export is one of its own."""
WHO = {
    "nobody": Staff(user_id=BOB),
    **{role.value: Staff(user_id=BOB, roles=frozenset({role})) for role in StaffRole},
    "admin": Staff(user_id=ADMIN, admin=True),
}


def test_every_action_is_tried_here() -> None:
    from synapse_groupreg.handlers.actions import CARRY_OUT  # noqa: PLC0415 - only to compare

    # These have test_act_records.py, test_appeals.py, test_packets.py, test_act_mutes.py, test_act_handovers.py and
    # test_slow.py; the category is in test_commands.py.
    others = {module.__name__ for module in (record_actions, appeal_actions, packet_actions, group_actions)}
    elsewhere = {kind for kind in CARRY_OUT if kind.__module__ in others} - {record_actions.Export}
    assert set(MAKE) == set(CARRY_OUT) - elsewhere == set(PERMITTED)


@EVERY
@pytest.mark.parametrize("who", WHO)
def test_who_may(stage: Stage, kind: type[Action], who: str) -> None:
    action = MAKE[kind](stage)
    before, pokes = stage.contents(), stage.homeserver.pokes
    if who in PERMITTED[kind]:
        if kind is actions.Impose and who != "admin":
            action = actions.Impose(entity=ALICE, **ENTRY)
        change = stage.act(action, staff=WHO[who])
        assert change.changed
        assert stage.journal()[-1].author == WHO[who].user_id
    else:
        with pytest.raises(NotPermitted, match="server admin"):
            stage.act(action, staff=WHO[who])
        assert stage.contents() == before
        assert stage.homeserver.pokes == pokes


@EVERY
def test_before_and_after_are_answered_and_journalled(stage: Stage, kind: type[Action]) -> None:
    action = MAKE[kind](stage)
    lines, pokes = len(stage.journal()), stage.homeserver.pokes
    change = stage.act(action)
    assert len(stage.journal()) == lines + LINES.get(kind, 1)
    line = stage.journal()[-1]
    assert (line.author, line.action, line.reason, line.ts_ms) == (ADMIN, action.name, action.reason, NOW)
    assert (line.subject, line.before, line.after) == (change.subject, change.before, change.after)
    assert stage.homeserver.pokes == pokes + 1
    if kind in EXPECTED:
        subject, before, after = EXPECTED[kind]
        assert line.subject.startswith(subject)
        assert (line.before, line.after) == (before, after)


@EVERY
def test_trying_changes_nothing_and_says_what_doing_would(stage: Stage, kind: type[Action]) -> None:
    action = MAKE[kind](stage)
    before, pokes = stage.contents(), stage.homeserver.pokes
    tried = stage.act(action, dry_run=True)
    assert stage.contents() == before
    assert stage.homeserver.pokes == pokes
    done = stage.act(action)
    assert tried.dry_run
    assert not done.dry_run
    assert [getattr(tried, one) for one in SAME] == [getattr(done, one) for one in SAME]
    told = {name: value for name, value in done.facts.items() if kind is not record_actions.Export or name != "id"}
    assert tried.facts | told == tried.facts  # it may tell more; only what is there has an id


@SETTING
def test_doing_it_twice_is_the_same_as_once(stage: Stage, kind: type[Action]) -> None:
    action = MAKE[kind](stage)
    stage.act(action)
    after, pokes = stage.contents(), stage.homeserver.pokes
    stage.homeserver.now += 1
    if kind is actions.CommitImport:  # it is gone, and the same file again changes nothing
        with pytest.raises(NotFound, match="no such import"):
            stage.act(action)
        an_import(stage)
    again = stage.act(action)
    assert not again.changed
    assert stage.contents() == after
    assert stage.homeserver.pokes == pokes


@EVERY
def test_an_act_that_can_not_be_journalled_does_not_happen(
    stage: Stage, kind: type[Action], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is written in the transaction of the act itself."""
    action = MAKE[kind](stage)
    before = stage.contents()

    def broken(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(acts, "append", broken)
    with pytest.raises(OSError):  # noqa: PT011 - ours, from above
        stage.act(action)
    assert stage.contents() == before


@EVERY
def test_an_act_whose_news_can_not_be_published_does_not_happen(
    stage: Stage, kind: type[Action], monkeypatch: pytest.MonkeyPatch
) -> None:
    action = MAKE[kind](stage)
    before = stage.contents()

    def broken(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(changes, "publish", broken)
    # Read from the database each time.
    read = (
        actions.LimitAccount,
        actions.CapRoom,
        actions.LabelRoom,
        actions.SetReport,
        actions.Follow,
        actions.Reject,
        record_actions.Export,
    )
    if kind in read:
        assert stage.act(action).changed
        return
    with pytest.raises(OSError):  # noqa: PT011 - ours, from above
        stage.act(action)
    assert stage.contents() == before


@pytest.mark.parametrize(
    "action",
    [
        actions.Verify(user_id="@ghost:test.example.org", assurance=Assurance.contact, provider="operator"),
        actions.Unverify(user_id="@ghost:test.example.org"),
        actions.CommitImport(import_id="ghost"),
        actions.LimitAccount(user_id="@ghost:test.example.org", limits={"rooms_founded": 1}),
        actions.CapRoom(room_id="!ghost", members=5),
        actions.Impose(entity="@ghost:test.example.org", **ENTRY),
        actions.Lift(measure_id=99),
        actions.SetReport(measure_id=99, state=ReportState.due),
        actions.SwitchEmergency(on=False, switches=(Switch.posting,), room="!ghost"),
        actions.Follow(room="!ghost"),
        actions.Approve(proposal_id=99),
        actions.Reject(proposal_id=99),
        actions.Grant(user_id="@ghost:test.example.org", roles=frozenset()),
    ],
    ids=lambda action: action.name,
)
def test_what_is_not_there_is_not_found_and_nothing_is_written(stage: Stage, action: Action) -> None:
    before = stage.contents()
    with pytest.raises(NotFound):
        stage.act(action)
    assert stage.contents() == before


def test_the_journal_can_not_be_changed(stage: Stage) -> None:
    stage.act(actions.SetMode(mode="dry"))
    for statement in ("UPDATE groupreg_acts SET author = 'x'", "DELETE FROM groupreg_acts"):
        with pytest.raises(Exception, match="append-only"):
            stage.database.rows(statement)
    assert stage.journal()[-1].author == ADMIN


# Single actions.


def test_limits_of_a_person_are_shared_by_the_accounts_and_null_goes_back(stage: Stage) -> None:
    for user_id in (ALICE, BOB):
        stage.act(actions.Verify(user_id=user_id, assurance=Assurance.contact, provider="office", digest="d"))
    stage.act(actions.LimitAccount(user_id=ALICE, limits={"rooms_founded": 3, "rooms_joined": 9}))
    for user_id in (ALICE, BOB):
        subject, family = stage.do(quotas.subject_of, user_id)
        assert family == [ALICE, BOB]
        assert stage.do(quotas.override, subject, quotas.FOUNDED) == 3
    change = stage.act(actions.LimitAccount(user_id=BOB, limits={"rooms_founded": None}))
    assert change.before == {"rooms_founded": 3}
    assert stage.do(quotas.override, subject, quotas.FOUNDED) is None
    assert stage.do(quotas.override, subject, quotas.JOINED) == 9


def test_a_limit_of_zero_is_a_limit(stage: Stage) -> None:
    stage.act(actions.LimitAccount(user_id=ALICE, limits={"rooms_founded": 0}))
    assert stage.do(quotas.override, f"account:{ALICE}", quotas.FOUNDED) == 0


@pytest.mark.parametrize("kind", [RoomKind.direct, RoomKind.space])
def test_only_groups_have_a_cap(stage: Stage, kind: RoomKind) -> None:
    room_id = one_room(stage, kind=kind, space=kind is RoomKind.space)
    with pytest.raises(Conflict, match="only groups have a cap"):
        stage.act(actions.CapRoom(room_id=room_id, members=5))


def test_a_cap_below_the_number_of_members_removes_nobody(stage: Stage) -> None:
    room_id = one_room(stage, members=[BOB])
    stage.act(actions.CapRoom(room_id=room_id, members=1))
    used = stage.do(quotas.members, room_id, NOW + DAY, besides="", default=500)
    assert (used.used, used.limit) == (2, 1)


def test_roles_are_replaced_as_a_whole(stage: Stage) -> None:
    both = frozenset({StaffRole.operator, StaffRole.inspector})
    stage.act(actions.Grant(user_id=ALICE, roles=both))
    assert stage.refresh().staff == {ALICE: both}
    change = stage.act(actions.Grant(user_id=ALICE, roles=frozenset({StaffRole.operator})))
    assert change.before == {"roles": ["inspector", "operator"]}
    stage.act(actions.Grant(user_id=ALICE, roles=frozenset()))
    assert stage.refresh().staff == {}
