# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg check-config`: all problems, each with its place, without a server."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import BadConfig, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

BARE = "mode: dry\nfederation: closed\n"
HOMESERVER = """
server_name: a.test
modules:
  - module: other.Module
    config: {}
  - module: synapse_groupreg.GroupRegModule
    config:
      mode: dry
      federation: closed
"""


@pytest.fixture
def check(logged_out: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    def run(content: str | bytes, *args: str) -> Result:
        file = tmp_path / "homeserver.yaml"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return logged_out("check-config", str(file), *args)

    return run


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What reached the configuration's own check, which finds two problems."""
    seen: list[Any] = []

    def load(data: Any) -> None:
        seen.append(data)
        raise BadConfig([Problem("quotas.members_per_room", "must be at least 1"), Problem("", "must name a mode")])

    monkeypatch.setitem(sys.modules, "synapse_groupreg.config", SimpleNamespace(load=load))
    return seen


@pytest.mark.parametrize("content", [BARE, HOMESERVER])
def test_a_right_file_passes(check: Callable[..., Result], content: str) -> None:
    result = check(content)
    assert result.exit_code == 0, result.output
    assert "is right: mode dry, federation closed." in result.stdout


def test_no_preset_makes_the_two_decisions_for_anybody(check: Callable[..., Result]) -> None:
    refused = check("preset: groups-2017\n")
    assert refused.exit_code == 2
    assert "mode: is required" in refused.stderr
    assert "federation: is required" in refused.stderr


@pytest.mark.parametrize(
    "delegation",
    ["matrix_authentication_service: {enabled: true}", "experimental_features: {msc3861: {enabled: true}}"],
)
def test_a_file_that_delegates_logins_needs_the_other_guard(check: Callable[..., Result], delegation: str) -> None:
    refused = check(f"{HOMESERVER}{delegation}\n")
    assert refused.exit_code == 2
    assert "modules[1].config.membership_guard: must be event_allowed" in refused.stderr
    assert check(f"{HOMESERVER}      membership_guard: event_allowed\n{delegation}\n").exit_code == 0


def test_all_problems_are_listed_with_their_full_place(check: Callable[..., Result], loaded: list[Any]) -> None:
    result = check(HOMESERVER)
    assert result.exit_code == 2
    assert loaded == [{"mode": "dry", "federation": "closed"}]
    assert result.stderr.splitlines() == [
        "homeserver.yaml: modules[1].config.quotas.members_per_room: must be at least 1",
        "homeserver.yaml: modules[1].config: must name a mode",
        "Error: homeserver.yaml has 2 problems; Synapse would not start with it.",
    ]


def test_a_bare_file_has_short_places(check: Callable[..., Result], loaded: list[Any]) -> None:
    assert "homeserver.yaml: quotas.members_per_room: must be at least 1" in check(BARE).stderr
    assert len(loaded) == 1


def test_problems_as_json(check: Callable[..., Result], loaded: list[Any]) -> None:
    result = check(BARE, "--json")
    assert result.exit_code == 2
    answer = json.loads(result.stdout)
    assert answer["ok"] is False
    assert answer["problems"][0] == {"path": "quotas.members_per_room", "text": "must be at least 1"}
    assert loaded


def test_the_real_check_names_what_would_be_right(check: Callable[..., Result]) -> None:
    result = check("mode: maybe\nfederation: closed\nquotas: {members_per_rom: 3}\n")
    assert result.exit_code == 2
    assert "homeserver.yaml: mode: must be" in result.stderr
    assert "quotas.members_per_rom: is not an option; did you mean 'members_per_room'?" in result.stderr


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ("server_name: a.test\n", "modules: must be a list with an entry `- module: synapse_groupreg.GroupRegModule`"),
        ("modules: 3\n", "modules: must be a list with an entry"),
        (
            "modules:\n  - module: synapse_groupreg.Module\n",
            "modules[0].module: must be synapse_groupreg.GroupRegModule",
        ),
        (HOMESERVER + "  - module: synapse_groupreg.GroupRegModule\n", "modules[2]: must be there once"),
        ("- a\n", "must be a mapping"),
        ("", "must be a mapping"),
        ("mode: [\n", "homeserver.yaml:2:1: is no valid YAML"),
        (b"mode: \xe4\n", "must be UTF-8"),
        (b"mode: \x00\n", "is no valid YAML"),
    ],
)
def test_files_that_hold_no_configuration(check: Callable[..., Result], content: str | bytes, advice: str) -> None:
    result = check(content)
    assert result.exit_code == 2
    assert advice in result.stderr


def test_a_missing_file_is_bad_input(logged_out: Callable[..., Result]) -> None:
    result = logged_out("check-config", "no-such.yaml")
    assert result.exit_code == 2
    assert "Can't read no-such.yaml" in result.stderr
