# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stays free below every assurance: reading, leaving, one's own words, and talking to staff (article 6.2)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.synapse import SAMPLE_PASSWORD
from tests.e2e.client import MATRIX, Person, Staff, refused

CONFIG = {
    "mode": "enforce",
    "federation": "closed",
    "identity": {"required": {"post": "contact", "found": "real_name"}},
}


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(module_config=CONFIG)


@pytest.fixture
def host(server: Homeserver, admin: Staff) -> Person:
    person = Person(server, "host")
    admin.verify(person.user_id, "real_name").good()
    return person


def test_unverified_accounts_read_and_take_part_quietly(server: Homeserver, host: Person) -> None:
    reader = Person(server, "reader")
    room = host.found_group()
    event = host.send(room).good()["event_id"]

    login = {"type": "m.login.password", "user": reader.name, "password": SAMPLE_PASSWORD}
    second = reader.call("POST", f"{MATRIX}/login", login).good()
    reader.join(room).good()
    assert event in str(reader.sync().good()["rooms"]["join"][room])
    assert event in str(reader.messages(room).good())

    at, me = f"{MATRIX}/rooms/{quote(room)}", quote(reader.user_id)
    keys = {
        "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "device_id": second["device_id"],
        "keys": {f"curve25519:{second['device_id']}": "x"},
        "signatures": {},
        "user_id": reader.user_id,
    }
    for method, path, body in (
        ("POST", f"{at}/receipt/m.read/{quote(event)}", {}),
        ("POST", f"{at}/read_markers", {"m.fully_read": event}),
        ("PUT", f"{at}/typing/{me}", {"typing": True, "timeout": 1000}),
        ("PUT", f"{MATRIX}/sendToDevice/org.example.hello/1", {"messages": {host.user_id: {"*": {"a": 1}}}}),
        ("POST", f"{at}/report/{quote(event)}", {"reason": "rude"}),
        ("POST", f"{at}/report", {"reason": "rude"}),
        ("PUT", f"{MATRIX}/user/{me}/account_data/org.example.setting", {"a": 1}),
        ("GET", f"{MATRIX}/account/whoami", None),
        ("GET", f"/_synapse/client/groupreg/v1/accounts/{me}", None),
    ):
        reader.call(method, path, body).good()
    with reader.at(server.url) as other_device:
        other_device.token = second["access_token"]
        other_device.call("POST", f"{MATRIX}/keys/upload", {"device_keys": keys}).good()
        other_device.call("POST", f"{MATRIX}/logout", {}).good()
    reader.leave(room).good()


def test_people_take_back_their_own_words_after_losing_their_assurance(admin: Staff, host: Person) -> None:
    room = host.found_group()
    mine, theirs = (host.send(room).good()["event_id"] for _ in range(2))
    admin.unverify(host.user_id).good()

    host.redact(room, mine).good()
    refused(host.send(room), "identity-required")
    assert "redacted_because" in str(host.messages(room).good())
    assert theirs != mine


def test_a_direct_chat_with_staff_is_open_to_everybody(server: Homeserver, officer: Staff) -> None:
    """An unverified person begins it; both write; it can't become a group; without the staff it is closed again."""
    person, third = Person(server), Person(server)
    chat = person.found(is_direct=True, invite=[officer.user_id]).room_id
    officer.join(chat).good()
    person.send(chat).good()
    person.send(chat, event_type="m.room.encrypted", algorithm="m.megolm.v1.aes-sha2", ciphertext="AwgA").good()
    officer.send(chat).good()

    refused(person.invite(chat, third.user_id), "identity-required")
    refused(person.set_state(chat, "m.room.join_rules", {"join_rule": "public"}), "identity-required")
    refused(person.set_alias(chat, f"#{person.name}:localhost"), "identity-required")
    refused(person.publish(chat), "identity-required")
    assert person.members(chat) == {person.user_id, officer.user_id}

    officer.leave(chat).good()
    refused(person.send(chat), "identity-required")


def test_only_a_chat_of_two_with_staff_is_free(server: Homeserver, officer: Staff, host: Person) -> None:
    person = Person(server)
    refused(person.found(is_direct=True, invite=[host.user_id]), "identity-required")
    refused(person.found(is_direct=True, invite=[officer.user_id, host.user_id]), "identity-required")
    refused(person.found(is_direct=True, invite=[officer.user_id], preset="public_chat"), "identity-required")
    refused(person.found(invite=[officer.user_id]), "identity-required")
    assert person.own_rooms() == set()


def test_an_account_that_loses_its_role_is_no_staff_any_more(server: Homeserver, admin: Staff) -> None:
    clerk = Staff(server, "clerk", roles=["inspector"], granted_by=admin)
    person = Person(server)
    chat = person.found(is_direct=True, invite=[clerk.user_id]).room_id
    person.send(chat).good()
    admin.grant(clerk.user_id, []).good()
    refused(person.send(chat), "identity-required")
