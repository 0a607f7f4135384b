# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What joining costs in small and in large rooms, far from the cap and at it: our transaction, and the whole join.

    .venv/bin/python bench/joins.py [--joins 30] [--sizes 10,1000,20000] [--engines sqlite,postgres]

The rooms are filled by SQL. `transaction`: what `places.join` takes on a database of its own. `join`: what a client
waits for, on a server with the module and on one without, asked in turn; `ours` is the part that Synapse's own metrics
ascribe to our callback.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import re
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import make_event_from_dict

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the tests' databases with Synapse's tables

from synapse_groupreg.config import load
from synapse_groupreg.handlers import places
from synapse_groupreg.policy.types import Account, Join, Room, RoomKind
from synapse_groupreg.rig import Homeserver, Postgres
from synapse_groupreg.rig.homeserver_yaml import http_listener
from synapse_groupreg.rig.process import free_port
from synapse_groupreg.storage import quotas, state
from tests.database import TestDatabase, open_postgres, open_sqlite, prepare
from tests.storage import seed

if TYPE_CHECKING:
    from collections.abc import Iterator

MATRIX = "/_matrix/client/v3"
ROOMY, FULL = "far from the cap", "at the cap"
MOST = 1_000_000
RULES = {
    "mode": "enforce",
    "federation": "closed",
    "quotas": {"members_per_room": MOST, "rooms_joined": MOST, "rooms_founded": MOST},
}
COPIED = (
    *("events", "event_json", "state_events", "room_memberships", "current_state_events"),
    *("local_current_membership", "current_state_delta_stream", "state_groups_state"),
)
WARM = 3
"""Joins before those that are measured: a process that never saw the room loads it first."""
_BLOCK = re.compile(r"^synapse_util_metrics_block_(\w+?)(?:_total)?\{.*user_may_join_room.*\} (\S+)$", re.MULTILINE)


def fill(txn: Any, room_id: str, size: int, positions: Iterator[int]) -> None:
    """Let a room have that many members: rows like those of the one who is in it."""
    txn.execute("SELECT count(*) FROM current_state_events WHERE room_id = ? AND membership = 'join'", (room_id,))
    missing = size - txn.fetchone()[0]
    txn.execute(
        "SELECT event_id, state_key FROM current_state_events WHERE room_id = ? AND membership = 'join' LIMIT 1",
        (room_id,),
    )
    event_id, user_id = txn.fetchone()
    txn.execute("SELECT json, room_version FROM event_json JOIN rooms USING (room_id) WHERE event_id = ?", (event_id,))
    said, version = txn.fetchone()
    people = [(another(json.loads(said), version, event_id, user_id), next(positions)) for _ in range(missing)]
    for table in COPIED:
        txn.execute(f"SELECT * FROM {table} WHERE event_id = ?", (event_id,))  # noqa: S608 - as below
        columns = [column[0] for column in txn.description]
        rows = [dict(zip(columns, row, strict=True)) for row in txn.fetchall()]
        copies = [copy_of(row, new, position) for row in rows for new, position in people]
        marks = ", ".join("?" * len(columns))
        into = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of our own
        txn.execute_batch(into, [tuple(copy.values()) for copy in copies])


def another(event: dict[str, Any], version: str, event_id: str, user_id: str) -> dict[str, str]:
    """What to write for the ids of an event and of whom it lets in; Synapse checks an event's id when it reads it."""
    new_user = f"@m{secrets.token_hex(6)}:{user_id.partition(':')[2]}"
    event |= {"sender": new_user, "state_key": new_user}
    made = make_event_from_dict(event, KNOWN_ROOM_VERSIONS[version]) if "hashes" in event else None
    return {event_id: made.event_id if made else f"${secrets.token_urlsafe(32)}", user_id: new_user}


def copy_of(row: dict[str, Any], new: dict[str, str], position: int) -> dict[str, Any]:
    """The same row about somebody else."""
    copy = {name: new.get(value, value) for name, value in row.items()}
    for name in {"stream_ordering", "event_stream_ordering", "stream_id"} & copy.keys():
        copy[name] = position
    if "json" in copy:
        for old, other in new.items():
            copy["json"] = copy["json"].replace(json.dumps(old), json.dumps(other))
    return copy


def settle(database: TestDatabase) -> None:
    """Let Synapse go on after the positions that were filled in, and the database know its tables."""

    def move(txn: Any) -> None:
        txn.execute("SELECT max(stream_ordering) FROM events")
        last = txn.fetchone()[0]
        txn.execute("UPDATE stream_positions SET stream_id = ? WHERE stream_name = 'events'", (last,))
        if database.dialect == "postgres":
            txn.execute("SELECT setval('events_stream_seq', ?)", (last,))
        txn.execute("ANALYZE")

    database.do(move)


def set_cap(txn: Any, room_id: str, spare: int | None) -> None:
    """Leave so many places in a room; None: as good as endless."""
    value = None if spare is None else state.members(txn, room_id) + spare
    quotas.set_override(txn, quotas.room_subject(room_id), quotas.MEMBERS, value)


# Our transaction by itself.


@contextlib.contextmanager
def empty(engine: str) -> Iterator[TestDatabase]:
    """A database with Synapse's tables and ours."""
    with contextlib.ExitStack() as running:
        if engine == "sqlite":
            database = open_sqlite(Path(running.enter_context(tempfile.TemporaryDirectory())) / "homeserver.db")
        else:
            database = open_postgres(running.enter_context(Postgres.start()).create_database())
        prepare(database)
        running.callback(database.close)
        yield database


def transactions(database: TestDatabase, sizes: list[int], joins: int) -> dict[tuple[int, str], list[float]]:
    """Milliseconds of `places.join` for each size, far from the cap and at it."""

    def make(txn: Any) -> str:
        return seed.make_room(txn, seed.local("founder"), kind=RoomKind.group, join_rule="public")

    rooms = {size: str(database.do(make)) for size in sizes}
    for size, room_id in rooms.items():
        database.do(fill, room_id, size, seed._positions)
    database.do(lambda txn: txn.execute("ANALYZE"))
    took: dict[tuple[int, str], list[float]] = {(size, way): [] for size in sizes for way in (ROOMY, FULL)}
    now_ms = 1_000_000
    for number, (size, room_id) in itertools.product(range(joins + WARM), rooms.items()):
        for way in (ROOMY, FULL):
            now_ms += 1_000
            user = seed.local(f"{way[0]}{number}")
            database.do(set_cap, room_id, None if way == ROOMY else 0)
            began = time.perf_counter()
            outcome = database.do(places.join, taker(database, now_ms), attempt(user, room_id), invited=False)
            spent = (time.perf_counter() - began) * 1000
            assert outcome.verdict.allowed == (way == ROOMY), outcome
            if way == ROOMY:
                database.do(seed.set_membership, room_id, user, "join")
            if number >= WARM:
                took[size, way].append(spent)
    return took


def busy_people(database: TestDatabase, joins: int) -> dict[int, list[float]]:
    """Milliseconds of `places.join` for people who are in that many groups already."""
    took: dict[int, list[float]] = {}
    now_ms = 1_000_000_000

    def furnish(txn: Any, user: str, groups: int) -> str:
        for _ in range(groups):
            seed.make_room(txn, seed.local("host"), kind=RoomKind.group, members=[user])
        return seed.make_room(txn, seed.local("host"), kind=RoomKind.group, join_rule="public")

    for groups in (1, 20, 200):
        user = seed.local(f"busy{groups}")
        room_id = database.do(furnish, user, groups)
        database.do(lambda txn: txn.execute("ANALYZE"))
        took[groups] = []
        for number in range(joins + WARM):
            now_ms += 100_000  # past every reservation
            began = time.perf_counter()
            database.do(places.join, taker(database, now_ms), attempt(user, room_id), invited=False)
            if number >= WARM:
                took[groups].append((time.perf_counter() - began) * 1000)
    return took


def taker(database: TestDatabase, now_ms: int) -> places.Taker:
    """What the gate passes on."""
    return places.Taker(
        config=load(RULES),
        dialect=database.dialect,
        mode="enforce",
        now_ms=now_ms,
        account=lambda name: Account(user_id=name, local=True),
    )


def attempt(user_id: str, room_id: str) -> Join:
    """Somebody wants to join."""
    return Join(actor=Account(user_id=user_id, local=True), room=Room(room_id=room_id))


# The whole join.


class Scene:
    """A server, its filled rooms, and people who join them."""

    def __init__(self, folder: Path, postgres: Postgres | None, rules: dict[str, Any] | None) -> None:
        place = postgres.create_database() if postgres is not None else None
        self._metrics = free_port()
        self.server = Homeserver(
            folder,
            database=place,
            module_config=rules,
            settings={"enable_metrics": True, "event_cache_size": "30K"},
            further_listeners=[http_listener(self._metrics, "metrics")],
        )
        self.database = lambda: open_postgres(place) if place else open_sqlite(folder / "homeserver.db")
        self.rooms: dict[int, str] = {}
        self.tokens: Iterator[str] = iter(())

    def furnish(self, sizes: list[int], people: int) -> None:
        """Found a room of each size, register who will join, and fill the rooms while the server is away."""
        owner = self.server.register("owner")
        self.rooms = {
            size: ask(self.server, "POST", "createRoom", owner, {"preset": "public_chat"}).json()["room_id"]
            for size in sizes
        }
        self.tokens = iter([self.server.register(f"person{number}") for number in range(people)])
        self.server.stop()
        with contextlib.closing(self.database()) as database:
            positions = itertools.count(database.rows("SELECT max(stream_ordering) FROM events")[0][0] + 1)
            for size, room_id in self.rooms.items():
                database.do(fill, room_id, size, positions)
            settle(database)
        self.server.start()

    def cap(self, spare: int | None) -> None:
        """Leave so many places in each room."""
        with contextlib.closing(self.database()) as database:
            for room_id in self.rooms.values():
                database.do(set_cap, room_id, spare)

    def join(self, size: int, code: str | None = None) -> float:
        """Milliseconds that the next person waits who joins, or is refused for this reason."""
        token = next(self.tokens)
        began = time.perf_counter()
        answer = ask(self.server, "POST", f"join/{quote(self.rooms[size])}", token, {})
        took = (time.perf_counter() - began) * 1000
        assert answer.json().get("org.groupreg.code") == code, answer.text
        assert answer.ok == (code is None), answer.text
        return took

    def callback(self) -> dict[str, float]:
        """What Synapse's metrics ascribe to our callback so far."""
        text = requests.get(f"http://127.0.0.1:{self._metrics}/_synapse/metrics", timeout=60).text
        return {name: float(value) for name, value in _BLOCK.findall(text)}


def ask(server: Homeserver, method: str, path: str, token: str, body: object) -> requests.Response:
    """One request to the client API."""
    url, headers = f"{server.url}{MATRIX}/{path}", {"Authorization": f"Bearer {token}"}
    return requests.request(method, url, json=body, headers=headers, timeout=60)


def whole_joins(engine: str, sizes: list[int], joins: int) -> None:
    """Measure and print what a client waits for."""
    with contextlib.ExitStack() as running:
        folders = [Path(running.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        postgres = running.enter_context(Postgres.start()) if engine == "postgres" else None
        ours, bare = Scene(folders[0], postgres, RULES), Scene(folders[1], postgres, None)
        for scene in (ours, bare):
            running.enter_context(scene.server)
            scene.furnish(sizes, len(sizes) * (2 * joins + 3 * WARM))
        for size in sizes:
            compare(engine, size, ours, bare, joins)
        ours.cap(1)
        for size in sizes:
            say(f"{engine}: join, the last place", size, FULL, [ours.join(size)])
            say(f"{engine}: join, refused", size, FULL, [ours.join(size, "room-full") for _ in range(joins)])


def compare(engine: str, size: int, ours: Scene, bare: Scene, joins: int) -> None:
    """Join a room of each server in turn, and print how long it took, and what of it is ours."""
    for _ in range(WARM):
        ours.join(size)
        bare.join(size)
    before = ours.callback()
    took = [(ours.join(size), bare.join(size)) for _ in range(joins)]
    spent = {name: (value - before[name]) / joins * 1000 for name, value in ours.callback().items()}
    mine, theirs = ([pair[side] for pair in took] for side in (0, 1))
    say(f"{engine}: join, with the module", size, ROOMY, mine)
    say(f"{engine}: join, without", size, ROOMY, theirs)
    wall, cpu = spent["time_seconds"], spent["ru_utime_seconds"] + spent["ru_stime_seconds"]
    share = wall / statistics.median(theirs)
    print(
        f"{engine}: our callback {size:7,}: {wall:.2f} ms, {share:.1%} of a join without it; CPU {cpu:.2f} ms",
        flush=True,
    )


def say(what: str, size: int, way: str, took: list[float]) -> None:
    """One line."""
    low, middle, high = min(took), statistics.median(took), max(took)
    print(f"{what:34} {size:7,} {way:16} min {low:6.2f}  median {middle:6.2f}  max {high:7.2f} ms", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--joins", type=int, default=30, help="measured joins of each kind")
    parser.add_argument("--sizes", default="10,1000,20000", help="members of the rooms")
    parser.add_argument("--engines", default="sqlite,postgres")
    parser.add_argument("--only", choices=["transaction", "join"], help="leave the other part out")
    given = parser.parse_args()
    sizes = [int(one) for one in given.sizes.split(",")]
    for engine in given.engines.split(","):
        if given.only != "join":
            with empty(engine) as database:
                for (size, way), took in transactions(database, sizes, given.joins).items():
                    say(f"{engine}: transaction", size, way, took)
                for groups, took in busy_people(database, given.joins).items():
                    say(f"{engine}: transaction, person in", groups, "groups", took)
        if given.only != "transaction":
            whole_joins(engine, sizes, given.joins)


if __name__ == "__main__":
    main()
