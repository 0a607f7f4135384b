# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Large crowds that come through all workers at once, by every way into a group, take all places and no more (8.1)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import WorkerHomeserver
from tests.e2e.client import MATRIX, Person, poll, refused
from tests.e2e.crowds import Crowd
from tests.e2e.town import Request, Town, told

pytestmark = pytest.mark.prove
RESERVED_S = 30
WAYS = ("invite", "space", "knock", "alias")


@pytest.fixture(scope="module")
def town(start_workers: Callable[..., WorkerHomeserver]) -> Town:
    quotas = {"members_per_room": 1_000, "rooms_joined": 1_000, "rooms_founded": 1_000}
    # Nobody is told why they were refused: thousands of direct chats would take the time. Further creators are the way
    # to make an upgrade fail late.
    config = {"mode": "enforce", "federation": "closed", "quotas": quotas}
    config |= {"notices": {"enabled": False}, "dry_run": ["further-creators"]}
    return Town.of(start_workers(module_config=config, persisters=2, background=True), rooms=0).over_workers()


@pytest.fixture(scope="module")
def crowd(town: Town) -> Crowd:
    return Crowd(town, 200)


def test_ten_crowds_of_two_hundred_take_fifty_places_each(crowd: Crowd) -> None:
    for _ in range(10):
        crowd.rush(50, ["public"])


def test_so_do_ten_crowds_of_two_hundred_that_come_in_every_way_at_once(crowd: Crowd) -> None:
    crowd.rush(50, WAYS, rounds=10)


@pytest.mark.parametrize("way", WAYS)
def test_a_crowd_that_comes_in_another_way_takes_as_many_places_as_there_are(crowd: Crowd, way: str) -> None:
    crowd.rush(20, [way], size=60)


def test_somebody_who_rushes_into_a_hundred_groups_enters_twenty(town: Town) -> None:
    groups = Town.of(town.server, rooms=100).rooms
    person = Person(town.server, "person")
    town.staff.limit(person.user_id, rooms_joined=20).good()
    answers = town.post_all([Request(person.token, f"{MATRIX}/join/{quote(room)}") for room in groups])
    assert told(answers) == {"done": 20, "too-many-joined": 80}
    assert len(person.joined_rooms()) == 20


def test_somebody_who_founds_fifty_groups_at_once_gets_ten(town: Town) -> None:
    founder = Person(town.server, "founder")
    town.staff.limit(founder.user_id, rooms_founded=10).good()
    answers = town.post_all([Request(founder.token, f"{MATRIX}/createRoom")] * 50)
    assert told(answers) == {"done": 10, "too-many-founded": 40}
    assert len(founder.own_rooms()) == 10


def test_what_failed_takes_a_place_for_as_long_as_it_might_have_succeeded(town: Town) -> None:
    founder, member = Person(town.server, "founder"), Person(town.server, "member")
    host = Person(town.server, "host")
    room = host.found_group(room_version="11")
    member.join(room).good()
    town.staff.limit(founder.user_id, rooms_founded=5).good()
    town.staff.limit(member.user_id, rooms_founded=1).good()
    too_large = {"creation_content": {"org.example.text": "x" * 70_000}}
    failed = town.post_all([Request(founder.token, f"{MATRIX}/createRoom", too_large)] * 5)
    assert {answer.status for answer in failed} == {413}, failed
    refused(founder.found(), "too-many-founded")
    assert member.upgrade(room, "12").status == 403  # by Synapse, before it asks us: they may not
    assert member.found(**too_large).status == 413
    refused(member.found(), "too-many-founded")

    assert poll(lambda: member.found().ok, seconds=RESERVED_S + 10, every=1)
    answers = town.post_all([Request(founder.token, f"{MATRIX}/createRoom")] * 8)
    assert told(answers) == {"done": 5, "too-many-founded": 3}


def test_an_upgrade_that_failed_takes_a_place_until_its_promise_lapses_and_the_next_one_takes_no_more(
    town: Town,
) -> None:
    founder, admin = Person(town.server, "founder"), Person(town.server, "admin")
    levels = {"users": {founder.user_id: 100, admin.user_id: 100}}
    own, other = (founder.found_group(room_version="11", power_level_content_override=levels) for _ in range(2))
    admin.join(own).good()
    admin.join(other).good()
    town.staff.limit(founder.user_id, rooms_founded=3).good()
    town.staff.limit(admin.user_id, rooms_founded=1).good()
    # Too large for an event, which Synapse finds out when it makes the new room: after it asked us.
    creators = [f"@{'x' * 200}{number}:localhost" for number in range(400)]
    for person, room in ((founder, own), (admin, other)):
        path = f"{MATRIX}/rooms/{quote(room)}/upgrade"
        assert person.call("POST", path, {"new_version": "12", "additional_creators": creators}).status == 413
        assert person.state(room, "m.room.tombstone").status == 404
        refused(person.found(), "too-many-founded")
    refused(admin.upgrade(own, "12"), "too-many-founded")

    assert poll(lambda: admin.upgrade(other, "12").ok, seconds=RESERVED_S + 10, every=1)
    refused(admin.found(), "too-many-founded")
    founder.upgrade(own, "12").good()
    founder.found().good()
    refused(founder.found(), "too-many-founded")
