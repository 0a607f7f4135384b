# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Crowds that come through all workers at once, by every way into a group, take all places and no more (8.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import WorkerHomeserver
from tests.e2e.client import MATRIX, Person, at_once, poll, refused
from tests.e2e.town import Request, Town, told

RESERVED_S = 30
WAYS = ("public", "invite", "space", "knock", "alias")


@pytest.fixture(scope="module")
def town(start_workers: Callable[..., WorkerHomeserver]) -> Town:
    quotas = {"members_per_room": 1_000, "rooms_joined": 1_000, "rooms_founded": 1_000}
    config = {"mode": "enforce", "federation": "closed", "quotas": quotas}
    return Town.of(start_workers(module_config=config), rooms=0).over_workers()


class Crowd:
    """People who all want into one group after the other."""

    def __init__(self, town: Town, size: int) -> None:
        self.town = town
        self.founder = Person(town.server, "founder")
        self.people = [person for _ in range(size // 20) for person in at_once([self.somebody] * 20)]
        self.space = self.founder.found_group(creation_content={"type": "m.space"})
        self.post(self.people, f"join/{quote(self.space)}")

    def somebody(self) -> Person:
        return Person(self.town.server, "one")

    def post(self, people: Sequence[Person], path: str) -> None:
        """Have all of them do the same."""
        for answer in self.town.post_all([Request(one.token, f"{MATRIX}/{path}", {}) for one in people]):
            answer.good()

    def group(self, cap: int, ways: Sequence[str]) -> list[tuple[Person, str]]:
        """A group that they may enter in these ways, in turn: who by which address."""
        alias = f"#{self.founder.name}-{ways[0]}-{len(self.founder.joined_rooms())}:localhost"
        room = self.founder.found_group()
        self.founder.set_alias(room, alias).good()
        if "public" not in ways and "alias" not in ways:
            allow = [{"type": "m.room_membership", "room_id": self.space}] if "space" in ways else []
            rule = {"join_rule": "knock_restricted", "allow": allow}
            self.founder.set_state(room, "m.room.join_rules", rule).good()
        by_way = {way: self.people[number :: len(ways)] for number, way in enumerate(ways)}
        self.post(by_way.get("knock", []), f"knock/{quote(room)}")
        for one in (*by_way.get("invite", []), *by_way.get("knock", [])):
            self.founder.invite(room, one.user_id).good()
        self.town.staff.cap(room, cap).good()
        return [(one, alias if way == "alias" else room) for way, people in by_way.items() for one in people]

    def rush(self, cap: int, ways: Sequence[str], *, races: int = 10) -> None:
        """All at once; then one after the other leaves, and of two who come then one finds the place."""
        tries = self.group(cap, ways)
        answers = self.town.post_all([Request(one.token, f"{MATRIX}/join/{quote(where)}") for one, where in tries])
        assert told(answers) == {"done": cap - 1, "room-full": len(tries) - (cap - 1)}
        inside = [one for (one, _), answer in zip(tries, answers, strict=True) if answer.ok]
        outside = [entry for entry, answer in zip(tries, answers, strict=True) if not answer.ok]
        room = next(answer for answer in answers if answer.ok).room_id
        assert self.founder.members(room) == {self.founder.user_id, *(one.user_id for one in inside)}

        refused(outside[0][0].join(outside[0][1]), "room-full")
        for _ in range(races):
            # One process lets one join a room at a time: only two that come by different ones meet at the last place.
            inside.pop().leave(room).good()
            rivals, outside = outside[:2], outside[2:]
            race = [Request(one.token, f"{MATRIX}/join/{quote(where)}") for one, where in rivals]
            assert told(self.town.post_all(race)) == {"done": 1, "room-full": 1}
        assert len(self.founder.members(room)) == cap


def test_a_crowd_takes_as_many_places_as_there_are(town: Town) -> None:
    Crowd(town, 20).rush(9, ["invite", "space", "knock"], races=3)


@pytest.mark.prove
@pytest.mark.parametrize("ways", [*([way] for way in WAYS), ["invite", "space", "knock"]], ids="-".join)
def test_ten_crowds_of_two_hundred_take_fifty_places_each(town: Town, ways: list[str]) -> None:
    crowd = Crowd(town, 200)
    for _ in range(10):
        crowd.rush(50, ways)


@pytest.mark.prove
def test_somebody_who_rushes_into_a_hundred_groups_enters_twenty(town: Town) -> None:
    groups = Town.of(town.server, rooms=100).rooms
    person = Person(town.server, "person")
    town.staff.limit(person.user_id, rooms_joined=20).good()
    answers = town.post_all([Request(person.token, f"{MATRIX}/join/{quote(room)}") for room in groups])
    assert told(answers) == {"done": 20, "too-many-joined": 80}
    assert len(person.joined_rooms()) == 20


@pytest.mark.prove
def test_somebody_who_founds_fifty_groups_at_once_gets_ten(town: Town) -> None:
    founder = Person(town.server, "founder")
    town.staff.limit(founder.user_id, rooms_founded=10).good()
    answers = town.post_all([Request(founder.token, f"{MATRIX}/createRoom")] * 50)
    assert told(answers) == {"done": 10, "too-many-founded": 40}
    assert len(founder.own_rooms()) == 10


@pytest.mark.prove
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
