# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A new group has one founder and our labels, and keeps all else that was asked for."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.policy.founding import Making, initial_state, levels_at_founding, may_write, one_founder
from synapse_groupreg.policy.labels import CINNY_TAGS, LABELS
from synapse_groupreg.policy.roles import power_of

ME, BOB, EVE = "@me:a", "@bob:a", "@eve:b"
OURS = {LABELS: {"founder": ME}, CINNY_TAGS: {"50": {"name": "Manager"}}}


def making(version: int = 12, **server_levels: Any) -> Making:
    return Making(founder=ME, creators_above=version >= 12, server_levels=server_levels)


def shaped(body: dict[str, Any], how: Making | None = None) -> dict[str, Any]:
    before = copy.deepcopy(body)
    after = {**body, **one_founder(body, how or making())}
    assert body == before, "what Synapse passed is changed by whoever passes it on"
    return after


def levels(content: dict[str, Any], state_key: str = "") -> dict[str, Any]:
    return {"type": "m.room.power_levels", "state_key": state_key, "content": content}


def test_further_creators_become_managers() -> None:
    after = shaped({"creation_content": {"additional_creators": [BOB, ME], "type": "x"}})
    assert after["creation_content"] == {"type": "x"}
    assert after["power_level_content_override"] == {"users": {BOB: 100}}


def test_a_trusted_chat_becomes_a_private_one_in_which_the_guests_have_the_level_of_managers() -> None:
    after = shaped({"preset": "trusted_private_chat", "invite": [BOB, EVE], "name": "x"})
    assert after["preset"] == "private_chat"
    assert after["power_level_content_override"]["users"] == {BOB: 100, EVE: 100}
    assert after["name"] == "x"


def test_before_version_12_a_trusted_chat_stays_one() -> None:
    body = {"preset": "trusted_private_chat", "invite": [BOB], "creation_content": {"additional_creators": [EVE]}}
    after = shaped(body, making(11))
    assert after == {**body, "creation_content": {}}
    assert levels_at_founding(after, making(11))["users"] == {ME: 100, BOB: 100}


@pytest.mark.parametrize("above", [True, False])
def test_what_needs_no_change_gets_none(above: bool) -> None:
    body = {"preset": "public_chat", "power_level_content_override": {"invite": 50}, "initial_state": [{"type": "x"}]}
    assert shaped(body, making(12 if above else 11)) == {**body, "creation_content": {}}


def test_levels_that_the_client_gave_are_kept() -> None:
    body = {
        "preset": "trusted_private_chat",
        "invite": [BOB, EVE],
        "power_level_content_override": {"users": {BOB: 50, ME: 100}, "ban": 75},
    }
    assert shaped(body)["power_level_content_override"] == {"users": {BOB: 50, EVE: 100}, "ban": 75}


def test_levels_in_the_initial_state_are_where_levels_count() -> None:
    body = {
        "preset": "trusted_private_chat",
        "invite": [BOB],
        "power_level_content_override": {"users": {EVE: 1}},
        "initial_state": [levels({"users": {}}), {"type": "x"}, levels({"users": {ME: 9}, "ban": 1}), levels({}, "k")],
    }
    after = shaped(body)
    assert after["power_level_content_override"] == {"users": {EVE: 1}}
    assert after["initial_state"] == [{"type": "x"}, levels({}, "k"), levels({"users": {BOB: 100}, "ban": 1})]


def test_a_founder_whom_the_initial_state_forgot_gets_their_level() -> None:
    after = shaped({"initial_state": [levels({"users": {BOB: 50}})]}, making(10))
    assert after["initial_state"] == [levels({"users": {ME: 100, BOB: 50}})]
    after = shaped({"initial_state": [levels({"users": {ME: 70}})]}, making(10))
    assert after["initial_state"] == [levels({"users": {ME: 70}})]


def test_levels_of_the_servers_configuration_are_kept_under_the_trusted_guests() -> None:
    server = {"trusted_private_chat": {"users": {EVE: 60}, "ban": 90, "kick": 90}}
    body = {"preset": "trusted_private_chat", "invite": [BOB], "power_level_content_override": {"kick": 10}}
    after = shaped(body, making(12, **server))["power_level_content_override"]
    assert after == {"users": {EVE: 60, BOB: 100}, "ban": 90, "kick": 10}


def test_labels_take_the_place_of_those_that_a_client_sent() -> None:
    spoof = [{"type": CINNY_TAGS, "content": {}}, {"type": LABELS, "state_key": "x", "content": {}}, {"type": "x"}]
    states = initial_state({"initial_state": spoof}, making(), OURS)
    assert states[0] == {"type": "x"}
    assert {one["type"]: one["content"] for one in states[1:]} == OURS
    assert [one["state_key"] for one in states[1:]] == ["", ""]


@pytest.mark.parametrize(
    "body",
    [
        {"power_level_content_override": {"state_default": 101}},
        {"power_level_content_override": {"events": {CINNY_TAGS: 101}}},
        {"power_level_content_override": {"users": {ME: 49}}},
        {"initial_state": [levels({"users": {ME: 100}, "state_default": 150})]},
        {"initial_state": [levels({})]},
    ],
)
def test_labels_that_the_founder_may_not_write_are_left_out(body: dict[str, Any]) -> None:
    """Synapse would refuse them after it has written half of the room."""
    assert not {LABELS, CINNY_TAGS} & {one["type"] for one in initial_state(body, making(11), OURS)}
    assert {LABELS, CINNY_TAGS} <= {one["type"] for one in initial_state(body, making(12), OURS)}


def test_levels_of_the_servers_configuration_can_forbid_labels() -> None:
    strict = making(11, public_chat={"state_default": 101})
    assert initial_state({"visibility": "public"}, strict, OURS) == []
    assert len(initial_state({}, strict, OURS)) == 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 200) | st.sampled_from([ME, BOB, EVE, "", "trusted_private_chat"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([ME, BOB, "users", "users_default", "events", "type", "state_key", "content"]), inner
        )
    ),
    max_leaves=10,
)
states = st.lists(anything | st.builds(levels, anything), max_size=3)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "preset": st.sampled_from(["trusted_private_chat", "private_chat", "public_chat"]) | anything,
        "invite": st.lists(st.sampled_from([BOB, EVE])) | anything,
        "creation_content": st.dictionaries(st.sampled_from(["additional_creators", "type"]), anything),
        "power_level_content_override": st.dictionaries(st.sampled_from(["users", "events", "ban"]), anything),
        "initial_state": states,
    },
)


@given(body=bodies, version=st.sampled_from([9, 10, 11, 12]))
def test_whatever_is_asked_for_a_group_of_any_version_has_one_founder(body: dict[str, Any], version: int) -> None:
    how = making(version)
    after = shaped(body, how)
    assert "additional_creators" not in after["creation_content"]
    if version >= 12:
        assert after.get("preset") != "trusted_private_chat"
        written = levels_at_founding(after, how)
        users = written.get("users")
        assert not isinstance(users, dict) or ME not in users, "Synapse would stop half-way"
    assert {**after, **one_founder(after, how)} == after, "once is enough"


@given(body=bodies, version=st.sampled_from([9, 10, 11]))
def test_labels_never_need_more_than_the_founder_has(body: dict[str, Any], version: int) -> None:
    how = making(version)
    after = shaped(body, how)
    written = levels_at_founding(after, how)
    for one in initial_state(after, how, OURS):
        if isinstance(one, dict) and one.get("type") in OURS:
            assert may_write(ME, one["type"], written)
            assert one["content"] == OURS[one["type"]]


def test_a_founder_before_version_12_is_an_admin_for_clients() -> None:
    assert power_of(ME, levels_at_founding({}, making(11))) == 100
