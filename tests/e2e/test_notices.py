# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Refusals that clients hide are explained in a direct room: visible at once, seldom, in the person's language."""

from typing import Any
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.process import RigError

from .client import MATRIX, Client, Person, Staff, poll, refused

CONFIG = {
    "mode": "enforce",
    "federation": "closed",
    "quotas": {"rooms_founded": 1},
    "identity": {"required": {"post": "contact"}},
}


@pytest.fixture(scope="module")
def server(start_homeserver) -> Homeserver:
    # Rooms are encrypted by default here: the direct room with the server is not, or it could not be read back.
    return start_homeserver(module_config=CONFIG, settings={"encryption_enabled_by_default_for_room_type": "all"})


@pytest.fixture(scope="module")
def group(server: Homeserver, staff: Staff) -> str:
    """A group that anybody may join and read, called Chess."""
    founder = Person(server, "founder")
    staff.verify(founder.user_id)
    return founder.found_group(name="Chess")


def told(person: Person) -> list[str]:
    """What the server's own account told a person in rooms that they are joined to."""
    said = []
    for room in person.joined_rooms():  # a second sync from the start would be answered from Synapse's cache
        events = person.messages(room).good()["chunk"]
        said += [
            one["content"]["body"]
            for one in events
            if one["sender"].startswith("@groupreg:") and "body" in one["content"]
        ]
    return said


def sent(staff: Staff, person: Person) -> list[dict[str, Any]]:
    """The notices that a person got."""
    found: list[dict[str, Any]] = staff.groupreg("GET", "notices", account=person.user_id, state="sent").good()[
        "notices"
    ]
    return found


def test_a_refused_message_is_explained_in_a_room_that_needs_no_accepting(server: Homeserver, staff: Staff, group: str):
    person = Person(server, "unverified")
    person.join(group).good()
    answer = refused(person.send(group), "identity-required")
    said = poll(lambda: told(person))
    assert len(said) == 1
    assert "Chess" in said[0]
    assert said[0].endswith(answer["error"])
    direct = person.call("GET", f"{MATRIX}/user/{quote(person.user_id)}/account_data/m.direct").good()
    (room_id,) = direct[server.user_id("groupreg")]
    assert room_id in person.joined_rooms()
    assert person.state(room_id, "m.room.encryption").status == 404
    assert [one["code"] for one in sent(staff, person)] == ["identity-required"]
    below = staff.groupreg("GET", "plan").good()["accounts"]["below_post"]
    assert below == 1  # this person, and not the account that told them
    # The account may answer there, and the room takes no place of anybody's.
    view = staff.groupreg("GET", f"accounts/{quote(person.user_id)}").good()
    assert view["quotas"]["rooms_joined"]["used"] == 1


def test_a_flood_brings_one_message(server: Homeserver, group: str):
    person = Person(server, "flooder")
    person.join(group).good()
    for _ in range(10):
        refused(person.send(group), "identity-required")
    poll(lambda: told(person))
    refused(person.send(group), "identity-required")
    last = Person(server, "last")
    last.join(group).good()
    refused(last.send(group), "identity-required")
    poll(lambda: told(last))  # notices go out in order: one more to the first would have come before
    assert len(told(person)) == 1


def test_a_refused_founding_is_explained_in_the_persons_language(server: Homeserver, staff: Staff):
    person = Person(server, "founder")
    staff.verify(person.user_id)
    person.found_group()
    path = f"{MATRIX}/user/{quote(person.user_id)}/account_data/org.groupreg.settings"
    person.call("PUT", path, {"language": "ko"}).good()
    answer = refused(person.found(preset="public_chat"), "too-many-founded")
    (said,) = poll(lambda: told(person))
    assert said.startswith("새 그룹")
    assert said.endswith(answer["error"])


def test_who_left_the_room_is_invited_again_and_not_dragged_back(server: Homeserver, staff: Staff, group: str):
    person = Person(server, "leaver")
    person.join(group).good()
    refused(person.send(group), "identity-required")
    poll(lambda: told(person))
    (room_id,) = person.joined_rooms() - {group}
    person.leave(room_id).good()
    refused(person.found(preset="public_chat"), "identity-required")
    assert poll(lambda: len(sent(staff, person)) == 2)
    assert set(person.sync().good()["rooms"]["invite"]) == {room_id}


def test_a_deactivated_account_holds_nothing_up(server: Homeserver, staff: Staff, group: str):
    server.stop()
    server.restart()
    person = Person(server, "gone")
    person.join(group).good()
    refused(person.send(group), "identity-required")
    staff.call("POST", f"/_synapse/admin/v1/deactivate/{quote(person.user_id)}", {}).good()
    other = Person(server, "other")
    other.join(group).good()
    refused(other.send(group), "identity-required")
    assert poll(lambda: told(other))


def test_the_account_of_the_server_cannot_be_barred_or_registered(server: Homeserver, staff: Staff):
    entry = {"entity": server.user_id("groupreg"), "reason": "x", "basis": "x"}
    assert staff.groupreg("POST", "blacklist", entry).status in (404, 409)
    body = {"username": "groupreg", "password": "x", "auth": {"type": "m.login.dummy"}}
    assert Client(server.url, None).call("POST", f"{MATRIX}/register", body).body["errcode"] in (
        "M_EXCLUSIVE",
        "M_USER_IN_USE",
    )


def test_a_person_who_has_the_name_already_stops_the_start_with_a_sentence(start_homeserver):
    server = start_homeserver()
    server.register("groupreg")
    with pytest.raises(RigError, match=r"notices.account: @groupreg:\S+ is somebody's account already"):
        server.restart(module_config=CONFIG)
