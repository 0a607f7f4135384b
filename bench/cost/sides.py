# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The four set-ups, each a homeserver on a copy of the same data, and what is read off them."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import sqlite3
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from bench.joins import fill, settle
from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.homeserver_yaml import http_listener
from synapse_groupreg.rig.process import free_port
from synapse_groupreg.storage.database import migrate
from tests.database import open_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.database import TestDatabase

ROOT = Path(__file__).parents[2]
NONE, OURS, AT_ONCE, COMMON = "no module", "this module", "callbacks that return at once", "the common way"
SIDES = (NONE, OURS, AT_ONCE, COMMON)
UNLABELLED = f"{OURS}, without labels"
MOST = 1_000_000
RULES: dict[str, Any] = {
    "mode": "enforce",
    "federation": "closed",
    "quotas": {"members_per_room": MOST, "rooms_joined": MOST, "rooms_founded": MOST},
    "identity": {
        "required": {"post": "contact", "found": "contact", "join": "contact", "members_over": {100: "real_name"}}
    },
    "labels": {"enabled": True},
}
"""Every rule has something to judge, and the recorder is on, as it is unless switched off."""
MODULES: dict[str, tuple[str, dict[str, Any]]] = {
    OURS: ("synapse_groupreg.GroupRegModule", RULES),
    UNLABELLED: ("synapse_groupreg.GroupRegModule", RULES | {"labels": {"enabled": False}}),
    AT_ONCE: ("bench.cost.modules.AtOnce", {}),
    COMMON: ("bench.cost.modules.CommonWay", {}),
}
WATCHED = ("bench.cost.modules.Watched", RULES)
MATRIX = "/_matrix/client/v3"
SETTLED_SECONDS = 1.3
"""After the acts of a turn: what a module does behind them, by the second, is part of what they cost."""
_IDLE_SECONDS, _LOOKS, _MOST_LOOKS, _ALIKE = 3.0, 4, 40, 1.1
_IN_A_ROW = 4
"""Acts of one server before the next has its turn: the machine gets slower and faster from second to second."""
_numbers = itertools.count(1)


class Client:
    """One connection that stays open, so that little is measured but the server."""

    def __init__(self, url: str, token: str | None) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=120)
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and body of the answer to one request."""
        self._connection.request(method, path, json.dumps(body) if body is not None else None, self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def good(self, method: str, path: str, body: object = None) -> Any:
        """The body of an answer that must not be an error."""
        status, said = self.call(method, f"{MATRIX}/{path}", body)
        assert status == 200, (method, path, status, said)  # noqa: PLR2004 - HTTP
        return said

    def send(self, room_id: str) -> tuple[int, Any]:
        """Say something in a room."""
        path = f"{MATRIX}/rooms/{quote(room_id)}/send/m.room.message/{os.getpid()}-{next(_numbers)}"
        return self.call("PUT", path, {"msgtype": "m.text", "body": "What people say is about as long as this line."})

    def join(self, room_id: str) -> tuple[int, Any]:
        """Join a room."""
        return self.call("POST", f"{MATRIX}/join/{quote(room_id)}", {})


class Metered(Homeserver):
    """A homeserver whose processor time and metrics can be read."""

    def __init__(
        self, folder: Path, module: tuple[str, dict[str, Any]] | None, settings: Mapping[str, object], **more: Any
    ) -> None:
        self._metrics = free_port()
        self.idle = 0.0
        """Processor time a second while nobody does anything, once `rest` was called."""
        modules = [{"module": module[0], "config": module[1]}] if module else []
        super().__init__(
            folder,
            settings={"enable_metrics": True, "modules": modules, **settings},
            further_listeners=[http_listener(self._metrics, "metrics")],
            **more,
        )

    @property
    def pid(self) -> int:
        """Its process."""
        child = self._main.process._child
        assert child is not None
        return child.pid

    def cpu(self) -> float:
        """Seconds of processor time that its process took so far, to the nanosecond (Linux)."""
        return cpu_of(self.pid)

    def rest(self) -> None:
        """Learn what it does by the clock, which is no part of what an act costs.

        A server that was just started has other things to do as well, for a minute or more: the least of all looks
        counts, once Synapse has brought its tables up to date and further looks find no less.
        """
        found: list[float] = []
        while len(found) < _MOST_LOOKS and not (
            len(found) > _LOOKS and min(found[:-_LOOKS]) <= _ALIKE * min(found[-_LOOKS:])
        ):
            if self._busy():
                found.clear()
            before = self.cpu()
            time.sleep(_IDLE_SECONDS)
            found.append((self.cpu() - before) / _IDLE_SECONDS)
        self.idle = min(found)

    def _busy(self) -> bool:
        path = self.files.folder / "homeserver.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            [left] = database.execute("SELECT count(*) FROM background_updates").fetchone()
        return bool(left)

    def memory(self) -> float:
        """MiB that belong to its process alone."""
        return memory_of(self.pid)

    def counted(self, metric: str, label: str) -> dict[str, float]:
        """What its metrics count, by a label."""
        status, text = self._exported()
        assert status == 200  # noqa: PLR2004 - HTTP
        found: dict[str, float] = {}
        for name, value in re.findall(rf'^{metric}{{(?:[^}}]*,)?{label}="([^"]*)"[^}}]*}} (\S+)$', text, re.MULTILINE):
            found[name] = found.get(name, 0) + float(value)
        return found

    def grown(self, metric: str, label: str, act: Callable[[], object]) -> dict[str, float]:
        """By how much that grows while something is done."""
        before = self.counted(metric, label)
        act()
        after = self.counted(metric, label)
        return {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}

    def _exported(self) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._metrics, timeout=60)
        connection.request("GET", "/_synapse/metrics")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def cpu_of(pid: int) -> float:
    """Seconds of processor time of a process: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime((~pid << 3) | 2)


def memory_of(pid: int) -> float:
    """MiB that belong to a process alone."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(found) for found in re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.MULTILINE)) / 1024


@attrs.frozen
class World:
    """What the set-ups have in common."""

    folder: Path
    rooms: dict[int, str]
    """By members."""
    owner: str
    """The token of who founded them."""
    people: list[str]
    """Tokens of others, who are in none of them."""


@contextlib.contextmanager
def world(sizes: Sequence[int], people: int, settings: Mapping[str, object] | None = None) -> Iterator[World]:
    """Data of a homeserver without any module: rooms filled by SQL, and people whom Synapse has an address of."""
    with tempfile.TemporaryDirectory(prefix="groupreg-cost-") as made:
        folder = Path(made)
        with Metered(folder / "template", None, settings or {}) as server:
            owner = server.register("owner")
            client = Client(server.url, owner)
            rooms = {
                size: client.good("POST", "createRoom", {"preset": "public_chat", "room_version": "11"})["room_id"]
                for size in sizes
            }
            tokens = [server.register(f"person{number}") for number in range(people)]
        with contextlib.closing(open_sqlite(folder / "template" / "homeserver.db")) as database:
            positions = itertools.count(database.rows("SELECT max(stream_ordering) FROM events")[0][0] + 1)
            for size, room_id in rooms.items():
                database.do(fill, room_id, size, positions)
            settle(database)
            # A wal is not copied.
            database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield World(folder, rooms, owner, tokens)


def copy(world: World, name: str, prepare: Callable[[TestDatabase], object] | None = None) -> Path:
    """A folder with the same data for one set-up; `prepare` writes what only our module has."""
    folder = world.folder / re.sub(r"\W", "-", name)
    shutil.copytree(world.folder / "template", folder)
    (folder / "main.log").unlink()
    if prepare is not None:
        with contextlib.closing(open_sqlite(folder / "homeserver.db")) as database:
            migrate(database.begin, "sqlite")
            prepare(database)
            database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@contextlib.contextmanager
def running(
    world: World, sides: Sequence[str], settings: Mapping[str, object], prepare: Callable[[TestDatabase], object]
) -> Iterator[dict[str, Metered]]:
    """The set-ups by name, all of them running."""
    with contextlib.ExitStack() as servers:
        found = {}
        for side in sides:
            folder = copy(world, side, prepare if side in (OURS, UNLABELLED) else None)
            found[side] = servers.enter_context(Metered(folder, MODULES.get(side), settings))
        settled(list(found.values()))
        yield found


def settled(servers: Sequence[Metered]) -> None:
    """Wait until each does no more than it does by the clock."""
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(Metered.rest, servers))


@attrs.frozen
class Turn:
    """What some acts of one kind took."""

    cpu: float
    """Seconds of processor time an act, with what it brings about within a second, without what the clock does."""
    waited: tuple[float, ...]
    """Seconds until each answer."""

    @property
    def latency(self) -> float:
        """The median of that."""
        return statistics.median(self.waited)

    @property
    def slow(self) -> float:
        """What one in twenty exceeds."""
        ordered = sorted(self.waited)
        return ordered[max(0, len(ordered) * 95 // 100 - 1)]


class _Window:
    """The time in which a server does some acts and what they bring about; open until its end is known."""

    def __init__(self, server: Metered) -> None:
        self._server = server
        self._began, self._before = time.perf_counter(), server.cpu()
        self.until = float("inf")
        self.spent: float | None = None

    def look(self) -> None:
        """Read its processor time once the window is over; what it does by the clock is taken off."""
        now = time.perf_counter()
        if self.spent is None and now >= self.until:
            self.spent = self._server.cpu() - self._before - self._server.idle * (now - self._began)


def turns(todo: Mapping[Metered, Sequence[Callable[[], object]]]) -> dict[Metered, Turn]:
    """Do the acts of all servers, one by one, a few of each server in turn, and say what each server's took."""
    windows = {server: _Window(server) for server in todo}
    waited: dict[Metered, list[float]] = {server: [] for server in todo}
    for start in range(0, max(map(len, todo.values())), _IN_A_ROW):
        for server, acts in todo.items():
            for number, act in enumerate(acts[start : start + _IN_A_ROW], start + 1):
                began = time.perf_counter()
                act()
                waited[server].append(time.perf_counter() - began)
                if number == len(acts):
                    windows[server].until = time.perf_counter() + SETTLED_SECONDS
                for window in windows.values():
                    window.look()
    while any(window.spent is None for window in windows.values()):
        time.sleep(0.01)
        for window in windows.values():
            window.look()
    return {
        server: Turn((windows[server].spent or 0.0) / len(acts), tuple(waited[server])) for server, acts in todo.items()
    }
