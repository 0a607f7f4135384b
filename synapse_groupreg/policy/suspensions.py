# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What measures below the blacklist cut (articles 5.3, 11.1 and 11.2).

Whoever is under one can still read, leave, take back what they wrote, report, appeal and be verified: these are no
attempts, or `retracts_own`. Direct chats are no groups and stay free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from synapse_groupreg.policy.measures import (
    SOMEBODY,
    Imposed,
    Measure,
    MeasureKind,
    SubjectKind,
    Switch,
    told,
)
from synapse_groupreg.policy.types import Attempt, Found, Invite, Join, Manage, Send, Violation, about_a_group, place
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig


_SWITCHES: dict[type[Attempt], Switch] = {
    Send: Switch.posting,
    Join: Switch.joining,
    Invite: Switch.joining,
    Found: Switch.founding,
}
"""What an emergency stops each kind of attempt by."""


@frozen(kw_only=True)
class PostingSuspended(Imposed):
    """The person may not post, in this group or in any."""

    code: ClassVar[str] = "posting-suspended"


@frozen(kw_only=True)
class ManagementSuspended(Imposed):
    """The person may not manage, this group or any."""

    code: ClassVar[str] = "management-suspended"


@frozen(kw_only=True)
class FoundingRevoked(Imposed):
    """The person may not found groups."""

    code: ClassVar[str] = "founding-revoked"


@frozen(kw_only=True)
class RoomPostingSuspended(Imposed):
    """Nobody may post in the group."""

    code: ClassVar[str] = "room-posting-suspended"


@frozen(kw_only=True)
class RoomJoiningSuspended(Imposed):
    """Nobody may join the group."""

    code: ClassVar[str] = "room-joining-suspended"


@frozen(kw_only=True)
class RoomClosed(Imposed):
    """The group is closed."""

    code: ClassVar[str] = "room-closed"


@frozen(kw_only=True)
class Emergency(Imposed):
    """What was tried is stopped for everybody, on the whole server or in the room."""

    code: ClassVar[str] = "emergency"


def posting(attempt: Send, _config: GroupRegConfig) -> Violation | None:
    """Refuse that somebody whose posting is suspended publishes in a group."""
    if attempt.retracts_own:
        return None
    found = _on_actor(attempt, MeasureKind.posting_suspended)
    return PostingSuspended(**told(found)) if found else None


def management(attempt: Send | Invite | Manage | Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse that somebody whose management is suspended acts as a manager, whatever their power level says.

    State, redactions of others' events, kicks, bans, invites, aliases and upgrades. Power levels are left alone: the
    creator of a room of version 12 stands above them, and lifting would have to remember them.
    """
    match attempt:
        case Send():
            manages = attempt.manages and not attempt.retracts_own
        case Manage():
            manages = not attempt.about_oneself
        case Found():
            manages = attempt.replaces is not None
        case _:
            manages = True
    found = _on_actor(attempt, MeasureKind.management_suspended) if manages else None
    return ManagementSuspended(**told(found)) if found else None


def founding(attempt: Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse that somebody founds a group, or becomes the founder of a successor, whose right to that is revoked."""
    found = _on_actor(attempt, MeasureKind.founding_revoked)
    return FoundingRevoked(**told(found)) if found else None


def room_posting(attempt: Send | Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse to post in a group that is suspended, and to upgrade it, which would be a way out."""
    if isinstance(attempt, Send) and attempt.retracts_own:
        return None
    found = _on_room(attempt, MeasureKind.posting_suspended)
    return RoomPostingSuspended(**told(found)) if found else None


def room_joining(attempt: Join | Invite | Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse to join, to invite to, and to upgrade a group that nobody may join."""
    found = _on_room(attempt, MeasureKind.joining_suspended)
    return RoomJoiningSuspended(**told(found)) if found else None


def room_closed(attempt: Send | Join | Invite | Manage | Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse everything in a closed group but reading, leaving and taking back what one wrote."""
    if isinstance(attempt, Send) and attempt.retracts_own:
        return None
    found = _on_room(attempt, MeasureKind.closed)
    return RoomClosed(**told(found)) if found else None


def emergency(attempt: Send | Join | Invite | Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse what an emergency stops in groups, to everybody but staff."""
    if attempt.actor.staff or not about_a_group(attempt) or (isinstance(attempt, Send) and attempt.retracts_own):
        return None
    switch = _SWITCHES[type(attempt)]
    for measure in attempt.actor.measures:
        if measure.kind is MeasureKind.emergency and measure.subject == switch and measure.holds_in(_room_id(attempt)):
            return Emergency(**told(measure))
    return None


def _on_actor(attempt: Attempt, kind: MeasureKind) -> Measure | None:
    """The measure of this kind on whoever tries it, if it is about a group in which it holds."""
    for measure in attempt.actor.measures:
        if measure.kind is kind and measure.subject_kind in SOMEBODY and measure.holds_in(_room_id(attempt)):
            return measure if about_a_group(attempt) else None
    return None


def _on_room(attempt: Attempt, kind: MeasureKind) -> Measure | None:
    where = place(attempt)
    for measure in where.measures if where else ():
        if measure.kind is kind and measure.subject_kind is SubjectKind.room:
            return measure
    return None


def _room_id(attempt: Attempt) -> str | None:
    where = place(attempt)
    return None if where is None else where.room_id
