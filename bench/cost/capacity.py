# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much is sustained on one and on two workers: messages, joins, and refusals of both."""

from __future__ import annotations

import contextlib
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import attrs

from bench.cost.compare import Line, Spread, against
from bench.cost.seed import bar, known
from bench.cost.sides import NONE, OURS, RULES, Client
from bench.cost.turns import WARM_UP, Turns
from bench.joins import set_cap
from synapse_groupreg.rig import deployment
from tests.database import open_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_groupreg.rig import Database, WorkerHomeserver
    from tests.database import TestDatabase

AT_ONCE = 8
"""Clients that try at the same time, each of whom founded a room."""
EACH = 20
"""Messages, or tries, of each in a turn."""
WORKERS = (1, 2)
_KNOWN_SECONDS = 4.0
OK, FORBIDDEN = 200, 403
SEND, JOIN, BARRED, FULL = "messages", "joins", "refused messages", "refused joins"


@attrs.frozen
class Scene:
    """A deployment, and who does what in it."""

    server: WorkerHomeserver
    people: list[str]
    barred: list[str]
    late: list[str]
    rooms: list[str]
    full: str

    @classmethod
    def of(cls, server: WorkerHomeserver, *, ours: bool) -> Scene:
        """Register, verify, found, join, and bar some."""
        people, barred, late = (
            [server.register(f"{kind}{number}") for number in range(AT_ONCE)] for kind in ("person", "barred", "late")
        )
        if ours:
            _tell(server, known(groups=0))
        rooms = [
            Client(server.url, token).good("POST", "createRoom", {"preset": "public_chat"})["room_id"]
            for token in people
        ]
        for token in barred:
            _expect(OK, *Client(server.url, token).join(rooms[0]))
        scene = cls(server, people, barred, late, rooms, rooms[1])
        if ours:
            names = [server.user_id(f"barred{number}") for number in range(AT_ONCE)]
            _tell(server, lambda database: database.do(bar, names))
        return scene

    def rate(self, kind: str, workers: int) -> float:
        """What is done a second when all try at once, over so many workers."""
        urls = [self.server.urls[1 + number % workers] for number in range(AT_ONCE)]
        if kind == SEND:
            return _together(
                [
                    [partial(_expect_of, OK, partial(client.send, room))] * EACH
                    for client, room in zip(_clients(urls, self.people), self.rooms, strict=True)
                ]
            )
        if kind == BARRED:
            refused = _clients(urls, self.barred)
            return _together(
                [[partial(_expect_of, FORBIDDEN, partial(one.send, self.rooms[0]))] * EACH for one in refused]
            )
        if kind == FULL:
            self._cap(0)
            late = _clients(urls, self.late)
            refused_joins = [[partial(_expect_of, FORBIDDEN, partial(one.join, self.full))] * EACH for one in late]
            return _together(refused_joins)
        self._cap(None)
        joiners = _clients(urls, self.late)
        done = _together([[partial(_expect_of, OK, partial(one.join, room)) for room in self.rooms] for one in joiners])
        _together([[partial(one.good, "POST", f"rooms/{room}/leave", {}) for room in self.rooms] for one in joiners])
        return done

    def _cap(self, spare: int | None) -> None:
        if self.server.files.module_config is not None:
            with contextlib.closing(open_postgres(_place(self.server))) as database:
                database.do(set_cap, self.full, spare)


def _place(server: WorkerHomeserver) -> Database:
    assert server.files.database is not None
    return server.files.database


def _tell(server: WorkerHomeserver, write: Callable[[TestDatabase], object]) -> None:
    """Write what the module is to know, and wait until every process does."""
    with contextlib.closing(open_postgres(_place(server))) as database:
        write(database)
        database.do(lambda txn: txn.execute("ANALYZE"))
    time.sleep(_KNOWN_SECONDS)


def _clients(urls: Sequence[str], tokens: Sequence[str]) -> list[Client]:
    return [Client(url, token) for url, token in zip(urls, tokens, strict=True)]


def _together(todo: Sequence[Sequence[Callable[[], object]]]) -> float:
    """Each list by a thread of its own; acts a second."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(todo)) as pool:
        list(pool.map(lambda acts: [act() for act in acts], todo))
    return sum(map(len, todo)) / (time.perf_counter() - began)


def _expect_of(status: int, act: Callable[[], tuple[int, object]]) -> None:
    _expect(status, *act())


def _expect(status: int, found: int, said: object) -> None:
    assert found == status, said


def workers(runs: Turns) -> list[Line]:
    """PostgreSQL, Redis, the main process and two generic workers, with and without the module, in turn."""
    rates: dict[tuple[str, int, str], list[float]] = {}
    with contextlib.ExitStack() as started:
        scenes = {
            side: Scene.of(
                started.enter_context(deployment(persisters=0, background=False, module_config=config)),
                ours=side == OURS,
            )
            for side, config in ((NONE, None), (OURS, RULES))
        }
        for number in runs:
            for count, side in itertools.product(WORKERS, scenes if number % 2 else reversed(scenes)):
                for kind in (SEND, JOIN, BARRED, FULL) if side == OURS else (SEND, JOIN):
                    rate = scenes[side].rate(kind, count)
                    if number != WARM_UP:
                        rates.setdefault((kind, count, side), []).append(rate)
    lines = []
    for kind, count in itertools.product((SEND, JOIN), WORKERS):
        both = {side: rates[kind, count, side] for side in (NONE, OURS)}
        lines += against(f"{kind} a second, {_workers(count)}", both, NONE)
    lines += [
        Line(f"{kind} a second, {_workers(count)}", side, Spread.of(some), "a second")
        for (kind, count, side), some in rates.items()
    ]
    for side in (NONE, OURS):
        for kind in (SEND, JOIN):
            pair = {"1": rates[kind, 1, side], side: rates[kind, 2, side]}
            lines += against(f"{kind}: two workers to one", pair, "1")
    return lines


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"
