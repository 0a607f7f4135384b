# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The cap of members holds for every way into a group (article 8.1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Answer, Person, Staff, refused

CAP = 2
LOBBY = "#lobby:localhost"


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(
        module_config={"mode": "enforce", "federation": "closed", "quotas": {"members_per_room": CAP}},
        settings={"auto_join_rooms": [LOBBY]},
    )


@pytest.fixture(scope="module")
def staff(server: Homeserver) -> Staff:
    staff = Staff(server)  # the first account: Synapse makes it found the lobby, where all the others come in
    staff.cap(lobby(staff), 1_000).good()
    return staff


def lobby(somebody: Person) -> str:
    found = somebody.call("GET", "/_matrix/client/v3/directory/room/%23lobby%3Alocalhost")
    return str(found.good()["room_id"])


class Group:
    """A full group, its founder, and a member who can make room."""

    def __init__(self, server: Homeserver, staff: Staff, **body: object) -> None:
        self.staff = staff
        self.founder, self.member = Person(server, "founder"), Person(server, "member")
        self.room = self.founder.found(**{"preset": "public_chat", **body}).room_id
        self.founder.invite(self.room, self.member.user_id).good()
        self.member.join(self.room).good()
        self.space = ""


def admit(group: Group, way: str, person: Person) -> None:
    """Give somebody what they need to come in this way, but the place."""
    founder = group.founder
    match way:
        case "id" | "admin":
            rule: dict[str, object] = {"join_rule": "public"}
        case "alias":
            founder.set_alias(group.room, f"#{founder.name}:localhost")
            return
        case "invite":
            rule = {"join_rule": "invite"}
        case "space":
            group.space = group.space or founder.found_group(creation_content={"type": "m.space"})
            person.join(group.space).good()
            rule = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": group.space}]}
        case "knock":
            rule = {"join_rule": "knock"}
    founder.set_state(group.room, "m.room.join_rules", rule).good()
    if way == "knock":
        person.knock(group.room).good()  # to ask takes no place, and a full group can be asked
    if way in ("invite", "knock"):
        founder.invite(group.room, person.user_id).good()


def enter(group: Group, way: str, person: Person) -> Answer:
    if way == "admin":
        return group.staff.admin_api("POST", f"v1/join/{group.room}", {"user_id": person.user_id})
    return person.join(f"#{group.founder.name}:localhost" if way == "alias" else group.room)


@pytest.mark.parametrize("way", ["id", "alias", "invite", "space", "knock", "admin"])
def test_nobody_enters_a_full_group(server: Homeserver, staff: Staff, way: str):
    group = Group(server, staff)
    late, later = Person(server, "late"), Person(server, "later")
    admit(group, way, late)
    admit(group, way, later)
    body = refused(enter(group, way, late), "room-full")
    assert "2 of 2" in body["error"]
    assert group.room not in late.joined_rooms()

    with staff.dry():
        enter(group, way, later).good()
    assert staff.counted(later.user_id, "room-full", dry=True) == 1

    # One over the cap now: the first to go makes no place yet, the second does.
    later.leave(group.room).good()
    refused(enter(group, way, late), "room-full")
    assert staff.counted(late.user_id, "room-full", dry=False) == 2
    group.member.leave(group.room).good()
    enter(group, way, late).good()
    assert group.founder.members(group.room) == {group.founder.user_id, late.user_id}


@pytest.mark.parametrize("version", ["10", "11", "12"])
def test_the_cap_holds_in_each_room_version(server: Homeserver, staff: Staff, version: str):
    group = Group(server, staff, room_version=version)
    late = Person(server, "late")
    refused(late.join(group.room), "room-full")
    staff.cap(group.room, CAP + 1).good()
    late.join(group.room).good()
    assert staff.room(group.room)["room_version"] == version


def test_who_registers_does_not_enter_a_full_lobby(server: Homeserver, staff: Staff):
    room = lobby(staff)
    staff.cap(room, 1).good()
    late = Person(server, "late")
    assert room not in late.joined_rooms()
    assert staff.counted(late.user_id, "room-full", dry=False) == 1
    with staff.dry():
        later = Person(server, "later")
    assert room in later.joined_rooms()
    assert staff.counted(later.user_id, "room-full", dry=True) == 1
    staff.cap(room, 1_000).good()
    assert room in Person(server, "last").joined_rooms()


def test_members_of_a_full_group_change_their_names(server: Homeserver, staff: Staff):
    group = Group(server, staff)
    staff.cap(group.room, 1).good()
    group.member.set_name("Another").good()
    path = f"/_matrix/client/v3/rooms/{group.room}/state/m.room.member/{group.member.user_id}"
    group.member.call("PUT", path, {"membership": "join", "displayname": "Here only"}).good()
    found = group.founder.state(group.room, "m.room.member", group.member.user_id).good()
    assert (found["membership"], found["displayname"]) == ("join", "Here only")
    group.member.join(group.room).good()  # as clients do that lost an answer
    assert not staff.refusals(room_id=group.room)


def test_a_lower_cap_removes_nobody_and_admits_nobody_until_below(server: Homeserver, staff: Staff):
    group = Group(server, staff)
    late = Person(server, "late")
    staff.cap(group.room, 1).good()
    assert group.founder.members(group.room) == {group.founder.user_id, group.member.user_id}
    group.member.send(group.room).good()
    group.member.leave(group.room).good()
    refused(late.join(group.room), "room-full")
    refused(group.member.join(group.room), "room-full")
    staff.cap(group.room, None).good()
    late.join(group.room).good()


def test_a_founding_that_would_not_fit_leaves_nothing_behind(server: Homeserver, staff: Staff):
    founder, *guests = (Person(server, "guest") for _ in range(CAP + 1))
    invite = [guest.user_id for guest in guests]
    body = refused(founder.found(preset="public_chat", invite=invite), "room-full")
    assert "at most 2 members" in body["error"]
    assert founder.own_rooms() == {lobby(staff)}
    assert guests[0].sync().good().get("rooms", {}).get("invite", {}) == {}
    with staff.dry():
        founder.found(preset="public_chat", invite=invite).good()
    assert staff.counted(founder.user_id, "room-full", dry=True) == 1
    room = founder.found(preset="public_chat", invite=invite[:1]).room_id
    guests[0].join(room).good()


def test_strangers_who_try_take_no_place(server: Homeserver, staff: Staff):
    group = Group(server, staff, preset="private_chat")
    guest, banned = Person(server, "guest"), Person(server, "banned")
    staff.cap(group.room, CAP + 1).good()
    group.founder.invite(group.room, guest.user_id).good()
    group.founder.ban(group.room, banned.user_id).good()
    strangers = [Person(server, "stranger") for _ in range(3)]
    for stranger in (*strangers, banned, *strangers):
        answer = stranger.join(group.room)
        # What Synapse itself says of a room that one may not enter: nothing of caps, which would tell of the room.
        expected = "M_BAD_STATE" if stranger is banned else "M_FORBIDDEN"
        assert (answer.status, answer.body["errcode"], answer.code) == (403, expected, None)
    guest.join(group.room).good()
    assert not staff.refusals(room_id=group.room)
    group.founder.unban(group.room, banned.user_id).good()
    group.founder.invite(group.room, banned.user_id).good()
    refused(banned.join(group.room), "room-full")
    guest.leave(group.room).good()
    banned.join(group.room).good()
