# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every kind of measure on a real server: what is refused while it holds, what stays, and that lifting restores all."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests

from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.homeserver_yaml import http_listener
from synapse_groupreg.rig.process import free_port
from tests.e2e.client import MATRIX, Person, Staff, poll, refused
from tests.e2e.measures import ask, impose, in_ms, lift, says, soon, state_of, told, warn

VERSIONS = pytest.mark.parametrize(
    "version", [*(pytest.param(one, marks=pytest.mark.prove) for one in ("9", "10")), "11", "12"]
)
IN_TURN = pytest.mark.parametrize("version", ["11", pytest.param("12", marks=pytest.mark.prove)])
"""For what asks no power level, where a creator of version 12 would stand above it."""
CONFIG = {
    "mode": "enforce",
    "federation": "closed",
    "quotas": {"rooms_founded": 100},
    "measures": {"closed_readable": "3s"},
    "notices": {"budget_per_minute": 10_000},
}
SECRET = "of the form by which people accept the agreement"


@pytest.fixture(scope="module")
def agreement() -> dict[str, Any]:
    """Where people accept the agreement of the server."""
    return http_listener(free_port(), "consent")


@pytest.fixture(scope="module")
def server(
    start_homeserver: Callable[..., Homeserver], tmp_path_factory: pytest.TempPathFactory, agreement: dict[str, Any]
) -> Homeserver:
    terms = tmp_path_factory.mktemp("terms")
    (terms / "en").mkdir()
    (terms / "en" / "success.html").write_text("Thank you.")
    settings = {"form_secret": SECRET, "user_consent": {"version": "2026-01", "template_dir": str(terms)}}
    return start_homeserver(module_config=CONFIG, settings=settings, further_listeners=[agreement])


@pytest.fixture(scope="module")
def second(server: Homeserver, admin: Staff) -> Staff:
    return Staff(server, "second", roles=["reviewer"], granted_by=admin)


@IN_TURN
def test_a_warning_refuses_nothing_and_is_told(reviewer: Staff, member: Person, guest: Person, version: str) -> None:
    group = member.found_group(name="Chess", room_version=version)
    warn(reviewer, group)
    warn(reviewer, guest.user_id)
    member.send(group).good()
    guest.join(group).good()
    guest.send(group).good()
    assert poll(lambda: "warn a group that you look after, in the group “Chess”" in told(member))
    assert poll(lambda: "The staff of this server warn you." in told(guest))
    assert "Put this right until" in told(member)


def test_the_version_of_the_agreement_that_was_accepted_is_named(
    agreement: dict[str, Any], reviewer: Staff, member: Person, guest: Person
) -> None:
    proof = hmac.new(SECRET.encode(), guest.user_id.encode(), "sha256").hexdigest()
    said = {"u": guest.user_id, "h": proof, "v": "2026-01"}
    requests.post(f"http://127.0.0.1:{agreement['port']}/_matrix/consent", said, timeout=10).raise_for_status()
    for person, accepted, what in ((guest, ["2026-01"], "you accepted: 2026-01."), (member, [], "no record")):
        imposed = ask(reviewer, "warning", person.user_id, basis="agreement, clause 4", deadline_ms=soon()).good()
        shown = reviewer.groupreg("GET", f"measures/{imposed['id']}").good()
        assert shown["accepted"] == imposed["after"]["accepted"] == accepted
        assert poll(lambda person=person, what=what: what in told(person))


@VERSIONS
def test_posting_of_somebody_everywhere(reviewer: Staff, member: Person, guest: Person, version: str) -> None:
    group = member.found_group(room_version=version)
    guest.join(group).good()
    direct = guest.found(is_direct=True, invite=[member.user_id]).room_id
    mine = guest.send(group).good()["event_id"]
    number = impose(reviewer, "posting-suspended", guest.user_id, until_ms=soon())
    body = says(guest.send(group), "posting-suspended", number)
    assert "This ends on" in body["error"]
    says(guest.send(group, event_type="m.reaction", a=1), "posting-suspended", number)
    assert poll(lambda: "suspended your posting in all groups" in told(guest))
    guest.send(direct).good()
    guest.redact(group, mine).good()
    guest.call("POST", f"{MATRIX}/rooms/{quote(group)}/report/{quote(mine)}", {"reason": "rude"}).good()
    guest.set_name("still me").good()
    guest.leave(group).good()
    guest.join(group).good()
    lift(reviewer, number)
    guest.send(group).good()
    assert poll(lambda: "Lifted: suspension of posting" in told(guest))


@IN_TURN
def test_posting_of_somebody_in_one_group(reviewer: Staff, member: Person, guest: Person, version: str) -> None:
    one, other = (member.found_group(room_version=version) for _ in range(2))
    for group in (one, other):
        guest.join(group).good()
    number = impose(reviewer, "posting-suspended", guest.user_id, room=one)
    says(guest.send(one), "posting-suspended", number)
    guest.send(other).good()
    lift(reviewer, number)
    guest.send(one).good()


@pytest.mark.prove
def test_an_upgrade_takes_measures_along(reviewer: Staff, member: Person, guest: Person) -> None:
    group = member.found_group()
    guest.join(group).good()
    number = impose(reviewer, "posting-suspended", guest.user_id, room=group)
    new = member.upgrade(group, "12").good()["replacement_room"]
    guest.join(new).good()
    assert poll(lambda: guest.send(new).code == "posting-suspended", seconds=30)
    lift(reviewer, number)
    guest.send(new).good()


@VERSIONS
def test_posting_in_a_group(server: Homeserver, reviewer: Staff, member: Person, guest: Person, version: str) -> None:
    group = member.found_group(room_version=version)
    guest.join(group).good()
    mine = guest.send(group).good()["event_id"]
    number = impose(reviewer, "posting-suspended", group)
    guest.call("POST", f"{MATRIX}/rooms/{quote(group)}/report", {"reason": "rude"}).good()
    for person in (guest, member):
        says(person.send(group), "room-posting-suspended", number)
    says(member.set_state(group, "m.room.topic", {"topic": "x"}), "room-posting-suspended", number)
    says(member.upgrade(group, "12"), "room-posting-suspended", number)
    guest.redact(group, mine).good()
    assert "m.room.create" in str(guest.messages(group).good())
    Person(server).join(group).good()
    member.kick(group, guest.user_id).good()
    assert number in [one["id"] for one in reviewer.room(group)["measures"]]
    lift(reviewer, number)
    member.send(group).good()


@IN_TURN
def test_joining_a_group(server: Homeserver, reviewer: Staff, member: Person, guest: Person, version: str) -> None:
    invited = Person(server)
    group = member.found_group(invite=[invited.user_id], room_version=version)
    before = state_of(member, group)
    number = impose(reviewer, "joining-suspended", group)
    says(guest.join(group), "room-joining-suspended", number)
    says(invited.join(group), "room-joining-suspended", number)
    says(member.invite(group, guest.user_id), "room-joining-suspended", number)
    says(member.upgrade(group, "12"), "room-joining-suspended", number)
    member.send(group).good()
    lift(reviewer, number)
    assert state_of(member, group) == before
    guest.join(group).good()
    invited.join(group).good()


@VERSIONS
def test_management(server: Homeserver, reviewer: Staff, member: Person, guest: Person, version: str) -> None:
    """It binds a creator of version 12 too, whom no power level binds; posting stays."""
    other = Person(server)
    group = member.found_group(room_version=version)
    for person in (guest, other):
        person.join(group).good()
    theirs = guest.send(group).good()["event_id"]
    levels = member.state(group, "m.room.power_levels").good()
    before = state_of(member, group)
    number = impose(reviewer, "management-suspended", member.user_id)
    acts = {
        "kick": member.kick(group, guest.user_id),
        "ban": member.ban(group, guest.user_id),
        "unban": member.unban(group, guest.user_id),
        "by state": member.set_state(group, "m.room.member", {"membership": "ban"}, guest.user_id),
        "levels": member.set_state(group, "m.room.power_levels", {**levels, "users_default": 50}),
        "settings": member.set_state(group, "m.room.topic", {"topic": "mine"}),
        "redaction": member.redact(group, theirs),
        "invite": member.invite(group, Person(server).user_id),
        "publish": member.publish(group),
        "alias": member.set_alias(group, f"#{group[1:9].lower()}:localhost"),
        "upgrade": member.upgrade(group, "12"),
    }
    for answer in acts.values():
        says(answer, "management-suspended", number)
    own = member.send(group).good()["event_id"]
    member.redact(group, own).good()
    assert state_of(member, group) == before
    member.set_name("me").good()
    assert poll(lambda: "suspended your management rights in all groups" in told(member))
    lift(reviewer, number)
    member.redact(group, theirs).good()
    member.kick(group, guest.user_id).good()
    member.set_state(group, "m.room.topic", {"topic": "mine"}).good()


@IN_TURN
def test_founding(reviewer: Staff, member: Person, guest: Person, version: str) -> None:
    group = member.found_group(room_version=version)
    number = impose(reviewer, "founding-revoked", member.user_id)
    says(member.found(), "founding-revoked", number)
    says(member.upgrade(group, "12"), "founding-revoked", number)
    member.found(is_direct=True, invite=[guest.user_id]).good()
    assert poll(lambda: "revoked your right to found groups" in told(member))
    lift(reviewer, number)
    member.found().good()


@VERSIONS
def test_a_closed_group_is_read_for_a_while_and_then_left(
    server: Homeserver, reviewer: Staff, member: Person, guest: Person, version: str
) -> None:
    """Its founder's place is free at once; its members are removed, also if the server dies meanwhile."""
    group = member.found_group(room_version=version, name="Chess")
    guest.join(group).good()
    assert reviewer.used(member.user_id, "rooms_founded") == 1
    warn(reviewer, group)
    ask(reviewer, "posting-suspended", group).good()
    tried = reviewer.groupreg(
        "POST", "measures", {"kind": "closed", "entity": group, "reason": "r", "basis": "b"}, dry_run="true"
    ).good()
    assert [one["effect"] for one in tried["effects"]] == ["notice", "removal"]
    assert tried["effects"][1]["members"] == 2
    guest.join(group).good()
    number = ask(reviewer, "closed", group).good()["id"]
    for answer in (
        guest.send(group),
        member.kick(group, guest.user_id),
        member.upgrade(group, "12"),
        Person(server).join(group),
    ):
        says(answer, "room-closed", number)
    assert "m.room.create" in str(guest.messages(group).good())
    assert ask(reviewer, "joining-suspended", group).status == 409
    assert reviewer.used(member.user_id, "rooms_founded") == 0
    assert poll(lambda: "have closed a group that you look after" in told(member))
    if version == "12":
        server.kill()
        server.start()
    assert poll(lambda: not {group} & (member.joined_rooms() | guest.joined_rooms()), seconds=30)
    assert poll(lambda: reviewer.status()["measures"]["removals"] == [], seconds=20)
    says(guest.join(group), "room-closed", number)
    lift(reviewer, number)


def test_an_emergency_stops_everybody_but_staff(server: Homeserver, admin: Staff, reviewer: Staff) -> None:
    """At once, on the whole server or in a room, and until its end; direct chats go on."""
    person, friend = Person(server), Person(server)
    group, other = (friend.found_group(room_version=version) for version in ("12", "11"))
    for room in (group, other):
        person.join(room).good()
        reviewer.join(room).good()
    direct = person.found(is_direct=True, invite=[friend.user_id]).room_id

    def switch(*, on: bool, **more: object) -> dict[str, Any]:
        body = {"on": on, "switches": ["posting", "joining"], "reason": "flood", "until_ms": soon(), **more}
        found: dict[str, Any] = reviewer.groupreg("PUT", "emergency", body).good()
        return found

    switch(on=True, switches=["posting", "joining", "founding"])
    try:
        for answer in (
            person.send(group),
            person.send(other),
            person.found(),
            person.join(admin.found_group()),
            friend.upgrade(group, "12"),
        ):
            assert "flood" in refused(answer, "emergency")["error"]
        refused(friend.invite(group, admin.user_id), "emergency")
        person.send(direct).good()
        friend.join(direct).good()
        friend.leave(other).good()
        reviewer.send(group).good()
        reviewer.found_group()
        assert len(reviewer.groupreg("GET", "emergency").good()["emergency"]) == 3
        assert reviewer.status()["measures"]["in_force"]["emergency"] == 3
    finally:
        assert switch(on=False, switches=["posting", "joining", "founding"])["changed"]
    person.send(group).good()
    person.found().good()

    switch(on=True, switches=["posting"], room=group)
    refused(person.send(group), "emergency")
    person.send(person.found_group()).good()
    switch(on=True, switches=["posting"], room=group, until_ms=in_ms(1500))
    assert poll(lambda: person.send(group).ok, seconds=5)
    assert reviewer.groupreg("PUT", "emergency", {"on": True, "switches": ["posting"]}).status == 400


def test_a_step_is_skipped_only_by_two_for_a_grave_case(reviewer: Staff, second: Staff, member: Person) -> None:
    group = member.found_group()
    answer = ask(reviewer, "closed", group)
    assert (answer.status, "was not warned yet" in answer.body["error"]) == (409, True)
    waiting = ask(reviewer, "posting-suspended", group, grave="threats", review_ms=soon()).good()
    assert not waiting["changed"]
    member.send(group).good()
    path = f"proposals/{waiting['proposal']['id']}/approve"
    assert reviewer.groupreg("POST", path, {}).status == 403
    second.groupreg("POST", path, {"reason": "seen"}).good()
    refused(member.send(group), "room-posting-suspended")
    assert ask(reviewer, "warning", second.user_id).good()["proposal"]["subject"] == second.user_id


def test_asking_again_is_the_same_act_and_reports_are_followed(reviewer: Staff, member: Person, guest: Person) -> None:
    first = ask(reviewer, "warning", guest.user_id, key="case 4", note="second account?").good()
    again = ask(reviewer, "warning", guest.user_id, key="case 4").good()
    assert (again["id"], again["changed"]) == (first["id"], False)
    assert ask(reviewer, "warning", member.user_id, key="case 4").status == 409
    shown = reviewer.groupreg("GET", f"measures/{first['id']}").good()
    assert (shown["note"], shown["report"]) == ("second account?", "not-due")
    own = guest.groupreg("GET", f"accounts/{quote(guest.user_id)}").good()["measures"]
    assert [one["id"] for one in own] == [first["id"]]
    assert "note" not in own[0]
    path = f"measures/{first['id']}/report"
    assert reviewer.groupreg("PUT", path, {"state": "handed-in"}).status == 400
    done = reviewer.groupreg("PUT", path, {"state": "handed-in", "text": "receipt 2026/5"}).good()
    assert done["after"]["report_text"] == "receipt 2026/5"
    assert [one["action"] for one in reviewer.acts(subject=guest.user_id)] == ["report", "impose"]
