# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long the rig takes from nothing to a homeserver of six processes that serves, PostgreSQL and Redis included."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.cost.compare import Line, Spread
from bench.cost.sides import NONE, OURS, RULES
from bench.cost.turns import WARM_UP
from synapse_groupreg.rig import deployment

if TYPE_CHECKING:
    from bench.cost.turns import Turns

GOAL_SECONDS = 30.0


def measure(runs: Turns) -> list[Line]:
    """Start all of it, with and without the module, and stop it again."""
    took: dict[str, list[float]] = {NONE: [], OURS: []}
    for number in runs:
        for side, config in ((NONE, None), (OURS, RULES)):
            began = time.monotonic()
            with deployment(module_config=config):
                if number != WARM_UP:  # the first start compiles
                    took[side].append(time.monotonic() - began)
    ours = Spread.of(took[OURS])
    return [
        Line("start of the rig", NONE, Spread.of(took[NONE]), "s"),
        Line("start of the rig", OURS, ours, "s", f"each at most {GOAL_SECONDS:g} s", ours.high <= GOAL_SECONDS),
    ]
