# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rig's Synapse of six processes: each has its part, and whatever ends it, nothing of it stays."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from synapse_groupreg.rig import RigError, WorkerHomeserver
from tests.e2e.client import Person, poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.rig import Database, Postgres, Redis

MEMBERS = (
    "main",
    "generic_worker1",
    "generic_worker2",
    "event_persister1",
    "event_persister2",
    "background_worker1",
)
COUNTING = "bulk_update_stats_delta"
SCRIPT = """
import signal
from synapse_groupreg.rig import deployment
signal.signal(signal.SIGINT, signal.default_int_handler)
with deployment(server_name="elsewhere"):
    pass
"""


def column(database: Database, statement: str) -> set[str]:
    with closing(psycopg2.connect(database.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return {value for (value,) in cursor.fetchall()}


def databases(postgres: Postgres) -> set[str]:
    return column(postgres.administration, "SELECT datname FROM pg_database")


@pytest.fixture(scope="module")
def server(start_workers: Callable[..., WorkerHomeserver]) -> WorkerHomeserver:
    return start_workers(persisters=2, background=True, log_levels={"synapse.storage.txn": "DEBUG"})


@pytest.mark.smoke
def test_each_process_has_its_part(server: WorkerHomeserver) -> None:
    person = Person(server)
    rooms = [person.at(url).call("POST", "/_matrix/client/v3/createRoom", {}).room_id for url in server.urls * 4]
    assert person.joined_rooms() == set(rooms)
    database = server.files.database
    assert database is not None
    assert column(database, "SELECT instance_name FROM events") == {"event_persister1", "event_persister2"}
    # Synapse counts what happens in rooms as a background task.
    logs = {name: server.member(name).process.log for name in MEMBERS}
    assert poll(lambda: {name for name, log in logs.items() if COUNTING in log.read_text()}) == {"background_worker1"}


def test_one_process_ends_and_comes_again_while_the_others_serve(server: WorkerHomeserver) -> None:
    person, worker = Person(server), server.member("generic_worker1")
    worker.kill()
    assert not worker.process.running
    assert person.at(server.url).call("GET", "/_matrix/client/v3/joined_rooms").ok
    worker.start()
    assert person.at(worker.url).call("GET", "/_matrix/client/v3/joined_rooms").ok


@pytest.fixture
def place(postgres: Postgres, redis: Redis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The only folder in which temporary files are made; afterwards nothing is in it, and the servers are as before."""
    monkeypatch.setenv("GROUPREG_TEST_POSTGRES", postgres.administration.dsn)
    monkeypatch.setenv("GROUPREG_TEST_REDIS", f"{redis.host}:{redis.port}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = databases(postgres)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []
    assert poll(lambda: not processes_of(tmp_path))
    assert databases(postgres) == before


def processes_of(folder: Path) -> list[str]:
    """The command lines that name the folder."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_text())
        except OSError:
            continue  # ended meanwhile
    return [line for line in lines if str(folder) in line]


def test_a_process_that_cannot_start_is_quoted_at_once(
    tmp_path: Path, postgres_database: Database, redis: Redis
) -> None:
    server = WorkerHomeserver(
        tmp_path,
        database=postgres_database,
        redis=redis,
        workers=1,
        persisters=1,
        # Over Redis the processes of one name are one homeserver.
        server_name="elsewhere",
    )
    taken = server.layout.persisters["event_persister1"]
    with socket.create_server(("127.0.0.1", taken)), pytest.raises(RigError) as told:
        server.start()
    assert str(told.value).startswith("Synapse (event_persister1) ended with code ")
    assert f"Failed to listen on TCP port ({taken})" in str(told.value)
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_whoever_interrupts_the_start_leaves_nothing_behind(place: Path, by: signal.Signals) -> None:
    child = subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=subprocess.DEVNULL, env=os.environ)
    assert poll(lambda: list(place.glob("groupreg-synapse-*/main.log")), seconds=30)
    child.send_signal(by)
    assert child.wait(30) != 0
