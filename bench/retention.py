# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store from end to end: sealing, tree, signing and storing; catching up behind Synapse; opening again.

    .venv/bin/python bench/retention.py [--records 200000] [--events 50000] [--runs 3] [--engines sqlite,postgres]

Beside it, in the same run, what nothing could be faster than: a file that is appended to and synced at each batch, and
COPY into a table without an index. 2,000 rooms and 20,000 accounts, a few of which do most of the talking, five
sensitive fields a record. `catch up` reads Synapse's own tables, which SQL filled, in a database of the same kind:
no Synapse runs beside it that would write and read them too, and take its share of the machine. Garbage is collected
as in Synapse's processes: of the youngest generation each second, of the others less often.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the tests' databases with Synapse's tables

from store import ACCOUNTS, PAGE, ROOMS, Traffic, empty, postgres, raw_copy, raw_file, say

from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.published import Published
from synapse_groupreg.handlers.retention.reading import Opener
from synapse_groupreg.handlers.retention.recorder import EVENTS_AT_ONCE
from synapse_groupreg.retention.records import Entry, Kind, b64
from synapse_groupreg.rig import Database
from synapse_groupreg.storage.database import migrate
from synapse_groupreg.storage.store import Selection
from synapse_groupreg.storage.stores import open_reader, open_store
from tests.database import TestDatabase, open_postgres, open_sqlite, prepare, result_of
from tests.handlers.retention.recorder_victim import SharedKeys, a_recorder
from tests.handlers.retention.stage import SERVER
from tests.storage.test_events import reached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.storage.database import Transaction

NOW_MS = 1_795_000_000_000
COLLECTED_S = (1.0, 10.0, 30.0)
"""How long Synapse leaves the generations of garbage alone."""


def entries(traffic: Traffic) -> Iterator[list[Entry]]:
    """Batches of what the recorder makes of events."""
    chance = random.Random(9)  # noqa: S311 - no secrets
    for start in range(0, traffic.records, EVENTS_AT_ONCE):
        yield [
            Entry(
                kind=Kind.event,
                source="events/master",
                position=idx + 1,
                ts_ms=traffic.time(idx),
                type="m.room.message" if idx % 5 else "m.room.member",
                room=f"!{traffic.rooms[idx]:018}:{SERVER}",
                actor=f"@person{traffic.actors[idx]}:{SERVER}",
                target=None if idx % 20 else f"@person{traffic.actors[idx // 2]}:{SERVER}",
                details={"event_id": f"${b64(chance.randbytes(32))}", "content_sha256": b64(chance.randbytes(32))},
            )
            for idx in range(start, min(start + EVENTS_AT_ONCE, traffic.records))
        ]


class Collector:
    """As Synapse's `install_gc_manager`, without the timer."""

    def __init__(self) -> None:
        gc.disable()
        self._last = [0.0] * len(COLLECTED_S)

    def look(self) -> None:
        """Collect what is due."""
        now, counts = time.perf_counter(), gc.get_count()
        for generation in (2, 1, 0):
            late = now - self._last[generation] > COLLECTED_S[generation]
            if late and counts[generation] > gc.get_threshold()[generation]:
                gc.collect(generation)
                self._last[generation] = now


def measure(settings: dict[str, Any], traffic: Traffic, folder: Path) -> dict[str, list[float]]:
    """One run of one engine: what took how long."""
    log = Log("events", open_store(settings, "events"), SERVER, SharedKeys(), Published(folder))
    log.open(NOW_MS, {})
    batches, collector = [*entries(traffic)], Collector()
    busy, began = time.process_time(), time.perf_counter()
    for batch in batches:
        log.append(batch, {"events/master": batch[-1].position}, NOW_MS)
        collector.look()
    took, busy = time.perf_counter() - began, time.process_time() - busy
    log.checkpoint()
    period = log.head.period
    log.release()
    opener = Opener(open_reader(settings, "events"), "events", SERVER, SharedKeys())
    with contextlib.closing(opener):
        searched = []
        chance = random.Random(8)  # noqa: S311 - no secrets
        for _ in range(200):
            name = f"@person{chance.choice(traffic.actors)}:{SERVER}"
            at = time.perf_counter()
            found = opener.find(period, "account", name)
            wanted = Selection(account=found.ref if found else 0)
            opener.open(period, opener.reader.select(period, wanted, PAGE, newest_first=True))
            searched.append((time.perf_counter() - at) * 1000)
        size = opener.reader.periods()[0].bytes
    return {
        "sealed records/s": [traffic.records / took],
        "sealed records/s of CPU": [traffic.records / busy],
        "bytes a record": [size / traffic.records],
        "a page of an account, opened, ms": sorted(searched),
    }


def catch_up(settings: dict[str, Any], database: TestDatabase, where: object, count: int, folder: Path) -> float:
    """Records a second that a recorder takes from Synapse's tables."""
    prepare(database, ours=False)
    migrate(database.begin, database.dialect)
    database.do(_persist_many, count)
    recorder = a_recorder({"synapse": where, "store": settings, "folder": str(folder)}, database)
    began = time.perf_counter()
    result_of(recorder.tick())
    took = time.perf_counter() - began
    assert recorder.problem is None, recorder.problem
    result_of(recorder.shut_down())
    return count / took


def _persist_many(txn: Transaction, count: int) -> None:
    chance = random.Random(3)  # noqa: S311 - no secrets
    for ordering in range(2, count + 2):
        sender, room = f"@p{chance.randrange(ACCOUNTS)}:x", f"!r{chance.randrange(ROOMS)}:x"
        event_id = f"$e{ordering}"
        txn.execute(
            "INSERT INTO events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier,"
            " depth, origin_server_ts, received_ts, sender, contains_url, instance_name)"
            " VALUES (?, 1, ?, 'm.room.message', ?, ?, ?, 1, 5, ?, ?, ?, 'master')",
            (ordering, event_id, room, True, False, NOW_MS + ordering, sender, False),
        )
        said = (
            f'{{"type":"m.room.message","sender":"{sender}","room_id":"{room}","hashes":{{"sha256":"{event_id}"}},'
            f'"content":{{"msgtype":"m.text","body":"What people say is about as long as this line, {ordering}"}}}}'
        )
        txn.execute(
            "INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version)"
            " VALUES (?, ?, '{}', ?, 3)",
            (event_id, room, said),
        )
    reached(txn, count + 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", default="sqlite,postgres")
    given = parser.parse_args()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="groupreg-bench-") as folder:
        for what, value in runs(given, Path(folder)):
            found.setdefault(what, []).extend(value)
    print(f"{given.records:,} records, {given.events:,} events, {given.runs} runs, load {os.getloadavg()[0]:.1f}")
    for what, values in found.items():
        say(what, values, "")
        if what.endswith("ms"):
            every = sorted(values)
            print(f"{'':34} p95 {every[len(every) * 95 // 100]:12,.2f}")


def runs(given: argparse.Namespace, folder: Path) -> Iterator[tuple[str, list[float]]]:
    """What each run gave."""
    traffic, engines = Traffic(given.records), given.engines.split(",")
    with postgres(folder) if "postgres" in engines else contextlib.nullcontext({}) as arguments:
        for _ in range(given.runs):
            yield "file append + fdatasync, records/s", [raw_file(folder, traffic)[0]]
            if arguments:
                yield "COPY, no index, records/s", [raw_copy(arguments, traffic)]
            for engine in engines:
                for values in run(engine, arguments, traffic, given.events):
                    for what, some in values.items():
                        yield f"{engine}: {what}", some


def run(engine: str, arguments: dict[str, Any], traffic: Traffic, events: int) -> Iterator[dict[str, list[float]]]:
    """Both measurements of one engine, each in places of its own."""
    with tempfile.TemporaryDirectory(prefix="groupreg-bench-") as made:
        folder = Path(made)
        stores: Callable[[str], dict[str, Any]] = lambda name: (  # noqa: E731 - of two forms
            {"name": "sqlite3", "args": {"database": str(folder / name)}}
            if engine == "sqlite"
            else {"name": "psycopg2", "args": arguments}
        )
        yield measure(stores("sealed"), traffic, folder)
        (folder / "retention-events.checkpoint").unlink()
        if engine == "postgres":
            empty(arguments)
        database, where = _synapse(engine, arguments, folder)
        with contextlib.closing(database):
            yield {"catch up, records/s": [catch_up(stores("behind"), database, where, events, folder)]}
        if engine == "postgres":
            empty(arguments)


def _synapse(engine: str, arguments: dict[str, Any], folder: Path) -> tuple[TestDatabase, object]:
    if engine == "sqlite":
        path = folder / "homeserver.db"
        return open_sqlite(path), str(path)
    import psycopg2  # noqa: PLC0415 - a bench of SQLite alone does without

    name = f"synapse_{os.urandom(4).hex()}"
    with contextlib.closing(psycopg2.connect(**arguments)) as connection:
        connection.autocommit = True
        connection.cursor().execute(
            f"CREATE DATABASE {name} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
    place = Database(**{**{key: value for key, value in arguments.items() if key != "dbname"}, "name": name})
    return open_postgres(place), attrs.asdict(place)


if __name__ == "__main__":
    main()
