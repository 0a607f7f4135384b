# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Verified identity before publishing, founding and joining."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.policy import judge
from synapse_groupreg.policy.assurance import Assurance, parse_assurance
from synapse_groupreg.policy.identity import IdentityRequired, smallest_tier, tier, to_found, to_join, to_post
from synapse_groupreg.policy.types import Account, Found, Invite, Join, Manage, Room, RoomKind, Send
from tests.policy.samples import ALICE, BOB, DIRECT, GROUP, REMOTE, SPACE, config, required

NEEDS_CONTACT = required(post="contact")
LARGE = required(post="contact", members_over={5: "real_name", 10: "in_person"})
NONE, CONTACT, REAL_NAME, IN_PERSON = Assurance


def verified(level: Assurance, account: Account = ALICE) -> Account:
    return attrs.evolve(account, assurance=level)


def lacking(required: Assurance, have: Assurance = NONE) -> IdentityRequired:
    return IdentityRequired(required=required, have=have)


@pytest.mark.parametrize(
    "attempt",
    [
        Send(actor=ALICE, room=GROUP),
        Send(actor=ALICE, room=DIRECT),
        Send(actor=ALICE, room=SPACE),
        Invite(actor=ALICE, room=GROUP, invitee=BOB),
        Manage(actor=ALICE, room=GROUP),
        Manage(actor=ALICE),
    ],
)
def test_publishing_anything_anywhere_needs_what_post_says(attempt: Any) -> None:
    assert to_post(attempt, NEEDS_CONTACT) == lacking(CONTACT)
    assert to_post(attrs.evolve(attempt, actor=verified(CONTACT)), NEEDS_CONTACT) is None
    assert to_post(attempt, config()) is None


def test_taking_back_ones_own_words_stays_free() -> None:
    assert to_post(Send(actor=ALICE, room=GROUP, retracts_own=True), LARGE) is None


@pytest.mark.parametrize("kind", [Send, Manage])
def test_a_direct_chat_with_staff_stays_free(kind: type[Any]) -> None:
    assert to_post(kind(actor=ALICE, room=attrs.evolve(DIRECT, with_staff=True)), NEEDS_CONTACT) is None
    assert to_post(kind(actor=ALICE, room=DIRECT), NEEDS_CONTACT) is not None


def test_an_exempt_account_needs_no_identity() -> None:
    exempt = attrs.evolve(ALICE, exempt=True)
    rules = required(post="in_person", found="in_person", join="in_person")
    assert to_post(Send(actor=exempt, room=GROUP), rules) is None
    assert to_join(Join(actor=exempt, room=GROUP), rules) is None
    assert to_found(Found(actor=exempt), rules) is None


@pytest.mark.parametrize(
    ("members", "needed"), [(0, CONTACT), (5, CONTACT), (6, REAL_NAME), (10, REAL_NAME), (11, IN_PERSON)]
)
def test_large_groups_ask_for_more(members: int, needed: Assurance) -> None:
    room = attrs.evolve(GROUP, members=members)
    assert to_post(Send(actor=ALICE, room=room), LARGE) == lacking(needed)
    assert to_post(Send(actor=verified(needed), room=room), LARGE) is None
    assert to_post(Manage(actor=verified(needed), room=room), LARGE) is None
    to_enter = needed if members > 5 else NONE
    assert to_join(Join(actor=verified(to_enter), room=room), LARGE) is None
    if to_enter:
        assert to_join(Join(actor=ALICE, room=room), LARGE) == lacking(to_enter)


@pytest.mark.parametrize("room", [DIRECT, SPACE])
def test_size_counts_in_groups_only(room: Room) -> None:
    crowded = attrs.evolve(room, members=99)
    assert to_post(Send(actor=verified(CONTACT), room=crowded), LARGE) is None
    assert to_join(Join(actor=ALICE, room=crowded), LARGE) is None


def test_a_large_tier_that_asks_for_less_takes_nothing_back() -> None:
    rules = required(members_over={5: "in_person", 10: "contact"})
    room = attrs.evolve(GROUP, members=11)
    assert to_post(Send(actor=verified(REAL_NAME), room=room), rules) == lacking(IN_PERSON, REAL_NAME)


@given(
    tiers=st.dictionaries(st.integers(1, 20), st.sampled_from([level.name for level in Assurance]), max_size=4),
    size=st.integers(0, 25),
    more=st.integers(0, 25),
)
def test_a_group_that_grows_never_asks_for_less(tiers: dict[int, str], size: int, more: int) -> None:
    rules = required(members_over=tiers)

    def asked(members: int) -> Assurance:
        violation = to_join(Join(actor=ALICE, room=attrs.evolve(GROUP, members=members)), rules)
        return violation.required if isinstance(violation, IdentityRequired) else NONE

    assert asked(size) <= asked(size + more)
    assert tier(rules, size) <= tier(rules, size + more)
    if tier(rules, size) == tier(rules, size + more):
        assert asked(size) == asked(size + more)


def test_tiers() -> None:
    assert smallest_tier(config()) is None
    assert smallest_tier(LARGE) == 5
    assert [tier(LARGE, members) for members in (0, 5, 6, 10, 11)] == [0, 0, 5, 5, 10]
    assert tier(config(), 10**6) == 0


@pytest.mark.parametrize(
    ("needs", "kind", "needed"),
    [
        ({"post": "contact"}, RoomKind.group, CONTACT),
        ({"post": "contact"}, RoomKind.direct, CONTACT),
        ({"post": "contact"}, RoomKind.space, CONTACT),
        ({"found": "real_name"}, RoomKind.group, REAL_NAME),
        ({"found": "real_name"}, RoomKind.direct, NONE),
        ({"found": "real_name"}, RoomKind.space, NONE),
        ({"join": "contact"}, RoomKind.group, CONTACT),
        ({"join": "contact"}, RoomKind.direct, NONE),
        ({"post": "in_person", "found": "contact"}, RoomKind.group, IN_PERSON),
        ({"post": "contact", "found": "contact", "join": "real_name"}, RoomKind.group, REAL_NAME),
    ],
)
def test_founding_a_group_needs_what_founding_posting_and_joining_need(
    needs: dict[str, str], kind: RoomKind, needed: Assurance
) -> None:
    rules = required(**needs)
    assert to_found(Found(actor=ALICE, kind=kind), rules) == (lacking(needed) if needed else None)
    assert to_found(Found(actor=verified(needed), kind=kind), rules) is None


def test_a_direct_chat_with_staff_may_be_begun_by_anybody() -> None:
    assert to_found(Found(actor=ALICE, kind=RoomKind.direct, with_staff=True), NEEDS_CONTACT) is None


@pytest.mark.parametrize("room", [DIRECT, SPACE])
def test_entering_what_is_no_group_needs_nothing(room: Room) -> None:
    assert to_join(Join(actor=ALICE, room=room), required(join="in_person")) is None


@pytest.mark.parametrize(
    ("remote_senders", "post", "room", "refused"),
    [
        ("allow", "contact", GROUP, False),
        ("refuse", "contact", GROUP, True),
        ("refuse", "none", GROUP, False),
        ("refuse", "contact", DIRECT, False),
        ("refuse", "contact", SPACE, False),
    ],
)
def test_accounts_of_other_servers_post_as_remote_senders_says(
    remote_senders: str,
    post: str,
    room: Room,
    refused: bool,
) -> None:
    rules = config(identity={"required": {"post": post}, "remote_senders": remote_senders})
    attempt = Send(actor=REMOTE, room=room)
    assert to_post(attempt, rules) == (lacking(CONTACT) if refused else None)
    assert to_post(attrs.evolve(attempt, actor=attrs.evolve(REMOTE, exempt=True)), rules) is None


def test_what_another_server_says_about_identity_counts_for_nothing() -> None:
    rules = config(identity={"required": {"post": "contact"}, "remote_senders": "refuse"})
    assert to_post(Send(actor=verified(IN_PERSON, REMOTE), room=GROUP), rules) == lacking(CONTACT)


def test_the_facts_are_words() -> None:
    verdict = judge(Send(actor=ALICE, room=GROUP), required(post="real_name"))
    assert verdict.violations[0].facts() == {"required": "real_name", "have": "none"}


def test_assurance_is_ordered_and_parsed_by_name() -> None:
    assert NONE < CONTACT < REAL_NAME < IN_PERSON
    assert [parse_assurance(level.name) for level in Assurance] == list(Assurance)
    for word in ("", "None", "0", "REAL_NAME", "bogus"):
        with pytest.raises(ValueError, match="must be one of none, contact, real_name, in_person"):
            parse_assurance(word)
