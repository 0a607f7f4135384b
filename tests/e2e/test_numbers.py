# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A group has a number from its founding on, keeps it when it is upgraded, and is joined by it if anybody may (8.2)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from attrs import frozen

from synapse_groupreg.policy.numbers import NUMBER, alias, read
from synapse_groupreg.rig import Homeserver
from tests.e2e.client import MATRIX, Answer, Client, Person, Staff, poll, refused

RULES = {"mode": "enforce", "federation": "closed"}
CLOSING_SECONDS = 40
OLDER = 6


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config=RULES)


@frozen
class Upgraded:
    """A public group and what took its place."""

    founder: Person
    number: str
    old: str
    new: str


@pytest.fixture(scope="module", autouse=True)
def upgraded(server: Homeserver, staff: Staff) -> Upgraded:
    """Upgraded at the start, so that nobody has to wait for the closing of the old room."""
    founder = Person(server, "founder")
    old = founder.found_group(room_version="11")
    number = number_of(staff, old)
    return Upgraded(founder, number, old, founder.upgrade(old, "12").good()["replacement_room"])


def number_of(staff: Staff, room: str) -> str:
    """The number of a group, as soon as it has one."""
    number = poll(lambda: staff.room(room)["number"])
    assert isinstance(number, str)
    assert read(number) == number
    return number


def look_up(server: Homeserver, name: str) -> Answer:
    """Where an alias leads, as anybody sees it who has no account."""
    return Client(server.url, None).call("GET", f"{MATRIX}/directory/room/{quote(name)}")


def leads_to(server: Homeserver, number: str, room: str | None) -> bool:
    found = look_up(server, alias(number, "localhost"))
    return found.status == 404 if room is None else found.ok and found.body["room_id"] == room


@pytest.mark.smoke
@pytest.mark.parametrize("version", ["9", "12"])
def test_a_public_group_is_founded_with_a_number_and_joined_by_it(
    staff: Staff, founder: Person, member: Person, version: str
):
    room = founder.found_group(room_version=version, name="Chess")
    said = founder.number_in(room)
    assert member.join(alias(said, "localhost")).room_id == room
    assert number_of(staff, room) == said
    assert founder.state(room, "m.room.canonical_alias").good()["alias"] == alias(said, "localhost")
    assert staff.groupreg("GET", f"groups/{said}").good()["room_id"] == room
    assert [one["number"] for one in staff.groupreg("GET", "rooms", search=said).good()["rooms"]] == [said]


def test_another_group_has_a_number_and_no_alias(server: Homeserver, staff: Staff, founder: Person):
    room = founder.found(preset="private_chat").room_id
    said = founder.number_in(room)
    assert number_of(staff, room) == said
    assert founder.state(room, "m.room.canonical_alias").status == 404
    # One is made as soon as anybody may enter, and taken away as soon as nobody may any more.
    founder.set_state(room, "m.room.join_rules", {"join_rule": "public"}).good()
    assert poll(lambda: leads_to(server, said, room))
    founder.set_state(room, "m.room.join_rules", {"join_rule": "invite"}).good()
    assert poll(lambda: leads_to(server, said, None))


def test_a_founders_own_alias_stays_and_the_number_leads_there_too(server: Homeserver, founder: Person):
    room = founder.found_group(room_alias_name=founder.name)
    assert founder.state(room, "m.room.canonical_alias").good()["alias"] == f"#{founder.name}:localhost"
    said = founder.number_in(room)
    assert poll(lambda: leads_to(server, said, room))


def test_direct_chats_and_spaces_have_none(staff: Staff, founder: Person, member: Person):
    direct = founder.found(is_direct=True, preset="trusted_private_chat", invite=[member.user_id]).room_id
    space = founder.found(creation_content={"type": "m.space"}).room_id
    group = founder.found_group()
    assert number_of(staff, group)
    assert [staff.room(one)["number"] for one in (direct, space)] == [None, None]
    assert {founder.number_in(one) for one in (direct, space)} == {""}


def test_nobody_else_writes_a_number_or_makes_an_alias_that_looks_like_one(founder: Person, member: Person):
    room = founder.found(preset="private_chat").room_id
    said = founder.number_in(room)
    refused(founder.set_state(room, NUMBER, {"number": "123456786"}), "reserved-state")
    refused(member.found(initial_state=[{"type": NUMBER, "state_key": "", "content": {}}]), "reserved-state")
    refused(member.found(creation_content={NUMBER: "123456786"}), "reserved-state")
    for number in (said, "123456786"):
        own = member.found(preset="private_chat").room_id
        refused(member.set_alias(own, alias(number, "localhost")), "reserved-state")
    member.set_alias(own, f"#g123456780-{member.name}:localhost").good()


def test_a_level_that_keeps_the_founder_from_writing_makes_no_half_room(staff: Staff, founder: Person):
    levels = {"events": {"m.room.canonical_alias": 101}}
    room = founder.found_group(room_version="11", power_level_content_override=levels)
    assert founder.state(room, "m.room.canonical_alias").status == 404
    assert founder.state(room, "m.room.history_visibility").ok
    assert number_of(staff, room) == founder.number_in(room)


def test_a_dry_run_gives_numbers_and_changes_no_room(server: Homeserver, staff: Staff, founder: Person):
    with staff.dry():
        room = founder.found_group()
        said = number_of(staff, room)
        assert founder.number_in(room) == ""
        assert leads_to(server, said, None)


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.prove)])
def test_groups_from_before_are_numbered_once(start_homeserver: Callable[..., Homeserver], killed: bool):
    server = start_homeserver()
    founder = Person(server, "founder")
    heir = Person(server, "heir")
    older = [founder.found_group(room_version=("11", "12")[n % 2]) for n in range(OLDER)]
    levels = founder.state(older[0], "m.room.power_levels").good()
    heir.join(older[0]).good()
    users = {founder.user_id: 49, heir.user_id: 50}
    founder.set_state(older[0], "m.room.power_levels", {**levels, "users": users}).good()
    closed = founder.found_group(power_level_content_override={"events": {NUMBER: 101}}, room_version="11")
    server.restart(module_config=RULES)
    staff = Staff(server)
    if killed:
        poll(lambda: staff.status()["numbers"]["in_state"])
        server.kill()
        server.restart()
    # One is left out: nobody here may write into its state.
    done = {"given": OLDER + 1, "waiting": 0, "in_state": OLDER, "to_write": 0, "left_out": 1}
    poll(lambda: staff.status()["numbers"] == done, seconds=30)
    assert staff.status()["numbers"] == done
    assert founder.state(closed, NUMBER).status == 404
    given = {room: staff.room(room)["number"] for room in older}
    assert len(set(given.values())) == OLDER
    for room, number in given.items():
        assert founder.state(room, NUMBER).good() == {"number": number}
    state = founder.call("GET", f"{MATRIX}/rooms/{quote(older[0])}/state").good()
    assert [one["sender"] for one in state if one["type"] == NUMBER] == [heir.user_id]
    assert poll(lambda: all(leads_to(server, number, room) for room, number in given.items()))
    if killed:
        server.restart()
        assert {room: staff.room(room)["number"] for room in older} == given


def test_the_successor_carries_the_number(server: Homeserver, staff: Staff, upgraded: Upgraded):
    number, new = upgraded.number, upgraded.new
    assert poll(lambda: staff.room(new)["number"], seconds=CLOSING_SECONDS, every=0.5) == number
    assert staff.room(upgraded.old)["number"] is None
    assert staff.groupreg("GET", f"groups/{number}").good()["room_id"] == new
    assert poll(lambda: leads_to(server, number, new))
    state = poll(lambda: upgraded.founder.state(new, NUMBER).ok and upgraded.founder.state(new, NUMBER))
    assert state.good() == {"number": number}
