# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes what only the module may write, or what carries out a rule, in the name of a member with the power to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from synapse.module_api.errors import SynapseError

from synapse_groupreg.errors import NotPermitted

if TYPE_CHECKING:
    from synapse.module_api import ModuleApi

# Our own callback judges such an event like any other, in the same context; a client's request has one of its own.
_WRITING: ContextVar[bool] = ContextVar("groupreg_writing", default=False)
_UNJUDGED: ContextVar[bool] = ContextVar("groupreg_unjudged", default=False)
_SERVER_FAILED = 500


def writing() -> bool:
    """Whether the event that is being judged is written by the module."""
    return _WRITING.get()


def unjudged() -> bool:
    """Whether it is written whatever the standing of the member in whose name it is."""
    return _UNJUDGED.get()


async def write_state(api: ModuleApi, event: dict[str, Any], *, judged: bool) -> None:
    """Write a state event. Raises NotPermitted, with Synapse's or our own sentence, if it is refused."""
    token, how = _WRITING.set(True), _UNJUDGED.set(not judged)
    try:
        await api.create_and_send_event_into_room(event)
    except SynapseError as error:
        if error.code >= _SERVER_FAILED:
            raise
        raise NotPermitted(error.msg) from None
    finally:
        _UNJUDGED.reset(how)
        _WRITING.reset(token)


async def remove(api: ModuleApi, user_id: str, room_id: str, *, by: str, reason: str) -> None:
    """Remove a member whatever the standing of the member in whose name it is."""
    how = _UNJUDGED.set(True)
    try:
        await api.update_room_membership(by, user_id, room_id, "leave", content={"reason": reason})
    finally:
        _UNJUDGED.reset(how)
