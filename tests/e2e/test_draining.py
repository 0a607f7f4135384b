# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server admin deletes a room or its history: not before the recorder has read it, and then as ever."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.synapse import SAMPLE_PASSWORD
from tests.e2e.client import MATRIX, Answer, Person, Staff, poll

FAR_OFF_MS = 4_102_444_800_000
"""In the year 2100."""


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config={"mode": "enforce", "federation": "closed"})


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


def history_purged(admin: Staff, room: str) -> str:
    """The purge of all of a room's events but the newest, which Synapse carries out by and by; its number."""
    wanted = {"purge_up_to_ts": FAR_OFF_MS, "delete_local_events": True}
    return str(admin.admin_api("POST", f"v1/purge_history/{room}", wanted).good()["purge_id"])


def purged(admin: Staff, purge: str) -> dict[str, Any]:
    """How a purge of history ended."""
    status: dict[str, Any] = {}

    def ended() -> bool:
        status.update(admin.admin_api("GET", f"v1/purge_history_status/{purge}").good())
        return status["status"] not in ("scheduled", "active")

    assert poll(ended)
    return status


def memberships(admin: Staff, room: str) -> Counter[str]:
    """How many memberships of each account are in the retention store."""
    wanted = {"reason": "a room was deleted", "room_id": room, "type": ["m.room.member"], "limit": 100}
    return Counter(one["target"] for one in admin.groupreg("POST", "records/search", wanted).good()["records"])


def test_a_room_is_deleted_once_it_was_recorded(server: Homeserver, admin: Staff) -> None:
    people = [Person(server) for _ in range(3)]
    rooms = [people[0].found_group() for _ in range(3)]
    for room in rooms:
        for person in people[1:]:
            person.join(room).good()
        # Few leave quickly: Synapse purges right after.
        delete(admin, room).good()
    for room in rooms:
        assert poll(lambda room=room: gone(server, room), seconds=20)  # type: ignore[misc]  # mypy takes no default
        assert memberships(admin, room) == {person.user_id: 2 for person in people}
        [act] = admin.acts(subject=room)
        assert (act["author"], act["action"]) == (admin.user_id, "delete-room")
    listed = {one["room_id"]: one for one in admin.groupreg("GET", "rooms").good()["rooms"]}
    assert all(listed[room]["deleted"] for room in rooms)
    answer = admin.groupreg("GET", f"groups/{listed[rooms[0]]['number']}")
    assert (answer.status, f"was deleted; its records are found by its id, {rooms[0]}" in answer.body["error"]) == (
        404,
        True,
    )


def test_while_nothing_is_recorded_nothing_is_deleted(server: Homeserver, admin: Staff) -> None:
    person = Person(server)
    room, other = person.found_group(), person.found_group()
    with recorder_that_fails(server):
        person.send(room).good()
        person.send(other).good()
        purge = history_purged(admin, other)
        answer = delete(admin, room)
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
        status = purged(admin, purge)
    assert (status["status"], "has not recorded all of the room" in status["error"]) == ("failed", True)
    assert not gone(server, room)
    assert "has not recorded all of it" in server.process_log()
    assert admin.acts(subject=room) == []
    person.send(room).good()
    assert poll(lambda: delete(admin, room).ok, seconds=30)
    assert poll(lambda: gone(server, room), seconds=20)
    again = history_purged(admin, other)
    assert purged(admin, again)["status"] == "complete"


def test_accounts_that_are_closed_and_opened_again_are_journalled(server: Homeserver, admin: Staff) -> None:
    person, leaver = Person(server), Person(server)
    admin.admin_api("POST", f"v1/deactivate/{person.user_id}", {}).good()
    opened = {"deactivated": False, "password": SAMPLE_PASSWORD}
    # Synapse needs an index for it that a new server only makes after its start.
    assert poll(lambda: admin.admin_api("PUT", f"v2/users/{person.user_id}", opened).ok)
    assert [(act["author"], act["action"]) for act in admin.acts(subject=person.user_id)] == [
        (admin.user_id, "reactivate"),
        (admin.user_id, "deactivate"),
    ]
    password = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": leaver.user_id},
        "password": SAMPLE_PASSWORD,
    }
    leaver.call("POST", f"{MATRIX}/account/deactivate", {"auth": password}).good()
    [act] = admin.acts(subject=leaver.user_id)
    assert (act["author"], act["action"]) == (leaver.user_id, "deactivate")
