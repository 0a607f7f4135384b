# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether the server's clock can be believed when it says that records are old enough to be removed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from synapse_groupreg.config.retention import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERATED_MS = DAY_MS
"""How far the clock may be from what was expected; and how long it must run steadily after it was further."""


class ClockWatch:
    """Compares the clock with one that only counts, and at first with the newest record.

    A clock that jumps forwards would make all records old. An operator sees the alarm before anything is removed.
    """

    def __init__(self, elapsed_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000) -> None:
        self._elapsed_ms = elapsed_ms
        self._last: tuple[int, int] | None = None
        self._doubted_at: int | None = None

    def look(self, now_ms: int, newest_ms: int) -> str | None:
        """Why the clock is not believed; None if it is. `newest_ms`: the newest time of any record."""
        elapsed = self._elapsed_ms()
        expected = newest_ms if self._last is None else self._last[0] + elapsed - self._last[1]
        known = self._last is not None or newest_ms > 0
        self._last = (now_ms, elapsed)
        if known and abs(now_ms - expected) >= TOLERATED_MS:
            self._doubted_at = elapsed
        if self._doubted_at is not None and elapsed - self._doubted_at < TOLERATED_MS:
            return (
                "the clock is more than a day from what the records, or the time that the process runs, make likely."
                " Nothing is removed until it has run steadily for a day; is it right, groupreg retention purge --now"
                " removes at once what is due"
            )
        self._doubted_at = None
        return None
