# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups and the people of other servers: kept out where federation is closed, counted and refused where it is open."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from urllib.parse import quote

import pytest

from synapse_groupreg.policy.numbers import NUMBER
from synapse_groupreg.retention.records import KIND_NUMBERS, Kind
from synapse_groupreg.rig import Homeserver, WorkerHomeserver
from synapse_groupreg.rig.federation import Federation
from synapse_groupreg.rig.process import free_port
from tests.e2e.client import MATRIX, Answer, Person, Staff, at_once, poll, refused
from tests.e2e.front import Front
from tests.e2e.imposed import SOON
from tests.e2e.test_recorder import opened
from tests.handlers.retention.stage import read

CAP = 3
OPEN = {"mode": "enforce", "federation": "open", "quotas": {"members_per_room": CAP}}
CLOSED = {"mode": "enforce", "federation": "closed", "quotas": {"members_per_room": CAP}}


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return Federation(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def start(federation: Federation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Homeserver]]:
    """Starts a homeserver that federates with the others of this module; stopped after it."""
    with ExitStack() as running:
        yield lambda **how: running.enter_context(federation.homeserver(tmp_path_factory.mktemp("homeserver"), **how))


@pytest.fixture(scope="module")
def here(start: Callable[..., Homeserver]) -> Homeserver:
    """Ours, open to other servers."""
    return start(module_config=OPEN)


@pytest.fixture(scope="module")
def there(start: Callable[..., Homeserver]) -> Homeserver:
    """Somebody else's, which knows nothing of the module."""
    return start()


@pytest.fixture(scope="module")
def closed(start: Callable[..., Homeserver]) -> Homeserver:
    """Ours, closed to other servers; its people are guests elsewhere."""
    return start(module_config=CLOSED)


@pytest.fixture(scope="module")
def front(federation: Federation, start_workers: Callable[..., WorkerHomeserver]) -> Iterator[Front]:
    """Ours as well, of many processes: other servers speak to one or the other of its workers."""
    front = Front(free_port())
    with front.serving(federation.tls()):
        name, settings = federation.server_name(front.port), federation.settings()
        front.server = start_workers(
            module_config=OPEN, persisters=2, background=True, server_name=name, settings=settings
        )
        yield front


@pytest.fixture(scope="module", params=["alone", pytest.param("workers", marks=pytest.mark.prove)])
def ours(request: pytest.FixtureRequest) -> Homeserver:
    """Ours, of one process and of many."""
    if request.param == "workers":
        front: Front = request.getfixturevalue("front")
        return front.server
    here: Homeserver = request.getfixturevalue("here")
    return here


@pytest.fixture(scope="module")
def staff(here: Homeserver) -> Staff:
    return Staff(here, "staff")


def join(person: Person, room: str, by: Homeserver) -> Answer:
    """Join a room with the help of another server."""
    return person.call("POST", f"{MATRIX}/join/{quote(room)}", {}, server_name=by.server_name)


def state(person: Person, room: str) -> dict[tuple[str, str], str]:
    """The ids of the events that make up the room's state, as the person's server sees it."""
    events = person.call("GET", f"{MATRIX}/rooms/{quote(room)}/state").good()
    return {(one["type"], one["state_key"]): one["event_id"] for one in events}


def agree(*members: Person, room: str) -> bool:
    """Whether the servers of these members see the same state, at last."""
    return poll(lambda: len({json.dumps(sorted(state(member, room).items())) for member in members}) == 1)


def everywhere(server: Homeserver) -> None:
    """Wait until what staff decided holds in each process: no longer than is promised."""
    if isinstance(server, WorkerHomeserver):
        time.sleep(SOON)


@pytest.mark.parametrize("version", [*(pytest.param(one, marks=pytest.mark.prove) for one in ("9", "10", "11")), "12"])
def test_the_last_place_goes_to_one_server_and_another_is_refused(
    ours: Homeserver, there: Homeserver, closed: Homeserver, version: str
) -> None:
    founder, regular = Person(ours, "founder"), Person(ours, "regular")
    guest, late = Person(there, "guest"), Person(closed, "late")
    room = founder.found_group(room_version=version)
    regular.join(room).good()
    join(guest, room, ours).good()
    # The refusal comes through to the client, which shows it as one of its own server.
    refused(join(late, room, ours), "room-full")
    # Refused, not half in: no server believes that they entered.
    assert late.joined_rooms() == set()
    assert agree(founder, guest, room=room)
    assert founder.members(room) == guest.members(room) == {founder.user_id, regular.user_id, guest.user_id}

    regular.leave(room).good()
    join(late, room, ours).good()
    assert agree(founder, guest, late, room=room)


@pytest.mark.prove
def test_of_two_servers_that_come_by_different_workers_at_once_one_gets_the_last_place(
    front: Front, there: Homeserver, closed: Homeserver
) -> None:
    ours = front.server
    founder, regular = Person(ours, "founder"), Person(ours, "regular")
    guests = [Person(there, "guest"), Person(closed, "guest")]
    for _ in range(5):
        room = founder.found_group()
        regular.join(room).good()
        answers = at_once([partial(join, one, room, ours) for one in guests])
        # Whoever was refused is not half in: no server believes that they entered.
        [entered] = [one for one, answer in zip(guests, answers, strict=True) if answer.ok]
        [late] = [one for one in guests if one is not entered]
        refused(answers[guests.index(late)], "room-full")
        assert room not in late.joined_rooms()
        assert agree(founder, entered, room=room)
        assert founder.members(room) == {founder.user_id, regular.user_id, entered.user_id}
    servers = {there.server_name, closed.server_name}
    assert len({front.worker_of[one] for one in servers}) == len(servers)
    assert {(one, "send_join") for one in servers} <= front.asked


@pytest.mark.parametrize("version", ["11", "12"])
def test_who_comes_in_beyond_the_cap_by_another_server_is_removed(
    ours: Homeserver, there: Homeserver, version: str
) -> None:
    """Nobody can keep a server that is in a room from letting in more of its people; what ours let in stays exact."""
    staff = Staff(ours)
    founder, first, second, local = (
        Person(ours, "founder"),
        Person(there, "first"),
        Person(there, "second"),
        Person(ours, "local"),
    )
    room = founder.found_group(room_version=version)
    join(first, room, ours).good()
    local.join(room).good()
    assert agree(founder, first, room=room)
    second.join(room).good()
    assert poll(lambda: founder.members(room) == {founder.user_id, first.user_id, local.user_id})
    assert poll(lambda: second.joined_rooms() == set())
    assert agree(founder, first, room=room)
    told = first.call("GET", f"{MATRIX}/rooms/{room}/state/m.room.member/{second.user_id}?format=event").good()
    assert (told["sender"], told["content"]["membership"]) == (founder.user_id, "leave")
    assert f"{CAP + 1} of {CAP}" in told["content"]["reason"]
    [act] = [one for one in staff.acts(subject=second.user_id) if one["action"] == "remove"]
    assert act["author"] == "server"
    assert poll(lambda: staff.room(room)["quotas"]["members"]["used"] == CAP)
    # Who was in before the cap was lowered stays; who comes again is removed again.
    staff.cap(room, 1).good()
    second.join(room).good()
    assert poll(lambda: second.joined_rooms() == set())
    assert founder.members(room) == {founder.user_id, first.user_id, local.user_id}


def test_who_is_barred_here_does_not_enter_from_there(ours: Homeserver, there: Homeserver) -> None:
    staff, founder, barred, other = (
        Staff(ours),
        Person(ours, "founder"),
        Person(there, "barred"),
        Person(there, "other"),
    )
    room = founder.found_group()
    account = staff.bar(barred.user_id).good()["id"]
    everywhere(ours)
    refused(join(barred, room, ours), "account-blacklisted")
    own = barred.found_group()
    assert barred.invite(own, founder.user_id).status == 403
    staff.lift(account).good()
    server = staff.bar(there.server_name).good()["id"]
    everywhere(ours)
    refused(join(other, room, ours), "server-blacklisted")
    staff.lift(server).good()
    everywhere(ours)
    join(other, room, ours).good()
    assert agree(founder, other, room=room)


def crowd(server: Homeserver, room: str, size: int) -> list[Person]:
    """So many more members of a room on its own server."""
    people: list[Person] = []
    while len(people) < size:
        batch = at_once([lambda: Person(server, "one") for _ in range(min(10, size - len(people)))])
        for answer in at_once([lambda one=one: one.join(room) for one in batch]):  # type: ignore[misc]  # mypy can't type a lambda's default
            answer.good()
        people += batch
        for one in batch:
            one.close()
    return people


def enter_a_large_room(here: Homeserver, there: Homeserver, staff: Staff, size: int) -> None:
    host, visitor = Person(there, "host"), Person(here, "visitor")
    room = host.found_group()
    members = [host, *crowd(there, room, size - 1)]
    # Judged as something sent, the membership of this one would be torn out of the room.
    entry = staff.bar(members[-1].user_id, scope="account").good()["id"]
    join(visitor, room, there).good()
    everybody = {visitor.user_id, *(one.user_id for one in members)}
    assert visitor.members(room) == everybody
    # Not sooner: Synapse pulls most of the memberships after the join, and has them all when it tells them.
    staff.lift(entry).good()
    assert staff.counted(members[-1].user_id, "account-blacklisted", dry=False) == 0
    assert poll(lambda: host.members(room) == everybody)
    with closing(sqlite3.connect(here.files.folder / "homeserver.db")) as database:
        found = database.execute(
            "SELECT e.rejection_reason, j.internal_metadata FROM events e JOIN event_json j USING (event_id)"
            " WHERE e.room_id = ? AND e.state_key IS NOT NULL",
            (room,),
        ).fetchall()
    assert len(found) > size
    marks = {"soft_failed", "spam_checker_spammy", "redacted"}
    assert [row for row in found if row[0] is not None or marks & json.loads(row[1]).keys()] == []


def test_joining_a_room_of_another_server_tears_nobody_out_of_it(
    here: Homeserver, there: Homeserver, staff: Staff
) -> None:
    enter_a_large_room(here, there, staff, 12)


@pytest.mark.prove
def test_nor_does_joining_a_large_one(here: Homeserver, there: Homeserver, staff: Staff) -> None:
    enter_a_large_room(here, there, staff, 1000)


def test_history_that_is_fetched_from_there_is_recorded_once(here: Homeserver, there: Homeserver) -> None:
    host, late = Person(there, "host"), Person(here, "late")
    room = host.found_group()
    before = {host.send(room, f"message {number}").good()["event_id"] for number in range(12)}
    join(late, room, there).good()
    # Synapse fetches what is older when somebody reads it.
    assert poll(lambda: before <= {one["event_id"] for one in late.messages(room).good()["chunk"]})
    with closing(sqlite3.connect(here.files.folder / "homeserver.db")) as database:
        wrote = database.execute(
            "SELECT CASE WHEN stream_ordering > 0 THEN 'events/master' ELSE 'backfill/master' END, event_id FROM events"
            " WHERE room_id = ?",
            (room,),
        ).fetchall()
    assert {("backfill/master", one) for one in before} <= set(wrote)
    assert poll(lambda: sorted(recorded(here, room)) == sorted(wrote))


def recorded(server: Homeserver, room: str) -> list[tuple[str, str]]:
    """The events of a room in the retention store, and whence they were taken."""
    folder = server.files.folder / "groupreg" / "retention"
    with opened(server, {"name": "sqlite3", "args": {"database": str(folder)}}) as opener:
        found = [one for one in read(opener, kinds=[KIND_NUMBERS[Kind.event]]) if one.values["room_id"] == room]
    return [(one.row.source, one.values["event_id"]) for one in found]


def test_closed_groups_let_nobody_in_from_there_and_older_ones_are_named(closed: Homeserver, there: Homeserver) -> None:
    staff, founder, outsider = Staff(closed), Person(closed, "founder"), Person(there, "outsider")
    with staff.dry():
        older = founder.found_group()
    newer = founder.found_group()
    answer = join(outsider, newer, closed)
    assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    assert founder.members(newer) == {founder.user_id}
    named = staff.status()["federated_groups"]["rooms"]
    assert (older in named, newer in named) == (True, False)
    # An event that is written while another server enters is beside its join: it hears of it with the next one only.
    assert poll(lambda: (NUMBER, "") in state(founder, older))
    join(outsider, older, closed).good()
    assert agree(founder, outsider, room=older)
