# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a process costs by itself: memory, start, and what it does while nobody does anything."""

from __future__ import annotations

import contextlib
import time
from functools import partial

from bench.cost import sides
from bench.cost.compare import Line, Spread
from bench.cost.messages import LARGE
from bench.cost.seed import ACCOUNTS, GROUPS, MEASURES, known
from bench.cost.sides import MODULES, NONE, OURS, Client, Metered, turns
from bench.cost.turns import WARM_UP, Turns

SIZE = 10
FULL = f"{OURS}, knowing {ACCOUNTS:,} accounts"
IDLE_SECONDS = 10
MEMORY_GOAL_MIB, START_GOAL_SECONDS = 10.0, 3.0


def measure(runs: Turns) -> list[Line]:
    """Start each set-up, use it a little, leave it alone, and stop it; again and again."""
    settings = {"event_cache_size": LARGE}
    memory: dict[str, list[float]] = {}
    started: dict[str, list[float]] = {}
    idle: dict[str, list[float]] = {}
    # A page of a library belongs to whoever alone maps it. So one more runs along, else it depends on who else does.
    with sides.world([SIZE], 0, settings) as world, Metered(sides.copy(world, "beside"), None, settings):
        servers = {
            NONE: Metered(sides.copy(world, NONE), None, settings),
            OURS: Metered(sides.copy(world, OURS, known(accounts=0, groups=0, measures=0)), MODULES[OURS], settings),
            FULL: Metered(sides.copy(world, FULL, known()), MODULES[OURS], settings),
        }
        for number in runs:
            for side, server in servers.items():
                with contextlib.closing(_Started(server)) as one:
                    turns({server: [partial(Client(server.url, world.owner).send, world.rooms[SIZE])] * 30})
                    before = server.cpu()
                    time.sleep(IDLE_SECONDS)
                    spent = (server.cpu() - before) / IDLE_SECONDS
                    if number != WARM_UP:  # the first start compiles and migrates
                        memory.setdefault(side, []).append(server.memory())
                        started.setdefault(side, []).append(one.seconds)
                        idle.setdefault(side, []).append(spent * 1000)
    lines = []
    known_goal = f"at most {MEMORY_GOAL_MIB:g} MiB above no module"
    for side in servers:
        above = Spread.of([mine - none for mine, none in zip(memory[side], memory[NONE], strict=True)])
        later = Spread.of([mine - none for mine, none in zip(started[side], started[NONE], strict=True)])
        lines.append(Line("memory of a process", side, Spread.of(memory[side]), "MiB"))
        lines.append(Line("start until it answers", side, Spread.of(started[side]), "s"))
        lines.append(Line("CPU while nobody does anything", side, Spread.of(idle[side]), "ms a second"))
        if side != NONE:
            met = above.median <= MEMORY_GOAL_MIB if side == FULL else None
            lines.append(Line("memory above no module", side, above, "MiB", known_goal, met))
            quick = later.median <= START_GOAL_SECONDS if side == FULL else None
            lines.append(Line("start beyond no module's", side, later, "s", f"at most {START_GOAL_SECONDS:g} s", quick))
    lines.append(
        Line(
            f"memory of {ACCOUNTS:,} accounts, {GROUPS:,} groups, {MEASURES:,} measures",
            FULL,
            Spread.of([mine - other for mine, other in zip(memory[FULL], memory[OURS], strict=True)]),
            "MiB",
        )
    )
    return lines


class _Started:
    """A server that was just started, and how long that took."""

    def __init__(self, server: Metered) -> None:
        began = time.monotonic()
        server.start()
        self.seconds = time.monotonic() - began
        self.close = server.stop
