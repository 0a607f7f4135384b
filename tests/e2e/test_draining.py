# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server admin deletes a room: not before the recorder has read it, and then as ever."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Answer, Person, Staff, poll


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config={"mode": "enforce", "federation": "closed"})


@pytest.fixture(scope="module")
def admin(server: Homeserver) -> Staff:
    return Staff(server, "admin")


@contextmanager
def recorder_that_fails(server: Homeserver) -> Iterator[None]:
    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(server.files.folder / "homeserver.db", timeout=30)) as database:
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename("groupreg_outbox", "hidden")
    try:
        yield
    finally:
        rename("hidden", "groupreg_outbox")


def delete(admin: Staff, room: str) -> Answer:
    return admin.admin_api("DELETE", f"v2/rooms/{room}", {"purge": True})


def gone(server: Homeserver, room: str) -> bool:
    with closing(sqlite3.connect(server.files.folder / "homeserver.db", timeout=30)) as database:
        [(left,)] = database.execute("SELECT count(*) FROM events WHERE room_id = ?", (room,))
    return left == 0


def test_a_room_is_deleted_once_it_was_recorded(server: Homeserver, admin: Staff) -> None:
    person = Person(server)
    room = person.found_group()
    for _ in range(20):
        person.send(room).good()
    delete(admin, room).good()
    assert poll(lambda: gone(server, room), seconds=20)


def test_while_nothing_is_recorded_no_room_is_deleted(server: Homeserver, admin: Staff) -> None:
    person = Person(server)
    room = person.found_group()
    with recorder_that_fails(server):
        person.send(room).good()
        answer = delete(admin, room)
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    assert not gone(server, room)
    assert "has not recorded all of it" in server.process_log()
    person.send(room).good()
    assert poll(lambda: delete(admin, room).ok, seconds=30)
    assert poll(lambda: gone(server, room), seconds=20)
