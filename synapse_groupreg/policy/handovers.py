# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handing a group over: its founder offers it, and somebody accepts that (articles 8.6 and 9)."""

from __future__ import annotations

import attrs

OFFERED_MS = 7 * 86_400_000
"""How long an offer stands."""


@attrs.frozen(kw_only=True)
class Handover:
    """An offer. Its fields are its columns."""

    room_id: str
    founder: str
    account: str
    """Who may accept it."""
    until_ms: int
