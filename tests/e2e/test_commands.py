# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people ask by `!group` in any client is answered in their own room with the server, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
import requests

from synapse_groupreg import texts
from synapse_groupreg.rig import Homeserver

from .client import MATRIX, Person, Staff, poll, refused

CONFIG = {
    "mode": "enforce",
    "federation": "closed",
    "identity": {"required": {"post": "contact"}},
    "groups": {"categories": ["study", "work"]},
}
SECONDS = 20


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config=CONFIG)


def verified(server: Homeserver, staff: Staff, name: str) -> Person:
    person = Person(server, name)
    staff.verify(person.user_id).good()
    return person


@pytest.fixture(scope="module")
def founder(server: Homeserver, staff: Staff) -> Person:
    return verified(server, staff, "founder")


@pytest.fixture(scope="module")
def secret(founder: Person, staff: Staff) -> str:
    """A group that nobody enters without an invitation, called Secret."""
    room = founder.found(preset="private_chat", name="Secret").room_id
    assert poll(lambda: staff.room(room)["number"])
    return room


@pytest.fixture
def member(server: Homeserver, staff: Staff, founder: Person, secret: str) -> Person:
    member = verified(server, staff, "member")
    founder.invite(secret, member.user_id).good()
    member.join(secret).good()
    return member


def answers(person: Person) -> list[str]:
    """What the server told somebody in their own room, the newest first."""
    return [
        event["content"]["body"]
        for room in person.joined_rooms() - person.own_rooms()
        for event in person.messages(room).good()["chunk"]
        if event["type"] == "m.room.message" and event["sender"].startswith("@groupreg:")
    ]


def ask(person: Person, room: str, body: str, *linked: str) -> str:
    """The answer to a command."""
    before = answers(person)
    person.send(room, body, linked=linked).good()
    after = poll(lambda: (found := answers(person)) != before and found, seconds=SECONDS)
    assert after, "no answer came"
    assert after[1:] == before
    return after[0]


def number_of(person: Person, room: str) -> str:
    return person.number_in(room)


def test_a_command_is_answered_in_the_askers_own_room_alone(member: Person, founder: Person, secret: str):
    number = number_of(member, secret)
    answer = ask(member, secret, "!group")
    assert texts.text("command.info.title", "en", name="Secret", number=number) in answer
    assert answers(founder) == []
    said = founder.messages(secret).good()["chunk"]
    assert [one["sender"] for one in said if one["type"] == "m.room.message"] == [member.user_id]
    assert not any(one.startswith("@groupreg:") for one in founder.members(secret))


def test_in_the_direct_room_the_group_is_named_by_its_number(member: Person, secret: str):
    number = number_of(member, secret)
    assert f"!group members {number}" in ask(member, secret, "！group help").replace("123456786", number)
    (direct,) = member.joined_rooms() - member.own_rooms()
    assert "Secret" in ask(member, direct, f"!group members {number}")
    assert number in ask(member, direct, "!group limits")


def test_a_signed_link_opens_the_page_until_its_member_leaves(server: Homeserver, member: Person, secret: str):
    link = ask(member, secret, "!group link").rpartition(" ")[2]
    _, path, key = link.partition("/_synapse")

    def status() -> int:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{server.url}{path}{key}", timeout=30).status_code

    assert status() == 200
    member.leave(secret).good()
    assert status() == 404


def test_who_is_not_in_a_group_learns_nothing_of_it(server: Homeserver, staff: Staff, founder: Person, secret: str):
    stranger = verified(server, staff, "stranger")
    number = number_of(founder, secret)
    own = stranger.found(preset="private_chat", name="Own").room_id
    answer = ask(stranger, own, f"!group members {number}")
    assert answer == texts.text("command.no_such_group", "en", number=number)
    assert not stranger.send(secret, "!group").ok


def test_who_may_not_post_asks_in_the_direct_room(server: Homeserver, founder: Person):
    person = Person(server, "unverified")
    room = founder.found_group(name="Chess")
    person.join(room).good()
    refused(person.send(room, "!group me"), "identity-required")
    (direct,) = poll(lambda: person.joined_rooms() - person.own_rooms(), seconds=SECONDS)
    path = f"{MATRIX}/user/{quote(person.user_id)}/account_data/org.groupreg.settings"
    person.call("PUT", path, {"language": "zh-CN"}).good()
    answer = poll(lambda: answers(person), seconds=SECONDS)
    assert len(answer) == 1, "the refused message was no command"
    assurance = texts.text("assurance.none", "en")
    told = ask(person, direct, "!group me")
    assert assurance in told or texts.text("assurance.none", "zh-CN") in told


def test_an_encrypted_group_hears_nothing(member: Person, secret: str):
    member.send(secret, event_type="m.room.encrypted", algorithm="x", ciphertext="!group", body="!group").good()
    assert "Secret" in ask(member, secret, "!group members")
    assert len(answers(member)) == 1


def test_who_is_barred_appeals_from_their_client_and_is_told(
    server: Homeserver, staff: Staff, member: Person, secret: str
) -> None:
    case = staff.bar(member.user_id).good()["id"]
    told = poll(lambda: answers(member), seconds=SECONDS)
    assert told
    [own] = {room for room in member.joined_rooms() - member.own_rooms() if room != secret}
    said = ask(member, own, f"!group appeal {case} It was my brother.")
    assert said == texts.text("command.appeal.made", "en", case=case)
    reviewer = Staff(server, "reviewer", roles=["reviewer"], granted_by=staff)
    waiting = reviewer.groupreg("GET", "appeals", measure=case).good()["appeals"]
    decision, answer = f"appeals/{waiting[0]['id']}/decision", {"outcome": "lifted", "reason": "He has a brother."}
    assert staff.groupreg("POST", decision, answer).status == 403, "who imposed it doesn't decide"
    refused(member.send(secret), "account-blacklisted")
    assert reviewer.groupreg("POST", decision, answer).good()["changed"]
    member.send(secret).good()
    decided = (
        f"{texts.text('appeal.lifted', 'en', case=case)}\n\n{texts.text('appeal.why', 'en', answer=answer['reason'])}"
    )
    assert poll(lambda: decided in answers(member), seconds=SECONDS)


def test_a_founder_mutes_a_member_who_is_told_why_and_posts_again_later(
    staff: Staff, founder: Person, member: Person, secret: str
) -> None:
    levels = founder.state(secret, "m.room.power_levels").good()
    said = member.send(secret).good()["event_id"]
    name = member.user_id[1:].partition(":")[0]
    assert "can't post in Secret until" in ask(founder, secret, f"!group mute {name}: 2h Too loud.", member.user_id)
    assert "Reason: “Too loud.”. This ends on" in refused(member.send(secret), "muted")["error"]
    refused(member.send(secret, event_type="m.room.encrypted", algorithm="x", ciphertext="y"), "muted")
    member.redact(secret, said).good()
    assert poll(lambda: any("Too loud." in one for one in answers(member)), seconds=SECONDS)
    assert [one["account"] for one in staff.room(secret)["mutes"]] == [member.user_id]
    assert staff.acts(subject=member.user_id)[0]["action"] == "mute"
    assert ask(founder, secret, f"!group unmute {member.user_id}").endswith("can post in Secret again.")
    member.send(secret).good()

    until_ms = int(time.time() * 1000) + 1_200  # noqa: TID251 - the server goes by this clock
    path = f"rooms/{number_of(founder, secret)}/mutes/{quote(member.user_id)}"
    assert member.groupreg("PUT", path, {}).status == 403
    assert founder.groupreg("PUT", path, {"until_ms": until_ms}).good()["changed"]
    refused(member.send(secret), "muted")
    assert poll(lambda: member.send(secret).ok, seconds=SECONDS), "it ends by itself"
    assert time.time() * 1000 >= until_ms  # noqa: TID251 - as above
    assert founder.state(secret, "m.room.power_levels").good() == levels


def test_a_group_is_handed_over_by_consent_of_both(staff: Staff, founder: Person, member: Person) -> None:
    room = founder.found_group(name="Go")
    member.join(room).good()
    levels = founder.state(room, "m.room.power_levels").good()
    levels["users"][member.user_id] = 150  # what an upgrade takes since version 12
    founder.set_state(room, "m.room.power_levels", levels).good()
    before = staff.used(member.user_id, "rooms_founded"), staff.used(founder.user_id, "rooms_founded")
    asked = ask(founder, room, f"!group transfer {member.user_id}")
    assert asked.startswith("I have asked ")
    offered = poll(lambda: answers(member), seconds=SECONDS)
    assert "hand the group “Go” over to you" in offered[0]
    (direct,) = member.joined_rooms() - member.own_rooms() - {room}
    accept = offered[0].partition("To accept, write: ")[2].partition("\n")[0]
    assert ask(member, direct, accept) == "You are the founder of Go now."
    assert poll(lambda: any("has accepted" in one for one in answers(founder)), seconds=SECONDS)
    assert ask(member, room, "!group category Study") == "Go is about: study"
    shown = staff.room(room)
    assert (shown["founder"], shown["category"], shown["managers"]) == (member.user_id, "study", [founder.user_id])
    after = staff.used(member.user_id, "rooms_founded"), staff.used(founder.user_id, "rooms_founded")
    assert after == (before[0] + 1, before[1] - 1)
    assert founder.state(room, "m.room.power_levels").good() == levels
    new = member.upgrade(room, "12").good()["replacement_room"]
    assert poll(lambda: staff.room(room)["successor"] == new, seconds=SECONDS)
    assert staff.used(member.user_id, "rooms_founded") == after[0]


def test_a_slow_group_takes_one_message_of_a_member_at_a_time(founder: Person, member: Person) -> None:
    room = founder.found_group(name="Slow")
    member.join(room).good()
    assert ask(founder, room, "!group slow 2") == texts.text("command.slow.is", "en", name="Slow", seconds=2)
    first = member.send(room).good()["event_id"]
    assert "Try again in 2 seconds." in refused(member.send(room), "slow-mode")["error"]
    reaction = {"rel_type": "m.annotation", "event_id": first, "key": "+"}
    member.send(room, event_type="m.reaction", **{"m.relates_to": reaction}).good()
    member.redact(room, first).good()
    for _ in range(3):
        founder.send(room).good()
    assert poll(lambda: member.send(room).ok)
    number = number_of(founder, room)
    assert founder.groupreg("PUT", f"rooms/{number}/slow", {"seconds": None}).good()["changed"]
    for _ in range(3):
        member.send(room).good()
