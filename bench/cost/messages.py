# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a message costs: in rooms of 10, 500 and 2,000 members, with a large cache of events and with one too small."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from functools import partial
from typing import TYPE_CHECKING

from bench.cost import sides
from bench.cost.compare import Line, Spread, against
from bench.cost.modules import NOTES, clocked
from bench.cost.seed import known
from bench.cost.sides import NONE, OURS, SIDES, WATCHED, Client, Metered, Turn, turns
from bench.cost.turns import WARM_UP, Turns
from tests.e2e.test_warm_sends import BACKGROUND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SIZES = (10, 500, 2_000)
LARGE, SMALL = "30K", "500"
CPU_GOAL, CALLBACKS_GOAL_US = 1.05, 100.0
CLOCKED = 600
"""Messages whose callbacks are timed."""
TRANSACTIONS = "synapse_storage_transaction_time_count_total"
LOOKUPS = "synapse_util_caches_cache"


def warm(runs: Turns) -> list[Line]:
    """Every room's state fits the cache; each size by itself, more often where a message costs less."""
    return list(_sends("warm", LARGE, runs, [((10,), 80), ((500,), 24), ((2_000,), 8)]))


def cold(runs: Turns) -> list[Line]:
    """The rooms' states don't fit the cache, as on a server with many busy rooms: so they are sent to in turn."""
    return list(_sends("cold", SMALL, runs, [(SIZES, 10)]))


def _sends(name: str, cache: str, runs: Turns, groups: list[tuple[tuple[int, ...], int]]) -> Iterator[Line]:
    settings = {"event_cache_size": cache}
    with (
        sides.world(SIZES, 0, settings) as world,
        sides.running(world, SIDES, settings, known(groups=0)) as servers,
    ):
        clients = {side: Client(server.url, world.owner) for side, server in servers.items()}
        took: dict[tuple[tuple[int, ...], str], list[Turn]] = {
            (group, side): [] for group, _ in groups for side in SIDES
        }
        for number in runs:
            order = SIDES if number % 2 else tuple(reversed(SIDES))
            for group, times in groups:
                rooms = [world.rooms[size] for size in group]
                done = turns({servers[side]: _talk(clients[side], rooms, times) for side in order})
                for side in SIDES if number != WARM_UP else ():
                    took[group, side].append(done[servers[side]])
    for group, _ in groups:
        where = f"a message, {name}, {' and '.join(f'{size:,}' for size in group)} members"
        of_side = {side: took[group, side] for side in SIDES}
        cpu = {side: [one.cpu for one in some] for side, some in of_side.items()}
        yield from against(f"{where}: CPU", cpu, NONE, goal=CPU_GOAL)
        for place, size in enumerate(group):
            latency = {
                side: [statistics.median(one.waited[place :: len(group)]) for one in some]
                for side, some in of_side.items()
            }
            yield from against(f"a message, {name}, {size:,} members: latency", latency, NONE)
        for side in SIDES:
            yield Line(f"{where}: CPU", side, Spread.of([one * 1000 for one in cpu[side]]), "ms")
            slow = Spread.of([one.slow * 1000 for one in of_side[side]])
            yield Line(f"{where}: one in twenty waits", side, slow, "ms")


def _talk(client: Client, rooms: Sequence[str], times: int) -> list[Callable[[], object]]:
    """So many messages to each room, in turn."""
    return [partial(_send, client, room) for _ in range(times) for room in rooms]


def _send(client: Client, room_id: str) -> None:
    status, said = client.send(room_id)
    assert status == 200, said  # noqa: PLR2004 - HTTP


def counts(runs: Turns, *, times: int = 10) -> list[Line]:
    """What a warm message makes Synapse do for us: statements, events looked up, and the time in our callbacks."""
    settings = {"event_cache_size": LARGE}
    with sides.world(SIZES, 0, settings) as world, contextlib.ExitStack() as servers:
        seeded = sides.copy(world, OURS, known(groups=0))
        ours = servers.enter_context(Metered(seeded, WATCHED, settings))
        none = servers.enter_context(Metered(sides.copy(world, NONE), None, settings))
        sides.settled([ours, none])
        rooms, acts = list(world.rooms.values()), times * len(SIZES)
        todo = {server: _talk(Client(server.url, world.owner), rooms, times) for server in (ours, none)}
        turns(todo)
        statements, looked = [], []
        for _ in runs:
            statements.append(_ours_only(ours.grown(TRANSACTIONS, "desc", lambda: _all(todo[ours]))) / acts)
            more = ours.grown(LOOKUPS, "name", lambda: _all(todo[ours]))["*getEvent*"]
            less = none.grown(LOOKUPS, "name", lambda: _all(todo[none]))["*getEvent*"]
            looked.append((more - less) / acts)
        took = _in_callbacks(seeded / NOTES, _talk(Client(ours.url, world.owner), rooms, CLOCKED // len(rooms)))
    what = "CPU in our callbacks, a warm message"
    by_size = [
        Line(f"{what}, {size:,} members", OURS, _usual(took[n :: len(SIZES)]), "us") for n, size in enumerate(SIZES)
    ]
    return [
        _goal("transactions of ours a warm message", Spread.of(statements), "", 0.0),
        _goal("events looked up beyond no module's", Spread.of(looked), "", 3.0),
        _goal(what, _usual(took), "us", CALLBACKS_GOAL_US),
        *by_size,
        Line("... of it, to look at the clock", OURS, _usual(asyncio.run(_by_itself())), "us"),
    ]


def _goal(what: str, found: Spread, unit: str, most: float) -> Line:
    return Line(what, OURS, found, unit, f"at most {most:g}", found.median <= most)


def _usual(microseconds: Sequence[float]) -> Spread:
    """What 90 of 100 are between, and their median."""
    ordered = sorted(microseconds)
    cut = len(ordered) // 20
    return Spread.of(ordered[cut : len(ordered) - cut])


def _in_callbacks(notes: Path, acts: Sequence[Callable[[], object]]) -> list[float]:
    """What the callbacks of each act took in sum."""
    took = []
    with notes.open() as written:
        written.read()
        for act in acts:
            act()
            took.append(sum(map(int, written)) / 1000)
    return took


async def _by_itself() -> list[float]:
    """What is noted of a message when neither of its callbacks does anything."""
    noted: list[int] = []
    one = clocked(_nothing, noted.append)
    return [(await one(), await one(), sum(noted[-2:]) / 1000)[-1] for _ in range(CLOCKED)]


async def _nothing() -> None:
    return None


def _all(todo: Sequence[Callable[[], object]]) -> None:
    for act in todo:
        act()


def _ours_only(grown: dict[str, float]) -> float:
    return sum(count for name, count in grown.items() if name.startswith("groupreg_") and name not in BACKGROUND)
