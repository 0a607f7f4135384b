# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The three caps: members of a group, groups founded and groups joined by a person (article 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from synapse_groupreg.policy.types import Found, Join, RoomKind, Use, Violation
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig

LOCAL_RESERVATION_MS = 30_000
"""How long a place stays reserved for an act that Synapse carries out here; it is an act of milliseconds."""
REMOTE_RESERVATION_MS = 600_000
"""The same for joining through another server, which may take minutes."""


@frozen(kw_only=True)
class RoomFull(Violation):
    """The group has as many members as it may have."""

    code: ClassVar[str] = "room-full"
    used: int
    limit: int


@frozen(kw_only=True)
class TooManyFounded(Violation):
    """The person has founded as many groups as they may."""

    code: ClassVar[str] = "too-many-founded"
    used: int
    limit: int


@frozen(kw_only=True)
class TooManyJoined(Violation):
    """The person is a member of as many groups as they may be."""

    code: ClassVar[str] = "too-many-joined"
    used: int
    limit: int


def members_per_room(attempt: Join | Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse who comes after the last place of the group; a founding counts its founder and everybody invited."""
    use = attempt.members
    if use is None or attempt.actor.exempt or _kind(attempt) is not RoomKind.group:
        return None
    over = use.used > use.limit if isinstance(attempt, Found) else use.full
    return RoomFull(used=use.used, limit=use.limit) if over else None


def rooms_founded(attempt: Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse to found a group beyond the person's limit."""
    if not _taken(attempt, attempt.founded) or attempt.founded is None:
        return None
    return TooManyFounded(used=attempt.founded.used, limit=attempt.founded.limit)


def rooms_joined(attempt: Join | Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse to join or found a group beyond the person's limit of memberships."""
    if not _taken(attempt, attempt.joined) or attempt.joined is None:
        return None
    return TooManyJoined(used=attempt.joined.used, limit=attempt.joined.limit)


def _kind(attempt: Join | Found) -> RoomKind:
    return attempt.kind if isinstance(attempt, Found) else attempt.room.kind


def _taken(attempt: Join | Found, use: Use | None) -> bool:
    return use is not None and use.full and not attempt.actor.exempt and _kind(attempt) is RoomKind.group
