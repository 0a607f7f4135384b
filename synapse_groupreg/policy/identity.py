# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Verified identity before publishing, founding and joining (articles 6.1, 6.2 and 8.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.types import Account, Found, Invite, Join, Manage, Room, RoomKind, Send, Violation
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig


@frozen(kw_only=True)
class IdentityRequired(Violation):
    """The account's identity is not verified as well as the act needs."""

    code: ClassVar[str] = "identity-required"
    required: Assurance
    have: Assurance

    @override
    def facts(self) -> dict[str, object]:
        """The two assurances by their names."""
        return {"required": self.required.name, "have": self.have.name}


def to_post(attempt: Send | Invite | Manage, config: GroupRegConfig) -> Violation | None:
    """Refuse to publish anything below `required.post`; taking back one's own words and talking to staff stay free."""
    if isinstance(attempt, Send) and attempt.retracts_own:
        return None
    room = attempt.room
    if room is not None and room.with_staff:
        return None
    if not attempt.actor.local:
        return _remote(attempt.actor, room, config)
    return _below(attempt.actor, max(Assurance[config.identity.required.post], _for_size(room, config)))


def to_join(attempt: Join, config: GroupRegConfig) -> Violation | None:
    """Refuse to join a group below `required.join` or what its size asks for."""
    if attempt.room.kind is not RoomKind.group:
        return None
    return _below(attempt.actor, max(Assurance[config.identity.required.join], _for_size(attempt.room, config)))


def to_found(attempt: Found, config: GroupRegConfig) -> Violation | None:
    """Refuse to make a room below `required.post`, a group below `required.found` and `required.join`."""
    required = config.identity.required
    needed = Assurance[required.post]
    if attempt.kind is RoomKind.group:
        needed = max(needed, Assurance[required.found], Assurance[required.join])
    return None if attempt.with_staff else _below(attempt.actor, needed)


def needs(config: GroupRegConfig, members: int) -> tuple[Assurance, Assurance]:
    """What it takes to post in a group of so many members, and to join it."""
    required, size = config.identity.required, _for_members(members, config)
    return max(Assurance[required.post], size), max(Assurance[required.join], size)


def smallest_tier(config: GroupRegConfig) -> int | None:
    """The smallest number of members above which more is asked; None where size doesn't matter."""
    return min(config.identity.required.members_over, default=None)


def tier(config: GroupRegConfig, members: int) -> int:
    """The highest tier of `members_over` that a number of members is above; 0 below all of them."""
    return max((over for over in config.identity.required.members_over if members > over), default=0)


def _for_size(room: Room | None, config: GroupRegConfig) -> Assurance:
    if room is None or room.kind is not RoomKind.group:
        return Assurance.none
    return _for_members(room.members, config)


def _for_members(members: int, config: GroupRegConfig) -> Assurance:
    tiers = config.identity.required.members_over.items()
    return max((Assurance[name] for over, name in tiers if members > over), default=Assurance.none)


def _below(actor: Account, needed: Assurance) -> Violation | None:
    if actor.exempt or actor.assurance >= needed:
        return None
    return IdentityRequired(required=needed, have=actor.assurance)


def _remote(actor: Account, room: Room | None, config: GroupRegConfig) -> Violation | None:
    needed = Assurance[config.identity.required.post]
    if config.identity.remote_senders == "allow" or actor.exempt or room is None or room.kind is not RoomKind.group:
        return None
    return None if needed is Assurance.none else IdentityRequired(required=needed, have=Assurance.none)
