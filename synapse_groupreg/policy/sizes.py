# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The size tier of a group: where its members stand between the bounds of the configuration (articles 7.1 and 8.3)."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence


@frozen(kw_only=True)
class SizeTier:
    """One of several tiers, the smallest first."""

    number: int
    of: int
    """How many there are."""
    least: int
    """From how many members on a group stands in it."""
    most: int | None
    """Up to how many members; None for the last."""


def size_tier(members: int, bounds: Sequence[int]) -> SizeTier | None:
    """The tier of a group of that many members; `bounds` are the most members of each tier but the last.

    None where there are no bounds, and so no tiers.
    """
    if not bounds:
        return None
    below = bisect.bisect_left(bounds, members)
    return SizeTier(
        number=below + 1,
        of=len(bounds) + 1,
        least=bounds[below - 1] + 1 if below else 0,
        most=bounds[below] if below < len(bounds) else None,
    )
