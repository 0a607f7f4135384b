# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What founding, inviting and logging in cost.

A founding with our module writes the labels of the group, which are further events that operators asked for: so it is
compared as well without them, and with a Synapse without any module whose clients ask for the same events.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bench.cost import sides
from bench.cost.compare import Line, Spread, against
from bench.cost.messages import CPU_GOAL, LARGE
from bench.cost.seed import known
from bench.cost.sides import NONE, OURS, SIDES, UNLABELLED, Client, turns
from bench.cost.turns import WARM_UP, Turns
from synapse_groupreg.rig.synapse import SAMPLE_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

ACTS = ("createRoom", "invite", "login")
SAME = "no module, the same events"
FOUNDING = (*SIDES, UNLABELLED, SAME)
FOUNDED: dict[str, Any] = {"preset": "private_chat", "name": "A group"}
EACH = 8
"""Acts of a turn."""
SIZE = 10


def measure(runs: Turns) -> list[Line]:
    """Each act in turn, in each of the set-ups."""
    # As many rounds of bcrypt as Synapse itself takes, unlike other servers of the rig: they are most of a login.
    settings = {"event_cache_size": LARGE, "bcrypt_rounds": 12}
    with (
        sides.world([SIZE], EACH, settings) as world,
        sides.running(world, FOUNDING, settings, known(groups=0)) as servers,
    ):
        clients = {side: Client(server.url, world.owner) for side, server in servers.items()}
        founded = dict.fromkeys(FOUNDING, FOUNDED) | {SAME: FOUNDED | {"initial_state": _further(clients)}}
        cpu: dict[tuple[str, str], list[float]] = {(act, side): [] for act in ACTS for side in _sides(act)}
        latency: dict[tuple[str, str], list[float]] = {key: [] for key in cpu}
        strangers = itertools.count(1)
        for number in runs:
            some = [next(strangers) for _ in range(EACH)]
            for act in ACTS:
                order = _sides(act) if number % 2 else tuple(reversed(_sides(act)))
                todo = {side: _todo(act, clients[side], world.rooms[SIZE], some, founded[side]) for side in order}
                done = turns({servers[side]: acts for side, acts in todo.items()})
                for side in order if number != WARM_UP else ():
                    cpu[act, side].append(done[servers[side]].cpu)
                    latency[act, side].append(done[servers[side]].latency)
    lines: list[Line] = []
    for act in ACTS:
        lines += against(f"{act}: CPU", {side: cpu[act, side] for side in _sides(act)}, NONE, goal=CPU_GOAL)
        lines += against(f"{act}: latency", {side: latency[act, side] for side in _sides(act)}, NONE, goal=CPU_GOAL)
    for what, of_all in (("CPU", cpu), ("latency", latency)):
        both = {side: of_all["createRoom", side] for side in (SAME, OURS)}
        lines += against(f"createRoom, beside the same events: {what}", both, SAME, goal=CPU_GOAL)
    for (act, side), taken in cpu.items():
        lines.append(Line(f"{act}: CPU", side, Spread.of([one * 1000 for one in taken]), "ms"))
        waited = Spread.of([one * 1000 for one in latency[act, side]])
        lines.append(Line(f"{act}: latency", side, waited, "ms"))
    return lines


def _sides(act: str) -> tuple[str, ...]:
    return FOUNDING if act == "createRoom" else SIDES


def _further(clients: dict[str, Client]) -> list[dict[str, Any]]:
    """The state that a group has with our module and not without, as a createRoom asks for it."""
    ours, others = (_state(clients[side]) for side in (OURS, NONE))
    return [{"type": kind, "state_key": "", "content": said} for kind, said in ours.items() if kind not in others]


def _state(client: Client) -> dict[str, Any]:
    room_id = client.good("POST", "createRoom", FOUNDED)["room_id"]
    return {one["type"]: one["content"] for one in client.good("GET", f"rooms/{quote(room_id)}/state")}


def _todo(
    act: str, client: Client, room_id: str, some: list[int], founded: dict[str, Any]
) -> list[Callable[[], object]]:
    if act == "createRoom":
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
