# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Putting reports to the authority together (article 11.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from synapse_groupreg.policy.actions import Action
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.policy.packets import Attachment, PacketState


@frozen(kw_only=True)
class MakePacket(Action):
    """Put together what is reported about measures; it is sent nowhere."""

    name: ClassVar[str] = "packet"
    right: ClassVar[Right] = Right.make_packets
    measure_ids: tuple[int, ...]
    attachments: tuple[Attachment, ...] = ()


@frozen(kw_only=True)
class SetPacket(Action):
    """Say how far a packet is; the reports of its measures follow."""

    name: ClassVar[str] = "packet-state"
    right: ClassVar[Right] = Right.make_packets
    packet_id: int
    state: PacketState
    text: str | None = None
