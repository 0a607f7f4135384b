# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words for roles say the same as the roles themselves, whoever is given which power level later."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.policy.labels import CINNY_TAGS, LABELS, Roster, labels, names_shown, roles_by_level
from synapse_groupreg.policy.roles import Role, managers, power_of

FOUNDER, OTHERS = "@founder:a", ["@x:a", "@y:a", "@z:b"]
WORDS = {"founder": "Founder", "manager": "Manager", "member": "Member"}


def roster(levels: Any = None, *, above: bool = False, manager_level: int = 50) -> Roster:
    levels = {"users": {FOUNDER: 100}} if levels is None else levels
    return Roster(founder=FOUNDER, power_levels=levels, creators_above=above, manager_level=manager_level)


def tags(of: Roster, *languages: str) -> dict[str, str]:
    return names_shown(labels(of, languages or ("en",))[CINNY_TAGS])


def role_read(content: dict[str, Any], user_id: str, levels: dict[str, Any]) -> str:
    """The role of somebody, as a client reads our event: the way that its documentation tells."""
    if user_id in content.get("left_out", ()):
        return "member"
    if user_id == content.get("founder"):
        return "founder"
    thresholds = sorted((int(level), role) for level, role in content["levels"].items())
    level = power_of(user_id, levels)
    below = [role for threshold, role in thresholds if threshold <= level]
    return str(below[-1] if below else thresholds[0][1])


some_levels = st.fixed_dictionaries(
    {
        "users": st.dictionaries(st.sampled_from([FOUNDER, *OTHERS]), st.integers(-5, 150)),
        "users_default": st.sampled_from([0, 0, 50, 100, -1]),
    }
)


@given(now=some_levels, later=some_levels, manager_level=st.integers(1, 100), above=st.booleans())
def test_our_labels_stay_right_when_power_levels_change(
    now: dict[str, Any], later: dict[str, Any], manager_level: int, above: bool
) -> None:
    written = labels(roster(now, above=above, manager_level=manager_level), ("en",))[LABELS]
    managing = managers(later, from_level=manager_level, founder=FOUNDER, members=[FOUNDER, *OTHERS])
    for user_id in OTHERS:
        assert role_read(written, user_id, later) == ("manager" if user_id in managing else "member")
    assert role_read(written, FOUNDER, later) == "founder"


@given(levels=some_levels, manager_level=st.integers(1, 100), above=st.booleans())
def test_cinny_shows_everybody_the_word_of_their_role(levels: dict[str, Any], manager_level: int, above: bool) -> None:
    group = roster(levels, above=above, manager_level=manager_level)
    shown = tags(group)
    managing = managers(levels, from_level=manager_level, founder=FOUNDER, members=OTHERS)
    for user_id in OTHERS:
        level = str(power_of(user_id, levels))
        if int(level) >= 0:  # what is below, such as a muted member, keeps Cinny's own word
            assert shown[level] == ("Manager" if user_id in managing else "Member")


@given(levels=some_levels, above=st.booleans(), out=st.sets(st.sampled_from([FOUNDER, *OTHERS])))
def test_who_is_left_out_reads_as_a_member_and_nobody_else_does(
    levels: dict[str, Any], above: bool, out: set[str]
) -> None:
    group = attrs.evolve(roster(levels, above=above), left_out=frozenset(out))
    written, shown = labels(group, ("en",))[LABELS], tags(group)
    managing = managers(levels, from_level=50, founder=FOUNDER, members=OTHERS)
    alone = {user: list(levels["users"].values()).count(level) == 1 for user, level in levels["users"].items()}
    for user_id in {*OTHERS, FOUNDER} - out:
        role = "founder" if user_id == FOUNDER else "manager" if user_id in managing else "member"
        assert role_read(written, user_id, levels) == role
        level = power_of(user_id, levels)
        if user_id != FOUNDER and level >= 0:
            assert shown[str(level)] == role.capitalize()
    for user_id in out:
        assert role_read(written, user_id, levels) == "member"
        level = power_of(user_id, levels)
        if alone.get(user_id) and level != levels["users_default"] and level >= 0:
            assert shown[str(level)] == "Member"


def test_the_levels_that_clients_offer_have_their_words() -> None:
    assert tags(roster()) == {"0": "Member", "50": "Manager", "100": "Founder"}
    assert tags(roster({"users": {}}, above=True)) == {
        "0": "Member",
        "50": "Manager",
        "100": "Manager",  # whoever is given 100 there; the founder stands above
        "150": "Manager",
    }


def test_a_higher_bar_for_managers_makes_a_moderator_a_member() -> None:
    shown = tags(roster(manager_level=75))
    assert shown == {"0": "Member", "50": "Member", "75": "Manager", "100": "Founder"}


def test_levels_in_use_have_words() -> None:
    assert tags(roster({"users": {FOUNDER: 101, "@x:a": 60, "@y:a": 7}})) == {
        "0": "Member",
        "7": "Member",
        "50": "Manager",
        "60": "Manager",
        "100": "Manager",
        "101": "Founder",
    }


@pytest.mark.parametrize(
    "levels",
    [
        {"users": {FOUNDER: 100, "@x:a": 100}},
        {"users": {FOUNDER: 100}, "users_default": 100},
        {"users": {"@x:a": 100}},
        {"users": {FOUNDER: 10}},
    ],
)
def test_nobody_else_is_called_the_founder(levels: dict[str, Any]) -> None:
    assert Role.founder not in roles_by_level(roster(levels)).values()


def test_all_languages_stand_in_one_word_for_cinny_and_apart_in_ours() -> None:
    written = labels(roster(), ("zh-CN", "en"))
    assert names_shown(written[CINNY_TAGS])["50"] == "管理者 / Manager"
    assert written[LABELS] == {
        "founder": FOUNDER,
        "levels": {"0": "member", "50": "manager"},
        "words": {"zh-CN": {"founder": "建立者", "manager": "管理者", "member": "成员"}, "en": WORDS},
    }
    assert tags(roster(), "en", "en") == tags(roster(), "en")


@pytest.mark.parametrize("levels", [None, {}, {"users": None}, {"users": {"@x:a": "many", "@y:a": True}}])
def test_whatever_stands_in_the_power_levels_there_are_words(levels: Any) -> None:
    assert set(tags(attrs.evolve(roster(), power_levels=levels)).values()) <= set(WORDS.values())


def test_an_event_stays_small_however_many_levels_are_in_use() -> None:
    crowd = {f"@user{number}:a": number for number in range(1, 5000)}
    written = labels(roster({"users": {FOUNDER: 6000} | crowd}), ("en", "ko", "zh-CN"))
    assert all(len(json.dumps(content)) < 8_000 for content in written.values())
    assert {"0", "50", "100", "6000"} <= written[CINNY_TAGS].keys()


@pytest.mark.parametrize("tampered", [None, {}, {"50": None, "0": {"name": 7}, "1": {}}])
def test_what_is_no_word_is_not_shown(tampered: Any) -> None:
    assert names_shown(tampered) == {}
