# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What has to be right before a measure is imposed: subject, times, order, and whom it may never touch (article 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.errors import Conflict, Invalid, NotFound, Problem
from synapse_groupreg.handlers.act_staff import require_account
from synapse_groupreg.handlers.measures import family
from synapse_groupreg.handlers.touching import Look
from synapse_groupreg.policy.blacklist import is_glob, server_matches
from synapse_groupreg.policy.measures import (
    IMPOSED_ON,
    IN_ONE_ROOM,
    PEOPLE,
    SOMEBODY,
    Measure,
    MeasureKind,
    Scope,
    SubjectKind,
    skips_a_step,
)
from synapse_groupreg.policy.policy_lists import PolicyRule, Target, kind_of, target
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import identity, measures, people, staff
from synapse_groupreg.storage import rooms as stored_rooms
from synapse_groupreg.storage.identity import relatives

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Setting
    from synapse_groupreg.policy.actions import Impose
    from synapse_groupreg.storage.database import Transaction

_NAMED = {SubjectKind.account: "an account", SubjectKind.room: "a group", SubjectKind.server: "a server"}
_ABOVE = (MeasureKind.blacklisted, MeasureKind.closed)
"""What makes milder measures on the same group pointless."""


def subject(txn: Transaction, setting: Setting, action: Impose) -> tuple[SubjectKind, str]:
    """On what it is imposed; for the account of a known person, on that person."""
    entity = action.entity
    named = target(PolicyRule(kind=kind_of(entity), entity=entity))
    if named is None or entity.startswith("#"):
        raise Invalid(
            [Problem("entity", "must be an account like @a:b, a room like !r, or a server name like *.example.org")]
        )
    if named.kind is SubjectKind.account:
        if setting.is_mine(entity):
            require_account(txn, entity)
        person = identity.person_of(txn, entity)
        return (SubjectKind.account, entity) if person is None else (SubjectKind.person, person)
    return named.kind, named.subject


def fields(setting: Setting, action: Impose, kind: SubjectKind) -> None:
    """Refuse what doesn't go together, all at once."""
    problems = []
    if kind not in IMPOSED_ON[action.kind]:
        possible = " or ".join(dict.fromkeys(_NAMED[one] for one in IMPOSED_ON[action.kind] if one in _NAMED))
        wrong = Problem("entity", f"must be {possible}: {action.kind.value} is imposed on nothing else")
        problems.append(wrong if possible else Problem("kind", f"must be another: {action.kind.value} stops everybody"))
    barred = action.kind is MeasureKind.blacklisted
    if action.scope not in (None, Scope.groups) and (kind not in PEOPLE or not barred):
        problems.append(Problem("scope", "can be 'account' only for an account that is blacklisted"))
    if action.room is not None and (kind not in SOMEBODY or action.kind not in IN_ONE_ROOM):
        problems.append(Problem("room", "can be given for posting-suspended and management-suspended on an account"))
    if action.kind is MeasureKind.warning and kind is SubjectKind.room and action.deadline_ms is None:
        problems.append(Problem("deadline_ms", "must say until when the group has to put right what it is warned for"))
    if action.kind is not MeasureKind.warning and action.deadline_ms is not None:
        problems.append(Problem("deadline_ms", "can be given for a warning only"))
    times = {"until_ms": action.until_ms, "review_ms": action.review_ms, "deadline_ms": action.deadline_ms}
    problems += [
        Problem(name, "must lie in the future") for name, ms in times.items() if ms is not None and ms <= setting.now_ms
    ]
    if problems:
        raise Invalid(problems)


def rooms(txn: Transaction, action: Impose) -> None:
    """Refuse to impose on what is no group here; a blacklist entry may name any room."""
    of_measure = action.entity if action.entity.startswith("!") and action.kind is not MeasureKind.blacklisted else None
    for room_id in (of_measure, action.room):
        if room_id is None:
            continue
        row = stored_rooms.ensure(txn, room_id)
        if row is None:
            raise NotFound(f"This server is in no room {room_id}.")
        if row.kind is not RoomKind.group:
            raise Conflict(f"{room_id} is no group, but a {row.kind.value} room.")


def protect(txn: Transaction, setting: Setting, action: Impose, kind: SubjectKind) -> None:
    """Refuse what would lock out those who run the server."""
    entity = action.entity
    if kind is SubjectKind.server and server_matches(entity, setting.server_name):
        raise Conflict(f"{entity} covers this server itself; name other servers.")
    if kind in (SubjectKind.account_glob, SubjectKind.room_glob):
        why = Look(txn, setting).objection(Target(kind, entity))
        if why is not None:
            raise Conflict(f"{entity} covers {why}.")
    if kind not in SOMEBODY:
        return
    if entity == setting.own_account:
        raise Conflict(f"{entity} is the account by which this server tells people things.")
    if action.kind is MeasureKind.blacklisted:
        _protect_staff(txn, setting, entity)


def _protect_staff(txn: Transaction, setting: Setting, entity: str) -> None:
    accounts = relatives(txn, entity)
    working = [one for one in accounts if staff.roles(txn, one)]
    if working:
        raise Conflict(f"{working[0]} is a member of staff: take their roles back first.")
    admins = people.admins(txn)
    others = [one for one in admins if one not in accounts and not _barred(txn, setting, one)]
    if set(admins) & set(accounts) and not others:
        raise Conflict(f"{entity} is the last server admin; nobody could lift the entry.")


def nothing_above(txn: Transaction, setting: Setting, action: Impose, kind: SubjectKind, subject: str) -> None:
    """Refuse a measure that another on the same subject includes."""
    for one in measures.of_subjects(txn, kind, [subject], setting.now_ms):
        if kind is SubjectKind.room and one.kind in _ABOVE and action.kind not in _ABOVE:
            raise Conflict(f"Measure {one.id} ({one.kind.value}) includes this: lift it first.")
        if one.kind is action.kind and one.room is None and action.room is not None:
            raise Conflict(f"Measure {one.id} holds in every group, so it includes this: lift it first.")


def skips(txn: Transaction, setting: Setting, action: Impose, kind: SubjectKind, subject: str) -> bool:
    """Whether a step of the usual order is skipped; refused without saying what is grave and when it is reviewed."""
    subjects = [(kind, subject)]
    if kind is SubjectKind.person:
        subjects += [(SubjectKind.account, one) for one in identity.accounts_of(txn, subject)]
    earlier = measures.kinds_ever(txn, subjects, setting.now_ms)
    if not skips_a_step(action.kind, earlier):
        return False
    if not action.grave or action.review_ms is None:
        missing = "was not suspended yet: suspend" if earlier else "was not warned yet: impose a warning"
        raise Conflict(
            f"{action.entity} {missing} first; or, if the case is grave, say why (--grave, in a request grave) and when"
            " it is looked at again (--review, review_ms)."
        )
    return True


def needs_two(txn: Transaction, setting: Setting, action: Impose, after: Measure) -> bool:
    """Whether it uses a glob or touches staff, so that a second member of staff has to agree."""
    if is_glob(action.entity):
        return True
    if after.subject_kind not in SOMEBODY:
        return False
    working = {*people.admins(txn), *staff.everybody(txn)}
    return any(one in working for one in family(txn, after) if setting.is_mine(one))


def _barred(txn: Transaction, setting: Setting, user_id: str) -> bool:
    person = identity.person_of(txn, user_id)
    found = measures.of_subjects(txn, SubjectKind.account, relatives(txn, user_id), setting.now_ms)
    found += measures.of_subjects(txn, SubjectKind.person, [person] if person else [], setting.now_ms)
    return any(one.kind is MeasureKind.blacklisted for one in found)
