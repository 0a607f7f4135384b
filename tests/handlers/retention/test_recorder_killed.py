# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recorders that are killed at any moment, alone and with a rival: every event and every entry is recorded once."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg.handlers.retention.reading import Opener
from synapse_groupreg.retention import ed25519, notes
from synapse_groupreg.retention.records import Kind, LogName
from synapse_groupreg.retention.tree import leaf_hash
from synapse_groupreg.storage import outbox
from synapse_groupreg.storage.entries import draft
from synapse_groupreg.storage.store_tree import StoredTree
from tests.database import result_of
from tests.e2e.client import poll
from tests.handlers.retention.recorder_victim import SharedKeys, a_recorder
from tests.handlers.retention.stage import SERVER, read
from tests.storage.store_places import Place
from tests.storage.test_events import persist, reached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_groupreg.rig import Postgres
    from synapse_groupreg.storage.database import Transaction
    from tests.database import TestDatabase

ROOT = Path(__file__).parents[3]


class Forker:
    """Starts recorders and kills them."""

    def __init__(self, places: dict[str, Any], planted: str | None) -> None:
        command = [sys.executable, "-m", "tests.handlers.retention.recorder_victim", json.dumps(places)]
        self._process = subprocess.Popen(
            [*command, *filter(None, [planted])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def start(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def forker(places: dict[str, Any], planted: str | None) -> Iterator[Forker]:
    made = Forker(places, planted)
    try:
        yield made
    finally:
        made.end()


class World:
    """What two writers of events and a process of ours write meanwhile."""

    def __init__(self, db: TestDatabase, seed: int) -> None:
        self._db = db
        self._random = random.Random(seed)
        self._ordering = 1
        self._late: list[tuple[int, str]] = []
        self.entries = 0

    def go_on(self) -> None:
        """Some events, of which one writer's commit late, and an entry in the outbox."""
        self._db.do(self._write)

    def all_taken(self) -> bool:
        """Whether the outbox is empty."""
        return self._db.rows("SELECT count(*) FROM groupreg_outbox") == [(0,)]

    def settle(self) -> None:
        """What was late is committed, and both writers say where they are."""
        self._db.do(self._catch_up)

    def _write(self, txn: Transaction) -> None:
        self._catch_up(txn)
        for _ in range(self._random.randrange(1, 8)):
            self._ordering += 1
            writer = self._random.choice(("one", "two"))
            if writer == "two" and self._random.random() < 0.5:
                self._late.append((self._ordering, writer))
            else:
                persist(txn, self._ordering, writer)
                if not any(late == writer for _, late in self._late):
                    reached(txn, self._ordering, writer)
        self.entries += 1
        what = draft(Kind.login, 5, actor="@a:x", details={"device_id": str(self.entries)})
        outbox.append(txn, [what, attrs.evolve(what, kind=Kind.look)], bytes)

    def _catch_up(self, txn: Transaction) -> None:
        for ordering, writer in self._late:
            persist(txn, ordering, writer)
        self._late = []
        for writer in ("one", "two"):
            reached(txn, self._ordering, writer)


def recorded_under_kills(
    db: TestDatabase,
    place: Place,
    tmp_path: Path,
    *,
    kills: int,
    rivals: int = 1,
    planted: str | None = None,
) -> None:
    """Let recorders be killed while the world goes on; then let one record the rest, and check everything."""
    where = str(db.where) if isinstance(db.where, Path) else attrs.asdict(db.where)
    places = {"synapse": where, "store": place.settings, "folder": str(tmp_path)}
    world, chance = World(db, kills), random.Random(kills)
    with forker(places, planted) as victims:
        running = [victims.start() for _ in range(rivals)]
        for _ in range(kills):
            world.go_on()
            poll(world.all_taken, every=0.002)  # so that it is at work when it is killed
            world.go_on()
            time.sleep(chance.random() * 0.02)
            victim = running.pop(chance.randrange(len(running)))
            os.kill(victim, signal.SIGKILL)
            running.append(victims.start())
        for victim in running:
            os.kill(victim, signal.SIGKILL)
    world.settle()
    last = a_recorder(places, db)
    result_of(last.tick())
    assert last.problem is None
    result_of(last.shut_down())
    check(db, place, world.entries)


def check(db: TestDatabase, place: Place, entries: int) -> None:
    """Every event of Synapse's table and every entry is there once, in order; leaves, tree and signature hold."""
    found = {name: read_all(place, name) for name in LogName}
    wrote = db.rows("SELECT instance_name, stream_ordering FROM events ORDER BY stream_ordering")
    for writer in ("one", "two"):
        kept = [record.row.position for record in found[LogName.events] if record.row.source == f"events/{writer}"]
        assert kept == [ordering for name, ordering in wrote if name == writer], f"events of {writer}"
    for name, kind in ((LogName.events, Kind.login), (LogName.acts, Kind.look)):
        numbers = [int(record.values["device_id"]) for record in found[name] if record.kind is kind]
        assert numbers == list(range(1, entries + 1)), f"entries of {name}"
    assert db.rows("SELECT count(*) FROM groupreg_outbox") == [(0,)]


def read_all(place: Place, name: LogName) -> list[Any]:
    reader, keys = place.reader(name.value), SharedKeys()
    records = read(Opener(reader, name.value, SERVER, keys))
    assert [record.row.idx for record in records] == list(range(len(records)))
    for record in records:
        assert leaf_hash(record.header().text().encode()) == record.row.leaf
    [(size, note)] = reader.checkpoints(1)
    assert size == len(records)
    origin = f"{SERVER}/retention/{name.value}"
    opened = notes.open_note(note, [notes.Key(origin, keys.public)], ed25519.verify)
    assert notes.Checkpoint.parse(opened.text).root == StoredTree(reader, 1).root(size)
    return records


@pytest.fixture(params=["sqlite", "postgres"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[TestDatabase, Place]]:
    """Synapse's database and the retention store, each empty, of one kind."""
    if request.param == "sqlite":
        there = Place({"name": "sqlite3", "args": {"database": str(tmp_path / "store")}})
        db: TestDatabase = request.getfixturevalue("sqlite_db")
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        there = Place(postgres.create_database().synapse_setting())
        db = request.getfixturevalue("pg_db")
    with contextlib.closing(there):
        yield db, there


@pytest.mark.parametrize("rivals", [1, 2])
def test_every_event_is_recorded_once_whoever_is_killed(
    both: tuple[TestDatabase, Place], tmp_path: Path, rivals: int
) -> None:
    db, place = both
    recorded_under_kills(db, place, tmp_path, kills=20 if place.on_sqlite else 10, rivals=rivals)


@pytest.mark.prove
@pytest.mark.parametrize("rivals", [1, 2, 3])
def test_and_so_it_is_after_many_kills(both: tuple[TestDatabase, Place], tmp_path: Path, rivals: int) -> None:
    recorded_under_kills(*both, tmp_path, kills=600, rivals=rivals)


@pytest.mark.parametrize(("planted", "rivals"), [("cursor", 1), ("fence", 2)])
@pytest.mark.parametrize("both", ["sqlite"], indirect=True)
def test_the_bugs_that_one_makes_here_are_found(
    both: tuple[TestDatabase, Place], tmp_path: Path, planted: str, rivals: int
) -> None:
    """Noting how far one is before one is there; writing without asking whether one still is the owner."""
    with pytest.raises(AssertionError, match=r"(events|entries) of"):
        recorded_under_kills(*both, tmp_path, kills=30, rivals=rivals, planted=planted)
