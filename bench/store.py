# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the retention store's engines do without the sealing: appending, searching, removing, and bytes a record.

    .venv/bin/python bench/store.py [--records 1000000] [--runs 3] [--engines sqlite,postgres]

Beside them, in the same run, what nothing could be faster than: a file that is appended to and synced at each batch,
and COPY into a table without an index. 2,000 rooms and 20,000 accounts, a few of which do most of the talking.
PostgreSQL is started for this run with a gigabyte of buffers, everything synced and reading ahead by the kernel, unless
GROUPREG_BENCH_POSTGRES holds the address of an empty database. Searches are timed twice: with the store's files in
memory, and from the disk, where the system is told before each search to forget what it has of them; the engine's own
cache stays.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from attrs import evolve

from synapse_groupreg.rig.cluster import Cluster
from synapse_groupreg.rig.process import Process
from synapse_groupreg.storage.store import Batch, Block, Head, NameRow, Period, Row, Selection
from synapse_groupreg.storage.store_schema import BLOCK
from synapse_groupreg.storage.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.storage.store_engine import Store

ROOMS, ACCOUNTS = 2000, 20_000
BATCH = 1000
START_MS, DAY_MS = 1_793_491_200_000, 86_400_000
MONTH = Period(1, "2026-11")
PAGE = 100
GIVEN = "GROUPREG_BENCH_POSTGRES"
SEARCHES = 300
_READS_BY_HELPERS = 18
"""PostgreSQL's version from which three helpers read what lies scattered, unless told not to: docs/retention.md."""


class Traffic:
    """Batches of records of a month, the same in every run but for the random bytes."""

    def __init__(self, records: int) -> None:
        chance = random.Random(7)  # noqa: S311 - no secrets
        self.records = records
        self._step = 30 * DAY_MS / records
        self.rooms = _zipf(chance, ROOMS, records, 1)
        self.actors = _zipf(chance, ACCOUNTS, records, ROOMS + 1)

    def batches(self, head: Head) -> Iterator[Batch]:
        """All records, with prepared rows: what the engine does is timed, not what this does."""
        last: dict[int, int] = {}
        named: set[int] = set()
        size = head.size
        while size < self.records:
            rows, names = [], []
            for idx in range(size, min(size + BATCH, self.records)):
                room, actor = self.rooms[idx], self.actors[idx]
                for ref in (room, actor):
                    if ref not in named:
                        named.add(ref)
                        names.append(_name(ref))
                rows.append(self._row(idx, room, actor, last))
                last[room] = last[actor] = idx
            size += len(rows)
            after = evolve(head, size=size, frontier=(bytes(32),) * 15, cursors={"events/master": size})
            yield Batch(rows=rows, names=names, blocks=self._blocks(head.size, size), after=after)
            head = after

    def _row(self, idx: int, room: int, actor: int, last: dict[int, int]) -> Row:
        return Row(
            idx,
            self.time(idx),
            0 if idx % 50 else 1,
            "events/master",
            40_000_000 + idx,
            "m.room.message" if idx % 5 else "m.room.member",
            None if idx % 200 else "rejected",
            1,
            room,
            actor,
            None if idx % 20 else self.actors[idx // 2],
            last.get(room),
            last.get(actor),
            None,
            os.urandom(32),
            os.urandom(145),
            None,
        )

    def _blocks(self, before: int, after: int) -> list[Block]:
        return [
            Block(number, os.urandom(32), self.time(number * BLOCK), self.time(number * BLOCK + BLOCK - 1))
            for number in range(before // BLOCK, after // BLOCK)
        ]

    def time(self, idx: int) -> int:
        """When a record was received."""
        return START_MS + int(idx * self._step)


def _zipf(chance: random.Random, names: int, count: int, first: int) -> list[int]:
    weights = list(itertools.accumulate(1 / rank for rank in range(1, names + 1)))
    return chance.choices(range(first, first + names), cum_weights=weights, k=count)


def _name(ref: int) -> NameRow:
    return NameRow(ref, "room" if ref <= ROOMS else "account", os.urandom(16), os.urandom(16), os.urandom(60))


def fill(store: Store, traffic: Traffic) -> tuple[Head, list[float]]:
    """Append everything; the head and the seconds that each batch took."""
    head = Head(epoch=1, period=MONTH, first=0, size=0, frontier=(), cursors={}, closed=False)
    assert store.acquire() is None
    head = store.begin(None, head, [])
    took = []
    for batch in traffic.batches(head):
        began = time.perf_counter()
        head = store.append(head, batch)
        took.append(time.perf_counter() - began)
    return head, took


def search(store: Store, traffic: Traffic, before: Callable[[], None], seed: int) -> dict[str, list[float]]:
    """Milliseconds of the newest page of a room or account in a week, after `before`."""
    chance = random.Random(seed)  # noqa: S311 - no secrets
    took: dict[str, list[float]] = {"room + week": [], "account + week": [], "newest page": []}
    for _ in range(SEARCHES):
        start = START_MS + chance.randrange(23) * DAY_MS
        times: dict[str, Any] = {"from_ms": start, "to_ms": start + 7 * DAY_MS}
        wanted = {
            "room + week": Selection(room=chance.choice(traffic.rooms), **times),
            "account + week": Selection(account=chance.choice(traffic.actors), **times),
            "newest page": Selection(),
        }
        for what, selection in wanted.items():
            before()
            began = time.perf_counter()
            store.select(MONTH, selection, PAGE, newest_first=True)
            took[what].append((time.perf_counter() - began) * 1000)
    return took


def searches(store: Store, traffic: Traffic, folder: Path | None) -> dict[str, list[float]]:
    """Searches of a store in memory, and of one on the disk if it is known where its files are."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder else []
    os.sync()
    for path in files:
        with path.open("rb") as file:
            while file.read(1 << 22):
                pass
    took = {f"{what}, in memory": times for what, times in search(store, traffic, lambda: None, 8).items()}
    if files:
        # Others than those before, whose pages the engine's own cache has.
        cold = search(store, traffic, lambda: forget(files), 9)
        took |= {f"{what}, from disk": times for what, times in cold.items()}
    return took


def forget(files: list[Path]) -> None:
    """Have the system's cache drop what it has of these files."""
    for path in files:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def place(engine: str, folder: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], Path | None]:
    """Settings of a new store, and the folder of its files if that is known."""
    if engine == "postgres":
        return {"name": "psycopg2", "args": arguments}, None if GIVEN in os.environ else folder / "cluster" / "base"
    made = tempfile.mkdtemp(dir=folder)
    return {"name": "sqlite3", "args": {"database": made}}, Path(made)


def measure(settings: dict[str, Any], folder: Path | None, traffic: Traffic) -> dict[str, Any]:
    """One run of one engine, whose files are in the folder, if that is known."""
    store = open_store(settings, "events")
    with contextlib.closing(store):
        head, took = fill(store, traffic)
        found: dict[str, Any] = {"append": traffic.records / sum(took), "worst ms": max(took) * 1000}
        store.close()
        found["bytes"] = store.periods()[0].bytes / traffic.records
        found["search"] = searches(store, traffic, folder)
        began = time.perf_counter()
        tallies = sum(1 for _ in store.tallies(MONTH))
        found["tallies"] = tallies / (time.perf_counter() - began)
        began = time.perf_counter()
        store.leaves(1, 0, min(traffic.records, 100_000))
        found["leaves"] = min(traffic.records, 100_000) / (time.perf_counter() - began)
        following = evolve(head, period=Period(1, "2026-12"), first=head.size)
        began = time.perf_counter()
        following = store.begin(head, following, [])
        found["begin"] = (time.perf_counter() - began) * 1000
        after = evolve(following, base_size=head.size, base=(bytes(32),))
        for what, work in (("purge", lambda: store.purge(following, [MONTH], after)), ("free", store.free)):
            began = time.perf_counter()
            work()
            found[what] = (time.perf_counter() - began) * 1000
    return found


def raw_file(folder: Path, traffic: Traffic) -> tuple[float, float]:
    """Records a second into a file, and the milliseconds to remove that."""
    batch, path = os.urandom(250 * BATCH), folder / "raw"
    with path.open("wb") as file:
        began = time.perf_counter()
        for _ in range(traffic.records // BATCH):
            file.write(batch)
            file.flush()
            os.fdatasync(file.fileno())
        took = time.perf_counter() - began
    began = time.perf_counter()
    path.unlink()
    return traffic.records / took, (time.perf_counter() - began) * 1000


def raw_copy(arguments: dict[str, Any], traffic: Traffic) -> float:
    """Records a second into a table without an index, by COPY of text."""
    line = "\t".join(["1234567", "1234567890123", *["12345"] * 10, "\\\\x" + "ab" * 32, "\\\\x" + "cd" * 145]) + "\n"
    data = (line * BATCH).encode()
    with contextlib.closing(psycopg2.connect(**arguments)) as connection, connection.cursor() as cursor:
        columns = ", ".join(f"c{number} BIGINT" for number in range(12))
        cursor.execute(f"CREATE TABLE raw ({columns}, leaf BYTEA, sealed BYTEA)")
        connection.commit()
        began = time.perf_counter()
        for _ in range(traffic.records // BATCH):
            cursor.copy_expert("COPY raw FROM STDIN", io.BytesIO(data), size=len(data))
            connection.commit()
        took = time.perf_counter() - began
        cursor.execute("DROP TABLE raw")
        connection.commit()
    return traffic.records / took


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[dict[str, Any]]:
    """Arguments of a database."""
    given = os.environ.get(GIVEN)
    if given:
        yield {"dsn": given}
        return
    folder.chmod(0o711)
    cluster = Cluster(folder / "cluster")
    cluster.create()
    options = ["shared_buffers=1GB", "max_wal_size=4GB"]
    if int((cluster.folder / "PG_VERSION").read_text()) >= _READS_BY_HELPERS:
        options.append("io_method=sync")
    process = Process("PostgreSQL", cluster.command(options), log=folder / "log", user=cluster.user)
    process.start()
    try:
        process.wait_until(cluster.answers)
        place = cluster.database("postgres")
        yield {name: getattr(place, name) for name in ("host", "port", "user", "password")} | {"dbname": place.name}
    finally:
        process.kill()


def say(what: str, values: list[float], unit: str) -> None:
    """Minimum, median and maximum."""
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{what:34} min {low:12,.2f}  median {middle:12,.2f}  max {high:12,.2f} {unit}")


def report(engine: str, runs: list[dict[str, Any]]) -> None:
    """What the runs of an engine gave."""
    for what, unit in (
        ("append", "records/s"),
        ("worst ms", "ms, the slowest batch"),
        ("bytes", "bytes/record"),
        ("tallies", "tokens/s"),
        ("leaves", "leaves/s"),
        ("begin", "ms"),
        ("purge", "ms: nobody finds it"),
        ("free", "ms: its space is free"),
    ):
        say(f"{engine} {what}", [run[what] for run in runs], unit)
    for what in runs[0]["search"]:
        times = sorted(took for run in runs for took in run["search"][what])
        p50, p95 = times[len(times) // 2], times[len(times) * 95 // 100]
        print(f"{engine + ' ' + what:34} p50 {p50:12,.2f}  p95    {p95:12,.2f}  max {times[-1]:12,.2f} ms")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", default="sqlite,postgres")
    given = parser.parse_args()
    traffic = Traffic(given.records)
    engines: dict[str, list[dict[str, Any]]] = {engine: [] for engine in given.engines.split(",")}
    raw: dict[str, list[float]] = {}
    folder = Path(tempfile.mkdtemp(prefix="groupreg-bench-"))
    nothing: contextlib.AbstractContextManager[dict[str, Any]] = contextlib.nullcontext({})
    try:
        with postgres(folder) if "postgres" in engines else nothing as arguments:
            for _ in range(given.runs):
                for what, value in beside(folder, arguments, traffic):
                    raw.setdefault(what, []).append(value)
                for engine, runs in engines.items():
                    runs.append(measure(*place(engine, folder, arguments), traffic))
                    if engine == "postgres":
                        empty(arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{given.records:,} records, {given.runs} runs, load {os.getloadavg()[0]:.1f}")
    for what, values in raw.items():
        say(what, values, "")
    for engine, runs in engines.items():
        report(engine, runs)


def beside(folder: Path, arguments: dict[str, Any], traffic: Traffic) -> Iterator[tuple[str, float]]:
    """What nothing could be faster than."""
    appended, removed = raw_file(folder, traffic)
    yield "file append + fdatasync, records/s", appended
    yield "that file removed, ms", removed
    if arguments:
        yield "COPY, no index, records/s", raw_copy(arguments, traffic)


def empty(arguments: dict[str, Any]) -> None:
    """Take the store out of the database."""
    with contextlib.closing(psycopg2.connect(**arguments)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'groupreg_retention%'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE IF EXISTS {table} CASCADE")
        connection.commit()


if __name__ == "__main__":
    main()
