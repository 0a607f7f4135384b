# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What founding, inviting and logging in cost."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING

from bench.cost import sides
from bench.cost.compare import Line, Spread, against
from bench.cost.messages import CPU_GOAL, LARGE
from bench.cost.seed import known
from bench.cost.sides import NONE, SIDES, Client, turns
from bench.cost.turns import WARM_UP, Turns
from synapse_groupreg.rig.synapse import SAMPLE_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

ACTS = ("createRoom", "invite", "login")
EACH = 8
"""Acts of a turn."""
SIZE = 10


def measure(runs: Turns) -> list[Line]:
    """Each act in turn, in each of the set-ups."""
    # As many rounds of bcrypt as Synapse itself takes, unlike other servers of the rig: they are most of a login.
    settings = {"event_cache_size": LARGE, "bcrypt_rounds": 12}
    with (
        sides.world([SIZE], EACH, settings) as world,
        sides.running(world, SIDES, settings, known(groups=0)) as servers,
    ):
        clients = {side: Client(server.url, world.owner) for side, server in servers.items()}
        cpu: dict[tuple[str, str], list[float]] = {(act, side): [] for act in ACTS for side in SIDES}
        latency: dict[tuple[str, str], list[float]] = {key: [] for key in cpu}
        strangers = itertools.count(1)
        for number in runs:
            some = [next(strangers) for _ in range(EACH)]
            order = SIDES if number % 2 else tuple(reversed(SIDES))
            for act in ACTS:
                done = turns({servers[side]: _todo(act, clients[side], world.rooms[SIZE], some) for side in order})
                for side in SIDES if number != WARM_UP else ():
                    cpu[act, side].append(done[servers[side]].cpu)
                    latency[act, side].append(done[servers[side]].latency)
    lines: list[Line] = []
    for act in ACTS:
        lines += against(f"{act}: CPU", {side: cpu[act, side] for side in SIDES}, NONE, goal=CPU_GOAL)
        lines += against(f"{act}: latency", {side: latency[act, side] for side in SIDES}, NONE, goal=CPU_GOAL)
    for act, side in itertools.product(ACTS, SIDES):
        lines.append(Line(f"{act}: CPU", side, Spread.of([one * 1000 for one in cpu[act, side]]), "ms"))
        lines.append(Line(f"{act}: latency", side, Spread.of([one * 1000 for one in latency[act, side]]), "ms"))
    return lines


def _todo(act: str, client: Client, room_id: str, some: list[int]) -> list[Callable[[], object]]:
    if act == "createRoom":
        founded = {"preset": "private_chat", "name": "A group"}
        return [partial(client.good, "POST", "createRoom", founded) for _ in some]
    if act == "invite":
        who = [{"user_id": f"@stranger{one}:localhost"} for one in some]
        return [partial(client.good, "POST", f"rooms/{room_id}/invite", one) for one in who]
    login = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": f"person{some[0] % EACH}"},
        "password": SAMPLE_PASSWORD,
    }
    return [partial(client.good, "POST", "login", login) for _ in some]
