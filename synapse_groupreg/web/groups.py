# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints by which a founder and managers look after a group; `room_id` may be its number, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from synapse_groupreg.policy import group_actions
from synapse_groupreg.policy.slow import LONGEST_S
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.web.acting import answered
from synapse_groupreg.web.bodies import ActQuery, Text, Time, UserId, Why
from synapse_groupreg.web.endpoint import Endpoint

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import Action
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services


class MuteBody(Why):
    """Until when and why somebody can't post in a group; they are told the reason."""

    until_ms: Time | None = None
    """At most 30 days from now; an hour if it isn't said."""


class OfferBody(Why):
    """To whom a group is offered."""

    user_id: UserId
    """A manager of it, who becomes its founder by accepting."""


class CategoryBody(Why):
    """What a group is about."""

    category: Text | None
    """One of `groups.categories` in the configuration; null takes it back."""


class SlowBody(Why):
    """How often each member may post."""

    seconds: Annotated[int, Field(ge=1, le=LONGEST_S)] | None
    """How many seconds lie between two posts of somebody; null: none."""


class Groups:
    """Acts of those who look after a group."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def mute(self, call: Call) -> Answer:
        """PUT rooms/{room_id}/mutes/{user_id}."""
        action = group_actions.MuteMember(group=call.path["room_id"], user_id=call.path["user_id"], **dict(call.body))
        return await self._do(call, action)

    async def unmute(self, call: Call) -> Answer:
        """DELETE rooms/{room_id}/mutes/{user_id}."""
        action = group_actions.UnmuteMember(group=call.path["room_id"], user_id=call.path["user_id"], **dict(call.body))
        return await self._do(call, action)

    async def offer(self, call: Call) -> Answer:
        """PUT rooms/{room_id}/founder."""
        return await self._do(call, group_actions.OfferGroup(group=call.path["room_id"], **dict(call.body)))

    async def accept(self, call: Call) -> Answer:
        """POST rooms/{room_id}/founder/accept."""
        return await self._do(call, group_actions.AcceptGroup(group=call.path["room_id"], **dict(call.body)))

    async def decline(self, call: Call) -> Answer:
        """POST rooms/{room_id}/founder/decline."""
        return await self._do(call, group_actions.DeclineGroup(group=call.path["room_id"], **dict(call.body)))

    async def category(self, call: Call) -> Answer:
        """PUT rooms/{room_id}/category."""
        return await self._do(call, group_actions.SetCategory(group=call.path["room_id"], **dict(call.body)))

    async def slow(self, call: Call) -> Answer:
        """PUT rooms/{room_id}/slow."""
        return await self._do(call, group_actions.SlowDown(group=call.path["room_id"], **dict(call.body)))

    async def _do(self, call: Call, action: Action) -> Answer:
        return answered(await self._services.actions.do(call.staff, action, dry_run=call.query.dry_run))


def group_endpoints(services: Services) -> tuple[Endpoint, ...]:
    """The rows of the table."""
    surface = Groups(services)
    return (
        Endpoint(
            method="PUT",
            path="rooms/{room_id}/mutes/{user_id}",
            right=Right.look_after,
            handle=surface.mute,
            query=ActQuery,
            body=MuteBody,
            summary="Let a member post nothing in a group that one founded or manages, until a time",
        ),
        Endpoint(
            method="DELETE",
            path="rooms/{room_id}/mutes/{user_id}",
            right=Right.look_after,
            handle=surface.unmute,
            query=ActQuery,
            body=Why,
            summary="Let them post again before that",
        ),
        Endpoint(
            method="PUT",
            path="rooms/{room_id}/founder",
            right=Right.look_after,
            handle=surface.offer,
            query=ActQuery,
            body=OfferBody,
            summary="Offer to hand a group over to one of its managers, as its founder",
        ),
        Endpoint(
            method="POST",
            path="rooms/{room_id}/founder/accept",
            right=Right.look_after,
            handle=surface.accept,
            query=ActQuery,
            body=Why,
            summary="Become the founder of a group that was offered",
        ),
        Endpoint(
            method="POST",
            path="rooms/{room_id}/founder/decline",
            right=Right.look_after,
            handle=surface.decline,
            query=ActQuery,
            body=Why,
            summary="Turn the offer of a group down, or take one's own back",
        ),
        Endpoint(
            method="PUT",
            path="rooms/{room_id}/category",
            right=Right.look_after,
            handle=surface.category,
            query=ActQuery,
            body=CategoryBody,
            summary="Say what a group is about, as its founder",
        ),
        Endpoint(
            method="PUT",
            path="rooms/{room_id}/slow",
            right=Right.look_after,
            handle=surface.slow,
            query=ActQuery,
            body=SlowBody,
            summary="Let each member of a group that one founded or manages post once in so many seconds",
        ),
    )
