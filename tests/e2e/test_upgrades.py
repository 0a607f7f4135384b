# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An upgrade is the same group in a new room: it keeps its founder, cap and place, and its old room closes (8.1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import frozen

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Answer, Person, Staff, poll, refused

FOUNDED = "rooms_founded"
# Upkeep looks every 5 s, and gives an upgrade 10 s to finish.
CLOSING_SECONDS = 40
STEPS = {"10": "11", "11": "12", "12": "12"}


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    rules = {"mode": "enforce", "federation": "closed", "quotas": {FOUNDED: 1}}
    # Further creators are the way to make an upgrade fail half-way: let them by, to see what else holds then.
    return start_homeserver(module_config={**rules, "dry_run": ["further-creators"]})


@frozen
class Upgraded:
    """A group with a cap of its own, upgraded by its founder, who is at their limit."""

    founder: Person
    member: Person
    old: str
    new: str


def upgraded(server: Homeserver, staff: Staff, version: str) -> Upgraded:
    founder, member = Person(server, "founder"), Person(server, "member")
    old = founder.found_group(room_version=version)
    member.join(old).good()
    staff.cap(old, 3).good()
    new = founder.upgrade(old, STEPS[version]).good()["replacement_room"]
    return Upgraded(founder, member, old, new)


@pytest.fixture(scope="module")
def groups(server: Homeserver, staff: Staff) -> dict[str, Upgraded]:
    """All upgraded at the start, so that their closing is waited for once."""
    return {version: upgraded(server, staff, version) for version in STEPS}


@pytest.fixture(scope="module")
def retracted(server: Homeserver, staff: Staff) -> Upgraded:
    """An upgrade whose founder tries to take the tombstone back at once, to keep both rooms."""
    group = upgraded(server, staff, "11")
    elsewhere = {"body": "", "replacement_room": "!elsewhere:localhost"}
    refused(group.founder.set_state(group.old, "m.room.tombstone", elsewhere), "room-replaced")
    states = group.founder.call("GET", f"/_matrix/client/v3/rooms/{group.old}/state").good()
    tombstone = next(state for state in states if state["type"] == "m.room.tombstone")
    group.founder.redact(group.old, tombstone["event_id"]).good()
    return group


@pytest.fixture(scope="module", autouse=True)
def _begin_to_wait(groups: dict[str, Upgraded], retracted: Upgraded) -> None:
    assert groups
    assert retracted


def closed(group: Upgraded) -> bool:
    def say() -> Answer | None:
        answer = group.founder.send(group.old)
        return answer if not answer.ok else None

    answer = poll(say, seconds=CLOSING_SECONDS, every=0.5)
    return answer is not None and answer.code == "room-replaced"


def test_a_second_upgrade_makes_no_second_successor(groups: dict[str, Upgraded]):
    group = groups["10"]
    # Synapse remembers its answer for some minutes; after that we refuse, see the story of the restart.
    assert group.founder.upgrade(group.old, "12").good()["replacement_room"] == group.new
    refused(group.founder.found(), "too-many-founded")


def test_the_upgrade_of_another_admin_takes_a_place_of_theirs(server: Homeserver, staff: Staff):
    founder, admin = Person(server, "founder"), Person(server, "admin")
    levels = {"users": {admin.user_id: 100}}
    room = founder.found(
        preset="public_chat",
        room_version="11",
        power_level_content_override={"users": {**levels["users"], founder.user_id: 100}},
    ).room_id
    admin.join(room).good()
    own = admin.found_group()
    refused(admin.upgrade(room, "11"), "too-many-founded")
    assert founder.state(room, "m.room.tombstone").status == 404

    with staff.dry():
        admin.upgrade(room, "11").good()
    assert staff.counted(admin.user_id, "too-many-founded", dry=True) == 1
    assert staff.used(admin.user_id, FOUNDED) == 2
    assert own in admin.joined_rooms()


def test_another_admin_with_a_place_may_upgrade(server: Homeserver, staff: Staff):
    founder, admin = Person(server, "founder"), Person(server, "admin")
    levels = {"users": {admin.user_id: 100, founder.user_id: 100}}
    room = founder.found_group(room_version="11", power_level_content_override=levels)
    admin.join(room).good()
    new = admin.upgrade(room, "11").good()["replacement_room"]
    assert staff.room(new)["founder"] == admin.user_id
    refused(admin.found(), "too-many-founded")


def test_an_upgrade_that_fails_takes_no_place_and_may_be_tried_again(server: Homeserver):
    founder, member = Person(server, "founder"), Person(server, "member")
    old = founder.found_group(room_version="11")
    member.join(old).good()
    assert founder.upgrade(old, "none such").status == 400
    assert member.upgrade(old, "12").status == 403
    refused(founder.found(), "too-many-founded")
    founder.upgrade(old, "12").good()


def test_a_small_group_stays_a_group_when_it_is_upgraded(server: Homeserver, staff: Staff):
    founder, guest = Person(server, "founder"), Person(server, "guest")
    old = founder.found(preset="private_chat", invite=[guest.user_id], room_version="11").room_id
    guest.join(old).good()
    new = founder.upgrade(old, "12").good()["replacement_room"]
    assert staff.room(new)["kind"] == "group"
    assert staff.used(founder.user_id, FOUNDED) == 1
    refused(founder.found(), "too-many-founded")


def test_a_direct_chat_stays_one_when_it_is_upgraded(server: Homeserver, staff: Staff):
    founder, guest = Person(server, "founder"), Person(server, "guest")
    old = founder.found(is_direct=True, invite=[guest.user_id], room_version="11").room_id
    guest.join(old).good()
    new = founder.upgrade(old, "12").good()["replacement_room"]
    founder.invite(new, guest.user_id).good()
    guest.join(new).good()
    assert (staff.room(new)["kind"], staff.used(founder.user_id, FOUNDED)) == ("direct", 0)


def test_upgrades_that_are_made_to_fail_leave_no_rooms_beyond_the_limit(server: Homeserver, staff: Staff):
    founder, banned = Person(server, "founder"), Person(server, "banned")
    old = founder.found_group(room_version="11")
    founder.ban(old, banned.user_id).good()
    # Nobody may ban a creator of a room of version 12, so Synapse gives up after it has made the new room.
    path = f"/_matrix/client/v3/rooms/{old}/upgrade"
    body = {"new_version": "12", "additional_creators": [banned.user_id]}
    answers = [founder.call("POST", path, body) for _ in range(3)]
    assert {answer.status for answer in answers} == {403}
    assert [answer.code for answer in answers] == [None, "too-many-founded", "too-many-founded"]
    assert staff.used(founder.user_id, FOUNDED) <= 2
    assert len(founder.own_rooms()) <= 2


@pytest.mark.parametrize("version", STEPS)
def test_the_old_room_closes_and_what_was_decided_about_it_goes_over(
    server: Homeserver, staff: Staff, groups: dict[str, Upgraded], version: str
):
    group = groups[version]
    assert closed(group)
    refused(group.member.send(group.old), "room-replaced")
    refused(Person(server, "late").join(group.old), "room-replaced")
    group.member.leave(group.old).good()

    assert staff.room(group.old)["successor"] == group.new
    there = staff.room(group.new)
    assert (there["predecessor"], there["founder"]) == (group.old, group.founder.user_id)
    assert there["room_version"] == STEPS[version]
    assert there["quotas"]["members"] == {"used": 1, "limit": 3, "override": 3}
    assert staff.used(group.founder.user_id, FOUNDED) == 1
    assert staff.used(group.founder.user_id, "rooms_joined") == 1
    refused(group.founder.found(), "too-many-founded")
    group.founder.upgrade(group.new, "12").good()  # an upgrade of the successor is one of its own
    for _ in range(2):
        Person(server, "member").join(group.new).good()
    refused(Person(server, "late").join(group.new), "room-full")


def test_taking_the_tombstone_back_keeps_no_two_rooms(staff: Staff, retracted: Upgraded):
    founder = retracted.founder
    assert closed(retracted)
    assert staff.used(founder.user_id, FOUNDED) == 1
    refused(founder.found(), "too-many-founded")
