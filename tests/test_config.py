# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operator's YAML: all that can be wrong with it is said at once, and the example shows every option."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from synapse_groupreg.config import CODES, GroupRegConfig, load, options, preset_values
from synapse_groupreg.config.documented import meanings
from synapse_groupreg.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUIRED = {"mode": "dry", "federation": "open"}
EXAMPLE = Path(__file__).parents[1] / "config" / "groupreg.example.yaml"
PRESET = "groups-2017"
NUMBER = "must be a whole number"
MAPPING = "must be a mapping of options to values"
LEVEL = "must be 'none', 'contact', 'real_name' or 'in_person'"
USER = "must be a Matrix user id, in which * and ? may stand for other characters, like '@bridge_*:example.org'"
TIERS = "must be numbers of members, each larger than the one before, like [50, 200, 500]"
CODE = "must be 'room-full', 'too-many-founded', "


def problems(data: object) -> dict[str, str]:
    """What is wrong with a configuration, by path."""
    with pytest.raises(BadConfig) as caught:
        load(data)
    found = {problem.path: problem.text for problem in caught.value.problems}
    assert len(found) == len(caught.value.problems), "each place is named once"
    return found


def at(path: str, value: object) -> dict[str, Any]:
    """A configuration that has this value at this path."""
    first, *rest = path.split(".")
    for name in reversed(rest):
        value = {name: value}
    return {**REQUIRED, first: value}


@pytest.mark.parametrize(
    ("path", "value", "advice"),
    [
        # wrong types
        ("quotas", None, MAPPING),
        ("quotas", 5, MAPPING),
        ("identity.required", [], MAPPING),
        ("quotas.members_per_room", "500", NUMBER),
        ("quotas.rooms_founded", 1.5, NUMBER),
        ("quotas.rooms_joined", True, NUMBER),
        ("quotas.rooms_joined", None, NUMBER),
        ("identity.keys_path", 7, "must be a text"),
        ("identity.required.members_over", ["real_name"], "must be a mapping"),
        ("dry_run", "room-full", "must be a list"),
        ("dry_run", {"room-full": True}, "must be a list"),
        ("exempt", "@bridge:example.org", "must be a list"),
        # values that don't exist
        ("mode", "on", "must be 'dry' or 'enforce'"),
        ("mode", None, "must be 'dry' or 'enforce'"),
        ("federation", False, "must be 'closed' or 'open'"),
        ("preset", "groups-2018", "must be 'groups-2017'"),
        ("preset", ["groups-2017"], "must be 'groups-2017'"),
        ("identity.required.post", "verified", LEVEL),
        ("identity.required.found", 2, LEVEL),
        ("identity.required.join", "REAL_NAME", LEVEL),
        ("identity.remote_senders", "deny", "must be 'allow' or 'refuse'"),
        ("blacklist.default_scope", "all", "must be 'groups' or 'account'"),
        ("texts.default_language", "zh", "must be 'en', 'zh-CN' or 'ko'"),
        ("on_error.send", True, "must be 'allow' or 'refuse'"),
        ("membership_guard", "none", "must be 'request' or 'event_allowed'"),
        # out of range
        ("quotas.members_per_room", 0, "must be greater than or equal to 1"),
        ("quotas.rooms_founded", -1, "must be greater than or equal to 0"),
        ("quotas.rooms_joined", 10**7, "must be less than or equal to 1000000"),
        ("groups.size_tiers", [50, 50], TIERS),
        ("groups.size_tiers", [*range(1, 21)], "must have fewer than 20 numbers"),
        ("roles.manager_power_level", 0, "must be greater than or equal to 1"),
        ("roles.manager_power_level", 101, "must be less than or equal to 100"),
        # misspelt or misplaced
        ("quota", {}, "is not an option; did you mean 'quotas'?"),
        ("quotas.members", 5, "is not an option; did you mean 'members_per_room'?"),
        ("members_per_room", 5, "is not an option; did you mean 'quotas.members_per_room'?"),
        ("identity.post", "contact", "is not an option; did you mean 'identity.required.post'?"),
        ("roles.xyz", 5, "is not an option; the options here are manager_power_level"),
    ],
)
def test_a_bad_value_is_named_with_its_path_and_what_would_be_right(path: str, value: object, advice: str) -> None:
    assert problems(at(path, value)) == {path: advice}


@pytest.mark.parametrize("value", ["bridge", "@a", "a:b", "#a:b", "@a:", "@a:b c", "@a b:c", "@a:b\n", ""])
def test_a_malformed_id_is_named_by_its_place_in_the_list(value: str) -> None:
    assert problems(at("exempt", ["@fine:example.org", value])) == {"exempt.1": USER}


@pytest.mark.parametrize("value", ["@a:b", "@bridge_*:example.org", "@*:*", "@:b", "@a?:example.org:8448", "@a:[::1]"])
def test_ids_with_wildcards(value: str) -> None:
    assert load(at("exempt", [value])).exempt == (value,)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["study", ""], {"groups.categories.1": "must have 1 to 60 characters"}),
        (["x" * 61], {"groups.categories.0": "must have 1 to 60 characters"}),
        ([" "], {"groups.categories.0": "must have 1 to 60 characters"}),
        (["study", "-"], {"groups.categories.1": "must not be -, by which a category is taken back"}),
        (
            ["Study", "sport", "study "],
            {"groups.categories": "must be told apart by more than case and blanks: 'Study' and 'study ' are the same"},
        ),
        (["x" * 60, "study", "学习", "-a"], {}),
    ],
)
def test_names_of_categories(names: list[str], found: dict[str, str]) -> None:
    wanted = at("groups.categories", names)
    if found:
        assert problems(wanted) == found
    else:
        assert load(wanted).groups.categories == tuple(names)


@pytest.mark.parametrize("value", ["room-fool", "unavailable", "reserved-state", 7, None])
def test_only_rules_can_be_dry(value: object) -> None:
    found = problems(at("dry_run", ["room-full", value]))
    assert list(found) == ["dry_run.1"]
    assert found["dry_run.1"].startswith(CODE)
    assert load(at("dry_run", list(CODES))).dry_run == CODES


@pytest.mark.parametrize(
    ("tiers", "path", "advice"),
    [
        ({"100": "contact"}, "100", NUMBER),
        ({0: "contact"}, "0", "must be greater than or equal to 1"),
        ({100: "bogus"}, "100", LEVEL),
        ({100: None}, "100", LEVEL),
        ({100: {"join": "contact"}}, "100", LEVEL),
    ],
)
def test_tiers_of_size(tiers: object, path: str, advice: str) -> None:
    place = "identity.required.members_over"
    assert problems(at(place, tiers)) == {f"{place}.{path}": advice}


@pytest.mark.parametrize("data", [None, [], "mode: dry", 7, True])
def test_what_is_no_mapping_is_no_configuration(data: object) -> None:
    assert problems(data) == {"": "the configuration must be a mapping of options to values"}


@pytest.mark.parametrize("key", [1, None, 1.5])
def test_the_name_of_an_option_is_a_text(key: object) -> None:
    assert problems({**REQUIRED, key: 1}) == {str(key): "is not an option; the name of an option is a text"}


def test_what_has_no_default_is_asked_for_with_its_meaning() -> None:
    found = problems({})
    assert set(found) == {"mode", "federation"}
    assert found["mode"].startswith("is required: `dry` judges, journals and counts, and refuses nothing;")
    assert found["federation"].startswith("is required: `closed`: new groups")


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        {
            "mode": "off",
            "dry_run": ["room-fool"],
            "quotas": {"members_per_room": 0, "rooms_found": 3},
            "identity": {"required": {"post": "x", "members_over": {0: "contact"}}, "keys_path": 1},
            "exempt": ["me"],
            "colour": "red",
        }
    )
    assert set(found) == {
        "mode",
        "federation",
        "dry_run.0",
        "quotas.members_per_room",
        "quotas.rooms_found",
        "identity.required.post",
        "identity.required.members_over.0",
        "identity.keys_path",
        "exempt.0",
        "colour",
    }
    with pytest.raises(BadConfig) as caught:
        load({"mode": "off"})
    assert str(caught.value).startswith("mode: must be 'dry' or 'enforce'; federation: is required")


yaml_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from([*GroupRegConfig.model_fields, "required", "members_over"]) | st.integers(), inner
        )
    ),
    max_leaves=6,
)


@given(yaml_values)
def test_anything_at_all_loads_or_is_refused_with_reasons(data: object) -> None:
    try:
        load(data)
    except BadConfig as error:
        reasons = [problem.text for problem in error.problems]
    else:
        reasons = ["it loads"]
    assert reasons
    assert all(reasons)


def test_a_configuration_can_not_be_changed_afterwards() -> None:
    config = load(REQUIRED)
    with pytest.raises(ValueError, match="frozen"):
        config.mode = "enforce"
    assert load(load(REQUIRED).model_dump()) == config


# The preset.


def test_the_preset_leaves_the_two_decisions_to_the_operator() -> None:
    assert set(problems({"preset": PRESET})) == {"mode", "federation"}
    assert load(REQUIRED).preset is None


def leaves(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and name != "members_over":
            yield from leaves(value, f"{path}{name}.")
        else:
            yield path + name, value


OTHERS: dict[type, Any] = {str: "?", bool: False, int: 1, dict: {7: "contact"}}
OTHER_VALUES = {
    "measures.report": "not-due",
    "identity.remote_senders": "allow",
    "blacklist.default_scope": "account",
    "texts.default_language": "ko",
    "identity.required.post": "contact",
    "identity.required.found": "in_person",
    "identity.required.join": "in_person",
}


def value_at(config: GroupRegConfig, path: str) -> Any:
    found: Any = config
    for name in path.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize(("path", "preset"), list(leaves(preset_values(PRESET))))
def test_whatever_is_written_beside_the_preset_wins_and_leaves_the_rest(path: str, preset: Any) -> None:
    other = OTHER_VALUES.get(path, "allow" if path.startswith("on_error") else OTHERS[type(preset)])
    assert other != preset
    with_preset = load({"preset": PRESET, **REQUIRED})
    changed = load({"preset": PRESET, **at(path, other)})
    assert value_at(with_preset, path) == preset
    assert value_at(changed, path) == other
    for option in options():
        if option != path:
            assert value_at(changed, option) == value_at(with_preset, option), option


def test_a_problem_beside_the_preset_is_told_like_any_other() -> None:
    assert problems({"preset": PRESET, **REQUIRED, "quotas": None}) == {"quotas": MAPPING}
    assert problems({"preset": PRESET, **REQUIRED, "quotas": {"rooms_founded": "3"}}) == {
        "quotas.rooms_founded": NUMBER
    }


# The documentation.


def models(section: type[BaseModel] = GroupRegConfig) -> Iterator[type[BaseModel]]:
    yield section
    for field in section.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from models(field.annotation)


def test_every_option_says_what_it_means() -> None:
    for section in models():
        assert section.__doc__
        assert list(meanings(section)) == list(section.model_fields), section


def test_the_paths_of_the_options() -> None:
    assert {"mode", "quotas.rooms_founded", "identity.required.members_over", "on_error.manage"} <= set(options())
    assert "quotas" not in options()


def test_the_example_shows_every_option_with_its_default() -> None:
    shown = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    assert sorted(path for path, _ in leaves(shown)) == sorted(options())
    config = load(shown)
    assert config == load({name: shown[name] for name in REQUIRED})


def test_the_example_explains_every_option() -> None:
    """A comment stands above each option and each section."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for above, line in itertools.pairwise(lines):
        if line.strip() and not line.strip().startswith("#"):
            assert above.strip().startswith("#"), line


def test_the_example_names_every_code() -> None:
    text = " ".join(EXAMPLE.read_text(encoding="utf-8").split())
    for code in CODES:
        assert code in text
