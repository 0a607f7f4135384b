# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ratios of what was measured in turn: their spread, and the interval in which the true one lies."""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING, Any

import attrs
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESAMPLES = 5_000


@attrs.frozen
class Ratio:
    """One side to the other, over pairs of turns."""

    low: float
    """The smallest of all pairs."""
    median: float
    high: float
    lower: float
    """From here …"""
    upper: float
    """… to here: 95 % of what the sums of other runs would give (bootstrap over pairs)."""

    @override
    def __str__(self) -> str:
        return f"{self.median:.3f} (min {self.low:.3f}, max {self.high:.3f}, 95 % {self.lower:.3f} to {self.upper:.3f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """What ours takes, as a multiple of what theirs takes in the same turns."""
    pairs = list(zip(ours, theirs, strict=True))
    single = [mine / other for mine, other in pairs]
    chance = random.Random(1)  # noqa: S311 - no secrets
    drawn = sorted(_of_sums(chance.choices(pairs, k=len(pairs))) for _ in range(_RESAMPLES))
    return Ratio(
        min(single),
        statistics.median(single),
        max(single),
        drawn[round(_RESAMPLES * 0.025)],
        drawn[round(_RESAMPLES * 0.975) - 1],
    )


def _of_sums(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(mine for mine, _ in pairs) / sum(other for _, other in pairs)


@attrs.frozen
class Spread:
    """Smallest, middle and largest of what was measured."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of these."""
        return cls(min(values), statistics.median(values), max(values))

    @override
    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@attrs.frozen
class Line:
    """One figure of the result."""

    what: str
    side: str
    value: Ratio | Spread | float
    unit: str
    goal: str = ""
    met: bool | None = None

    @override
    def __str__(self) -> str:
        value = f"{self.value:.2f}" if isinstance(self.value, float) else str(self.value)
        verdict = "" if self.met is None else f"  {'met' if self.met else 'MISSED'}: {self.goal}"
        return f"{self.what:44} {self.side:30} {value} {self.unit}{verdict}"

    def row(self) -> str:
        """The same as a row of docs/cost.md."""
        value = f"{self.value:.2f}" if isinstance(self.value, float) else str(self.value)
        verdict = "" if self.met is None else f"{'met' if self.met else 'missed'}: {self.goal}"
        return f"| {self.what} | {self.side} | {value} {self.unit} | {verdict} |"

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        value = self.value if isinstance(self.value, float) else attrs.asdict(self.value)
        return {**attrs.asdict(self), "value": value}


def against(what: str, values: dict[str, list[float]], base: str, *, goal: float | None = None) -> list[Line]:
    """The ratio of every side to the base; the goal is that of the second side, the upper end of its interval."""
    lines = []
    for number, side in enumerate(one for one in values if one != base):
        found = ratio(values[side], values[base])
        judged = goal is not None and number == 0
        lines.append(
            Line(
                what,
                side,
                found,
                "x",
                f"upper end at most {goal}" if judged else "",
                found.upper <= goal if judged and goal is not None else None,
            )
        )
    return lines
