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
    """No further run is begun after so long."""

    def __iter__(self) -> Iterator[int]:
        began = time.monotonic()
        for number in range(WARM_UP, self.runs):
            yield number
            say(f"{self.part}: run {number + 1} of {self.runs}, {time.monotonic() - began:.0f} s")
            if number > 0 and time.monotonic() - began > self.seconds:
                return


def say(progress: str) -> None:
    """Tell whoever waits."""
    print(progress, file=sys.stderr, flush=True)
