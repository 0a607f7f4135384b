# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff wishes for the retention store: holds with an end, removal, keys, a new shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import Conflict, Invalid, NotFound, NotPermitted
from synapse_groupreg.policy import record_actions
from synapse_groupreg.policy.staff import Staff, StaffRole
from synapse_groupreg.retention.records import Kind
from synapse_groupreg.storage import acts, keeping, known_logs, reported
from synapse_groupreg.storage.known_logs import KnownLog
from tests.handlers.stage import ADMIN, CAROL, DAY, NOW, Stage

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import Action

YEARS_3 = 1096 * DAY
OPERATOR = Staff(user_id=CAROL, roles=frozenset({StaffRole.operator}))


def hold(**given: Any) -> record_actions.HoldRecords:
    said: dict[str, Any] = {"log": "events", "from_ms": 1, "to_ms": 2, "until_ms": NOW + DAY}
    return record_actions.HoldRecords(**{**said, "reason": "lawsuit", "basis": "order 17", **given})


def waiting(stage: Stage) -> list[str]:
    return [one.kind for one in stage.do(keeping.waiting)]


@pytest.mark.parametrize("role", StaffRole)
def test_only_the_operator_keeps_records(stage: Stage, role: StaffRole) -> None:
    staff = Staff(user_id=CAROL, roles=frozenset({role}))
    if role is StaffRole.operator:
        assert stage.act(hold(), staff=staff).changed
        return
    actions: list[Action] = [hold(), record_actions.RotateKeys(reason="r"), record_actions.PurgeDue(due=("events",))]
    for action in actions:
        with pytest.raises(NotPermitted, match="operator"):
            stage.act(action, staff=staff)
    assert waiting(stage) == []


@pytest.mark.parametrize(("until_ms", "fine"), [(NOW, False), (NOW + 1, True), (NOW + YEARS_3, True)])
def test_a_hold_has_an_end_within_three_years(stage: Stage, until_ms: int, fine: bool) -> None:
    if fine:
        assert stage.act(hold(until_ms=until_ms)).changed
        with pytest.raises(Invalid, match="three years"):
            stage.act(hold(until_ms=NOW + YEARS_3 + 1))
    else:
        with pytest.raises(Invalid, match="until_ms"):
            stage.act(hold(until_ms=until_ms))


def test_a_hold_is_extended_and_lifted_and_each_is_recorded_as_a_hold(stage: Stage) -> None:
    number = stage.act(hold(), staff=OPERATOR).id or 0
    assert stage.act(record_actions.ExtendHold(hold_id=number, until_ms=NOW + 9 * DAY, reason="appeal")).changed
    assert [one.until_ms for one in stage.do(keeping.holds_in_force, NOW)] == [NOW + 9 * DAY]
    assert stage.act(record_actions.LiftHold(hold_id=number, reason="settled")).changed
    assert not stage.act(record_actions.LiftHold(hold_id=number, reason="again")).changed
    assert stage.do(keeping.holds_in_force, NOW) == []
    with pytest.raises(Conflict, match="is over"):
        stage.act(record_actions.ExtendHold(hold_id=number, until_ms=NOW + 9 * DAY, reason="appeal"))
    with pytest.raises(NotFound):
        stage.act(record_actions.LiftHold(hold_id=number + 1, reason="r"))
    recorded = stage.do(acts.take, 100)
    assert [(one.kind, one.type) for one in recorded] == [
        (Kind.hold, "hold"),
        (Kind.hold, "extend-hold"),
        (Kind.hold, "lift-hold"),
    ]
    assert [one.actor for one in recorded] == [CAROL, ADMIN, ADMIN]


def test_a_hold_is_extended_to_a_later_end_only(stage: Stage) -> None:
    number = stage.act(hold(until_ms=NOW + 9 * DAY)).id or 0
    with pytest.raises(Invalid, match="to end it earlier, lift it"):
        stage.act(record_actions.ExtendHold(hold_id=number, until_ms=NOW + 9 * DAY - 1, reason="typing error"))
    assert not stage.act(record_actions.ExtendHold(hold_id=number, until_ms=NOW + 9 * DAY, reason="same")).changed


def test_a_time_that_ends_before_it_begins_is_no_time(stage: Stage) -> None:
    with pytest.raises(Invalid, match="to_ms"):
        stage.act(hold(from_ms=3))


def test_trying_puts_and_queues_nothing(stage: Stage) -> None:
    before = stage.contents()
    actions: list[Action] = [hold(), record_actions.RotateKeys(reason="r"), record_actions.PurgeDue(due=("events",))]
    assert all(stage.act(action, dry_run=True).changed for action in actions)
    assert stage.contents() == before


def test_keys_are_renewed_once_at_a_time(stage: Stage) -> None:
    stage.act(record_actions.RotateKeys(signing=True, reason="yearly"))
    with pytest.raises(Conflict, match="already"):
        stage.act(record_actions.RotateKeys(reason="yearly"))
    assert [one.payload for one in stage.do(keeping.waiting)] == [{"signing": True}]


def test_where_nothing_is_due_nothing_is_asked_for(stage: Stage) -> None:
    with pytest.raises(Conflict, match="Nothing is due"):
        stage.act(record_actions.PurgeDue(due=(), reason="r"))
    assert waiting(stage) == []


def test_a_new_shard_needs_a_loss(stage: Stage) -> None:
    wish = record_actions.BeginShard(log="events", reason="the disk")
    with pytest.raises(Conflict, match="lacks nothing"):
        stage.act(wish)
    stage.do(reported.report, "the store's log acts has 2 records …", "acts", NOW)
    with pytest.raises(Conflict, match="lacks nothing"):
        stage.act(wish)
    stage.do(reported.report, "the store's log events has 2 records …", "events", NOW)
    assert stage.act(wish).changed
    assert waiting(stage) == ["epoch"]


def test_a_log_whose_keys_are_lost_too_is_given_up_while_recording_is_off(stage: Stage) -> None:
    wish = record_actions.BeginShard(log="events", reason="the disk")
    known = KnownLog(
        log="events", shard=1, signing_key="s", wrapping_key="w", origin="o", size=3, root="r", noted_ms=NOW
    )
    stage.do(known_logs.remember, [known])
    with pytest.raises(Conflict, match="lacks nothing"):
        stage.act(wish)
    retention = stage.config.retention.model_copy(update={"enabled": False})
    stage.config = stage.config.model_copy(update={"retention": retention})
    with pytest.raises(Conflict, match="lacks nothing"):
        stage.act(record_actions.BeginShard(log="acts", reason="the disk"))
    assert stage.act(wish).changed
    assert waiting(stage) == ["epoch"]


def test_while_recording_is_off_keys_stay_as_they_are(stage: Stage) -> None:
    retention = stage.config.retention.model_copy(update={"enabled": False})
    stage.config = stage.config.model_copy(update={"retention": retention})
    with pytest.raises(Conflict, match="enabled is false"):
        stage.act(record_actions.RotateKeys(reason="r"))
