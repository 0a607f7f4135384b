# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg fsck`: where it finds the store and its keys, and what it says. What it finds: tests/handlers/retention."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.published import Published
from synapse_groupreg.homeserver.retention_keys import RetentionKeys
from synapse_groupreg.retention.records import Entry, Kind, LogName
from synapse_groupreg.storage.stores import open_store

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_793_800_000_000
CONFIG = {"mode": "enforce", "federation": "closed"}


@pytest.fixture
def homeserver(tmp_path: Path) -> Path:
    """A homeserver.yaml with a store beside it."""
    keys = RetentionKeys(str(tmp_path / "groupreg"), "example.org", lambda: ("ed25519:a", lambda _: bytes(64)))
    settings = {"name": "sqlite3", "args": {"database": str(tmp_path / "groupreg" / "retention")}}
    for name in LogName:
        log = Log(name.value, open_store(settings, name.value), "example.org", keys, Published(tmp_path / "groupreg"))
        log.open(NOW, {})
        kind = Kind.event if name is LogName.events else Kind.look
        for at in range(1, 9):
            entry = Entry(kind=kind, source="outbox", position=at, ts_ms=NOW, actor="@a:example.org", room="!r:b")
            log.append([entry], {"outbox": at}, NOW)
        log.close()
    file = tmp_path / "homeserver.yaml"
    module = {"module": "synapse_groupreg.GroupRegModule", "config": CONFIG}
    file.write_text(yaml.safe_dump({"server_name": "example.org", "modules": [module]}))
    return file


def spoil(homeserver: Path) -> None:
    [file] = (homeserver.parent / "groupreg" / "retention" / "acts").glob("*.db")
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("UPDATE records SET ts_ms = 1 WHERE n = 4")


def test_what_agrees_and_what_does_not(logged_out: Any, homeserver: Path) -> None:
    done = logged_out("fsck", "--config", homeserver)
    assert (done.exit_code, done.stdout.count("9 records and 1 checkpoint were checked")) == (0, 2)
    spoil(homeserver)
    done = logged_out("fsck", "--config", homeserver)
    assert done.exit_code == 1
    assert "acts: record 4 (2026-11) is not what its hash was made of" in done.stdout
    assert "events: 9 records and 1 checkpoint were checked; everything agrees." in done.stdout
    assert logged_out("fsck", "--config", homeserver, "--log", "events").exit_code == 0
    assert logged_out("fsck", "--config", homeserver, "--period", "2026-10").exit_code == 0


def test_json_says_the_same(logged_out: Any, homeserver: Path) -> None:
    spoil(homeserver)
    done = logged_out("fsck", "--config", homeserver, "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["events"]["ok"], found["acts"]["ok"]) == (1, True, False)
    assert found["acts"]["faults"][0].keys() == {"where", "text", "help", "count", "places"}


def test_our_own_configuration_needs_the_names_beside_it(logged_out: Any, homeserver: Path) -> None:
    file = homeserver.with_name("groupreg.yaml")
    file.write_text(yaml.safe_dump(CONFIG))
    keys = homeserver.parent / "groupreg"
    assert "--server-name" in logged_out("fsck", "--config", file, "--keys", keys).output
    assert "--keys" in logged_out("fsck", "--config", file, "--server-name", "example.org").output
    assert logged_out("fsck", "--config", file, "--keys", keys, "--server-name", "example.org").exit_code == 0


def test_what_can_not_be_read_is_wrong_usage_and_makes_nothing(
    logged_out: Any, homeserver: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong.yaml").write_text("modules: []")
    for words, said in (
        (("--config", homeserver, "--keys", tmp_path / "empty"), "There is no retention.keys"),
        (("--config", tmp_path / "wrong.yaml"), "no entry of synapse_groupreg"),
        (("--config", tmp_path / "none.yaml"), "Can't read"),
        (("--config", homeserver, "--period", "November"), "like 2026-11"),
        (("--config", homeserver, "--server-name", "other.org"), "The store can't be read"),
    ):
        done = logged_out("fsck", *words)
        assert (done.exit_code, said in done.output) == (2, True), done.output
    assert list((tmp_path / "empty").iterdir()) == []


def test_keys_of_another_server_open_nothing(logged_out: Any, homeserver: Path, tmp_path: Path) -> None:
    RetentionKeys(str(tmp_path / "others"), "example.org", lambda: ("ed25519:a", lambda _: bytes(64)))
    module = {"module": "synapse_groupreg.GroupRegModule"}
    store = {"name": "sqlite3", "args": {"database": str(tmp_path / "groupreg" / "retention")}}
    module |= {"config": {**CONFIG, "retention": {"store": store}}}  # type: ignore[dict-item]  # a configuration takes all kinds
    homeserver.write_text(yaml.safe_dump({"server_name": "example.org", "modules": [module]}))
    done = logged_out("fsck", "--config", homeserver, "--keys", tmp_path / "others")
    assert (done.exit_code, "is not in the key file" in done.output) == (2, True)
