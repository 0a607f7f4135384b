# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The blacklist (article 11.3): entries on accounts and their persons, rooms, and servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.errors import Conflict, Invalid, NotFound, Problem
from synapse_groupreg.handlers.act_staff import require_account
from synapse_groupreg.handlers.change import Change, Facts, Setting
from synapse_groupreg.handlers.snapshot import touched_accounts
from synapse_groupreg.handlers.touching import Look
from synapse_groupreg.policy.blacklist import server_matches
from synapse_groupreg.policy.measures import PEOPLE, Measure, MeasureKind, Scope, SubjectKind
from synapse_groupreg.policy.policy_lists import PolicyRule, Target, kind_of, target
from synapse_groupreg.storage import identity, measures, people, staff
from synapse_groupreg.storage.identity import relatives

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import Blacklist, Lift
    from synapse_groupreg.storage.changes import Subject
    from synapse_groupreg.storage.database import Transaction

REVIEW_MS = 90 * 86_400_000
"""When an entry without an end is looked at again, unless staff say."""


def blacklist(txn: Transaction, setting: Setting, action: Blacklist) -> Change:
    """Put an entry on the list; one that is open already on the same subject is changed instead."""
    kind, subject = _subject(txn, setting, action)
    _check_times(setting, action)
    _protect(txn, setting, kind, action.entity)
    before = _open_entry(txn, setting, kind, subject, action.entity)
    accounts = Look(txn, setting).accounts(Target(kind, action.entity))
    review_ms = action.review_ms
    if review_ms is None and action.until_ms is None:
        review_ms = before.review_ms if before and before.review_ms else setting.now_ms + REVIEW_MS
    if before is not None:
        after = attrs.evolve(
            before,
            scope=action.scope or before.scope,
            reason=action.reason,
            basis=action.basis,
            until_ms=action.until_ms,
            review_ms=review_ms,
            # Whoever changes an entry of a policy list makes it their own: the list doesn't lift it any more.
            author=before.author if before.list_room is None else setting.staff.user_id,
            list_room=None,
            list_event=None,
        )
        measures.update(txn, after)
        return _change(txn, before, after, accounts)
    entry = Measure(
        id=0,
        kind=MeasureKind.blacklisted,
        subject_kind=kind,
        subject=subject,
        entity=action.entity,
        scope=action.scope or default_scope(setting, kind),
        reason=action.reason,
        basis=action.basis,
        author=setting.staff.user_id,
        start_ms=setting.now_ms,
        until_ms=action.until_ms,
        review_ms=review_ms,
    )
    return _change(txn, None, measures.insert(txn, entry), accounts)


def lift(txn: Transaction, setting: Setting, action: Lift) -> Change:
    """End an entry; everything is as it was before it."""
    before = measures.get(txn, action.measure_id)
    if before is None:
        message = f"There is no blacklist entry {action.measure_id}."
        raise NotFound(message)
    if before.lifted_ms is not None:
        return _change(txn, before, before)
    after = attrs.evolve(before, lifted_ms=setting.now_ms, lifted_by=setting.staff.user_id, lift_reason=action.reason)
    measures.update(txn, after)
    return _change(txn, before, after)


def show(measure: Measure) -> Facts:
    """A measure as answers and the journal show it: the entity that staff named, not the token of a person."""
    return {
        "id": measure.id,
        "kind": measure.kind.value,
        "subject_kind": measure.subject_kind.value,
        "subject": measure.entity,
        "scope": measure.scope.value,
        "reason": measure.reason,
        "basis": measure.basis,
        "author": measure.author,
        "start_ms": measure.start_ms,
        "until_ms": measure.until_ms,
        "review_ms": measure.review_ms,
        "lifted_ms": measure.lifted_ms,
        "lifted_by": measure.lifted_by,
        "lift_reason": measure.lift_reason,
        "list_room": measure.list_room,
    }


def _subject(txn: Transaction, setting: Setting, action: Blacklist) -> tuple[SubjectKind, str]:
    entity = action.entity
    named = target(PolicyRule(kind=kind_of(entity), entity=entity))
    if named is None or entity.startswith("#"):
        raise Invalid(
            [Problem("entity", "must be an account like @a:b, a room like !r, or a server name like *.example.org")]
        )
    if named.kind not in PEOPLE and action.scope is not None and action.scope is not Scope.groups:
        raise Invalid([Problem("scope", "can be 'account' only for an account")])
    if named.kind is SubjectKind.account:
        if setting.is_mine(entity):
            require_account(txn, entity)
        person = identity.person_of(txn, entity)
        return (SubjectKind.account, entity) if person is None else (SubjectKind.person, person)
    return named.kind, named.subject


def _open_entry(txn: Transaction, setting: Setting, kind: SubjectKind, subject: str, entity: str) -> Measure | None:
    found = measures.of_subjects(txn, kind, [subject], setting.now_ms)
    if kind is SubjectKind.person:  # it may be from before the account was linked
        found += measures.of_subjects(txn, SubjectKind.account, [entity], setting.now_ms)
    return found[0] if found else None


def _check_times(setting: Setting, action: Blacklist) -> None:
    times = {"until_ms": action.until_ms, "review_ms": action.review_ms}
    past = [
        Problem(name, "must lie in the future") for name, ms in times.items() if ms is not None and ms <= setting.now_ms
    ]
    if past:
        raise Invalid(past)


def _protect(txn: Transaction, setting: Setting, kind: SubjectKind, entity: str) -> None:
    """Refuse what would lock out those who run the server."""
    if kind is SubjectKind.server and server_matches(entity, setting.server_name):
        message = f"{entity} covers this server itself; name other servers."
        raise Conflict(message)
    if kind in (SubjectKind.account_glob, SubjectKind.room_glob):
        why = Look(txn, setting).objection(Target(kind, entity))
        if why is not None:
            raise Conflict(f"{entity} covers {why}.")
    if kind not in (SubjectKind.account, SubjectKind.person):
        return
    if entity == setting.own_account:
        message = f"{entity} is the account by which this server tells people things."
        raise Conflict(message)
    family = relatives(txn, entity)
    working = [one for one in family if staff.roles(txn, one)]
    if working:
        message = f"{working[0]} is a member of staff: take their roles back first."
        raise Conflict(message)
    admins = people.admins(txn)
    others = [one for one in admins if one not in family and not _barred(txn, setting, one)]
    if set(admins) & set(family) and not others:
        message = f"{entity} is the last server admin; nobody could lift the entry."
        raise Conflict(message)


def _barred(txn: Transaction, setting: Setting, user_id: str) -> bool:
    family = relatives(txn, user_id)
    person = identity.person_of(txn, user_id)
    on_accounts = measures.of_subjects(txn, SubjectKind.account, family, setting.now_ms)
    on_person = measures.of_subjects(txn, SubjectKind.person, [person] if person else [], setting.now_ms)
    return bool(on_accounts or on_person)


def default_scope(setting: Setting, kind: SubjectKind) -> Scope:
    """What an entry cuts that doesn't say."""
    return Scope(setting.config.blacklist.default_scope) if kind in PEOPLE else Scope.groups


def _change(txn: Transaction, before: Measure | None, after: Measure, accounts: list[str] | None = None) -> Change:
    return Change(
        subject=after.entity,
        before=None if before is None else show(before),
        after=show(after),
        touched=frozenset(touched_by(txn, after)),
        id=after.id,
        accounts=tuple(accounts or ()),
    )


def touched_by(txn: Transaction, measure: Measure) -> set[Subject]:
    """What every process has to read again because of an entry."""
    if measure.subject_kind is SubjectKind.account:
        return touched_accounts(relatives(txn, measure.subject))
    if measure.subject_kind is SubjectKind.person:
        return touched_accounts(identity.accounts_of(txn, measure.subject))
    return {(measure.subject_kind.value, measure.subject)}
