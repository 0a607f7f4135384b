# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg check-config`: all problems, each with its place, without a server."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from synapse_groupreg.errors import BadConfig, Problem
from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.published import Published
from synapse_groupreg.homeserver.retention_keys import RetentionKeys
from synapse_groupreg.retention.records import LogName
from synapse_groupreg.storage.stores import open_store

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


def test_all_problems_are_listed_with_their_full_place(check: Callable[..., Result], loaded: list[Any]) -> None:
    result = check(HOMESERVER)
    assert result.exit_code == 2
    assert loaded == [{"mode": "dry", "federation": "closed"}]
    assert result.stderr.splitlines() == [
        "homeserver.yaml: modules[1].config.quotas.members_per_room: must be at least 1",
        "homeserver.yaml: modules[1].config: must name a mode",
        "Error: homeserver.yaml has 2 problems: mend it before Synapse is started with it.",
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


# The retention store.


@pytest.fixture
def homeserver(tmp_path: Path, logged_out: Callable[..., Result]) -> Callable[..., Result]:
    """Check a homeserver.yaml with these settings of the store, and of Synapse's database."""

    def run(retention: dict[str, Any], database: dict[str, Any] | None = None) -> Result:
        module = {"module": "synapse_groupreg.GroupRegModule"}
        config = {"mode": "dry", "federation": "closed", "retention": retention}
        document = {"server_name": "example.org", "modules": [{**module, "config": config}]}
        file = tmp_path / "homeserver.yaml"
        file.write_text(yaml.safe_dump({**document, "database": database or {"name": "sqlite3"}}))
        return logged_out("check-config", file)

    return run


def said(result: Result) -> str:
    """The one problem that was found."""
    assert result.exit_code == 2, result.output
    [problem, summary] = result.stderr.splitlines()
    assert "1 problem: mend it" in summary
    return problem.removeprefix("homeserver.yaml: modules[0].config.")


@pytest.mark.parametrize(
    ("retention", "problem"),
    [
        ({"keep": "10d"}, "retention.keep: must be at least 184d, which covers any six calendar months (article 13.2)"),
        ({"anchors": [{"room": "#a:b"}]}, "retention.anchors.0.room: must be a room's id, like '!abc:example.org'"),
        ({"enabled": "yes"}, "retention.enabled: must be true or false"),
        (
            {"content": "full", "full_content": {"basis": "law", "until": "2099-01-01"}},
            "retention.full_content.basis: must be a sentence of at least 10 characters",
        ),
        (
            {"content": "full", "full_content": {"basis": "article 13.1", "until": "2020-01-01"}},
            (
                "retention.full_content.until: is over since 2020-01-02 00:00 UTC, so only digests of contents are"
                " kept: name a later day"
            ),
        ),
        (
            {"content": "full", "full_content": {"basis": "article 13.1", "until": "2099-01-01"}},
            "retention.full_content.until: must be within three years: look at it again then",
        ),
        (
            {"anchors": [{"file": "/no/such/checkpoints"}]},
            "retention.anchors.0.file: must be in a folder that is there: there is no /no/such",
        ),
    ],
)
def test_one_sentence_says_what_is_wrong_with_the_retention_store(
    homeserver: Callable[..., Result], retention: dict[str, Any], problem: str
) -> None:
    assert said(homeserver(retention)) == problem


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "/run/postgresql", None])
def test_a_store_in_synapse_s_own_database_is_found_however_it_is_written(
    homeserver: Callable[..., Result], host: str | None
) -> None:
    store = {"name": "psycopg2", "args": {"dbname": "synapse", **({"host": host} if host else {})}}
    synapses = {"name": "psycopg2", "args": {"database": "synapse", "host": "localhost", "cp_min": 5}}
    assert said(homeserver({"store": store}, synapses)).startswith("retention.store: is Synapse's own database")
    store["args"]["dbname"] = "records"  # type: ignore[index]  # it is a dict
    assert homeserver({"store": store}, synapses).exit_code == 0


def test_a_folder_that_is_a_file_or_can_not_be_written_to_is_named(
    homeserver: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    assert "keys_path: must be a folder" in said(homeserver({"keys_path": str(tmp_path / "file" / "keys")}))
    monkeypatch.setattr("os.access", lambda path, _: "locked" not in str(path))
    (tmp_path / "locked").mkdir()
    store = {"name": "sqlite3", "args": {"database": str(tmp_path / "locked" / "retention")}}
    problem = said(homeserver({"store": store}))
    assert problem.startswith("retention.store.args.database: must be a folder that Synapse's user may write to")
    assert not (tmp_path / "groupreg").exists(), "a check makes nothing"


def test_keys_that_do_not_belong_to_the_store_are_found(homeserver: Callable[..., Result], tmp_path: Path) -> None:
    folder, server_key = tmp_path / "groupreg", lambda: ("ed25519:a", lambda _: bytes(64))
    keys = RetentionKeys(str(folder), "example.org", server_key)
    settings = {"name": "sqlite3", "args": {"database": str(folder / "retention")}}
    for name in LogName:
        log = Log(name.value, open_store(settings, name.value), "example.org", keys, Published(folder))
        log.open(1_793_800_000_000, {})
        log.close()
    assert homeserver({}).exit_code == 0
    signing = folder / "retention-signing.key"
    own = signing.read_bytes()
    signing.write_bytes(b"x" * 32)
    assert "retention-signing.key in retention.keys_path is not the key that signed" in said(homeserver({}))
    signing.write_bytes(b"short")
    assert "must hold exactly 32 bytes" in said(homeserver({}))
    signing.write_bytes(own)
    (folder / "retention.keys").write_text("no keys")
    assert "can't be read as a list of keys" in said(homeserver({}))
    (folder / "retention.keys").unlink()
    assert "retention.keys is not in" in said(homeserver({}))
    signing.unlink()
    assert "must hold both key files" in said(homeserver({}))


def test_the_file_of_a_worker_is_told_from_the_one_that_all_share(check: Callable[..., Result]) -> None:
    result = check("worker_app: synapse.app.generic_worker\nworker_name: one\n")
    assert result.exit_code == 2
    assert result.stderr.startswith("homeserver.yaml: is the file of one worker:")
    assert "has 1 problem" in result.stderr
