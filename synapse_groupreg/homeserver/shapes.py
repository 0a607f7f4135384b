# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an event does, told from its type and content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synapse.events import EventBase

_TALK = frozenset({"m.room.message", "m.room.encrypted", "m.reaction", "m.sticker"})
_AUTHORISER = "join_authorised_via_users_server"


def is_talk(event: EventBase) -> bool:
    """Whether an event is of the kinds that most are: they change nothing in the room, and none is reserved."""
    return event.type in _TALK and not event.is_state()


def changes_room(event: EventBase) -> bool:
    """Whether an event is state of the room; what stands under somebody's own name is about them."""
    return event.is_state() and event.state_key != event.sender


def opens_room(event_type: str, content: Any) -> bool:
    """Whether an event may let others into a room."""
    return event_type == "m.room.join_rules" and content.get("join_rule") != "invite"


def moderates(membership: object, user_id: str, state_key: str) -> bool:
    """Whether a membership is a kick, a ban, or the end of one."""
    return state_key != user_id and membership in ("leave", "ban")


def names_oneself(content: dict[str, Any]) -> bool:
    """Whether a join says more than that it joins: a name or a picture for this room alone, which others see."""
    return content.get("membership") == "join" and not content.keys() <= {"membership", _AUTHORISER}
