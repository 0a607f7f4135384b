# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Emergencies (article 5.3): what is stopped for everybody but staff, at once, on every process, until a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.errors import Invalid, NotFound, Problem
from synapse_groupreg.handlers.change import Change, Facts, Setting
from synapse_groupreg.handlers.measures import show
from synapse_groupreg.policy.measures import Measure, MeasureKind, SubjectKind, Switch
from synapse_groupreg.storage import measures, rooms

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import SwitchEmergency
    from synapse_groupreg.storage.changes import Subject
    from synapse_groupreg.storage.database import Transaction

EVERYBODY: Subject = (SubjectKind.everybody.value, "")
BASIS = "article 5.3"
"""The article that emergencies rest on."""


def switch(txn: Transaction, setting: Setting, action: SwitchEmergency) -> Change:
    """Switch an emergency on, or change its end and reason; or off."""
    _check(txn, setting, action)
    open_ones = {one.subject: one for one in standing(txn, setting.now_ms) if one.room == action.room}
    before: Facts = {}
    after: Facts = {}
    for one in dict.fromkeys(action.switches):
        old = open_ones.get(one.value)
        new = _on(txn, setting, action, one, old) if action.on else _off(txn, setting, action, old)
        before[one.value] = None if old is None else show(old)
        after[one.value] = None if new is None else show(new)
    return Change(
        subject=action.room or "emergency",
        before=before,
        after=after,
        touched=frozenset({EVERYBODY}),
    )


def standing(txn: Transaction, now_ms: int) -> list[Measure]:
    """The emergencies that are on."""
    return measures.of_kinds(txn, [SubjectKind.everybody], now_ms)


def _on(txn: Transaction, setting: Setting, action: SwitchEmergency, wanted: Switch, old: Measure | None) -> Measure:
    reason = action.reason or ""
    if old is not None:
        new = attrs.evolve(old, reason=reason, until_ms=action.until_ms)
        measures.update(txn, new)
        return new
    return measures.insert(
        txn,
        Measure(
            id=0,
            kind=MeasureKind.emergency,
            subject_kind=SubjectKind.everybody,
            subject=wanted.value,
            entity=wanted.value,
            room=action.room,
            reason=reason,
            basis=BASIS,
            author=setting.staff.user_id,
            start_ms=setting.now_ms,
            until_ms=action.until_ms,
        ),
    )


def _off(txn: Transaction, setting: Setting, action: SwitchEmergency, old: Measure | None) -> Measure | None:
    if old is None:
        return None
    new = attrs.evolve(
        old, lifted_ms=setting.now_ms, lifted_by=setting.staff.user_id, lift_reason=action.reason or "over"
    )
    measures.update(txn, new)
    return new


def _check(txn: Transaction, setting: Setting, action: SwitchEmergency) -> None:
    problems = []
    if action.on and (action.until_ms is None or action.until_ms <= setting.now_ms):
        problems.append(Problem("until_ms", "must say when it ends, and lie in the future"))
    if action.on and not action.reason:
        problems.append(Problem("reason", "must say why; everybody reads it who is refused something"))
    if action.room is not None and Switch.founding in action.switches:
        problems.append(Problem("switches", "can't have 'founding' for one room"))
    if problems:
        raise Invalid(problems)
    if action.room is not None and rooms.ensure(txn, action.room) is None:
        raise NotFound(f"This server is in no room {action.room}.")
