# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mutes: somebody can't post in one group for a while, because its founder or a manager says so (article 9).

The tool of those who look after a group, and no measure of staff: it has an end, never a long one, and is no case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from synapse_groupreg.policy.types import Send, Violation
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig

DAY_MS = 86_400_000
DEFAULT_MS = 3_600_000
LONGEST_MS = 30 * DAY_MS
"""Beyond that, people are removed from a group, or the staff are asked."""


@frozen(kw_only=True)
class Mute:
    """That an account, and whoever else is the same person, can't post in a group. Its fields are its columns."""

    room_id: str
    account: str
    reason: str | None
    """What the person concerned is told."""
    author: str
    start_ms: int
    until_ms: int


@frozen(kw_only=True)
class Muted(Violation):
    """The person may not post in this group for a while."""

    code: ClassVar[str] = "muted"
    until_ms: int
    given_reason: str | None = None


def muted(attempt: Send, _config: GroupRegConfig) -> Violation | None:
    """Refuse that somebody posts in a group in which they are muted; they can still take back what they wrote."""
    found = attempt.mute
    if found is None or attempt.retracts_own:
        return None
    return Muted(until_ms=found.until_ms, given_reason=found.reason)
