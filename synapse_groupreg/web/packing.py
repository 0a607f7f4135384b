# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints of report packets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from synapse_groupreg.errors import NotFound
from synapse_groupreg.handlers import act_packets, looks
from synapse_groupreg.policy import packet_actions
from synapse_groupreg.policy.packets import MOST_MEASURES, Attachment, PacketState
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.storage import packets
from synapse_groupreg.web.acting import DIGITS, answered
from synapse_groupreg.web.bodies import ActQuery, Body, LookQuery, PageQuery, Text, Why
from synapse_groupreg.web.endpoint import Endpoint
from synapse_groupreg.web.reading import page

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import Action
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services


class AttachmentBody(Body):
    """A file that goes with a packet; only what identifies it is kept."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    """Its name."""
    size: Annotated[int, Field(ge=0, le=2**53)]
    """In bytes."""
    sha256: Annotated[str, Field(min_length=64, max_length=64)]
    """Its SHA-256, in hexadecimal."""


class PacketBody(Why):
    """About which measures."""

    measures: Annotated[list[Annotated[int, Field(ge=1, lt=10**DIGITS)]], Field(min_length=1, max_length=MOST_MEASURES)]
    """Their numbers."""
    attachments: Annotated[list[AttachmentBody], Field(max_length=100, default_factory=list)]
    """Files that go with it, such as exported bundles."""


class PacketStateBody(Why):
    """How far a packet is."""

    state: Annotated[PacketState, Field(strict=False)]
    """drafted, handed-in, or receipt; never back."""
    text: Text | None = None
    """The receipt, or how it was handed in."""


class Packing:
    """Report packets."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def packets(self, call: Call) -> Answer:
        """GET packets."""
        query = call.query
        found, total = await self._services.database.run("groupreg_packets", packets.page, query.start, query.limit)
        return page("packets", [act_packets.show(one) for one in found], total, query)

    async def packet(self, call: Call) -> Answer:
        """GET packets/{packet_id}."""
        services = self._services
        return await services.database.run(
            "groupreg_packets",
            looks.packet,
            call.staff,
            _number(call),
            services.homeserver.now_ms(),
            reason=call.query.reason,
            seal=services.seal,
        )

    async def make(self, call: Call) -> Answer:
        """POST packets."""
        body = call.body
        attachments = tuple(Attachment(**dict(one)) for one in body.attachments)
        action = packet_actions.MakePacket(
            measure_ids=tuple(body.measures), attachments=attachments, reason=body.reason
        )
        return await self._do(call, action)

    async def state(self, call: Call) -> Answer:
        """PUT packets/{packet_id}/state."""
        return await self._do(call, packet_actions.SetPacket(packet_id=_number(call), **dict(call.body)))

    async def _do(self, call: Call, action: Action) -> Answer:
        return answered(await self._services.actions.do(call.staff, action, dry_run=call.query.dry_run))


def packet_endpoints(services: Services) -> tuple[Endpoint, ...]:
    """The rows of the table."""
    surface = Packing(services)
    return (
        Endpoint(
            method="GET",
            path="packets",
            right=Right.read_packets,
            handle=surface.packets,
            query=PageQuery,
            summary="Report packets, the newest first, without what they say",
        ),
        Endpoint(
            method="GET",
            path="packets/{packet_id}",
            right=Right.read_packets,
            handle=surface.packet,
            query=LookQuery,
            summary="A report packet as it was made; a look at appeals in it is recorded",
        ),
        Endpoint(
            method="POST",
            path="packets",
            right=Right.make_packets,
            handle=surface.make,
            query=ActQuery,
            body=PacketBody,
            summary="Put together what is reported about measures; nothing is sent",
        ),
        Endpoint(
            method="PUT",
            path="packets/{packet_id}/state",
            right=Right.make_packets,
            handle=surface.state,
            query=ActQuery,
            body=PacketStateBody,
            summary="Say how far a packet is, and with it the reports of its measures",
        ),
    )


def _number(call: Call) -> int:
    number = call.path["packet_id"]
    if not (number.isascii() and number.isdigit() and len(number) <= DIGITS):
        raise NotFound("There is no such packet: packets are numbered.")
    return int(number)
