# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Report packets: what is put together about measures for the authority (article 11.4). Nothing is ever sent."""

from __future__ import annotations

import enum
from typing import Any

from synapse_groupreg.values import frozen

MOST_MEASURES = 100


class PacketState(enum.StrEnum):
    """How far a packet is."""

    drafted = "drafted"
    handed_in = "handed-in"
    """The operator gave it to the authority."""
    receipt = "receipt"
    """The authority confirmed it."""


@frozen(kw_only=True)
class Attachment:
    """A file that goes with a packet, by reference: it stays where it is."""

    name: str
    size: int
    sha256: str


@frozen(kw_only=True)
class Packet:
    """One packet, as it was when it was made. Its fields are the columns of its table."""

    id: int
    author: str
    made_ms: int
    facts: dict[str, Any]
    """What is reported."""
    state: PacketState = PacketState.drafted
    text: str | None = None
    """The receipt, or how it was handed in."""
    state_by: str | None = None
    state_ms: int | None = None
