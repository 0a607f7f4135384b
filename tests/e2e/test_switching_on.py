# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Switching on at a server that has been running without the module: plan, dry run, enforcement, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from synapse_groupreg.rig import Homeserver
from tests.e2e.client import Person, Staff, refused

CONFIG: dict[str, Any] = {
    "mode": "dry",
    "federation": "closed",
    "quotas": {"members_per_room": 2, "rooms_founded": 2},
    "identity": {"required": {"post": "contact"}},
    "exempt": ["@bridge_*:localhost"],
}


class Old:
    """What was there before the module."""

    def __init__(self, server: Homeserver) -> None:
        self.server = server
        self.admin = Staff(server, "admin")
        self.founder, self.member, self.third = (Person(server, name) for name in ("founder", "member", "third"))
        self.bridge = Person(server, "bridge_of_old", exact=True)
        self.large = self.founder.found_group(name="large")
        for person in (self.member, self.third):
            person.join(self.large).good()
        encryption = {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
        self.secret = self.founder.found_group(name="secret", initial_state=[encryption])
        self.founder.found_group(name="third of the founder", creation_content={"m.federate": False})
        self.orphan = self.member.found_group(name="orphan", invite=[self.third.user_id])
        self.third.join(self.orphan).good()
        self.member.leave(self.orphan).good()
        self.of_bridge = [self.bridge.found_group(name=f"bridged {number}") for number in range(3)]
        for person, medium, address in (
            (self.founder, "email", "founder@example.org"),
            (self.third, "msisdn", "447700900123"),
        ):
            path = f"v2/users/{quote(person.user_id)}"
            threepids = [{"medium": medium, "address": address}]
            self.admin.admin_api("PUT", path, {"threepids": threepids}).good()


@pytest.fixture(scope="module")
def old(start_homeserver: Callable[..., Homeserver]) -> Old:
    """A server that ran without the module and was restarted with it, in a dry run."""
    server = start_homeserver()
    old = Old(server)
    server.restart(module_config=CONFIG)
    return old


def test_verified_addresses_are_taken_over(old: Old) -> None:
    found = {person.name: old.admin.account(person.user_id)["assurance"] for person in (old.founder, old.third)}
    assert set(found.values()) == {"contact"}
    assert old.admin.account(old.member.user_id)["assurance"] == "none"
    (first_start,) = old.admin.acts(action="verify")
    assert (first_start["author"], first_start["after"]) == ("server", {"accounts": 2, "assurance": "contact"})


def test_the_plan_shows_what_the_rules_would_do(old: Old) -> None:
    plan = old.admin.groupreg("GET", "plan").good()
    assert [(one["room_id"], one["members"], one["cap"]) for one in plan["rooms_over_cap"]] == [(old.large, 3, 2)]
    over = [(one["account"], one["quota"], one["used"], one["limit"]) for one in plan["accounts_over_limit"]]
    assert over == [(old.founder.user_id, "rooms_founded", 3, 2)]
    assert [one["room_id"] for one in plan["founderless_groups"]] == [old.orphan]
    assert [one["room_id"] for one in plan["encrypted_groups"]] == [old.secret]
    federated = {one["room_id"] for one in plan["federated_groups"]}
    assert federated == {old.large, old.secret, old.orphan, *old.of_bridge}
    assert (plan["groups"], plan["federated_groups_total"]) == (7, 6)
    assert plan["accounts"]["by_assurance"] == {"none": 3, "contact": 2, "real_name": 0, "in_person": 0}
    # The member alone: nothing is asked of the admin and the bridge.
    assert plan["accounts"]["below_post"] == 1
    assert plan["exempt"]["configured"] == ["@bridge_*:localhost"]
    assert plan["exempt"]["server_admins"] == [old.admin.user_id]


def test_a_dry_run_refuses_nothing_and_counts_everything(old: Old) -> None:
    newcomer = Person(old.server)
    before = old.admin.status()["counters"]
    newcomer.join(old.large).good()
    newcomer.send(old.large).good()
    old.founder.found_group()
    old.member.send(old.large).good()
    after = old.admin.status()["counters"]
    assert after["refused"] == before["refused"]
    risen = {code: count - before["dry"].get(code, 0) for code, count in after["dry"].items()}
    assert risen == {"room-full": 1, "identity-required": 2, "too-many-founded": 1}
    newcomer.leave(old.large).good()


def test_enforcing_removes_nobody_and_admits_nobody(old: Old) -> None:
    """Without a restart: a group over its cap keeps its members, and is closed until there is room."""
    old.admin.mode("enforce").good()
    status = old.admin.status()
    assert (status["mode"], status["configured_mode"]) == ("enforce", "dry")
    newcomer = Person(old.server)
    assert old.founder.members(old.large) == {one.user_id for one in (old.founder, old.member, old.third)}
    refused(newcomer.join(old.large), "room-full")
    refused(old.founder.found(), "too-many-founded")
    refused(old.member.send(old.large), "identity-required")
    old.third.send(old.large).good()

    old.third.leave(old.large).good()
    refused(newcomer.join(old.large), "room-full")
    old.member.leave(old.large).good()
    newcomer.join(old.large).good()

    old.admin.mode("dry").good()
    old.member.join(old.large).good()
    old.founder.found().good()


def test_exempt_accounts_are_exempt(old: Old) -> None:
    old.admin.mode("enforce").good()
    assert old.admin.account(old.bridge.user_id)["exempt"] is True
    old.bridge.send(old.of_bridge[0]).good()
    old.bridge.found().good()
    # An exemption is not immunity from the blacklist.
    entry = old.admin.bar(old.bridge.user_id).good()["id"]
    refused(old.bridge.send(old.of_bridge[0]), "account-blacklisted")
    old.admin.lift(entry).good()
    assert [one for one in old.admin.refusals(account=old.bridge.user_id) if one["code"] != "account-blacklisted"] == []


def test_what_staff_chose_outlives_a_restart_until_the_configuration_is_edited(old: Old) -> None:
    """And a rule in `dry_run` stays dry while the others are enforced."""
    old.admin.mode("enforce").good()
    old.server.restart()
    assert old.admin.status()["mode"] == "enforce"

    old.admin.mode("dry").good()
    old.server.restart(module_config=CONFIG | {"mode": "enforce", "dry_run": ["room-full"]})
    assert old.admin.status()["mode"] == "enforce"
    told = old.admin.acts(action="mode")[0]
    assert (told["author"], told["reason"], told["after"]) == ("server", "configuration", {"mode": "enforce"})

    newcomer = Person(old.server)
    before = old.admin.status()["counters"]["dry"]["room-full"]
    full = old.founder.found_group() if old.admin.limit(old.founder.user_id, rooms_founded=99).ok else ""
    old.admin.cap(full, 1).good()
    newcomer.join(full).good()
    refused(newcomer.send(full), "identity-required")
    assert old.admin.status()["counters"]["dry"]["room-full"] == before + 1
    assert "dry-rules" in {one["code"] for one in old.admin.status()["warnings"]}


def test_verified_addresses_are_taken_over_once(old: Old) -> None:
    """What staff took back since does not return with a restart."""
    assert len([one for one in old.admin.acts(action="verify") if one["reason"] == "first start"]) == 1
