# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Policy lists: taken over, written out, followed; and the second member of staff (articles 5.4 and 11.3)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result

from synapse_groupreg.cli import main
from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Answer, Person, Staff, poll, refused

ACCOUNT, ROOM, SERVER = "account-blacklisted", "room-blacklisted", "server-blacklisted"
USER_RULE, ROOM_RULE, SERVER_RULE = (f"m.policy.rule.{kind}" for kind in ("user", "room", "server"))
IN_FORCE_SECONDS = 2


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config={"mode": "enforce", "federation": "closed", "quotas": {"rooms_founded": 100}})


@pytest.fixture(scope="module")
def colleague(server: Homeserver, admin: Staff) -> Staff:
    return Staff(server, "colleague", roles=["reviewer"], granted_by=admin)


@pytest.fixture(scope="module")
def friend(server: Homeserver) -> Person:
    return Person(server, "friend")


@pytest.fixture(scope="module")
def open_room(friend: Person) -> str:
    return friend.found_group()


def rule(person: Person, room: str, event_type: str, entity: str, reason: str = "spam", *, key: str = "") -> str:
    """Ban an entity in a policy room, as any client does; the event's id."""
    content = {"entity": entity, "reason": reason, "recommendation": "m.ban"}
    event_id: str = person.set_state(room, event_type, content, key or f"rule:{entity}").good()["event_id"]
    return event_id


def within(look: Callable[[], Any]) -> bool:
    """Whether something is so in the time that is promised after Synapse persisted an event."""
    return bool(poll(look, seconds=IN_FORCE_SECONDS, every=0.02))


def do_import(staff: Staff, body: dict[str, Any], **query: object) -> Answer:
    return staff.groupreg("POST", "blacklist/import", {"basis": "11.3", **body}, **query)


def open_entries(staff: Staff, subject: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = staff.groupreg("GET", "blacklist", subject=subject).good()["blacklist"]
    return found


def shown_list(staff: Staff, room: str) -> dict[str, Any]:
    """What staff see of a followed room."""
    [found] = [one for one in staff.groupreg("GET", "followed").good()["followed"] if one["room_id"] == room]
    return dict(found)


def follow(staff: Staff, room: str) -> Answer:
    return staff.groupreg("PUT", f"followed/{quote(room)}", {"reason": "agreed with the neighbours"})


def groupreg(staff: Staff, *args: str) -> Result:
    """The command line, logged in as this member of staff."""
    return CliRunner().invoke(main, args, env={"GROUPREG_URL": staff.url, "GROUPREG_TOKEN": staff.token})


@pytest.mark.parametrize("kind", ["user", "room", "server"])
def test_a_followed_room_is_in_force_within_two_seconds(
    server: Homeserver, reviewer: Staff, friend: Person, open_room: str, kind: str
) -> None:
    """Added, changed and withdrawn by a plain client: by an empty content, and by a redaction."""
    person, second, maintainer = (Person(server) for _ in range(3))
    for one in (person, second):
        one.join(open_room).good()
    own_room = friend.found_group()
    policy_room = maintainer.found_group(name="Bad company")
    rule(maintainer, policy_room, USER_RULE, second.user_id, "was there before")
    follow(reviewer, policy_room).good()
    assert within(lambda: second.send(open_room).code == ACCOUNT)

    event_type, entity, code = {
        "user": (USER_RULE, person.user_id, ACCOUNT),
        "room": (ROOM_RULE, own_room, ROOM),
        "server": (SERVER_RULE, "*.evil.example", SERVER),
    }[kind]
    acts: dict[str, Callable[[], Answer]] = {
        "user": lambda: person.send(open_room),
        "room": lambda: friend.send(own_room),
        "server": lambda: friend.invite(open_room, "@x:a.evil.example"),
    }
    rule(maintainer, policy_room, event_type, entity, "first reason")
    assert within(lambda: acts[kind]().code == code)
    assert "first reason" in refused(acts[kind](), code)["error"]
    rule(maintainer, policy_room, event_type, entity, "second reason")
    assert within(lambda: "second reason" in str(acts[kind]().body))
    maintainer.set_state(policy_room, event_type, {}, f"rule:{entity}").good()
    assert within(lambda: acts[kind]().code != code)
    event_id = rule(maintainer, policy_room, event_type, entity, "third reason")
    assert within(lambda: acts[kind]().code == code)
    maintainer.redact(policy_room, event_id).good()
    assert within(lambda: acts[kind]().code != code)

    journalled = reviewer.acts(author="server", subject=entity)
    assert [one["action"] for one in journalled[:5]] == ["lift", "impose", "lift", "impose", "impose"]
    assert "policy list Bad company" in journalled[0]["after"]["basis"]
    reviewer.groupreg("DELETE", f"followed/{quote(policy_room)}").good()
    second.send(open_room).good()
    assert reviewer.groupreg("DELETE", f"followed/{quote(policy_room)}").good()["changed"] is False


def test_only_a_room_that_this_server_is_in_can_be_followed(reviewer: Staff, friend: Person) -> None:
    assert follow(reviewer, "!nowhere:localhost").status == 404
    assert do_import(reviewer, {"room": "#nowhere:localhost"}).status == 404
    assert friend.groupreg("PUT", "followed/!nowhere:localhost").status == 403


def test_a_followed_room_touches_neither_staff_nor_what_staff_decided(
    server: Homeserver, admin: Staff, reviewer: Staff, open_room: str
) -> None:
    by_hand, lifted, maintainer = (Person(server) for _ in range(3))
    entry = reviewer.bar(by_hand.user_id, reason="our own").good()["id"]
    policy_room = maintainer.found_group()
    entities = (by_hand.user_id, lifted.user_id, reviewer.user_id, "@admin*:localhost")
    for entity in entities:
        rule(maintainer, policy_room, USER_RULE, entity)
    rule(maintainer, policy_room, SERVER_RULE, "*host")
    follow(reviewer, policy_room).good()
    assert within(lambda: open_entries(reviewer, lifted.user_id))
    reviewer.lift(open_entries(reviewer, lifted.user_id)[0]["id"]).good()

    for entity in entities[:2]:
        rule(maintainer, policy_room, USER_RULE, "@other:evil.example", key=f"more:{entity}")
    assert within(lambda: open_entries(reviewer, "@other:evil.example"))
    lifted.join(open_room).good()
    shown = shown_list(reviewer, policy_room)
    assert {one["entity"]: one["why"] for one in shown["skipped"]} == {
        by_hand.user_id: "staff have an entry of their own",
        lifted.user_id: "staff lifted it",
        reviewer.user_id: f"it touches {reviewer.user_id}, a member of staff",
        "@admin*:localhost": f"it touches {admin.user_id}, a server admin",
        "*host": "it touches this server itself",
    }
    assert (shown["here"], shown["rules"], shown["entries"]) == (True, 7, 1)

    rule(maintainer, policy_room, USER_RULE, lifted.user_id, "changed their ways back")
    assert within(lambda: lifted.send(open_room).code == ACCOUNT)
    maintainer.set_state(policy_room, USER_RULE, {}, f"rule:{by_hand.user_id}").good()
    maintainer.set_state(policy_room, USER_RULE, {}, f"rule:{lifted.user_id}").good()
    assert within(lambda: lifted.send(open_room).ok)
    assert [one["id"] for one in open_entries(reviewer, by_hand.user_id)] == [entry]

    # When nobody of this server is in it any more, its state is gone; that withdraws nothing.
    maintainer.leave(policy_room).good()
    assert within(lambda: not shown_list(reviewer, policy_room)["here"])
    time.sleep(1.5)  # a look is due every second, and it must do nothing
    assert open_entries(reviewer, "@other:evil.example")
    reviewer.groupreg("DELETE", f"followed/{quote(policy_room)}").good()
    assert not open_entries(reviewer, "@other:evil.example")


def agree(colleague: Staff, answer: dict[str, Any]) -> None:
    """Approve what waits for it."""
    if "proposal" in answer:
        colleague.groupreg("POST", f"proposals/{answer['proposal']['id']}/approve", {}).good()


def test_an_import_shows_whom_it_touches_and_refuses_rules_on_staff(
    server: Homeserver, reviewer: Staff, colleague: Staff, friend: Person, open_room: str
) -> None:
    person = Person(server)
    rules = [
        {"entity": person.user_id, "reason": "spam"},
        {"entity": "@nobody-*:localhost"},
        {"entity": open_room[:8] + "*", "kind": "room"},
        {"entity": "evil2.example"},
        {"entity": reviewer.user_id},
        {"entity": "loc?lhost"},
    ]
    tried = do_import(reviewer, {"rules": rules}, dry_run="true").good()
    assert tried["counts"] == {"new": 4, "already": 0, "refused": 2, "unreadable": 0}
    shown = {one["entity"]: one for one in tried["rules"]}
    assert set(shown) == {person.user_id, open_room[:8] + "*", reviewer.user_id, "loc?lhost"}
    assert shown[person.user_id]["touches"]["accounts"] == {"count": 1, "first": [person.user_id]}
    assert shown[open_room[:8] + "*"]["touches"]["rooms"]["first"] == [open_room]
    whole = do_import(reviewer, {"rules": rules})
    assert whole.status == 409
    assert f"{reviewer.user_id}, a member of staff" in whole.body["error"]
    assert "this server itself" in whole.body["error"]
    assert not open_entries(reviewer, person.user_id)

    done = do_import(reviewer, {"rules": rules, "skip_refused": True}).good()
    assert done["counts"]["new"] == 4
    agree(colleague, done)
    refused(person.join(open_room), ACCOUNT)
    assert "spam" in refused(person.found(), ACCOUNT)["error"]
    refused(friend.send(open_room), ROOM)
    refused(Person(server, "nobody").found(), ACCOUNT)  # who came later is covered too
    again = do_import(reviewer, {"rules": rules[:4]}).good()
    assert (again["changed"], again["counts"]["already"]) == (False, 4)
    for one in reviewer.groupreg("GET", "blacklist").good()["blacklist"]:
        reviewer.lift(one["id"]).good()
    friend.send(open_room).good()


def test_what_is_exported_can_be_imported_again(
    server: Homeserver, reviewer: Staff, colleague: Staff, tmp_path: Path, friend: Person
) -> None:
    """By file and by room: the same entries come back, once a colleague agreed to the globs among them."""
    person = Person(server)
    entities = [person.user_id, "@glob*:x.example", friend.found_group(), "*.round.example"]
    policy_room = reviewer.found_group(name="Ours")
    for entity in entities:
        agree(colleague, reviewer.bar(entity, reason=f"because of {entity}").good())
    files = [tmp_path / "list.json", tmp_path / "list.csv"]
    for target in (*map(str, files), policy_room):
        done = groupreg(reviewer, "blacklist", "export", target)
        assert done.exit_code == 0, done.output
    by_hand = reviewer.set_state(policy_room, USER_RULE, {"entity": "@x:y", "recommendation": "m.ban"}, "mine").good()
    for source in (*map(str, files), policy_room):
        for entity in entities:
            [entry] = open_entries(reviewer, entity)
            reviewer.lift(entry["id"]).good()
        done = groupreg(reviewer, "blacklist", "import", source, "--basis", "11.3", "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["counts"]["new"] == len(entities) + (source == policy_room)
        agree(colleague, json.loads(done.stdout))
        for entity in entities:
            assert [one["reason"] for one in open_entries(reviewer, entity)] == [f"because of {entity}"]

    # A later export withdraws what is lifted, and leaves what people wrote.
    for entity in (*entities, "@x:y"):
        reviewer.lift(open_entries(reviewer, entity)[0]["id"]).good()
    said = groupreg(reviewer, "blacklist", "export", policy_room)
    assert "0 rules added and 4 withdrawn" in said.stdout, said.output
    assert reviewer.state(policy_room, USER_RULE, f"rule:{person.user_id}").good() == {}
    assert reviewer.state(policy_room, USER_RULE, "mine").good()["entity"] == "@x:y"
    assert by_hand["event_id"]
    # In somebody else's room it is that room's power levels that decide.
    theirs = friend.found_group()
    reviewer.bar("@one:x.example").good()
    assert groupreg(reviewer, "blacklist", "export", theirs).exit_code == 3
    reviewer.lift(open_entries(reviewer, "@one:x.example")[0]["id"]).good()


def test_many_accounts_need_a_second_member_of_staff(
    server: Homeserver, admin: Staff, reviewer: Staff, colleague: Staff, open_room: str
) -> None:
    crowd = [Person(server, "crowd") for _ in range(21)]
    glob = "@crowd-*:localhost"
    tried = reviewer.groupreg(
        "POST", "blacklist", {"entity": glob, "reason": "bots", "basis": "11.3"}, dry_run="true"
    ).good()
    assert tried["needs_second"] is True
    for act in (
        lambda: reviewer.bar(glob, reason="bots"),
        lambda: do_import(reviewer, {"rules": [{"entity": one.user_id, "reason": "bots"} for one in crowd]}),
    ):
        answer = act().good()
        proposal = answer["proposal"]
        assert (answer["changed"], proposal["state"], proposal["accounts"]) == (False, "open", 21)
        assert act().good()["proposal"]["id"] == proposal["id"]
        crowd[0].join(open_room).good()

        approve, reject = (f"proposals/{proposal['id']}/{what}" for what in ("approve", "reject"))
        assert reviewer.groupreg("POST", approve).status == 403
        assert colleague.groupreg("POST", approve, dry_run="true").good()["dry_run"] is True
        listed = colleague.groupreg("GET", "proposals").good()
        assert [one["id"] for one in listed["proposals"]] == [proposal["id"]]
        colleague.groupreg("POST", approve, {"reason": "seen"}).good()
        assert crowd[0].send(open_room).code == ACCOUNT
        assert colleague.groupreg("POST", approve).good()["changed"] is False
        assert colleague.groupreg("POST", reject).status == 409

        carried_out, agreed = (admin.acts(author=one.user_id)[0] for one in (reviewer, colleague))
        assert carried_out["after"]["approved_by"] == colleague.user_id
        assert (agreed["action"], agreed["after"]["author"]) == ("approve", reviewer.user_id)
        for entry in reviewer.groupreg("GET", "blacklist", limit=1000).good()["blacklist"]:
            assert entry["author"] == reviewer.user_id
            reviewer.lift(entry["id"]).good()
        crowd[0].leave(open_room).good()

    number = reviewer.bar(glob).good()["proposal"]["id"]
    reviewer.groupreg("POST", f"proposals/{number}/reject", {"reason": "a mistake"}).good()
    assert colleague.groupreg("POST", f"proposals/{number}/approve").status == 409


def test_a_list_that_touches_many_is_accepted_by_two(server: Homeserver, reviewer: Staff, colleague: Staff) -> None:
    """Nor does a list that was harmless come to bar many by itself."""
    many = [Person(server, "many") for _ in range(21)]
    maintainer = Person(server, "keeper")
    policy_room = maintainer.found_group()
    rule(maintainer, policy_room, USER_RULE, many[0].user_id)
    follow(reviewer, policy_room).good()
    assert within(lambda: open_entries(reviewer, many[0].user_id))
    rule(maintainer, policy_room, USER_RULE, "@many-*:localhost")
    rule(maintainer, policy_room, USER_RULE, "@marker:x.example")
    assert within(lambda: open_entries(reviewer, "@marker:x.example"))
    assert not open_entries(reviewer, "@many-*:localhost")
    shown = shown_list(reviewer, policy_room)
    assert "more than 20 accounts" in shown["skipped"][0]["why"]

    proposal = follow(reviewer, policy_room).good()["proposal"]
    assert proposal["accounts"] == 21
    said = groupreg(colleague, "proposal", "approve", str(proposal["id"]))
    assert said.exit_code == 0, said.output
    rule(maintainer, policy_room, USER_RULE, "@another:x.example")
    assert within(lambda: open_entries(reviewer, "@many-*:localhost"))
    refused(many[5].found(), ACCOUNT)
    reviewer.groupreg("DELETE", f"followed/{quote(policy_room)}").good()
    many[5].found().good()
