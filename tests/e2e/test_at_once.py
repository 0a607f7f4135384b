# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""However many try at the same moment, each place goes to exactly one (article 8.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from synapse_groupreg.rig import Homeserver, WorkerHomeserver
from tests.e2e.client import MATRIX, Person, at_once, refused
from tests.e2e.crowds import Crowd
from tests.e2e.town import Request, Town, told

CAP, JOINED, FOUNDED = 20, 6, 5
CROWD, ROOMS = 32, 16
"""How many are after those places."""
QUOTAS = {"members_per_room": CAP, "rooms_joined": JOINED, "rooms_founded": FOUNDED}
CONFIG = {"mode": "enforce", "federation": "closed", "quotas": QUOTAS}


@pytest.fixture(scope="module")
def on_sqlite(start_homeserver: Callable[..., Homeserver]) -> Town:
    return Town.of(start_homeserver(module_config=CONFIG), rooms=ROOMS)


@pytest.fixture(scope="module")
def on_postgres(start_workers: Callable[..., WorkerHomeserver]) -> Town:
    return Town.of(start_workers(module_config=CONFIG, persisters=2, background=True), rooms=ROOMS)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.prove), "workers"])
def town(request: pytest.FixtureRequest) -> Town:
    """One process on each database, and several on PostgreSQL, each of which knows nothing of the others' memory."""
    if request.param == "sqlite":
        return cast("Town", request.getfixturevalue("on_sqlite"))
    town: Town = request.getfixturevalue("on_postgres")
    return town if request.param == "postgres" else town.over_workers()


def test_a_group_takes_in_as_many_as_it_has_places(town: Town):
    founder = Person(town.server, "founder")
    room = founder.found_group()
    crowd = at_once([lambda: Person(town.server, "one") for _ in range(CROWD)])
    answers = town.post_all([Request(one.token, f"{MATRIX}/join/{room}") for one in crowd])
    assert told(answers) == {"done": CAP - 1, "room-full": CROWD - (CAP - 1)}
    entered = {one.user_id for one, answer in zip(crowd, answers, strict=True) if answer.ok}
    assert founder.members(room) == {founder.user_id, *entered}
    assert town.staff.room(room)["quotas"]["members"]["used"] == CAP

    leaver = next(one for one in crowd if one.user_id in entered)
    waiting = next(one for one in crowd if one.user_id not in entered)
    leaver.leave(room).good()
    waiting.join(room).good()
    refused(leaver.join(room), "room-full")


def test_a_crowd_takes_as_many_places_as_there_are_by_whatever_way_it_comes(on_postgres: Town):
    Crowd(on_postgres.over_workers(), 20).rush(9, ["invite", "space", "knock", "alias"], races=3)


def test_a_person_joins_as_many_groups_as_they_have_places(town: Town):
    person = Person(town.server, "person")
    answers = town.post_all([Request(person.token, f"{MATRIX}/join/{room}") for room in town.rooms])
    assert told(answers) == {"done": JOINED, "too-many-joined": ROOMS - JOINED}
    assert len(person.joined_rooms()) == JOINED
    assert town.staff.used(person.user_id, "rooms_joined") == JOINED


def test_a_person_founds_as_many_groups_as_they_have_places(town: Town):
    founder = Person(town.server, "founder")
    answers = town.post_all([Request(founder.token, f"{MATRIX}/createRoom")] * ROOMS)
    assert told(answers) == {"done": FOUNDED, "too-many-founded": ROOMS - FOUNDED}
    assert len(founder.own_rooms()) == FOUNDED
    assert town.staff.used(founder.user_id, "rooms_founded") == FOUNDED


def test_accounts_of_one_person_found_as_many_groups_as_the_person_may(town: Town):
    accounts = [Person(town.server, "linked") for _ in range(3)]
    for account in accounts:
        town.staff.verify(account.user_id, reference=f"of {accounts[0].name}").good()
    requests = [Request(one.token, f"{MATRIX}/createRoom") for one in accounts for _ in range(4)]
    answers = town.post_all(requests)
    assert told(answers) == {"done": FOUNDED, "too-many-founded": len(requests) - FOUNDED}
    assert sum(len(account.own_rooms()) for account in accounts) == FOUNDED


def test_the_last_place_of_a_group_goes_to_one_of_two_who_come_by_different_processes(on_postgres: Town):
    # One process lets one join a room at a time, so that only two processes can meet at the last place.
    town = on_postgres.over_workers()
    regular, *rivals = (Person(town.server, "rival") for _ in ("", *town.urls))
    for person in (regular, *rivals):
        town.staff.limit(person.user_id, rooms_joined=100).good()
    # PostgreSQL itself keeps two apart who are the first ever to lock something, so somebody was here before.
    rooms = town.rooms[:12]
    town.post_all([Request(regular.token, f"{MATRIX}/join/{room}") for room in rooms])
    for room in rooms:
        town.staff.cap(room, town.staff.room(room)["quotas"]["members"]["used"] + 1).good()
    # Room after room: idle processes answer equally fast, so that the two do meet.
    races = [[Request(rival.token, f"{MATRIX}/join/{room}") for rival in rivals] for room in rooms]
    assert [told(town.post_all(race)) for race in races] == [{"done": 1, "room-full": 1}] * len(races)
