# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each process of a larger homeserver keeps in memory, and how long it takes to start, once it knows very much."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from bench.cost.compare import Line, Spread
from bench.cost.process import MEMORY_GOAL_MIB, START_GOAL_SECONDS
from bench.cost.seed import known
from bench.cost.sides import NONE, OURS, RULES, Client, memory_of
from synapse_groupreg.rig import deployment
from tests.database import open_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cost.turns import Turns
    from synapse_groupreg.rig import WorkerHomeserver

PROCESSES = ("generic_worker1", "event_persister1", "background_worker1", "main")
Found = dict[tuple[str, str, str], list[float]]
"""By what, set-up and process."""
_LATER_SECONDS = 5.0
"""After the start: what is done then for the first time is done."""


def measure(runs: Turns) -> list[Line]:
    """Restart main, worker, persister and background process, with and without the module, and look at each."""
    found: Found = {}
    for side, config in ((NONE, None), (OURS, RULES)):
        with deployment(workers=1, persisters=1, module_config=config) as server:
            token = server.register("somebody")
            if config is not None:
                _tell(server)
            for _ in runs:
                _restart(server, token, side, found)
    return [
        *_lines("memory", "MiB", found, MEMORY_GOAL_MIB),
        *_lines("start", "s", found, START_GOAL_SECONDS),
    ]


def _restart(server: WorkerHomeserver, token: str, side: str, found: Found) -> None:
    for name in reversed(PROCESSES):
        server.member(name).stop()
        began = time.monotonic()
        server.member(name).start()
        found.setdefault(("start", side, name), []).append(time.monotonic() - began)
    for url in server.urls:
        Client(url, token).good("GET", "joined_rooms")
    time.sleep(_LATER_SECONDS)
    for name in PROCESSES:
        child = server.member(name).process._child
        assert child is not None
        found.setdefault(("memory", side, name), []).append(memory_of(child.pid))


def _lines(what: str, unit: str, found: Found, goal: float) -> Iterator[Line]:
    for name in PROCESSES:
        base = Spread.of(found[what, NONE, name])
        above = Spread.of([one - base.median for one in found[what, OURS, name]])
        yield Line(f"{what} of {name}", NONE, base, unit)
        wanted = f"at most {goal:g} {unit} above no module"
        yield Line(f"{what} of {name}, above", OURS, above, unit, wanted, above.median <= goal)


def _tell(server: WorkerHomeserver) -> None:
    assert server.files.database is not None
    with contextlib.closing(open_postgres(server.files.database)) as database:
        known()(database)
        database.do(lambda txn: txn.execute("ANALYZE"))
