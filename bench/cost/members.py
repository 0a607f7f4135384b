# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a join costs in rooms of 10, 1,000 and 20,000 members, and what one is told of that finds a room full."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.cost import sides
from bench.cost.compare import Line, Spread, against
from bench.cost.messages import LARGE
from bench.cost.seed import known
from bench.cost.sides import NONE, OURS, SIDES, Client, Metered, turns
from bench.cost.turns import WARM_UP, Turns
from bench.joins import set_cap
from tests.database import open_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (10, 1_000, 20_000)
EACH = 3
"""Joins of a turn."""
AT_THE_CAP = 8
"""Last places that are taken in each room, and people who then find it full."""
FLAT_GOAL, SHARE_GOAL = 1.5, 0.10
CALLBACK = "user_may_join_room"
FULL = 403
_BLOCKS = "synapse_util_metrics_block"


def joins(runs: Turns) -> list[Line]:
    """Everybody joins once, in each of the set-ups."""
    settings = {"event_cache_size": LARGE}
    with (
        sides.world(SIZES, (runs.runs + 1) * EACH + 2 * AT_THE_CAP, settings) as world,
        sides.running(world, SIDES, settings, known(groups=0)) as servers,
    ):
        cpu, latency = _cells(), _cells()
        ours: dict[int, list[float]] = {size: [] for size in SIZES}
        for number in runs:
            people = world.people[(number + 1) * EACH : (number + 2) * EACH]
            order = SIDES if number % 2 else tuple(reversed(SIDES))
            for size, room_id in world.rooms.items():
                before = _in_callback(servers[OURS])
                todo = {
                    servers[side]: [partial(_join, Client(servers[side].url, token), room_id) for token in people]
                    for side in order
                }
                done = turns(todo)
                if number == WARM_UP:
                    continue  # a process that never saw a room loads it first
                ours[size].append((_in_callback(servers[OURS]) - before) / EACH)
                for side in SIDES:
                    cpu[size, side].append(done[servers[side]].cpu)
                    latency[size, side].append(done[servers[side]].latency)
        without = {size: Spread.of(latency[size, NONE]).median for size in SIZES}
        at_the_cap = list(_at_the_cap(world, servers[OURS], world.people[(runs.runs + 1) * EACH :], without))
    return [*_lines(cpu, latency, ours), *at_the_cap]


def _cells() -> dict[tuple[int, str], list[float]]:
    return {(size, side): [] for size in SIZES for side in SIDES}


def _join(client: Client, room_id: str) -> None:
    status, said = client.join(room_id)
    assert status == 200, said  # noqa: PLR2004 - HTTP


def _in_callback(server: Metered) -> float:
    counted = server.counted(f"{_BLOCKS}_time_seconds_total", "block_name")
    return sum(seconds for name, seconds in counted.items() if CALLBACK in name)


def _lines(
    cpu: dict[tuple[int, str], list[float]], latency: dict[tuple[int, str], list[float]], ours: dict[int, list[float]]
) -> Iterator[Line]:
    for size in SIZES:
        name = f"a join, {size:,} members"
        yield from against(f"{name}: CPU", {side: cpu[size, side] for side in SIDES}, NONE)
        yield from against(f"{name}: latency", {side: latency[size, side] for side in SIDES}, NONE)
    for size in SIZES:
        name = f"a join, {size:,} members"
        yield Line(f"{name}: latency", NONE, Spread.of([one * 1000 for one in latency[size, NONE]]), "ms")
        yield Line(f"{name}: in our callback", OURS, Spread.of([one * 1000 for one in ours[size]]), "ms")
        yield _share(f"{name}: our share", ours[size], latency[size, NONE])
    yield _flat("our share, largest to smallest", ours)


def _share(what: str, ours: list[float], without: list[float]) -> Line:
    share = Spread.of([mine / all_of_it for mine, all_of_it in zip(ours, without, strict=True)])
    goal = f"at most {SHARE_GOAL:.0%} of Synapse's own"
    return Line(what, OURS, share, "of no module's latency", goal, share.median <= SHARE_GOAL)


def _flat(what: str, ours: dict[int, list[float]]) -> Line:
    middles = [Spread.of(ours[size]).median for size in SIZES]
    flat = max(middles) / min(middles)
    return Line(what, OURS, flat, "x", f"at most {FLAT_GOAL}", flat <= FLAT_GOAL)


def _at_the_cap(world: sides.World, server: Metered, people: list[str], without: dict[int, float]) -> Iterator[Line]:
    """The last place again and again, and then none. `without`: what a join takes without the module, by size."""
    ours: dict[int, list[float]] = {size: [] for size in SIZES}
    with contextlib.closing(open_sqlite(world.folder / "this-module" / "homeserver.db")) as database:
        for size, room_id in world.rooms.items():
            name = f"a join, {size:,} members"
            waited: list[float] = []
            for token in people[:AT_THE_CAP]:
                database.do(set_cap, room_id, 1)
                before = _in_callback(server)
                waited += turns({server: [partial(_join, Client(server.url, token), room_id)]})[server].waited
                ours[size].append(_in_callback(server) - before)
            full = [partial(_refused, Client(server.url, token), room_id) for token in people[AT_THE_CAP:]]
            refused = turns({server: full})[server].waited
            yield Line(f"{name}: the last place", OURS, Spread.of([one * 1000 for one in waited]), "ms")
            in_callback = Spread.of([one * 1000 for one in ours[size]])
            yield Line(f"{name}: the last place, in our callback", OURS, in_callback, "ms")
            yield _share(f"{name}: the last place, our share", ours[size], [without[size]] * AT_THE_CAP)
            yield Line(f"{name}: refused, full", OURS, Spread.of([one * 1000 for one in refused]), "ms")
    yield _flat("our share at the last place, largest to smallest", ours)


def _refused(client: Client, room_id: str) -> Any:
    status, said = client.join(room_id)
    assert (status, said.get("org.groupreg.code")) == (FULL, "room-full"), said
