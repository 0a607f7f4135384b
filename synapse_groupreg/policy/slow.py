# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Slow mode: each member of a group posts once in so many seconds, as those who look after it say (articles 7.3, 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from synapse_groupreg.policy.types import Send, Violation
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig

LONGEST_S = 3_600
SECOND_MS = 1_000


@frozen(kw_only=True)
class SlowMode(Violation):
    """The person posted in this group a moment ago."""

    code: ClassVar[str] = "slow-mode"
    seconds: int
    """How long everybody waits between two posts."""
    wait: int
    """How many of them are left."""


@frozen(kw_only=True)
class Pace:
    """What a post comes too early for."""

    every_ms: int
    left_ms: int


def slow_mode(attempt: Send, _config: GroupRegConfig) -> Violation | None:
    """Refuse a post that comes too early, but of accounts that quotas leave alone as well, such as bridges."""
    early = attempt.early
    if early is None or attempt.actor.exempt:
        return None
    return SlowMode(seconds=early.every_ms // SECOND_MS, wait=-(-early.left_ms // SECOND_MS))
