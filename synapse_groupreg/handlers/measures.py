# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures as they are shown, whom they concern, and what these are told; shared by all that imposes and ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from synapse_groupreg.handlers.snapshot import touched_accounts
from synapse_groupreg.policy.blacklist import server_of
from synapse_groupreg.policy.measures import SOMEBODY, Measure, MeasureKind, Scope, SubjectKind
from synapse_groupreg.policy.roles import managers
from synapse_groupreg.storage import identity, measures, notices, people, rooms, state
from synapse_groupreg.storage.identity import relatives
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Collection

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers.change import Facts
    from synapse_groupreg.storage.changes import Subject
    from synapse_groupreg.storage.database import Transaction


@frozen
class Here:
    """Under which rules, on which server and when people are told."""

    config: GroupRegConfig
    server_name: str
    now_ms: int


News = Literal["imposed", "changed", "lifted", "ended"]


def show(measure: Measure) -> Facts:
    """A measure as answers and the journal show it: the entity that staff named, not the token of a person."""
    return {
        "id": measure.id,
        "kind": measure.kind.value,
        "subject_kind": measure.subject_kind.value,
        "subject": measure.entity,
        "scope": measure.scope.value,
        "room": measure.room,
        "reason": measure.reason,
        "basis": measure.basis,
        "accepted": None if measure.accepted is None else list(measure.accepted),
        "grave": measure.grave,
        "author": measure.author,
        "start_ms": measure.start_ms,
        "until_ms": measure.until_ms,
        "review_ms": measure.review_ms,
        "deadline_ms": measure.deadline_ms,
        "lifted_ms": measure.lifted_ms,
        "lifted_by": measure.lifted_by,
        "lift_reason": measure.lift_reason,
        "report": measure.report.value,
        "report_text": measure.report_text,
        "report_by": measure.report_by,
        "report_ms": measure.report_ms,
        "list_room": measure.list_room,
    }


def show_to_staff(measure: Measure) -> Facts:
    """The same with the note that only staff read. It stands in no journal, of which people see their part."""
    return {**show(measure), "note": measure.note}


def family(txn: Transaction, measure: Measure) -> list[str]:
    """All accounts that a measure on an account or a person binds."""
    if measure.subject_kind is SubjectKind.person:
        return identity.accounts_of(txn, measure.subject)
    return relatives(txn, measure.subject)


def touched_by(txn: Transaction, measure: Measure) -> set[Subject]:
    """What every process has to read again because of a measure."""
    if measure.subject_kind in SOMEBODY:
        return touched_accounts(family(txn, measure))
    return {(measure.subject_kind.value, measure.subject)}


def bound(txn: Transaction, imposed: Collection[Measure]) -> list[tuple[str, Measure]]:
    """All accounts that measures on accounts and persons bind, each with the measure; in few statements."""
    linked = identity.persons_of(txn, (one.subject for one in imposed if one.subject_kind is SubjectKind.account))
    persons = {
        one.id: one.subject if one.subject_kind is SubjectKind.person else linked.get(one.subject) for one in imposed
    }
    families = identity.families(txn, (person for person in persons.values() if person is not None))
    found = []
    for one in imposed:
        person = persons[one.id]
        found += [(account, one) for account in ([one.subject] if person is None else families.get(person, ()))]
    return found


def suspended_in(txn: Transaction, room_id: str, now_ms: int) -> set[str]:
    """The accounts whose management is suspended, everywhere or in this room."""
    found = measures.in_force(txn, MeasureKind.management_suspended, now_ms)
    return {account for account, _ in bound(txn, [one for one in found if one.holds_in(room_id)])}


def leaders(txn: Transaction, room_id: str, config: GroupRegConfig) -> list[str]:
    """The founder of a group, if they are in it, and its managers."""
    row, made = rooms.ensure(txn, room_id), state.create(txn, room_id)
    if row is None or made is None:
        return []
    joined = set(state.joined(txn, room_id))
    leading = managers(
        state.content(txn, room_id, "m.room.power_levels"),
        from_level=config.roles.manager_power_level,
        founder=row.founder,
        members=joined,
        creators=made.creators,
    )
    return [*({row.founder} & joined), *leading]


def concerned(txn: Transaction, measure: Measure, here: Here) -> list[str]:
    """The accounts here that are told of a measure: those it binds; of one on a group its founder and managers."""
    match measure.subject_kind:
        case SubjectKind.account | SubjectKind.person:
            shut_out = measure.scope is Scope.account and measure.lifted_ms is None  # they could not read it
            found = [] if shut_out else family(txn, measure)
        case SubjectKind.room:
            found = leaders(txn, measure.subject, here.config)
        case _:
            found = []
    return sorted(people.existing(txn, (one for one in found if server_of(one) == here.server_name)))


def tell(txn: Transaction, news: News, measure: Measure, here: Here) -> list[str]:
    """Queue what those concerned are told, in the transaction of the act: once, whatever crashes. Who they are."""
    if measure.list_room is not None or not here.config.notices.enabled:
        return []
    told = concerned(txn, measure, here)
    facts = {
        "case": measure.id,
        "reason": measure.reason,
        "basis": measure.basis,
        "accepted": measure.accepted,
        "until_ms": measure.until_ms,
        "deadline_ms": measure.deadline_ms,
        "lift_reason": measure.lift_reason,
        "on": "room" if measure.subject_kind is SubjectKind.room else "account",
        "everywhere": measure.room is None,
        "scope": measure.scope.value,
    }
    where = measure.subject if measure.subject_kind is SubjectKind.room else measure.room or ""
    for account in told:
        notices.add(
            txn, account=account, code=measure.kind.value, attempt=news, room_id=where, facts=facts, now_ms=here.now_ms
        )
    return told
