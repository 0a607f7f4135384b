# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who manages a group, read from whatever stands in its power levels."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.policy.roles import managers

FOUNDER, MEMBERS = "@founder:a", {"@founder:a", "@x:a", "@y:a", "@z:b"}


def found(levels: Any, from_level: int = 50, **who: Any) -> list[str]:
    facts: dict[str, Any] = {"founder": FOUNDER, "members": MEMBERS} | who
    return managers(levels, from_level=from_level, **facts)


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ({FOUNDER: 100}, []),
        ({FOUNDER: 100, "@x:a": 50}, ["@x:a"]),
        ({FOUNDER: 100, "@x:a": 49}, []),
        ({"@z:b": 100, "@x:a": 75}, ["@x:a", "@z:b"]),
        ({"@gone:a": 100}, []),
        ({"@x:a": True, "@y:a": None, "@z:b": [100]}, []),
        ({"@x:a": "50", "@y:a": "-1", "@z:b": "many"}, ["@x:a"]),
        ({"@x:a": 2**60}, ["@x:a"]),
        ({}, []),
    ],
)
def test_joined_members_at_or_above_the_level_but_for_the_founder(users: dict[str, Any], expected: list[str]) -> None:
    assert found({"users": users}) == expected


@pytest.mark.parametrize("levels", [None, {}, {"users": None}, {"users": ["@x:a"]}, {"users": "@x:a"}])
def test_power_levels_that_name_nobody(levels: Any) -> None:
    assert found(levels) == []


def test_true_is_no_power_level() -> None:
    assert found({"users": {"@x:a": True}}, from_level=1) == []


def test_where_everybody_has_the_level_everybody_manages() -> None:
    levels = {"users_default": 50, "users": {"@x:a": 0}}
    assert found(levels) == ["@y:a", "@z:b"]


def test_creators_of_a_room_of_version_12_stand_in_no_list() -> None:
    levels = {"users": {"@y:a": 50}}
    assert found(levels, creators=["@x:a", "@gone:a", FOUNDER]) == ["@x:a", "@y:a"]
    assert found(None, creators=["@x:a"]) == ["@x:a"]


@given(
    levels=st.dictionaries(
        st.sampled_from(["users", "users_default"]),
        st.none()
        | st.integers()
        | st.dictionaries(st.sampled_from(sorted(MEMBERS)), st.none() | st.integers() | st.text()),
    ),
    low=st.integers(1, 100),
    high=st.integers(1, 100),
)
def test_whatever_the_levels_say_a_higher_bar_leaves_fewer(levels: Any, low: int, high: int) -> None:
    low, high = sorted((low, high))
    assert set(found(levels, high)) <= set(found(levels, low)) <= MEMBERS - {FOUNDER}
