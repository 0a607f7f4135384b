# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One action of each kind, ready to be carried out on a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.config import LabelsConfig
from synapse_groupreg.handlers.follower import Follower
from synapse_groupreg.handlers.following import keep_in_step
from synapse_groupreg.policy import actions, record_actions
from synapse_groupreg.policy.actions import Action
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import ReportState, Switch
from synapse_groupreg.policy.policy_lists import PolicyRule, RuleKind
from synapse_groupreg.policy.staff import MANY_ACCOUNTS, Staff, StaffRole
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import imports
from tests.database import result_of
from tests.handlers.stage import ADMIN, ALICE, BOB, CAROL, NOW, Stage
from tests.storage import seed

if TYPE_CHECKING:
    from collections.abc import Callable

IMPORT = "an-import"
ENTRY: dict[str, Any] = {"reason": "fraud", "basis": "11.3"}


def one_room(stage: Stage, **facts: Any) -> str:
    room_id: str = stage.do(seed.make_room, ALICE, **{"kind": RoomKind.group} | facts)
    return room_id


def stage_import(stage: Stage, *lines: tuple[str, Assurance, str | None], import_id: str = IMPORT) -> None:
    rows = [
        imports.ImportRow(
            line=number, user_id=user, assurance=level, digest=digest, new_person_id=f"{import_id}-{number}"
        )
        for number, (user, level, digest) in enumerate(lines, start=2)
    ]
    stage.do(imports.begin, import_id, ADMIN, "spring", NOW)
    stage.do(imports.stage, import_id, rows)


def an_import(stage: Stage) -> Action:
    stage_import(stage, (ALICE, Assurance.real_name, "d"), (BOB, Assurance.contact, None))
    return actions.CommitImport(import_id=IMPORT, reason="spring")


def a_lift(stage: Stage) -> actions.Lift:
    return actions.Lift(measure_id=stage.act(actions.Impose(entity=BOB, **ENTRY)).id or 0, reason="appeal")


def a_label(stage: Stage) -> Action:
    stage.config = stage.config.model_copy(update={"labels": LabelsConfig(enabled=True)})
    room_id = stage.do(seed.make_room, ADMIN, kind=RoomKind.group)
    stage.do(seed.set_state, room_id, ADMIN, "m.room.power_levels", {"users": {ADMIN: 100}})
    return actions.LabelRoom(room_id=room_id, reason="asked for")


def a_proposal(stage: Stage) -> int:
    """Carol wants to bar a crowd."""
    for number in range(MANY_ACCOUNTS + 1):
        stage.do(seed.make_user, seed.local(f"crowd{number}"))
    carol = Staff(user_id=CAROL, roles=frozenset({StaffRole.reviewer}))
    change = stage.act(actions.Impose(entity=seed.local("crowd*"), **ENTRY), staff=carol)
    assert not change.changed
    number = change.facts["proposal"]["id"]
    assert isinstance(number, int)
    return number


def a_policy_room(stage: Stage) -> str:
    room_id = one_room(stage)
    content = {"entity": BOB, "reason": "fraud", "recommendation": "m.ban"}
    stage.do(seed.set_state, room_id, ALICE, "m.policy.rule.user", content, state_key="rule")
    return room_id


def an_unfollow(stage: Stage) -> Action:
    room_id = a_policy_room(stage)
    stage.act(actions.Follow(room=room_id))
    result_of(Follower(stage.database, stage.homeserver, stage.setting, keep_in_step).every_second())
    return actions.Unfollow(room=room_id, reason="quarrel")


MAKE: dict[type[Action], Callable[[Stage], Action]] = {
    actions.Verify: lambda _: actions.Verify(
        user_id=ALICE, assurance=Assurance.real_name, provider="operator", digest="d", reason="desk 3"
    ),
    actions.Unverify: lambda stage: (
        stage.act(actions.Verify(user_id=ALICE, assurance=Assurance.contact, provider="operator"))
        and actions.Unverify(user_id=ALICE, reason="mistake")
    ),
    actions.CommitImport: an_import,
    actions.LimitAccount: lambda _: actions.LimitAccount(user_id=ALICE, limits={"rooms_founded": 3}, reason="school"),
    actions.CapRoom: lambda stage: actions.CapRoom(room_id=one_room(stage), members=7, reason="small"),
    actions.LabelRoom: a_label,
    actions.Impose: lambda _: actions.Impose(entity=BOB, **ENTRY),
    actions.Lift: a_lift,
    actions.SetReport: lambda stage: actions.SetReport(
        measure_id=a_lift(stage).measure_id, state=ReportState.handed_in, text="receipt 5", reason="posted"
    ),
    actions.SwitchEmergency: lambda _: actions.SwitchEmergency(
        on=True, switches=(Switch.posting,), until_ms=NOW + 10_000, reason="flood"
    ),
    actions.ImportRules: lambda _: actions.ImportRules(
        rules=(PolicyRule(kind=RuleKind.user, entity=ALICE),), source="list.csv", basis="11.3", reason="neighbours"
    ),
    actions.Follow: lambda stage: actions.Follow(room=a_policy_room(stage), reason="neighbours"),
    actions.Unfollow: an_unfollow,
    actions.Approve: lambda stage: actions.Approve(proposal_id=a_proposal(stage), reason="seen"),
    actions.Reject: lambda stage: actions.Reject(proposal_id=a_proposal(stage), reason="too much"),
    actions.Grant: lambda _: actions.Grant(user_id=ALICE, roles=frozenset({StaffRole.reviewer}), reason="new"),
    actions.SetMode: lambda _: actions.SetMode(mode="dry", reason="pause"),
    record_actions.Export: lambda _: record_actions.Export(
        log="acts", mode="range", case="17", basis="13.1", reason="court order"
    ),
}
