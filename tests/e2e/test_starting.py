# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""When Synapse does not start with the module, and what it says then."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import psycopg2
import pytest

from synapse_groupreg.rig import Database, Homeserver
from synapse_groupreg.rig.process import RigError
from tests.e2e.client import Person, Staff, poll, refused

CONFIG = {"mode": "enforce", "federation": "closed", "identity": {"required": {"post": "contact"}}}


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config=CONFIG)


def last_words(server: Homeserver) -> str:
    """What a server says that is asked to start and doesn't."""
    before = len(server.process_log())
    with pytest.raises(RigError, match="ended with code"):
        server.start()
    return server.process_log()[before:]


@contextmanager
def changed(file: Path, content: bytes) -> Iterator[None]:
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        yield
    finally:
        file.write_bytes(before)


def test_a_bad_configuration_is_explained_whole_and_stops_synapse(tmp_path: Path) -> None:
    bad: dict[str, object] = {
        "mode": "on",
        "quotas": {"members_per_room": "500", "rooms_fonded": 3, "rooms_joined": -1},
        "identity": {"required": {"post": "sure", "members_over": {"many": "contact"}}},
        "exempt": ["bridge"],
        "dry_run": ["room-fool"],
        "text": {},
    }
    said = last_words(Homeserver(tmp_path, module_config=bad))
    for path in (
        "mode: must be 'dry' or 'enforce'",
        "federation: is required",
        "quotas.members_per_room: must be a whole number",
        "quotas.rooms_fonded: is not an option; did you mean 'rooms_founded'?",
        "quotas.rooms_joined: must be greater than or equal to 0",
        "identity.required.post: must be 'none', 'contact', 'real_name' or 'in_person'",
        "identity.required.members_over.many: must be a whole number",
        "exempt.0: must be a Matrix user id",
        "dry_run.0: must be 'room-full'",
        "text: is not an option; did you mean 'texts'?",
    ):
        assert path in said, said
    assert "Traceback" not in said


def test_neither_a_newer_database_nor_another_key_is_touched(server: Homeserver) -> None:
    """Each says in one sentence what is wrong; put right, everything is as it was."""
    admin, person = Staff(server, "admin"), Person(server)
    room = admin.found_group()
    person.join(room).good()
    admin.verify(person.user_id, reference="a number").good()
    server.stop()

    with closing(sqlite3.connect(server.files.folder / "homeserver.db")) as database:
        (known,) = database.execute("SELECT max(version) FROM groupreg_schema").fetchone()
        database.execute("INSERT INTO groupreg_schema (version) VALUES (99)")
        database.commit()
        said = last_words(server)
        database.execute("DELETE FROM groupreg_schema WHERE version = 99")
        database.commit()
    assert f"the database has schema 99 of synapse_groupreg and this version knows {known}" in said

    key = server.files.folder / "groupreg" / "identity.key"
    assert key.stat().st_mode & 0o777 == 0o600
    with changed(key, bytes(32)):
        assert "put the original key file back" in last_words(server)
    away = key.rename(key.with_suffix(".away"))
    assert "identity.keys_path, is missing" in last_words(server)
    assert not key.exists(), "what was made would pass for the original"
    away.rename(key)

    server.start()
    person.send(room).good()
    refused(Person(server).found(), "identity-required")


def test_processes_that_start_at_once_wait_for_one_another(
    postgres_database: Database, start_homeserver: Callable[..., Homeserver]
) -> None:
    """Another process has just written what this one is about to write."""
    server = start_homeserver(module_config=CONFIG, database=postgres_database)
    server.stop()
    with closing(psycopg2.connect(postgres_database.dsn)) as other, other.cursor() as rows:
        rows.execute("UPDATE groupreg_meta SET value = value")
        waited = []

        def give_way() -> None:
            """Go on once the server waits for what is written."""
            with closing(psycopg2.connect(postgres_database.dsn)) as third, third.cursor() as locks:
                third.autocommit = True

                def waits() -> bool:
                    locks.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
                    return locks.fetchone() != (0,)

                waited.append(poll(waits, seconds=60))
            other.commit()

        giving_way = Thread(target=give_way)
        giving_way.start()
        server.start()
        giving_way.join()
    assert waited == [True]
    Person(server)
