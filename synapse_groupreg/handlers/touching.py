# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whom an entry or a rule would touch here, and whether it may: nobody who runs the server, nor the server itself."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from synapse_groupreg.policy.blacklist import server_of
from synapse_groupreg.policy.measures import SubjectKind
from synapse_groupreg.policy.policy_lists import Target, covered, maybe_of_server
from synapse_groupreg.storage import identity, people, policy_rooms, staff
from synapse_groupreg.storage.identity import relatives
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.handlers.change import Setting
    from synapse_groupreg.storage.database import Transaction

SHOWN = 20
_ANY = "a_name_that_no_rule_means"


@frozen(kw_only=True)
class Touched:
    """What there is here of a target."""

    accounts: Sequence[str] = ()
    """Accounts of this server."""
    others: Sequence[str] = ()
    """Accounts of other servers that are in rooms here."""
    rooms: Sequence[str] = ()
    servers: Sequence[str] = ()

    def __bool__(self) -> bool:
        return any((self.accounts, self.others, self.rooms, self.servers))

    def show(self) -> dict[str, Any]:
        """How many of each, and the first of them."""
        return {name: {"count": len(found), "first": list(found[:SHOWN])} for name, found in self._kinds().items()}

    def _kinds(self) -> dict[str, Sequence[str]]:
        return {"accounts": self.accounts, "others": self.others, "rooms": self.rooms, "servers": self.servers}


class Look:
    """A look at what is here, in one transaction; what it read once is kept for the next target."""

    def __init__(self, txn: Transaction, setting: Setting) -> None:
        self._txn = txn
        self._setting = setting

    def objection(self, target: Target) -> str | None:
        """Whom or what a target may not touch, in words; None if it may be barred."""
        match target.kind:
            case SubjectKind.server if covered(target, [self._setting.server_name]):
                return "this server itself"
            case SubjectKind.room_glob if covered(target, [f"!{_ANY}", f"!{_ANY}:{self._setting.server_name}"]):
                return "every room of this server"
            case SubjectKind.account if self._setting.is_mine(target.subject):
                hit = next((one for one in relatives(self._txn, target.subject) if one in self._guarded), None)
            case SubjectKind.account_glob:
                hit = next(iter(covered(target, self._guarded)), None)
            case _:
                hit = None
        return None if hit is None else f"{hit}, {self._guarded[hit]}"

    def accounts(self, target: Target) -> list[str]:
        """The accounts of this server that an entry on this target would bar."""
        match target.kind:
            case SubjectKind.account | SubjectKind.person:  # a person is named by one of their accounts
                mine = self._setting.is_mine(target.subject)
                return sorted(people.existing(self._txn, relatives(self._txn, target.subject))) if mine else []
            case SubjectKind.account_glob if maybe_of_server(target.subject, self._setting.server_name):
                return covered(target, self._names)
            case _:
                return []

    def touched(self, target: Target) -> Touched:
        """Everything here that a target means. Slow: for people who want to see it before they act."""
        match target.kind:
            case SubjectKind.account | SubjectKind.account_glob:
                return Touched(accounts=self.accounts(target), others=covered(target, self._others))
            case SubjectKind.room | SubjectKind.room_glob:
                return Touched(rooms=covered(target, self._rooms))
            case SubjectKind.server:
                servers = set(covered(target, {server_of(one) for one in (*self._others, *self._rooms)}))
                return Touched(
                    others=sorted(one for one in self._others if server_of(one) in servers),
                    rooms=sorted(one for one in self._rooms if server_of(one) in servers),
                    servers=sorted(servers),
                )
            case SubjectKind.person:
                return Touched(accounts=self.accounts(target))
            case SubjectKind.everybody:
                return Touched()

    def resolve(self, target: Target) -> Target | None:
        """The target as entries know it: the person behind an account, the room of an alias; None if it is unknown."""
        if target.kind is SubjectKind.account:
            person = identity.person_of(self._txn, target.subject)
            return target if person is None else Target(SubjectKind.person, person)
        if target.subject.startswith("#"):
            room_id = policy_rooms.resolve(self._txn, target.subject)
            return None if room_id is None else Target(SubjectKind.room, room_id)
        return target

    @functools.cached_property
    def _guarded(self) -> dict[str, str]:
        """Who can't be barred by a list, and why."""
        found = dict.fromkeys(people.admins(self._txn), "a server admin")
        found |= dict.fromkeys(staff.everybody(self._txn), "a member of staff")
        own = self._setting.own_account
        return found if own is None else found | {own: "the account by which this server tells people things"}

    @functools.cached_property
    def _names(self) -> set[str]:
        return set(people.everybody(self._txn))

    @functools.cached_property
    def _others(self) -> set[str]:
        return policy_rooms.remote_members(self._txn, self._setting.server_name)

    @functools.cached_property
    def _rooms(self) -> set[str]:
        return policy_rooms.rooms_here(self._txn)
