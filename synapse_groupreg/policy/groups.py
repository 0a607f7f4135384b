# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What counts as a group, and when a room that was replaced is closed (articles 2 and 8.1).

A direct chat is known by its shape, not by what a client says about it: two people at most, invited by one of
them, not to be found or entered by others. A space holds rooms and no talk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from synapse_groupreg.policy.roles import power
from synapse_groupreg.policy.types import Found, Invite, Join, RoomKind, Send, Violation
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.config import GroupRegConfig

FOUNDING = "org.groupreg.founding"
"""Key in the content of a create event: `{"id": random, "kind": "group"|"direct"|"space"}`, written at founding."""
DIRECT_MEMBERS = 2
_RESTRICTED = 50
"""The least level to write and to invite that Synapse sets in a room that it replaced."""


@frozen(kw_only=True)
class RoomReplaced(Violation):
    """The group was upgraded: it goes on in its successor."""

    code: ClassVar[str] = "room-replaced"


@frozen(kw_only=True)
class Shape:
    """What shows whether a room is a direct chat."""

    space: bool
    """Whether the create event says `m.space`."""
    people: int
    """Joined and invited."""
    open: bool
    """Whether anybody may join: public join rule, alias, or listed in the directory."""
    founded_as: RoomKind | None
    """What it was at founding; None for rooms from before the module or from other servers."""


def kind_of(shape: Shape) -> RoomKind:
    """The kind of an existing room: older rooms by shape alone, newer ones also by what they were founded as."""
    if shape.space:
        return RoomKind.space
    fits = shape.people <= DIRECT_MEMBERS and not shape.open
    return RoomKind.direct if fits and shape.founded_as in (None, RoomKind.direct) else RoomKind.group


def kind_at_founding(config: Mapping[str, Any]) -> RoomKind:
    """The kind of a room from the body of its createRoom: direct if the client says so and the shape agrees."""
    content = config.get("creation_content")
    if isinstance(content, dict) and content.get("type") == "m.space":
        return RoomKind.space
    invites = config.get("invite")
    one_invitee = isinstance(invites, list) and len(invites) == 1 and isinstance(invites[0], str)
    alone = one_invitee and not config.get("invite_3pid")
    direct = config.get("is_direct") is True and alone and not _opens(config)
    return RoomKind.direct if direct else RoomKind.group


def _opens(config: Mapping[str, Any]) -> bool:
    if config.get("visibility") == "public" or config.get("preset") == "public_chat" or config.get("room_alias_name"):
        return True
    states = config.get("initial_state")
    return any(_opening_state(state) for state in states) if isinstance(states, list) else False


def _opening_state(state: object) -> bool:
    if not isinstance(state, dict) or state.get("type") != "m.room.join_rules":
        return False
    content = state.get("content")
    return not isinstance(content, dict) or content.get("join_rule") != "invite"


def shut(levels: Mapping[str, Any] | None) -> bool:
    """Whether members may neither write nor invite, as Synapse has it in a room that it replaced, by power levels."""
    said = levels or {}
    least = max(power(said.get("users_default")) + 1, _RESTRICTED)
    return all(power(said.get(name)) >= least for name in ("events_default", "invite"))


def not_replaced(attempt: Send | Join | Invite | Found, _config: GroupRegConfig) -> Violation | None:
    """Refuse to post in, join, invite to or upgrade again a group whose successor took its place."""
    if isinstance(attempt, Send) and attempt.retracts_own:
        return None
    room = attempt.replaces if isinstance(attempt, Found) else attempt.room
    return RoomReplaced() if room is not None and room.replaced else None
