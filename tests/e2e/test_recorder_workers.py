# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two processes write events, a third records them, is killed, and gets a rival by mistake: still each event once."""

from __future__ import annotations

import random
import signal
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.retention import ed25519, notes
from synapse_groupreg.retention.tree import leaf_hash
from synapse_groupreg.rig.synapse import healthy
from synapse_groupreg.storage.store_tree import StoredTree
from tests.database import open_postgres
from tests.e2e.client import Client, Person, poll
from tests.e2e.test_recorder import keys_of, opened
from tests.handlers.retention.stage import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.rig import Postgres, WorkerHomeserver
    from synapse_groupreg.rig.synapse import Member

KILLS = 3
BACKGROUND, RIVAL = "background_worker1", "background_worker2"

pytestmark = pytest.mark.prove


@pytest.fixture(scope="module")
def settings(postgres: Postgres) -> dict[str, Any]:
    return dict(postgres.create_database().synapse_setting())


@pytest.fixture(scope="module")
def server(start_workers: Callable[..., WorkerHomeserver], settings: dict[str, Any]) -> WorkerHomeserver:
    config = {"mode": "enforce", "federation": "closed", "retention": {"store": settings}}
    return start_workers(module_config=config, persisters=2, background=True)


def test_two_writers_a_recorder_that_is_killed_and_a_rival_by_mistake(
    server: WorkerHomeserver, settings: dict[str, Any]
) -> None:
    chance, background = random.Random(5), server.member(BACKGROUND)
    people = [Person(server, "talker") for _ in range(6)]
    rooms = [person.found_group() for person in people]
    with talking(server, people, rooms) as sent:
        for _ in range(KILLS):
            wait_for_more(sent)
            time.sleep(chance.random())
            background.process.kill()
            begin(background)
        rival = server.add(RIVAL, {"run_background_tasks_on": RIVAL})
        begin(rival)
        assert poll(lambda: "another process records" in said_by(background) + said_by(rival), seconds=60)
        wait_for_more(sent)
    assert {*sent} == {200}
    rival.process.stop(by=signal.SIGTERM)
    background.process.stop(by=signal.SIGTERM)  # who stood back would do so for a minute
    begin(background)
    wrote = persisted(server)
    assert {writer for writer, _, _ in wrote} == {"event_persister1", "event_persister2"}
    assert poll(lambda: len(recorded(server, settings)) >= len(wrote), seconds=60)
    server.stop()
    check(server, settings, wrote)


def wait_for_more(sent: list[int]) -> None:
    enough = len(sent) + 40
    assert poll(lambda: len(sent) > enough, seconds=60)


def begin(member: Member) -> None:
    member.process.start()
    member.process.wait_until(partial(healthy, member.url))


def said_by(member: Member) -> str:
    return member.process.log.read_text(encoding="utf-8")


@contextmanager
def talking(server: WorkerHomeserver, people: list[Person], rooms: list[str]) -> Iterator[list[int]]:
    """Everybody sends, each through another process; the statuses of the answers."""
    over, statuses = threading.Event(), list[int]()

    def talk(client: Client, person: Person, room: str) -> None:
        person.url = client.url
        while not over.is_set():
            statuses.append(person.send(room).status)

    clients = [person.at(server.urls[number % len(server.urls)]) for number, person in enumerate(people)]
    threads = [threading.Thread(target=talk, args=each) for each in zip(clients, people, rooms, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        over.set()
        for thread in threads:
            thread.join()


def persisted(server: WorkerHomeserver) -> list[tuple[str, int, str]]:
    """The events of Synapse's table that are new ones, writer by writer in their order."""
    assert server.files.database is not None
    database = open_postgres(server.files.database)
    ordered = "SELECT instance_name, stream_ordering, event_id FROM events WHERE stream_ordering > 0 ORDER BY 1, 2"
    found = database.rows(ordered)
    database.close()
    return [(str(writer), int(ordering), str(event_id)) for writer, ordering, event_id in found]


def recorded(server: WorkerHomeserver, settings: dict[str, Any]) -> list[tuple[str, int, str]]:
    """The same from the retention store, in the order of recording."""
    with opened(server, settings) as opener:
        return [
            (record.row.source.removeprefix("events/"), record.row.position, record.values["event_id"])
            for record in read(opener)
            if record.row.source.startswith("events/")
        ]


def check(server: WorkerHomeserver, settings: dict[str, Any], wrote: list[tuple[str, int, str]]) -> None:
    """Each event once, each writer's in their order; no index is missing, the root and its signature hold."""
    found = recorded(server, settings)
    assert sorted(found, key=lambda one: one[0]) == wrote
    with opened(server, settings) as opener:
        records = read(opener)
        [(size, note)] = opener.reader.checkpoints(1)
        assert [record.row.idx for record in records] == list(range(size))
        assert [leaf_hash(record.header().text().encode()) for record in records] == [one.row.leaf for one in records]
        key = notes.Key(f"{server.server_name}/retention/events", keys_of(server).public)
        signed = notes.Checkpoint.parse(notes.open_note(note, [key], ed25519.verify).text)
        assert signed.root == StoredTree(opener.reader, 1).root(size)
