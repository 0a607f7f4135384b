# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How often the set-ups take their turns."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

WARM_UP = -1


@attrs.frozen
class Turns:
    """The numbers of the runs of one part, after one that only warms up."""

    part: str
    runs: int
    seconds: float
    """No further run is begun after so long, counted from here."""
    _began: float = attrs.field(factory=time.monotonic, init=False)

    def __iter__(self) -> Iterator[int]:
        for number in range(WARM_UP, self.runs):
            yield number
            say(f"{self.part}: run {number + 1} of {self.runs}, {self._taken():.0f} s")
            if number > 0 and self._taken() > self.seconds:
                return

    def _taken(self) -> float:
        return time.monotonic() - self._began


def say(progress: str) -> None:
    """Tell whoever waits."""
    print(progress, file=sys.stderr, flush=True)
