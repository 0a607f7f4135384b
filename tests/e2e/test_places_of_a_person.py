# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The limits of groups founded and joined are those of a person, and only groups count (article 8.1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Person, Staff, refused

FOUNDED, JOINED = "rooms_founded", "rooms_joined"


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    quotas = {FOUNDED: 2, JOINED: 3}
    return start_homeserver(module_config={"mode": "enforce", "federation": "closed", "quotas": quotas})


@pytest.fixture(scope="module")
def host(server: Homeserver, staff: Staff) -> Person:
    """Somebody whose groups the others join."""
    host = Person(server, "host")
    staff.limit(host.user_id, rooms_founded=100, rooms_joined=100).good()
    return host


@pytest.mark.parametrize("version", ["10", "11", "12"])
def test_a_person_founds_as_many_groups_as_they_may(server: Homeserver, staff: Staff, version: str):
    founder, member = Person(server, "founder"), Person(server, "member")
    first, second = (founder.found_group(room_version=version) for _ in range(2))
    body = refused(founder.found(room_version=version), "too-many-founded")
    assert "2 founded, 2 allowed" in body["error"]
    assert founder.own_rooms() == {first, second}

    member.join(first).good()
    founder.leave(first).good()
    refused(founder.found(room_version=version), "too-many-founded")  # the group goes on without its founder
    member.leave(first).good()
    third = founder.found_group(room_version=version)

    with staff.dry():
        founder.found_group(room_version=version)
    assert staff.counted(founder.user_id, "too-many-founded", dry=True) == 1
    assert staff.counted(founder.user_id, "too-many-founded", dry=False) == 2
    assert staff.used(founder.user_id, FOUNDED) == 3
    assert third in founder.joined_rooms()


def test_a_person_joins_as_many_groups_as_they_may(server: Homeserver, staff: Staff, host: Person):
    person = Person(server, "person")
    groups = [host.found_group() for _ in range(5)]
    own = person.found_group()  # to found a group is to be in it
    for group in groups[:2]:
        person.join(group).good()
    body = refused(person.join(groups[2]), "too-many-joined")
    assert "3 joined, 3 allowed" in body["error"]
    refused(person.found(), "too-many-joined")
    person.join(groups[0]).good()  # who is in it takes no second place

    with staff.dry():
        person.join(groups[4]).good()
    assert staff.counted(person.user_id, "too-many-joined", dry=True) == 1
    assert staff.counted(person.user_id, "too-many-joined", dry=False) == 2

    person.leave(groups[4]).good()
    refused(person.join(groups[2]), "too-many-joined")
    person.leave(own).good()
    person.join(groups[2]).good()
    staff.limit(person.user_id, rooms_joined=4).good()
    person.join(groups[3]).good()
    refused(person.join(groups[4]), "too-many-joined")


def test_an_override_holds_for_the_account_until_it_is_taken_back(server: Homeserver, staff: Staff):
    founder = Person(server, "founder")
    staff.limit(founder.user_id, rooms_founded=0).good()
    refused(founder.found(), "too-many-founded")
    staff.limit(founder.user_id, rooms_founded=3).good()
    for _ in range(3):
        founder.found_group()
    refused(founder.found(), "too-many-founded")
    staff.limit(founder.user_id, rooms_founded=None).good()
    body = refused(founder.found(), "too-many-founded")
    assert "3 founded, 2 allowed" in body["error"]
    assert staff.account(founder.user_id)["quotas"][FOUNDED] == {"used": 3, "limit": 2, "override": None}


def test_accounts_of_one_person_share_the_places(server: Homeserver, staff: Staff, host: Person):
    one, other, stranger = (Person(server, "linked") for _ in range(3))
    for account in (one, other):
        staff.verify(account.user_id, reference="a number of the organisation").good()
    staff.verify(stranger.user_id, reference="another number").good()
    assert staff.account(one.user_id)["linked_accounts"] == [other.user_id]

    one.found_group()
    theirs = other.found_group()
    for account in (one, other):
        refused(account.found(), "too-many-founded")
        assert staff.used(account.user_id, FOUNDED) == 2
    stranger.found_group()

    shared, third = host.found_group(), host.found_group()
    one.join(shared).good()
    other.join(shared).good()  # the same group: no further place
    refused(other.join(third), "too-many-joined")

    staff.limit(other.user_id, rooms_founded=3, rooms_joined=4).good()
    one.found_group()  # the person's limit
    staff.limit(one.user_id, rooms_joined=5).good()
    other.join(third).good()
    refused(other.found(), "too-many-founded")

    staff.unverify(other.user_id).good()
    assert staff.account(one.user_id)["linked_accounts"] == []
    assert staff.used(other.user_id, FOUNDED) == 1
    other.leave(third).good()
    other.found_group()
    assert theirs in other.joined_rooms()


def test_spaces_and_direct_chats_take_no_place(server: Homeserver, staff: Staff):
    founder, guest = Person(server, "founder"), Person(server, "guest")
    chats = [founder.found(is_direct=True, invite=[guest.user_id]).room_id for _ in range(4)]
    spaces = [founder.found_group(creation_content={"type": "m.space"}) for _ in range(4)]
    for room in (*chats, *spaces):
        guest.join(room).good()
    for account in (founder, guest):
        assert {quota["used"] for quota in staff.account(account.user_id)["quotas"].values()} == {0}
    founder.found_group()
    assert [staff.used(founder.user_id, quota) for quota in (FOUNDED, JOINED)] == [1, 1]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"room_version": "none such"}, 400),
        ({"room_alias_name": "taken"}, 400),
        ({"room_alias_name": "of two words"}, 400),
        ({"invite": ["nobody"]}, 400),
        ({"creation_content": "a text"}, 400),
    ],
)
def test_a_founding_that_fails_takes_no_place(server: Homeserver, host: Person, wrong: dict[str, object], status: int):
    host.set_alias(host.found_group(), "#taken:localhost")
    founder = Person(server, "founder")
    for _ in range(4):
        answer = founder.found(**wrong)
        assert (answer.status, answer.code) == (status, None), answer.body
    assert founder.own_rooms() == set()
    assert len({founder.found_group() for _ in range(2)}) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"creation_content": {"org.groupreg.founding": {"id": "x", "kind": "direct"}}},
        {"initial_state": [{"type": "org.groupreg.labels", "state_key": "", "content": {}}]},
    ],
)
def test_no_client_writes_our_keys_at_founding(server: Homeserver, body: dict[str, object]):
    founder = Person(server, "founder")
    refused(founder.found(**body), "reserved-state")
    assert founder.own_rooms() == set()
    founder.found_group(initial_state=[{"type": "org.example.labels", "state_key": "", "content": {}}])


def test_no_client_writes_our_state(server: Homeserver):
    founder = Person(server, "founder")
    room = founder.found_group()
    refused(founder.set_state(room, "org.groupreg.labels", {}), "reserved-state")
    refused(founder.send(room, event_type="org.groupreg.note", text="x"), "reserved-state")
    assert founder.state(room, "org.groupreg.labels").status == 404
    founder.set_state(room, "org.example.labels", {}).good()


def test_new_groups_are_closed_to_other_servers(server: Homeserver, staff: Staff):
    founder, guest = Person(server, "founder"), Person(server, "guest")
    remote = "@somebody:elsewhere.example"
    refused(founder.found(invite=[guest.user_id, remote]), "federation-closed")
    assert founder.own_rooms() == set()
    asked_to_open = founder.found_group(invite=[guest.user_id], creation_content={"m.federate": True})
    assert founder.state(asked_to_open, "m.room.create").good()["m.federate"] is False
    assert staff.room(asked_to_open)["federated"] is False
    with staff.dry():
        open_room = founder.found(preset="public_chat")
    assert staff.room(open_room.room_id)["federated"] is True  # `m.federate` is for ever: a dry run must not set it
