# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A homeserver that crashes while people write: each event of Synapse's table is recorded once, in order, and whole."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import psycopg2
import pytest
import requests

from synapse_groupreg.handlers.retention.reading import Opener
from synapse_groupreg.homeserver.retention_keys import RetentionKeys
from synapse_groupreg.retention import ed25519, notes
from synapse_groupreg.retention.records import Kind
from synapse_groupreg.retention.tree import leaf_hash
from synapse_groupreg.storage.store_tree import StoredTree
from synapse_groupreg.storage.stores import open_reader
from tests.database import open_postgres, open_sqlite
from tests.e2e.client import Person, Staff, poll
from tests.engines import any_database
from tests.handlers.retention.stage import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.rig import Database, Homeserver, Postgres

CRASHES = 3


@pytest.fixture(scope="module")
def settings(database: Database | None, request: pytest.FixtureRequest, tmp_path_factory: Any) -> dict[str, Any]:
    """A retention store of the same kind as Synapse's database."""
    if database is None:
        return {"name": "sqlite3", "args": {"database": str(tmp_path_factory.mktemp("store"))}}
    postgres: Postgres = request.getfixturevalue("postgres")
    return dict(postgres.create_database().synapse_setting())


@pytest.fixture(scope="module")
def server(
    start_homeserver: Callable[..., Homeserver], database: Database | None, settings: dict[str, Any]
) -> Homeserver:
    config = {"mode": "enforce", "federation": "closed", "retention": {"store": settings}}
    return start_homeserver(database=database, module_config=config)


def test_nothing_is_lost_or_doubled_when_the_homeserver_crashes(server: Homeserver, settings: dict[str, Any]) -> None:
    chance = random.Random(5)
    people = [Person(server, "talker") for _ in range(3)]
    rooms = [person.found_group() for person in people]
    for _ in range(CRASHES):
        with talking(people, rooms):
            time.sleep(1 + chance.random())
            server.kill()
        server.start()
    people[0].send(rooms[0]).good()
    wrote = persisted(server)
    assert len(wrote) > 50
    assert poll(lambda: len(events(server, settings)) >= len(wrote), seconds=30)
    assert events(server, settings) == wrote


def test_the_end_is_signed_when_the_homeserver_stops(server: Homeserver, settings: dict[str, Any]) -> None:
    Person(server).found_group()
    server.stop()
    with opened(server, settings) as opener:
        records = read(opener)
        [(size, note)] = opener.reader.checkpoints(1)
        assert size == len(records)
        for index, record in enumerate(records):
            assert record.row.idx == index
            assert leaf_hash(record.header().text().encode()) == record.row.leaf
        key = notes.Key(f"{server.server_name}/retention/events", keys_of(server).public)
        signed = notes.Checkpoint.parse(notes.open_note(note, [key], ed25519.verify).text)
        assert signed.root == StoredTree(opener.reader, 1).root(size)
    assert (server.files.folder / "groupreg" / "retention-events.checkpoint").read_text() == note


@any_database
def test_synapse_s_database_is_put_back_and_what_happens_then_is_recorded_once(
    server: Homeserver, settings: dict[str, Any]
) -> None:
    server.stop()
    copy, then = copied(server), persisted(server)
    server.start()
    lost = Person(server, "lost")
    room = lost.found_group()
    for _ in range(5):
        lost.send(room).good()
    assert poll(lambda: events(server, settings)[-5:] == persisted(server)[-5:])
    server.stop()
    recorded = events(server, settings)
    put_back(server, copy)
    # As a crash leaves a month that was removed, before its space was free.
    removed = server.files.folder / "1-2020-01.db.gone"
    if settings["name"] == "sqlite3":
        removed = Path(settings["args"]["database"], "events", removed.name)
        removed.touch()
    server.start()
    person = Person(server, "later")
    room = person.found_group()
    for _ in range(15):  # beyond the positions that were recorded
        person.send(room).good()
    new = persisted(server)[len(then) :]
    assert persisted(server)[: len(then)] == then
    assert poll(lambda: len(events(server, settings)) >= len(recorded) + len(new))
    assert events(server, settings) == recorded + new
    assert poll(lambda: not removed.exists())
    with opened(server, settings) as opener:
        assert [one.row.source for one in read(opener) if one.kind is Kind.event][-len(new) :] == [
            "events/master@2"
        ] * len(new)
    reader = Staff(server, "reader")
    status = reader.status()["retention"]
    assert (status["problem"], status["restored"]["generation"]) == (None, 2)
    assert poll(lambda: not reader.status()["retention"]["alarms"], seconds=20)  # the copy's say that nobody records


def copied(server: Homeserver) -> Any:
    """A backup of Synapse's database."""
    place = server.files.database
    if place is None:
        copy = server.files.folder / "copy.db"
        with sqlite3.connect(server.files.folder / "homeserver.db") as there, sqlite3.connect(copy) as here:
            there.backup(here)
        return copy
    copy = f"{place.name}_copy"
    run_sql(place, f'CREATE DATABASE "{copy}" TEMPLATE "{place.name}"')
    return copy


def put_back(server: Homeserver, copy: Any) -> None:
    place = server.files.database
    if place is None:
        for rest in server.files.folder.glob("homeserver.db*"):
            rest.unlink()
        shutil.copy(copy, server.files.folder / "homeserver.db")
        return
    run_sql(place, f'DROP DATABASE "{place.name}" WITH (FORCE)')
    run_sql(place, f'ALTER DATABASE "{copy}" RENAME TO "{place.name}"')


def run_sql(place: Database, statement: str) -> None:
    with contextlib.closing(psycopg2.connect(attrs.evolve(place, name="template1").dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


@contextlib.contextmanager
def talking(people: list[Person], rooms: list[str]) -> Iterator[None]:
    """Everybody sends as fast as the server takes it, until it is gone."""

    def talk(person: Person, room: str) -> None:
        with contextlib.suppress(requests.RequestException):
            while True:
                person.send(room)

    threads = [threading.Thread(target=talk, args=pair) for pair in zip(people, rooms, strict=True)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def persisted(server: Homeserver) -> list[tuple[int, str]]:
    """The events of Synapse's table that are new ones, in their order."""
    place = server.files.database
    database = open_sqlite(server.files.folder / "homeserver.db") if place is None else open_postgres(place)
    with contextlib.closing(database):
        ordered = "SELECT stream_ordering, event_id FROM events WHERE stream_ordering > 0 ORDER BY stream_ordering"
        return [(int(ordering), str(event_id)) for ordering, event_id in database.rows(ordered)]


def events(server: Homeserver, settings: dict[str, Any]) -> list[tuple[int, str]]:
    """The same from the retention store, in the order of recording."""
    with opened(server, settings) as opener:
        return [
            (record.row.position, record.values["event_id"])
            for record in read(opener)
            if record.row.source.startswith("events/")
        ]


@contextlib.contextmanager
def opened(server: Homeserver, settings: dict[str, Any]) -> Iterator[Opener]:
    opener = Opener(open_reader(settings, "events"), "events", server.server_name, keys_of(server))
    with contextlib.closing(opener):
        yield opener


def keys_of(server: Homeserver) -> RetentionKeys:
    def never() -> Any:
        raise AssertionError("a reader endorses nothing")

    return RetentionKeys(str(server.files.folder / "groupreg"), server.server_name, never)
