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
WAYS = ("public", "invite", "space", "knock", "alias")


@pytest.fixture(scope="module")
def town(start_workers: Callable[..., WorkerHomeserver]) -> Town:
    quotas = {"members_per_room": 1_000, "rooms_joined": 1_000, "rooms_founded": 1_000}
    config = {"mode": "enforce", "federation": "closed", "quotas": quotas}
    return Town.of(start_workers(module_config=config), rooms=0).over_workers()


@pytest.mark.parametrize("ways", [*([way] for way in WAYS), ["invite", "space", "knock", "alias"]], ids="-".join)
def test_ten_crowds_of_two_hundred_take_fifty_places_each(town: Town, ways: list[str]) -> None:
    crowd = Crowd(town, 200)
    for _ in range(10):
        crowd.rush(50, ways)


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
