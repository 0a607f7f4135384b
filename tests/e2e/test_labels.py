# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups say in their state who is what: from their founding on, in every room version, and by nobody but us (8.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from attrs import frozen

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Answer, Person, Staff, poll, refused

VERSIONS = ["9", "10", "11", "12"]
LABELS, TAGS = "org.groupreg.labels", "in.cinny.room.power_level_tags"
RULES = {"mode": "enforce", "federation": "closed"}
MANAGER, MEMBER, FOUNDER = "管理者 / Manager", "成员 / Member", "建立者 / Founder"
# Upkeep looks every 5 s, and gives an upgrade 10 s to finish.
CLOSING_SECONDS = 40


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config={**RULES, "labels": {"enabled": True, "languages": ["zh-CN", "en"]}})


@pytest.fixture
def older(staff: Staff, founder: Person) -> str:
    return found_older(staff, founder)


def found_older(staff: Staff, founder: Person) -> str:
    """A group from a time in which nothing was labelled."""
    with staff.dry():
        return founder.found_group(room_version="11")


@frozen
class Upgraded:
    """Successors of a labelled group and of an older one, all of the same founder."""

    founder: Person
    labelled: str
    older: str
    plain: str
    """What took the place of `older`."""


@pytest.fixture(scope="module", autouse=True)
def upgraded(server: Homeserver, staff: Staff) -> Upgraded:
    """Upgraded at the start, so that nobody has to wait for the closing of the old rooms."""
    founder = Person(server, "founder")
    room, older = founder.found_group(room_version="11"), found_older(staff, founder)
    labelled, plain = (founder.upgrade(old, "12").good()["replacement_room"] for old in (room, older))
    return Upgraded(founder, labelled, older, plain)


def label(person: Person, room: str, **query: object) -> Answer:
    return person.groupreg("PUT", f"rooms/{quote(room)}/labels", {"reason": "asked for"}, **query)


def tags(person: Person, room: str) -> dict[str, str]:
    return {level: tag["name"] for level, tag in person.state(room, TAGS).good().items()}


def promote(founder: Person, room: str, levels: dict[str, int]) -> None:
    content = founder.state(room, "m.room.power_levels").good()
    founder.set_state(room, "m.room.power_levels", {**content, "users": {**content["users"], **levels}}).good()


@pytest.mark.smoke
@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_group_names_its_founder_and_the_roles(founder: Person, version: str):
    room = founder.found_group(room_version=version)
    ours = founder.state(room, LABELS).good()
    assert ours["founder"] == founder.user_id
    assert ours["levels"] == {"0": "member", "50": "manager"}
    assert ours["words"]["zh-CN"] == {"founder": "建立者", "manager": "管理者", "member": "成员"}
    shown = tags(founder, room)
    assert (shown["0"], shown["50"]) == (MEMBER, MANAGER)
    assert shown["100"] == (MANAGER if version == "12" else FOUNDER)

    levels = founder.state(room, "m.room.power_levels").good()
    # Element: Admin for 100 and, since version 12, Owner for creators, who may stand in no list.
    assert levels["users"] == ({} if version == "12" else {founder.user_id: 100})


@pytest.mark.parametrize("version", VERSIONS)
def test_roles_follow_the_power_levels_and_the_labels_stay_right(
    staff: Staff, founder: Person, member: Person, version: str
):
    room = founder.found_group(room_version=version)
    founder.set_name("Fiona").good()
    member.set_name("Mo").good()
    member.join(room).good()
    assert staff.room(room)["managers"] == []
    before = founder.state(room, LABELS).good()
    promote(founder, room, {member.user_id: 50})
    found = staff.room(room)
    assert (found["founder"], found["managers"]) == (founder.user_id, [member.user_id])
    assert found["names"] == {founder.user_id: "Fiona", member.user_id: "Mo"}
    assert found["labels"] == tags(founder, room)
    assert founder.state(room, LABELS).good() == before

    founder.set_state(room, "m.room.member", {"membership": "join", "displayname": "Boss"}, founder.user_id).good()
    promote(founder, room, {member.user_id: 49})
    found = staff.room(room)
    assert (found["managers"], found["names"]) == ([], {founder.user_id: "Boss"})


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_client_says_at_founding_is_overwritten(founder: Person, version: str):
    spoof = [
        {"type": kind, "state_key": key, "content": {"100": {"name": "King"}}}
        for kind in (LABELS, TAGS)
        for key in ("", "x")
    ]
    room = founder.found_group(room_version=version, initial_state=spoof, topic="kept")
    assert founder.state(room, LABELS).good()["founder"] == founder.user_id
    assert "King" not in tags(founder, room).values()
    assert founder.state(room, TAGS, "x").status == 404
    assert founder.state(room, "m.room.topic").good()["topic"] == "kept"


def test_nobody_writes_labels_later(staff: Staff, founder: Person):
    room = founder.found_group()
    for kind in (LABELS, TAGS):
        for key in ("", "x"):
            refused(founder.set_state(room, kind, {"0": {"name": "King"}}, key), "reserved-state")
        state = founder.call("GET", f"/_matrix/client/v3/rooms/{quote(room)}/state").good()
        event_id = next(event["event_id"] for event in state if event["type"] == kind)
        refused(founder.redact(room, event_id), "reserved-state")
    staff.join(room).good()
    promote(founder, room, {staff.user_id: 100})
    refused(staff.set_state(room, TAGS, {}), "reserved-state")
    assert founder.state(room, LABELS).good()["founder"] == founder.user_id
    assert MANAGER in tags(founder, room).values()


@pytest.mark.parametrize("version", ["11", "12"])
def test_a_direct_chat_is_left_alone(staff: Staff, founder: Person, member: Person, version: str):
    room = founder.found(
        is_direct=True, preset="trusted_private_chat", invite=[member.user_id], room_version=version
    ).room_id
    member.join(room).good()
    assert staff.room(room)["kind"] == "direct"
    assert founder.state(room, LABELS).status == 404
    made = founder.state(room, "m.room.create").good()
    assert made.get("additional_creators") == ([member.user_id] if version == "12" else None)
    member.set_state(room, TAGS, {"100": {"name": "Friend"}}).good()
    assert label(founder, room).status == 409
    # Its own upgrade may name both again.
    if version == "12":
        body = {"new_version": "12", "additional_creators": [member.user_id]}
        founder.call("POST", f"/_matrix/client/v3/rooms/{quote(room)}/upgrade", body).good()


@pytest.mark.parametrize("version", ["11", "12"])
def test_levels_that_leave_the_founder_too_low_make_no_half_room(founder: Person, version: str):
    strict = founder.found_group(room_version=version, power_level_content_override={"events": {TAGS: 101}})
    assert founder.state(strict, LABELS).status == (200 if version == "12" else 404)
    assert founder.state(strict, "m.room.history_visibility").ok
    assert founder.joined_rooms() == {strict}


def test_a_founder_named_in_the_levels_of_version_12_founds_a_whole_group(founder: Person, member: Person):
    for body in (
        {"power_level_content_override": {"users": {founder.user_id: 100, member.user_id: 50}}},
        {
            "initial_state": [
                {
                    "type": "m.room.power_levels",
                    "state_key": "",
                    "content": {"users": {founder.user_id: 100, member.user_id: 50}},
                }
            ]
        },
    ):
        room = founder.found_group(room_version="12", name="whole", **body)
        assert founder.state(room, "m.room.power_levels").good()["users"] == {member.user_id: 50}
        assert founder.state(room, "m.room.name").good()["name"] == "whole"


def test_a_dry_run_shapes_nothing(staff: Staff, founder: Person, member: Person, older: str):
    assert founder.state(older, LABELS).status == 404
    founder.set_state(older, TAGS, {"100": {"name": "Old"}})
    with staff.dry():
        founder.set_state(older, TAGS, {"100": {"name": "Old"}}).good()
        body = {"preset": "trusted_private_chat", "invite": [member.user_id], "room_version": "12"}
        room = founder.found(**body).room_id
    assert founder.state(room, "m.room.create").good()["additional_creators"] == [member.user_id]
    member.join(room).good()
    assert staff.room(room)["managers"] == [member.user_id]


def test_a_founder_has_an_older_group_labelled(staff: Staff, founder: Person, member: Person, older: str):
    member.join(older).good()
    promote(founder, older, {member.user_id: 60})
    tried = label(founder, older, dry_run="true").good()
    assert (tried["dry_run"], tried["changed"], tried["before"]) == (True, True, {"labels": None})
    assert founder.state(older, LABELS).status == 404
    assert staff.acts(subject=older, action="label") == []

    done = label(founder, older).good()
    assert done["after"] == tried["after"] == {"labels": tags(founder, older)}
    assert tags(founder, older) == {"0": MEMBER, "50": MANAGER, "60": MANAGER, "100": FOUNDER}
    state = founder.call("GET", f"/_matrix/client/v3/rooms/{quote(older)}/state").good()
    assert {event["sender"] for event in state if event["type"] in (LABELS, TAGS)} == {founder.user_id}
    (act,) = staff.acts(subject=older, action="label")
    assert (act["author"], act["reason"], act["after"]) == (founder.user_id, "asked for", done["after"])

    assert label(founder, older).good()["changed"] is False
    assert len(staff.acts(subject=older, action="label")) == 1


def test_nobody_else_has_a_group_labelled(staff: Staff, member: Person, older: str):
    member.join(older).good()
    for person in (member, staff):
        answer = label(person, older)
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    assert label(member, "!none:localhost").body == label(member, older).body
    assert member.state(older, LABELS).status == 404


def test_what_the_founder_may_not_write_is_not_written(founder: Person, member: Person, older: str):
    member.join(older).good()
    promote(founder, older, {member.user_id: 100, founder.user_id: 49})
    assert label(founder, older).status == 409
    promote(member, older, {founder.user_id: 50})
    label(founder, older).good()
    founder.leave(older).good()
    assert label(founder, older).status == 409


def test_a_barred_founder_labels_nothing_and_the_journal_says_so(staff: Staff, founder: Person, older: str):
    staff.bar(founder.user_id).good()
    answer = label(founder, older)
    assert answer.status == 403
    assert founder.state(older, LABELS).status == 404
    last, asked = staff.acts(subject=older, action="label")
    assert asked["author"] == founder.user_id
    assert (last["author"], last["after"]) == ("server", {"labels": None})
    assert last["reason"].startswith("refused: ")


def test_where_labels_are_off_nothing_is_labelled_and_cinnys_are_free(start_homeserver: Callable[..., Homeserver]):
    server = start_homeserver(module_config=RULES)
    founder = Person(server, "founder")
    room = founder.found_group(initial_state=[{"type": TAGS, "state_key": "", "content": {"100": {"name": "Own"}}}])
    assert tags(founder, room) == {"100": "Own"}
    founder.set_state(room, TAGS, {"100": {"name": "New"}}).good()
    assert founder.state(room, LABELS).status == 404
    assert label(founder, room).status == 409
    assert Staff(server).room(room)["labels"] is None


def further(founder: Person, room: str, *named: str) -> Answer:
    body: dict[str, Any] = {"new_version": "12", "additional_creators": list(named)}
    return founder.call("POST", f"/_matrix/client/v3/rooms/{quote(room)}/upgrade", body)


@pytest.mark.parametrize("version", ["10", "11", "12"])
def test_a_group_has_one_founder(server: Homeserver, founder: Person, version: str):
    bob, eve = Person(server, "bob"), Person(server, "eve")
    room = founder.found(
        preset="trusted_private_chat",
        invite=[bob.user_id, eve.user_id],
        room_version=version,
        creation_content={"additional_creators": [eve.user_id]},
    ).room_id
    bob.join(room).good()
    assert "additional_creators" not in founder.state(room, "m.room.create").good()
    levels = founder.state(room, "m.room.power_levels").good()["users"]
    assert levels | {founder.user_id: 100} == dict.fromkeys([founder.user_id, bob.user_id, eve.user_id], 100)
    assert founder.state(room, "m.room.join_rules").good()["join_rule"] == "invite"
    assert tags(founder, room)["100"] == MANAGER  # the founder is not alone there
    if version == "12":
        promote(founder, room, {bob.user_id: 0})
        assert founder.state(room, "m.room.power_levels").good()["users"][bob.user_id] == 0


@pytest.mark.parametrize("version", ["11", "12"])
def test_an_upgrade_names_no_further_creators(staff: Staff, founder: Person, member: Person, version: str):
    room = founder.found_group(room_version=version)
    member.join(room).good()
    refused(further(founder, room, member.user_id), "further-creators")
    assert founder.state(room, "m.room.tombstone").status == 404
    assert founder.own_rooms() == {room}
    assert staff.counted(founder.user_id, "further-creators", dry=False) == 1
    # Another room, for older Synapses repeat what they answered to an upgrade for five minutes.
    another = founder.found_group(room_version=version)
    new = further(founder, another, founder.user_id).good()["replacement_room"]
    assert staff.room(new)["founder"] == founder.user_id


def test_an_upgrade_carries_the_labels_over(staff: Staff, upgraded: Upgraded):
    founder, new, plain = upgraded.founder, upgraded.labelled, upgraded.plain
    assert poll(lambda: founder.state(new, LABELS).ok, seconds=CLOSING_SECONDS, every=0.5)
    assert poll(lambda: founder.state(new, TAGS).ok)
    assert tags(founder, new)["100"] == MANAGER
    (act,) = staff.acts(subject=new, action="label")
    assert (act["author"], act["reason"], act["after"]) == (
        founder.user_id,
        "upgrade",
        {"labels": tags(founder, new)},
    )
    assert poll(lambda: staff.room(upgraded.older)["successor"], seconds=CLOSING_SECONDS) == plain
    assert founder.state(plain, LABELS).status == 404
