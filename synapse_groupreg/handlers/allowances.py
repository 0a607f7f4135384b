# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many commands of one account are answered in a minute: more are told once that they are too many (article 9)."""

from __future__ import annotations

import enum
from collections import deque

MINUTE_MS = 60_000
ASKED = 6
"""Commands of anybody."""
LED = 30
"""Acts of those who look after a group, in it: when a flood comes, they mute more than six people a minute."""
_MOST_ACCOUNTS = 10_000


class Turn(enum.Enum):
    """What becomes of a command."""

    answered = "answered"
    told = "told"
    """Nothing is done, and who wrote it is told so."""
    ignored = "ignored"


class Allowance:
    """Counts in memory what each account writes, up to a number in a minute."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._times: dict[str, deque[int]] = {}

    def take(self, user_id: str, now_ms: int) -> Turn:
        """Count one command."""
        if len(self._times) >= _MOST_ACCOUNTS:
            self._times.clear()
        times = self._times.setdefault(user_id, deque(maxlen=self.most + 1))
        while times and times[0] <= now_ms - MINUTE_MS:
            times.popleft()
        if len(times) > self.most:
            return Turn.ignored
        times.append(now_ms)
        return Turn.answered if len(times) <= self.most else Turn.told
