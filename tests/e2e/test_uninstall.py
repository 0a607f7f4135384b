# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Taken out again, the module leaves a homeserver that works as before; put back, it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from synapse_groupreg.rig import Homeserver

from .client import Person, Staff, poll, refused

LABELS = "org.groupreg.labels"
CONFIG = {
    "mode": "enforce",
    "federation": "closed",
    "quotas": {"members_per_room": 2, "rooms_founded": 3},
    "labels": {"enabled": True},
}


def without_module(server: Homeserver) -> None:
    """Start it on the same data, with no trace of the module in its configuration."""
    server.stop()
    server.files = attrs.evolve(server.files, module_config=None)
    server.start()


class Used:
    """A server on which everything of the module was used, and the people and rooms of that time."""

    def __init__(self, server: Homeserver) -> None:
        self.server = server
        self.staff = Staff(server)
        self.founder, self.member, self.late = (Person(server, name) for name in ("founder", "member", "late"))
        self.barred, self.strict = Person(server, "barred"), Person(server, "strict")
        self.group = self.founder.found_group(name="Chess")
        self.member.join(self.group).good()
        self.direct = self.founder.found(
            preset="trusted_private_chat", is_direct=True, invite=[self.member.user_id]
        ).room_id
        self.member.join(self.direct).good()
        self.upgraded = self.founder.found_group()
        self.successor = self.founder.upgrade(self.upgraded, "11").good()["replacement_room"]
        self.closed = self.founder.found_group()
        self.staff.verify(self.strict.user_id, "real_name", reference="2024-0117").good()
        self.staff.limit(self.strict.user_id, rooms_founded=0).good()
        self.entry = self.staff.bar(self.barred.user_id, scope="account").good()["id"]
        self.staff.bar(self.closed).good()
        self.told: set[str] = set()


@pytest.fixture(scope="module")
def used(start_homeserver: Callable[..., Homeserver]) -> Used:
    server = start_homeserver(module_config=CONFIG, settings={"room_list_publication_rules": [{"action": "allow"}]})
    used = Used(server)
    refused(used.late.join(used.group), "room-full")
    refused(used.barred.send(used.group), "account-blacklisted")
    refused(used.strict.found(), "too-many-founded")
    refused(used.founder.send(used.closed), "room-blacklisted")
    refused(used.founder.set_state(used.group, LABELS, {}), "reserved-state")
    # The one whose founding was refused is told so in a direct room.
    poll(lambda: used.staff.groupreg("GET", "notices", account=used.strict.user_id, state="sent").good()["notices"])
    used.told = used.strict.joined_rooms()
    without_module(server)
    return used


def test_every_room_goes_on(used: Used) -> None:
    for room in (used.group, used.direct, used.successor, used.closed):
        used.founder.send(room).good()
    used.member.send(used.direct).good()
    assert used.founder.state(used.group, "m.room.name").good() == {"name": "Chess"}
    assert used.founder.state(used.group, LABELS).good()


def test_the_room_with_the_notices_is_a_room_like_others(used: Used) -> None:
    [room] = used.told
    assert "m.room.message" in str(used.strict.messages(room).good())
    used.strict.send(room).good()
    used.strict.leave(room).good()


def test_who_was_refused_is_let_in(used: Used) -> None:
    for person, room in ((used.late, used.group), (used.barred, used.group), (used.strict, used.closed)):
        person.join(room).good()
        person.send(room).good()
    own = used.strict.found_group()
    used.strict.invite(own, used.late.user_id).good()
    used.late.join(own).good()


def test_founders_and_managers_go_on_managing(used: Used) -> None:
    guest = Person(used.server, "guest")
    used.founder.invite(used.group, guest.user_id).good()
    guest.join(used.group).good()
    used.founder.kick(used.group, guest.user_id).good()
    used.founder.ban(used.group, guest.user_id).good()
    used.founder.unban(used.group, guest.user_id).good()
    used.founder.set_state(used.group, "m.room.topic", {"topic": "openings"}).good()
    used.founder.set_state(used.group, LABELS, {}).good()
    used.founder.set_alias(used.group, "#chess:localhost").good()
    used.founder.publish(used.group).good()


def test_people_go_on_with_their_accounts(used: Used) -> None:
    used.barred.set_name("Somebody").good()
    used.barred.sync().good()
    used.member.leave(used.direct).good()
    used.founder.upgrade(used.closed, "12").good()


def test_new_rooms_are_synapses_own(used: Used) -> None:
    room = used.founder.found_group()
    created = used.founder.state(room, "m.room.create").good()
    assert created.get("m.federate", True) is True
    assert [key for key in created if key.startswith("org.groupreg.")] == []
    # What was decided for good while the module was there stays decided.
    assert used.founder.state(used.group, "m.room.create").good()["m.federate"] is False


def test_the_module_serves_nothing_any_more(used: Used) -> None:
    assert used.staff.groupreg("GET", "status").status == 404
    assert used.founder.call("GET", "/_synapse/client/groupreg/rules").status == 404
    assert "Loaded module" not in used.server.process_log().rpartition("STARTING SERVER")[2]


def test_put_back_it_goes_on_where_it_was(used: Used) -> None:
    used.server.restart(module_config=CONFIG)
    refused(used.barred.send(used.group), "account-blacklisted")
    used.staff.lift(used.entry).good()
    used.barred.send(used.group).good()
    # Nobody who came in meanwhile is removed; they count.
    assert used.founder.members(used.group) >= {used.late.user_id, used.barred.user_id}
    refused(Person(used.server, "new").join(used.group), "room-full")
    assert used.staff.account(used.strict.user_id)["assurance"] == "real_name"
