# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is not verified reads but doesn't publish: each act, by every way that Synapse serves (article 6.2)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import MATRIX, Answer, Person, Staff, refused

CONFIG = {
    "mode": "enforce",
    "federation": "closed",
    "quotas": {"rooms_founded": 1000, "rooms_joined": 1000},
    "identity": {"required": {"post": "contact", "found": "real_name", "members_over": {3: "real_name"}}},
}
SETTINGS = {"room_list_publication_rules": [{"action": "allow"}]}
_numbers = itertools.count(1)


class Town:
    """A server where people must show who they are, an admin, and somebody whose identity is verified."""

    def __init__(self, server: Homeserver) -> None:
        self.server = server
        self.admin = Staff(server, "admin")
        self.host = self.verified("host", "real_name")

    def person(self, name: str = "newcomer") -> Person:
        return Person(self.server, name)

    @contextmanager
    def dry_run(self) -> Iterator[None]:
        self.admin.mode("dry").good()
        try:
            yield
        finally:
            self.admin.mode("enforce").good()

    def verified(self, name: str, assurance: str = "contact") -> Person:
        person = self.person(name)
        self.admin.verify(person.user_id, assurance).good()
        return person


class Scene:
    """A group of the host in which a newcomer may do whatever its power levels allow."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.host = town.host
        self.newcomer = town.person()
        self.room = self.fresh_room()

    def fresh_room(self) -> str:
        # 150 is what an upgrade takes.
        levels = {"users": {self.newcomer.user_id: 150}}
        room = self.host.found_group(power_level_content_override=levels)
        self.newcomer.join(room).good()
        return room

    @cached_property
    def own_path(self) -> str:
        return f"profile/{quote(self.newcomer.user_id)}"

    @cached_property
    def other(self) -> Person:
        return self.town.person("other")

    def member(self) -> str:
        """Somebody else, in the group again whatever happened to them before."""
        self.host.unban(self.room, self.other.user_id)
        self.other.join(self.room).good()
        return self.other.user_id

    def banned(self) -> str:
        user_id = self.member()
        self.host.ban(self.room, user_id).good()
        return user_id

    def said_by_host(self) -> str:
        event_id: str = self.host.send(self.room).good()["event_id"]
        return event_id

    def react(self) -> Answer:
        relation = {"rel_type": "m.annotation", "event_id": self.said_by_host(), "key": "+"}
        content: dict[str, Any] = {"m.relates_to": relation}
        return self.in_room("PUT", f"send/m.reaction/{next(_numbers)}", **content)

    def alias(self) -> str:
        return f"#a-name-{next(_numbers)}:localhost"

    def aliased(self) -> str:
        alias = self.alias()
        self.host.set_alias(self.room, alias).good()
        return alias

    def in_room(self, method: str, act: str, *, prefix: str = MATRIX, **body: object) -> Answer:
        return self.newcomer.call(method, f"{prefix}/rooms/{quote(self.room)}/{act}", body)

    def put(self, act: str, user_id: str, *, prefix: str = MATRIX) -> Answer:
        return self.in_room("PUT", f"{act}/{next(_numbers)}", prefix=prefix, user_id=user_id)

    def put_member(self, user_id: str, **content: object) -> Answer:
        return self.newcomer.set_state(self.room, "m.room.member", content, user_id)


ACTS: dict[str, Callable[[Scene], Answer]] = {
    "message": lambda s: s.newcomer.send(s.room),
    "reaction": lambda s: s.react(),
    "encrypted event": lambda s: s.newcomer.send(
        s.room, event_type="m.room.encrypted", algorithm="m.megolm.v1.aes-sha2", ciphertext="AwgA"
    ),
    "topic": lambda s: s.newcomer.set_state(s.room, "m.room.topic", {"topic": "mine"}),
    "state of a new type": lambda s: s.newcomer.set_state(s.room, "org.example.thing", {"a": 1}, "key"),
    "a name for one room": lambda s: s.put_member(s.newcomer.user_id, membership="join", displayname=s.alias()),
    "alias": lambda s: s.newcomer.set_alias(s.room, s.alias()),
    "taking an alias away": lambda s: s.newcomer.call("DELETE", f"{MATRIX}/directory/room/{quote(s.aliased())}"),
    "publishing in the directory": lambda s: s.newcomer.publish(s.room),
    "withdrawing from the directory": lambda s: s.newcomer.publish(s.room, "private"),
    "invite": lambda s: s.newcomer.invite(s.room, s.town.person().user_id),
    "invite, with a transaction": lambda s: s.put("invite", s.town.person().user_id),
    "invite by state": lambda s: s.put_member(s.town.person().user_id, membership="invite"),
    "redaction of what another wrote": lambda s: s.newcomer.redact(s.room, s.said_by_host()),
    "kick": lambda s: s.newcomer.kick(s.room, s.member()),
    "kick, with a transaction": lambda s: s.put("kick", s.member()),
    "kick, r0": lambda s: s.in_room("POST", "kick", prefix="/_matrix/client/r0", user_id=s.member()),
    "kick, api/v1": lambda s: s.put("kick", s.member(), prefix="/_matrix/client/api/v1"),
    "kick, unstable": lambda s: s.in_room("POST", "kick", prefix="/_matrix/client/unstable", user_id=s.member()),
    "kick by state": lambda s: s.put_member(s.member(), membership="leave"),
    "ban": lambda s: s.newcomer.ban(s.room, s.member()),
    "ban, with a transaction": lambda s: s.put("ban", s.member()),
    "ban by state": lambda s: s.put_member(s.member(), membership="ban"),
    "unban": lambda s: s.newcomer.unban(s.room, s.banned()),
    "unban, with a transaction": lambda s: s.put("unban", s.banned()),
    "upload": lambda s: s.newcomer.call("POST", "/_matrix/media/v3/upload", {"a": "file"}),
    "upload, r0": lambda s: s.newcomer.call("POST", "/_matrix/media/r0/upload", {"a": "file"}),
    "beginning an upload": lambda s: s.newcomer.call("POST", "/_matrix/media/v1/create", {}),
    "name": lambda s: s.newcomer.set_name("somebody"),
    "name, api/v1": lambda s: s.newcomer.call(
        "PUT", f"/_matrix/client/api/v1/{s.own_path}/displayname", {"displayname": "somebody else"}
    ),
    "picture": lambda s: s.newcomer.call(
        "PUT", f"{MATRIX}/{s.own_path}/avatar_url", {"avatar_url": "mxc://localhost/picture"}
    ),
    "taking the name away": lambda s: s.newcomer.call("DELETE", f"{MATRIX}/{s.own_path}/displayname"),
    "a field of one's own in the profile": lambda s: s.newcomer.call(
        "PUT", f"{MATRIX}/{s.own_path}/logout", {"logout": "words"}
    ),
    "status": lambda s: s.newcomer.call(
        "PUT",
        f"{MATRIX}/presence/{quote(s.newcomer.user_id)}/status",
        {"presence": "online", "status_msg": "words"},
    ),
    "founding": lambda s: s.newcomer.found(),
    "upgrade": lambda s: s.newcomer.upgrade(s.fresh_room(), "11"),
}
"""Everything below `post`, or `found`."""


@pytest.fixture(scope="module")
def town(start_homeserver: Callable[..., Homeserver]) -> Town:
    return Town(start_homeserver(module_config=CONFIG, settings=SETTINGS))


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_unverified_accounts_do_not_publish(town: Town, act: Callable[[Scene], Answer]) -> None:
    """The act goes through in a dry run, where it is counted; is refused; and goes through once they are verified."""
    scene = Scene(town)
    newcomer = scene.newcomer.user_id

    with town.dry_run():
        act(scene).good()
    assert {one["dry"] for one in town.admin.refusals(account=newcomer)} == {True}

    refused(act(scene), "identity-required")
    journal = town.admin.refusals(account=newcomer, code="identity-required")
    assert {one["dry"] for one in journal} == {True, False}

    town.admin.verify(newcomer, "real_name").good()
    act(scene).good()


@pytest.mark.parametrize("act", ["invite/createRoom", "kick/logout", "kick/all"])
def test_the_name_of_a_transaction_is_no_way_round_the_guard(town: Town, act: str) -> None:
    """Synapse routes `PUT …/kick/logout` as a kick; it is no logout."""
    scene = Scene(town)
    user_id = scene.member() if act.startswith("kick") else town.person().user_id
    refused(scene.in_room("PUT", act, user_id=user_id), "identity-required")

    town.admin.verify(scene.newcomer.user_id, "real_name").good()
    scene.in_room("PUT", act, user_id=user_id).good()


def test_what_synapse_does_not_route_is_no_way_round_the_guard(town: Town) -> None:
    scene = Scene(town)
    member = scene.member()
    for act in ("%6bick", "kick%2F", "%2e/kick", "kick/1/2"):
        for method in ("POST", "PUT"):
            assert scene.in_room(method, act, user_id=member).status in (403, 404, 405)
    assert member in scene.host.members(scene.room)


def test_an_upload_that_was_begun_is_not_finished_unverified(town: Town) -> None:
    newcomer = town.person()
    town.admin.verify(newcomer.user_id).good()
    place = newcomer.call("POST", "/_matrix/media/v1/create", {}).good()["content_uri"].removeprefix("mxc://")

    town.admin.unverify(newcomer.user_id).good()
    refused(newcomer.call("PUT", f"/_matrix/media/v3/upload/{place}", {"a": "file"}), "identity-required")

    town.admin.verify(newcomer.user_id).good()
    newcomer.call("PUT", f"/_matrix/media/v3/upload/{place}", {"a": "file"}).good()


def test_a_knock_needs_what_joining_needs(town: Town) -> None:
    """The room is known by its id or by an alias; either way it is too large for who isn't verified by name."""
    knocker = town.verified("knocker", "contact")
    room = town.host.found_group()
    for _ in range(3):
        town.verified("crowd", "real_name").join(room).good()
    alias = Scene(town).alias()
    town.host.set_alias(room, alias).good()
    town.host.set_state(room, "m.room.join_rules", {"join_rule": "knock"}).good()

    for target in (room, alias):
        assert refused(knocker.knock(target), "identity-required")["error"].startswith("To join this group")
    refused(knocker.set_state(room, "m.room.member", {"membership": "knock"}, knocker.user_id), "identity-required")

    town.admin.verify(knocker.user_id, "real_name").good()
    knocker.knock(alias).good()


def test_members_of_a_large_group_need_more(town: Town) -> None:
    """The fourth member makes the group large: whoever is verified less well can't enter it, nor post any more."""
    known, unnamed = town.verified("known", "contact"), town.verified("unnamed", "contact")
    room = town.host.found_group()
    for person in (known, town.verified("named", "real_name")):
        person.join(room).good()
    known.send(room).good()

    refused(unnamed.join(room), "identity-required")
    town.verified("named", "real_name").join(room).good()
    body = refused(known.send(room), "identity-required")
    assert "real name" in body["error"]

    town.admin.verify(known.user_id, "real_name").good()
    known.send(room).good()


def test_founding_needs_its_own_assurance(town: Town) -> None:
    known = town.verified("known", "contact")
    refused(known.found(name="ours"), "identity-required")
    assert known.own_rooms() == set()
    # A direct chat is no group: what posting needs is enough.
    known.found(is_direct=True, invite=[town.host.user_id]).good()

    town.admin.verify(known.user_id, "real_name").good()
    known.found(name="ours").good()


def test_an_upgrade_makes_a_direct_chat_no_easier(town: Town) -> None:
    """Who claims a predecessor in a createRoom upgrades nothing."""
    scene = Scene(town)
    body = {"creation_content": {"predecessor": {"room_id": scene.room, "event_id": "$x"}}}
    refused(scene.newcomer.found(**body), "identity-required")
