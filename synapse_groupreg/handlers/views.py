# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff, and people themselves, may read about accounts and rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.errors import NotFound
from synapse_groupreg.handlers import labelling
from synapse_groupreg.handlers.act_staff import require_account
from synapse_groupreg.handlers.measures import show
from synapse_groupreg.policy.blacklist import matches, server_matches, server_of
from synapse_groupreg.policy.measures import SubjectKind, fold
from synapse_groupreg.policy.numbers import read
from synapse_groupreg.policy.roles import managers
from synapse_groupreg.policy.sizes import size_tier
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import identity, measures, mutes, numbers, people, quotas, rooms, staff, state
from synapse_groupreg.storage.identity import relatives

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.policy.measures import Measure
    from synapse_groupreg.policy.types import Use
    from synapse_groupreg.storage.database import Transaction

View = dict[str, Any]


def account(txn: Transaction, user_id: str, config: GroupRegConfig, now_ms: int) -> View:
    """Everything about an account but the reference of its identity. Raises NotFound."""
    require_account(txn, user_id)
    subject, family = quotas.subject_of(txn, user_id)
    founded = quotas.rooms_founded(txn, subject, family, now_ms, default=config.quotas.rooms_founded)
    joined = quotas.rooms_joined(txn, subject, family, now_ms, besides=None, default=config.quotas.rooms_joined)
    return {
        "user_id": user_id,
        "assurance": identity.assurance_of(txn, user_id).name,
        "identities": [
            {"provider": one.provider, "assurance": one.assurance.name, "since_ms": one.since_ms}
            for one in identity.of_account(txn, user_id)
        ],
        "linked_accounts": [one for one in family if one != user_id],
        "quotas": {
            "rooms_founded": _use(founded, quotas.override(txn, subject, quotas.FOUNDED)),
            "rooms_joined": _use(joined, quotas.override(txn, subject, quotas.JOINED)),
        },
        "measures": [show(one) for one in on_account(txn, user_id, now_ms)],
        "roles": sorted(staff.roles(txn, user_id)),
        "exempt": any(matches(glob, user_id) for glob in config.exempt) or user_id in people.admins(txn),
    }


def room(txn: Transaction, room_id: str, config: GroupRegConfig, now_ms: int) -> View:
    """Everything about a room. Raises NotFound."""
    row, made = rooms.ensure(txn, room_id), state.create(txn, room_id)
    if row is None or made is None:
        message = f"This server is in no room {room_id}."
        raise NotFound(message)
    used = quotas.members(txn, room_id, now_ms, besides="", default=config.quotas.members_per_room)
    tier = size_tier(state.members(txn, room_id), config.groups.size_tiers)
    leading = managers(
        state.content(txn, room_id, "m.room.power_levels"),
        from_level=config.roles.manager_power_level,
        founder=row.founder,
        members=set(state.joined(txn, room_id)),
        creators=made.creators,
    )
    return {
        "room_id": room_id,
        "number": numbers.of_room(txn, room_id),
        "name": state.name(txn, room_id),
        "kind": row.kind.value,
        "category": rooms.category(txn, room_id),
        "size_tier": None if tier is None else attrs.asdict(tier),
        "slow_ms": rooms.slow_ones(txn, [room_id]).get(room_id),
        "room_version": made.room_version,
        "founder": row.founder,
        "managers": leading,
        "names": people.names(txn, room_id, [row.founder, *leading]),
        "labels": labelling.shown(labelling.current(txn, room_id)),
        "federated": made.federated,
        "encrypted": state.content(txn, room_id, "m.room.encryption") is not None,
        "predecessor": made.predecessor,
        "successor": row.successor or state.successors(txn, [room_id]).get(room_id),
        "quotas": {"members": _use(used, quotas.override(txn, quotas.room_subject(room_id), quotas.MEMBERS))},
        "measures": [show(one) for one in on_room(txn, room_id, now_ms)],
        "mutes": [attrs.asdict(one) for one in mutes.of_room(txn, room_id, now_ms)],
    }


def group(txn: Transaction, written: str, config: GroupRegConfig, now_ms: int) -> View:
    """Everything about the group of a number. Raises NotFound."""
    room_id = numbers.find(txn, read_number(written))
    if room_id is None:
        raise NotFound(f"No group here has the number {written}.")
    if room_id not in rooms.here(txn, [room_id]):
        raise NotFound(f"The group {written} was deleted; its records are found by its id, {room_id}.")
    return room(txn, room_id, config, now_ms)


def read_number(written: str) -> str:
    """The number that is meant. Raises NotFound where it can't be one."""
    number = read(written)
    if number is None:
        raise NotFound(
            f"{written} is no number of a group: a number has nine digits, of which the last checks the others."
        )
    return number


def room_list(
    txn: Transaction, config: GroupRegConfig, now_ms: int, *, search: str | None, start: int, limit: int
) -> tuple[list[View], int]:
    """Groups with their caps, by id, and how many there are; `search` is a part of name or id, or the number."""
    for room_id in rooms.unseen(txn, "", limit):
        rooms.ensure(txn, room_id)
    found, total = rooms.page(txn, search, start, limit)
    listed = [row.room_id for row in found]
    numbered, replaced, here = numbers.of_rooms(txn, listed), state.successors(txn, listed), rooms.here(txn, listed)
    return [
        {
            "number": numbered.get(row.room_id),
            **_listed(txn, row, config, now_ms),
            "successor": row.successor or replaced.get(row.room_id),
            "deleted": row.room_id not in here,
        }
        for row in found
    ], total


def _listed(txn: Transaction, row: rooms.RoomRow, config: GroupRegConfig, now_ms: int) -> View:
    used = quotas.members(txn, row.room_id, now_ms, besides="", default=config.quotas.members_per_room)
    own = quotas.override(txn, quotas.room_subject(row.room_id), quotas.MEMBERS)
    return {
        "room_id": row.room_id,
        "name": state.name(txn, row.room_id),
        "kind": row.kind.value,
        "founder": row.founder,
        "quotas": {"members": _use(used, own if row.kind is RoomKind.group else None)},
    }


def _use(use: Use, override: int | None) -> View:
    return {"used": use.used, "limit": use.limit, "override": override}


def on_account(txn: Transaction, user_id: str, now_ms: int) -> tuple[Measure, ...]:
    """The measures in force on an account, its person, and globs that cover it."""
    person = identity.person_of(txn, user_id)
    found = measures.of_subjects(txn, SubjectKind.account, relatives(txn, user_id), now_ms)
    found += measures.of_subjects(txn, SubjectKind.person, [person] if person else [], now_ms)
    globs = measures.of_kinds(txn, [SubjectKind.account_glob], now_ms)
    return fold([*found, *(one for one in globs if matches(one.subject, user_id))], now_ms)


def on_room(txn: Transaction, room_id: str, now_ms: int) -> tuple[Measure, ...]:
    """The measures in force on a room, the server that its id names, and globs that cover it."""
    found = measures.of_subjects(txn, SubjectKind.room, [room_id], now_ms)
    servers = measures.of_kinds(txn, [SubjectKind.server], now_ms)
    found += [one for one in servers if server_matches(one.subject, server_of(room_id))]
    globs = measures.of_kinds(txn, [SubjectKind.room_glob], now_ms)
    return fold([*found, *(one for one in globs if matches(one.subject, room_id))], now_ms)
