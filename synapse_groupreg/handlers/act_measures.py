# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Imposing and lifting measures (article 11), and how far their reports are (11.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.errors import Conflict, Invalid, NotFound, Problem
from synapse_groupreg.handlers import measure_checks
from synapse_groupreg.handlers.change import Change, Facts, Setting
from synapse_groupreg.handlers.measures import Here, family, show, tell, touched_by
from synapse_groupreg.handlers.touching import Look
from synapse_groupreg.policy.agreements import rests_on_agreement
from synapse_groupreg.policy.measures import (
    PEOPLE,
    SOMEBODY,
    Measure,
    MeasureKind,
    ReportState,
    Scope,
    SubjectKind,
)
from synapse_groupreg.policy.policy_lists import Target
from synapse_groupreg.storage import measures, people, removals, state

if TYPE_CHECKING:
    from synapse_groupreg.handlers.measures import News
    from synapse_groupreg.policy.actions import Impose, Lift, SetReport
    from synapse_groupreg.storage.database import Transaction

REVIEW_MS = 90 * 86_400_000
"""When a measure without an end is looked at again, unless staff say."""


def impose(txn: Transaction, setting: Setting, action: Impose) -> Change:
    """Impose a measure; one of the kind that is open already on the same subject is changed instead."""
    done = _done_before(txn, action)
    if done is not None:
        return _change(txn, done, done)
    kind, subject = measure_checks.subject(txn, setting, action)
    measure_checks.fields(setting, action, kind)
    measure_checks.rooms(txn, action)
    measure_checks.protect(txn, setting, action, kind)
    before = _open_one(txn, setting, action, kind, subject)
    if before is None:
        measure_checks.nothing_above(txn, setting, action, kind, subject)
    skips = before is None and measure_checks.skips(txn, setting, action, kind, subject)
    after = _new(setting, action, kind, subject) if before is None else _changed(setting, action, before)
    after = attrs.evolve(after, accepted=_accepted(txn, before, after))
    if before is None:
        after = measures.insert(txn, after)
    else:
        measures.update(txn, after)
    accounts = _touched_accounts(txn, setting, after)
    change = _change(txn, before, after, accounts)
    return attrs.evolve(
        change,
        second=skips or measure_checks.needs_two(txn, setting, action, after),
        facts=_effects(txn, setting, "imposed" if before is None else "changed", before, after),
    )


def lift(txn: Transaction, setting: Setting, action: Lift) -> Change:
    """End a measure; everything is as it was before it, but for members who were removed from a closed group."""
    before = find(txn, action.measure_id)
    if before.lifted_ms is not None:
        return _change(txn, before, before)
    after = attrs.evolve(before, lifted_ms=setting.now_ms, lifted_by=setting.staff.user_id, lift_reason=action.reason)
    measures.update(txn, after)
    over = not before.live(setting.now_ms)
    facts = {} if over else _effects(txn, setting, "lifted", before, after)
    return attrs.evolve(_change(txn, before, after), facts=facts)


def set_report(txn: Transaction, setting: Setting, action: SetReport) -> Change:
    """Note how far the report of a measure is."""
    needs_text = {ReportState.handed_in: "its receipt", ReportState.not_reported: "why it is not reported"}
    if action.state in needs_text and not action.text:
        raise Invalid([Problem("text", f"must give {needs_text[action.state]}")])
    before = find(txn, action.measure_id)
    if (before.report, before.report_text) == (action.state, action.text):
        return _change(txn, before, before)
    after = attrs.evolve(
        before,
        report=action.state,
        report_text=action.text,
        report_by=setting.staff.user_id,
        report_ms=setting.now_ms,
    )
    measures.update(txn, after)
    return attrs.evolve(_change(txn, before, after), touched=frozenset())


def find(txn: Transaction, measure_id: int) -> Measure:
    """A measure. Raises NotFound."""
    found = measures.get(txn, measure_id)
    if found is None:
        raise NotFound(f"There is no measure {measure_id}.")
    return found


def default_scope(setting: Setting, kind: SubjectKind) -> Scope:
    """What a blacklist entry cuts that doesn't say."""
    return Scope(setting.config.blacklist.default_scope) if kind in PEOPLE else Scope.groups


def _done_before(txn: Transaction, action: Impose) -> Measure | None:
    """What the same request made before. Raises Conflict if its key was used for something else."""
    found = None if action.key is None else measures.by_key(txn, action.key)
    if found is not None and (found.kind, found.entity, found.room) != (action.kind, action.entity, action.room):
        raise Conflict(f"The key was used for measure {found.id}, which is another: choose a new one.")
    return found


def _open_one(txn: Transaction, setting: Setting, action: Impose, kind: SubjectKind, subject: str) -> Measure | None:
    found = measures.of_subjects(txn, kind, [subject], setting.now_ms)
    if kind is SubjectKind.person:  # it may be from before the account was linked
        found += measures.of_subjects(txn, SubjectKind.account, [action.entity], setting.now_ms)
    return next((one for one in found if one.kind is action.kind and one.room == action.room), None)


def _new(setting: Setting, action: Impose, kind: SubjectKind, subject: str) -> Measure:
    barred = action.kind is MeasureKind.blacklisted
    return Measure(
        id=0,
        kind=action.kind,
        subject_kind=kind,
        subject=subject,
        entity=action.entity,
        scope=action.scope or (default_scope(setting, kind) if barred else Scope.groups),
        room=action.room,
        reason=action.reason,
        note=action.note,
        basis=action.basis,
        grave=action.grave,
        author=setting.staff.user_id,
        start_ms=setting.now_ms,
        until_ms=action.until_ms,
        review_ms=_review_ms(setting, action, None),
        deadline_ms=action.deadline_ms,
        report=ReportState(setting.config.measures.report),
        request_key=action.key,
    )


def _changed(setting: Setting, action: Impose, before: Measure) -> Measure:
    return attrs.evolve(
        before,
        scope=action.scope or before.scope,
        reason=action.reason,
        note=action.note or before.note,
        basis=action.basis,
        grave=action.grave or before.grave,
        until_ms=action.until_ms,
        review_ms=_review_ms(setting, action, before),
        deadline_ms=action.deadline_ms or before.deadline_ms,
        # Whoever changes an entry of a policy list makes it their own: the list doesn't lift it any more.
        author=before.author if before.list_room is None else setting.staff.user_id,
        list_room=None,
        list_event=None,
        request_key=action.key or before.request_key,
    )


def _review_ms(setting: Setting, action: Impose, before: Measure | None) -> int | None:
    if action.review_ms is not None or action.until_ms is not None:
        return action.review_ms
    if before is not None and before.review_ms:
        return before.review_ms
    return action.deadline_ms or setting.now_ms + REVIEW_MS


def _accepted(txn: Transaction, before: Measure | None, after: Measure) -> tuple[str, ...] | None:
    """The versions of the agreement that all accounts of who is bound had accepted as it first was the basis."""
    if after.subject_kind not in SOMEBODY or not rests_on_agreement(after.basis):
        return None
    if before is not None and before.accepted is not None:
        return before.accepted
    return tuple(people.accepted(txn, family(txn, after)))


def _touched_accounts(txn: Transaction, setting: Setting, measure: Measure) -> list[str]:
    """The accounts of this server that it binds; of a group that is closed those who will be removed from it."""
    if measure.kind is MeasureKind.closed:
        return sorted(one for one in state.joined(txn, measure.subject) if setting.is_mine(one))
    return Look(txn, setting).accounts(Target(measure.subject_kind, measure.entity))


def _effects(txn: Transaction, setting: Setting, news: News, before: Measure | None, after: Measure) -> Facts:
    """Queue what follows, and name it: who is told, who is removed from where and when."""
    if before is not None and show(before) == show(after):
        return {}
    found: list[Facts] = []
    told = tell(txn, news, after, Here(setting.config, setting.server_name, setting.now_ms))
    if told:
        found.append({"effect": "notice", "accounts": told})
    if after.kind is MeasureKind.closed and news == "imposed":
        due_ms = after.start_ms + setting.config.measures.closed_readable
        removals.add(txn, after.id, after.subject, due_ms)
        members = sum(setting.is_mine(one) for one in state.joined(txn, after.subject))
        found.append({"effect": "removal", "room_id": after.subject, "members": members, "due_ms": due_ms})
    if after.kind is MeasureKind.closed and news == "lifted" and removals.drop(txn, after.id):
        found.append({"effect": "removal-cancelled", "room_id": after.subject})
    return {"effects": found}


def _change(txn: Transaction, before: Measure | None, after: Measure, accounts: list[str] | None = None) -> Change:
    return Change(
        subject=after.entity,
        before=None if before is None else show(before),
        after=show(after),
        touched=frozenset(touched_by(txn, after)),
        id=after.id,
        accounts=tuple(accounts or ()),
    )
