# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A direct chat is one by its shape, not by what a client says; what loses the shape takes a place (article 8.1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Answer, Person, Staff, refused

FOUNDED = "rooms_founded"


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    quotas = {FOUNDED: 1}
    return start_homeserver(
        module_config={"mode": "enforce", "federation": "closed", "quotas": quotas},
        settings={"room_list_publication_rules": [{"action": "allow"}]},
    )


def direct(founder: Person, guest: Person) -> str:
    room = founder.found(is_direct=True, preset="trusted_private_chat", invite=[guest.user_id]).room_id
    guest.join(room).good()
    return room


@pytest.mark.parametrize(
    "spoof",
    [
        {"invite": ["@a:localhost", "@b:localhost"]},
        {"invite": []},
        {"preset": "public_chat"},
        {"visibility": "public"},
        {"room_alias_name": "spoof"},
        {"initial_state": [{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}]},
    ],
    ids=["two guests", "no guest", "public", "listed", "alias", "knock"],
)
def test_is_direct_alone_makes_no_direct_chat(staff: Staff, founder: Person, guest: Person, spoof: dict[str, object]):
    founder.found_group()
    claim = {"is_direct": True, "preset": "trusted_private_chat", "invite": [guest.user_id], **spoof}
    refused(founder.found(**claim), "too-many-founded")
    staff.limit(founder.user_id, rooms_founded=2).good()
    group = founder.found(**claim).room_id
    assert staff.room(group)["kind"] == "group"
    assert staff.used(founder.user_id, FOUNDED) == 2


def invite_a_third(server: Homeserver, founder: Person, room: str) -> Answer:
    return founder.invite(room, Person(server, "third").user_id)


def publish(_server: Homeserver, founder: Person, room: str) -> Answer:
    return founder.publish(room)


def let_anybody_in(_server: Homeserver, founder: Person, room: str) -> Answer:
    return founder.set_state(room, "m.room.join_rules", {"join_rule": "public"})


def let_anybody_ask(_server: Homeserver, founder: Person, room: str) -> Answer:
    return founder.set_state(room, "m.room.join_rules", {"join_rule": "knock"})


@pytest.mark.parametrize("break_shape", [invite_a_third, publish, let_anybody_in, let_anybody_ask])
def test_a_direct_chat_that_loses_its_shape_is_a_group_for_ever(
    server: Homeserver,
    staff: Staff,
    founder: Person,
    guest: Person,
    break_shape: Callable[[Homeserver, Person, str], Answer],
):
    chat = direct(founder, guest)
    assert (staff.room(chat)["kind"], staff.used(founder.user_id, FOUNDED)) == ("direct", 0)
    group = founder.found_group()
    refused(break_shape(server, founder, chat), "too-many-founded")
    assert staff.room(chat)["kind"] == "direct"
    founder.leave(group).good()

    break_shape(server, founder, chat).good()
    refused(founder.found(), "too-many-founded")
    assert (staff.room(chat)["kind"], staff.used(founder.user_id, FOUNDED)) == ("group", 1)

    # Back in shape, it stays a group: a place once taken is freed when everybody has left.
    founder.set_state(chat, "m.room.join_rules", {"join_rule": "invite"}).good()
    founder.publish(chat, "private").good()
    assert staff.room(chat)["kind"] == "group"
    refused(founder.found(), "too-many-founded")
    founder.leave(chat).good()
    guest.leave(chat).good()
    founder.found_group()


def test_a_dry_run_lets_a_direct_chat_grow_and_counts_it(
    server: Homeserver, staff: Staff, founder: Person, guest: Person
):
    chat = direct(founder, guest)
    founder.found_group()
    with staff.dry():
        invite_a_third(server, founder, chat).good()
    assert staff.counted(founder.user_id, "too-many-founded", dry=True) == 1
    assert (staff.room(chat)["kind"], staff.used(founder.user_id, FOUNDED)) == ("group", 2)


def test_the_guest_of_a_direct_chat_takes_the_founders_place_too(
    server: Homeserver, staff: Staff, founder: Person, guest: Person
):
    chat = direct(founder, guest)
    third = Person(server, "third")
    founder.found_group()
    # Whoever breaks the shape, the group would be its founder's, who has no place for it.
    body = refused(guest.invite(chat, third.user_id), "too-many-founded")
    assert body["error"]
    staff.limit(founder.user_id, rooms_founded=2).good()
    guest.invite(chat, third.user_id).good()
    third.join(chat).good()
    assert (staff.used(founder.user_id, FOUNDED), staff.used(guest.user_id, FOUNDED)) == (2, 0)


def test_a_second_direct_chat_after_the_guest_left_is_still_one(
    server: Homeserver, staff: Staff, founder: Person, guest: Person
):
    chat = direct(founder, guest)
    guest.leave(chat).good()
    founder.invite(chat, Person(server, "another").user_id).good()
    assert staff.room(chat)["kind"] == "direct"


def test_a_predecessor_in_createroom_is_no_upgrade(staff: Staff, founder: Person):
    first = founder.found_group()
    claim = {"predecessor": {"room_id": first, "event_id": "$none"}}
    refused(founder.found(creation_content=claim), "too-many-founded")
    staff.limit(founder.user_id, rooms_founded=2).good()
    second = founder.found_group(creation_content=claim)
    # Not even with the tombstone that an upgrade would have set: the old room stays open, so it takes its place.
    founder.set_state(first, "m.room.tombstone", {"body": "moved", "replacement_room": second}).good()
    refused(founder.found(), "too-many-founded")
    assert staff.used(founder.user_id, FOUNDED) == 2
    founder.send(first).good()
