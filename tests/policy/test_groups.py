# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What counts as a group: the shape decides, not what a client says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.policy.groups import RoomReplaced, Shape, kind_at_founding, kind_of, not_replaced
from synapse_groupreg.policy.types import Found, Invite, Join, Room, RoomKind, Send
from tests.policy.samples import ALICE, BOB, GROUP, config

HONEST = {"is_direct": True, "invite": ["@bob:test.example.org"], "preset": "trusted_private_chat"}
RULE = "m.room.join_rules"


def rule(content: object, event_type: str = RULE) -> dict[str, Any]:
    return {"initial_state": [{"type": event_type, "state_key": "", "content": content}]}


@pytest.mark.parametrize("people", [0, 1, 2])
@pytest.mark.parametrize("founded_as", [None, RoomKind.direct])
def test_two_people_behind_closed_doors_are_a_direct_chat(people: int, founded_as: RoomKind | None) -> None:
    assert kind_of(Shape(space=False, people=people, open=False, founded_as=founded_as)) is RoomKind.direct


@pytest.mark.parametrize(
    "shape",
    [
        Shape(space=False, people=3, open=False, founded_as=RoomKind.direct),
        Shape(space=False, people=3, open=False, founded_as=None),
        Shape(space=False, people=2, open=True, founded_as=RoomKind.direct),
        Shape(space=False, people=1, open=True, founded_as=None),
        Shape(space=False, people=2, open=False, founded_as=RoomKind.group),
        Shape(space=False, people=1, open=False, founded_as=RoomKind.group),
        Shape(space=False, people=1, open=False, founded_as=RoomKind.space),
    ],
)
def test_whatever_breaks_the_shape_makes_a_group(shape: Shape) -> None:
    """A room founded as a group stays one, however few are left in it; so does one whose space type is forged."""
    assert kind_of(shape) is RoomKind.group


@pytest.mark.parametrize("founded_as", [None, *RoomKind])
def test_a_space_is_known_by_its_create_event(founded_as: RoomKind | None) -> None:
    assert kind_of(Shape(space=True, people=99, open=True, founded_as=founded_as)) is RoomKind.space


def test_an_honest_direct_chat() -> None:
    assert kind_at_founding(HONEST) is RoomKind.direct
    assert kind_at_founding(HONEST | rule({"join_rule": "invite"})) is RoomKind.direct
    assert kind_at_founding(HONEST | rule({"join_rule": "public"}, "m.room.topic")) is RoomKind.direct
    assert kind_at_founding(HONEST | {"visibility": "private", "room_alias_name": ""}) is RoomKind.direct


@pytest.mark.parametrize(
    "spoofed",
    [
        {"is_direct": False},
        {"is_direct": None},
        {"is_direct": "true"},
        {"is_direct": 1},
        {"is_direct": ["yes"]},
        {"invite": []},
        {"invite": None},
        {"invite": "@bob:test.example.org"},
        {"invite": [None]},
        {"invite": [["@bob:test.example.org"]]},
        {"invite": ["@bob:test.example.org", "@carol:test.example.org"]},
        {"invite": ["@bob:test.example.org", "@bob:test.example.org"]},
        {"invite_3pid": [{"medium": "email", "address": "c@example.org"}]},
        {"visibility": "public"},
        {"preset": "public_chat"},
        {"room_alias_name": "everybody"},
        rule({"join_rule": "public"}),
        rule({"join_rule": "knock"}),
        rule({"join_rule": "restricted", "allow": []}),
        rule({"join_rule": "knock_restricted"}),
        rule({}),
        rule(None),
        rule("invite"),
        {
            "initial_state": [
                *rule({"join_rule": "invite"})["initial_state"],
                *rule({"join_rule": "public"})["initial_state"],
            ]
        },
    ],
    ids=str,
)
def test_a_room_that_only_says_it_is_direct_is_a_group(spoofed: dict[str, Any]) -> None:
    assert kind_at_founding(HONEST | spoofed) is RoomKind.group


def test_a_room_is_a_group_unless_it_says_otherwise() -> None:
    assert kind_at_founding({}) is RoomKind.group
    assert kind_at_founding({"name": "x", "preset": "public_chat"}) is RoomKind.group


def test_a_space_is_known_by_its_creation_content_alone() -> None:
    space = {"creation_content": {"type": "m.space"}}
    assert kind_at_founding(space) is RoomKind.space
    assert kind_at_founding(HONEST | space) is RoomKind.space
    for content in ({"type": "m.other"}, {}, "m.space", ["m.space"], None):
        assert kind_at_founding({"creation_content": content}) is RoomKind.group


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["public", "invite", RULE, "m.space", "@b:c", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "content", "join_rule", "state_key"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["is_direct", "invite", "invite_3pid", "visibility", "preset", "initial_state", "creation_content"]
        ),
        json | st.just(True) | st.just(["@b:c"]),
    )
)
def test_any_body_has_a_kind_and_only_the_shape_makes_it_direct(body: dict[str, Any]) -> None:
    kind = kind_at_founding(body)
    if kind is RoomKind.direct:
        invites = body["invite"]
        assert body["is_direct"] is True
        assert len(invites) == 1
        assert isinstance(invites[0], str)
        assert not body.get("invite_3pid")
        assert body.get("visibility") != "public"
        states = body.get("initial_state")
        rules = [one for one in states if isinstance(one, dict) and one.get("type") == RULE] if states else []
        assert all(one["content"]["join_rule"] == "invite" for one in rules)


def test_a_group_that_was_replaced_is_closed() -> None:
    old = Room(room_id="!old", replaced=True)
    rules = config()
    for attempt in (
        Send(actor=ALICE, room=old),
        Join(actor=ALICE, room=old),
        Invite(actor=ALICE, room=old, invitee=BOB),
        Found(actor=ALICE, replaces=old),
    ):
        assert not_replaced(attempt, rules) == RoomReplaced()
    assert not_replaced(Send(actor=ALICE, room=old, retracts_own=True), rules) is None
    for attempt in (Send(actor=ALICE, room=GROUP), Found(actor=ALICE), Found(actor=ALICE, replaces=GROUP)):
        assert not_replaced(attempt, rules) is None
