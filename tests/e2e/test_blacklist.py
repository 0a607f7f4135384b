# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The blacklist of accounts, persons, rooms and servers; lifting an entry restores everything (article 11.3)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.synapse import SAMPLE_PASSWORD
from tests.e2e.client import MATRIX, Answer, Person, Staff, poll, refused
from tests.e2e.logs import named_in, our_lines

ACCOUNT, ROOM, SERVER = "account-blacklisted", "room-blacklisted", "server-blacklisted"


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    config = {"mode": "enforce", "federation": "closed", "quotas": {"rooms_founded": 100}, "second_staff": "none"}
    return start_homeserver(module_config=config)


@pytest.fixture
def friend(server: Homeserver) -> Person:
    return Person(server, "friend")


@pytest.fixture
def person(server: Homeserver) -> Person:
    return Person(server)


def log_in(person: Person) -> Answer:
    login = {"type": "m.login.password", "user": person.name, "password": SAMPLE_PASSWORD}
    return person.call("POST", f"{MATRIX}/login", login)


def group_acts(person: Person, member: str, room: str, other_room: str, invited_to: str) -> dict[str, Answer]:
    """What has to do with groups: each is refused to a barred account."""
    return {
        "post": person.send(room),
        "state": person.set_state(room, "m.room.topic", {"topic": "mine"}),
        "alias": person.set_alias(room, f"#{room[1:9]}-{person.name}:localhost"),
        "kick": person.kick(room, member),
        "invite": person.invite(room, member),
        "join": person.join(other_room),
        "accept": person.join(invited_to),
        "found": person.found(),
    }


def test_a_barred_account_keeps_all_but_groups(server: Homeserver, reviewer: Staff, friend: Person) -> None:
    """In a dry run nothing is refused; then groups are; lifting restores everything."""
    person, member = Person(server), Person(server)
    levels = {"users": {person.user_id: 100}}
    room = friend.found_group(power_level_content_override=levels)
    person.join(room).good()
    member.join(room).good()
    direct = friend.found(is_direct=True, invite=[person.user_id]).room_id
    person.join(direct).good()
    friend.send(direct, "psst").good()
    open_room, invited_to = friend.found_group(), friend.found(invite=[person.user_id]).room_id

    entry = reviewer.bar(person.user_id, reason="spam in groups").good()["id"]
    acts = group_acts(person, member.user_id, room, open_room, invited_to)
    for name, answer in acts.items():
        body = refused(answer, ACCOUNT)
        assert f"spam in groups (case {entry})" in body["error"], name
    refused(friend.invite(open_room, person.user_id), ACCOUNT)
    refused(friend.found(invite=[person.user_id]), ACCOUNT)

    log_in(person).good()
    assert "psst" in str(person.messages(direct).good())
    person.send(direct, "help").good()
    person.set_name("still me").good()
    assert member.user_id in friend.members(room)
    measures = person.groupreg("GET", f"accounts/{quote(person.user_id)}").good()["measures"]
    assert [(one["id"], one["reason"], one["scope"]) for one in measures] == [(entry, "spam in groups", "groups")]
    person.leave(invited_to).good()
    person.leave(room).good()

    reviewer.lift(entry).good()
    assert reviewer.account(person.user_id)["measures"] == []
    person.join(room).good()
    friend.invite(invited_to, person.user_id).good()
    acts = group_acts(person, member.user_id, room, open_room, invited_to)
    assert {name: answer.status for name, answer in acts.items()} == dict.fromkeys(acts, 200)


@pytest.mark.parametrize("version", ["9", *(pytest.param(one, marks=pytest.mark.prove) for one in ("10", "11")), "12"])
def test_a_barred_founder_manages_nothing_whatever_the_room_version(
    server: Homeserver, admin: Staff, reviewer: Staff, version: str
) -> None:
    """From version 12 on no power levels bind whoever made the room; nobody has to change them here."""
    founder, member, outsider = Person(server, "founder"), Person(server, "member"), Person(server, "outsider")
    room = founder.found_group(room_version=version)
    member.join(room).good()
    said = member.send(room).good()["event_id"]
    entry = reviewer.bar(founder.user_id).good()["id"]
    acts = {
        "post": lambda: founder.send(room),
        "topic": lambda: founder.set_state(room, "m.room.topic", {"topic": "mine"}),
        "levels": lambda: founder.set_state(room, "m.room.power_levels", {}),
        "redact": lambda: founder.redact(room, said),
        "kick": lambda: founder.kick(room, member.user_id),
        "ban": lambda: founder.ban(room, member.user_id),
        "invite": lambda: founder.invite(room, outsider.user_id),
        "upgrade": lambda: founder.upgrade(room, "12"),
    }
    for act in acts.values():
        refused(act(), ACCOUNT)
    assert founder.members(room) == {founder.user_id, member.user_id}
    assert admin.room(room)["founder"] == founder.user_id
    reviewer.lift(entry).good()
    # The upgrade last: it closes the room.
    for name in ("post", "topic", "redact", "invite", "kick", "upgrade"):
        acts[name]().good()


def test_in_a_dry_run_the_blacklist_only_counts(
    server: Homeserver, admin: Staff, reviewer: Staff, friend: Person
) -> None:
    person = Person(server)
    room = friend.found_group()
    person.join(room).good()
    reviewer.bar(person.user_id, scope="account").good()
    admin.mode("dry").good()
    try:
        person.send(room).good()
        log_in(person).good()
    finally:
        admin.mode("enforce").good()
    counted = reviewer.refusals(account=person.user_id, code=ACCOUNT)
    assert {(one["attempt"], one["dry"]) for one in counted} >= {("send", True), ("log-in", True)}
    assert log_in(person).code == ACCOUNT


def test_a_wholly_barred_account_is_out_at_once(server: Homeserver, reviewer: Staff, friend: Person) -> None:
    person = Person(server)
    direct = friend.found(is_direct=True, invite=[person.user_id]).room_id
    second = log_in(person).good()["access_token"]
    entry = reviewer.bar(person.user_id, scope="account", reason="threats").good()["id"]

    for answer in (log_in(person), person.sync(), person.messages(direct), person.send(direct)):
        body = refused(answer, ACCOUNT)
        assert f"threats (case {entry})" in body["error"]
    # The page that tells why, and logging out, stay; the names of these are no way round.
    person.groupreg("GET", f"accounts/{quote(person.user_id)}").good()
    refused(person.state(direct, "org.example.logout", "logout"), ACCOUNT)
    with person.at(server.url) as other_device:
        other_device.token = second
        other_device.call("POST", f"{MATRIX}/logout", {}).good()
    again = {"username": person.name, "password": "something else", "auth": {"type": "m.login.dummy"}}
    assert friend.call("POST", f"{MATRIX}/register", again).status in (400, 403)

    reviewer.lift(entry).good()
    log_in(person).good()
    person.join(direct).good()


def test_a_barred_name_is_not_registered_again(server: Homeserver, admin: Staff, reviewer: Staff) -> None:
    """Nor is one that somebody freed: what is barred is the name of the account, whether it is there or not."""
    name = Person(server, "gone").name
    user_id = server.user_id(name)
    entry = reviewer.bar(user_id, scope="account").good()["id"]
    admin.admin_api("POST", f"v1/deactivate/{quote(user_id)}", {"erase": True}).good()
    body = {"username": name, "password": "something else", "auth": {"type": "m.login.dummy"}}
    assert admin.call("POST", f"{MATRIX}/register", body).status in (400, 403)
    reviewer.lift(entry).good()


def test_a_person_is_barred_with_all_accounts(
    server: Homeserver, admin: Staff, reviewer: Staff, friend: Person
) -> None:
    """Also with one that is linked to them after the entry."""
    first, second, later = (Person(server) for _ in range(3))
    room = friend.found_group()
    for account in (first, second, later):
        account.join(room).good()
    for account in (first, second):
        admin.verify(account.user_id, "real_name", reference="passport 1").good()

    entry = reviewer.bar(first.user_id).good()
    assert entry["after"]["subject_kind"] == "person"
    refused(first.send(room), ACCOUNT)
    refused(second.send(room), ACCOUNT)
    later.send(room).good()
    admin.verify(later.user_id, "real_name", reference="Passport 1 ").good()
    refused(later.send(room), ACCOUNT)
    # The way out is the lifting, not the link.
    assert admin.unverify(later.user_id).status == 409

    reviewer.lift(entry["id"]).good()
    for account in (first, second, later):
        account.send(room).good()


def test_linking_an_account_under_a_measure_bars_its_person(
    server: Homeserver, admin: Staff, reviewer: Staff, friend: Person
) -> None:
    barred, other = Person(server), Person(server)
    room = friend.found_group()
    other.join(room).good()
    entry = reviewer.bar(barred.user_id).good()["id"]
    for account in (other, barred):
        admin.verify(account.user_id, "real_name", reference="passport 2").good()
    refused(other.send(room), ACCOUNT)
    reviewer.lift(entry).good()
    other.send(room).good()


def test_where_one_person_runs_the_server_status_says_so(reviewer: Staff) -> None:
    assert "second-staff-off" in {one["code"] for one in reviewer.status()["warnings"]}


@pytest.mark.parametrize("version", ["11", pytest.param("12", marks=pytest.mark.prove)])
def test_nobody_does_anything_in_a_barred_room_but_leave(
    server: Homeserver, reviewer: Staff, friend: Person, version: str
) -> None:
    person, guest = Person(server), Person(server)
    room = friend.found_group(invite=[guest.user_id], room_version=version)
    person.join(room).good()
    entry = reviewer.bar(room, reason="illegal trade").good()["id"]

    for answer in (
        friend.send(room),
        friend.set_state(room, "m.room.topic", {"topic": "more"}),
        friend.invite(room, Person(server).user_id),
        friend.kick(room, person.user_id),
        guest.join(room),
        Person(server).join(room),
    ):
        body = refused(answer, ROOM)
        assert f"illegal trade (case {entry})" in body["error"]
    assert "m.room.create" in str(person.messages(room).good())
    person.leave(room).good()
    guest.leave(room).good()
    assert [one["id"] for one in reviewer.room(room)["measures"]] == [entry]

    reviewer.lift(entry).good()
    friend.send(room).good()
    person.join(room).good()


@pytest.mark.parametrize("glob", ["evil.example", "*.evil.example", "EVIL-?.example"])
def test_a_barred_server_is_neither_guest_nor_host(reviewer: Staff, friend: Person, glob: str) -> None:
    """Its accounts are not invited, rooms whose id names it not joined. A port is no way round."""
    host = glob.lower().replace("*", "chat").replace("?", "7")
    room = friend.found_group()
    entry = reviewer.bar(glob).good()["id"]
    for name in (host, f"{host}:8448"):
        assert name in refused(friend.invite(room, f"@x:{name}"), SERVER)["error"]
        refused(friend.found(invite=[f"@x:{name}"]), SERVER)
        refused(friend.join(f"!room:{name}"), SERVER)
    # The group is closed to other servers: that is Synapse's refusal, not ours.
    assert friend.invite(room, f"@x:not{host}.localhost").code is None

    reviewer.lift(entry).good()
    assert friend.invite(room, f"@x:{host}").code is None


def test_an_entry_ends_by_itself(reviewer: Staff, friend: Person, person: Person) -> None:
    room = friend.found_group()
    person.join(room).good()
    start_ms = reviewer.bar(person.user_id).good()["after"]["start_ms"]
    reviewer.bar(person.user_id, until_ms=start_ms + 1500).good()
    assert "This ends on" in refused(person.send(room), ACCOUNT)["error"]
    assert poll(lambda: person.send(room).ok, seconds=5)
    assert reviewer.account(person.user_id)["measures"] == []


def test_the_same_entity_again_changes_its_entry(reviewer: Staff, person: Person) -> None:
    first = reviewer.bar(person.user_id, reason="spam").good()
    again = reviewer.bar(person.user_id, reason="threats", scope="account").good()
    assert (again["id"], again["before"]["reason"], again["after"]["reason"]) == (first["id"], "spam", "threats")
    assert "threats" in refused(log_in(person), ACCOUNT)["error"]
    assert (
        reviewer.bar(person.user_id, reason="threats", scope="account", review_ms=again["after"]["review_ms"]).good()[
            "changed"
        ]
        is False
    )


def test_entries_that_would_lock_out_who_runs_the_server_are_refused(
    server: Homeserver, admin: Staff, reviewer: Staff
) -> None:
    """In one sentence, and nothing is written."""

    def written() -> tuple[int, int]:
        # The server writes by itself that entries of other tests ended.
        asked = {"all": "true", "author": reviewer.user_id}
        return tuple(reviewer.groupreg("GET", what, **asked).good()["total"] for what in ("blacklist", "acts"))

    clerk = Staff(server, "clerk", roles=["inspector"], granted_by=admin)
    twin = Person(server)
    for account in (clerk, twin):
        admin.verify(account.user_id, "real_name", reference="passport 3").good()
    before = written()
    for entity in (admin.user_id, clerk.user_id, twin.user_id, "localhost", "*", "local*"):
        answer = reviewer.bar(entity)
        assert answer.status == 409, (entity, answer.body)
        assert answer.body["error"].count(". ") == 0
    for entity, status in (("@nobody:localhost", 404), ("@bad", 400), ("#alias:localhost", 400), ("", 400)):
        assert reviewer.bar(entity).status == status, entity
    assert reviewer.bar("!room:localhost", scope="account").status == 400
    assert reviewer.bar(twin.user_id, until_ms=1).status in (400, 409)
    assert written() == before


def test_trying_an_entry_writes_nothing(reviewer: Staff, friend: Person, person: Person) -> None:
    room = friend.found_group()
    person.join(room).good()
    body = {"entity": person.user_id, "reason": "spam", "basis": "11.3"}
    tried = reviewer.groupreg("POST", "blacklist", body, dry_run="true").good()
    assert (tried["dry_run"], tried["changed"], tried["after"]["subject"]) == (True, True, person.user_id)
    person.send(room).good()
    assert reviewer.account(person.user_id)["measures"] == []


def test_the_log_names_nobody(server: Homeserver) -> None:
    """Whatever happened above; what it names stands in the journals, where reading it takes a role."""
    assert named_in(our_lines(server.process_log())) == []
