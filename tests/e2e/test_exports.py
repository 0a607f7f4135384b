# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An inspector takes a room's records out of a real server, and everybody else verifies them without one."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pyrage
import pytest
from click.testing import CliRunner

from synapse_groupreg.cli import main
from tests.e2e.client import Client, Person, Staff, poll

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from synapse_groupreg.rig import Homeserver

MODULE = {"mode": "enforce", "federation": "closed", "quotas": {"members_per_room": 3}}
WORDS = "the tulips are in"
WITHOUT_SYNAPSE = """
import sys
for name in ("synapse", "twisted", "psycopg2", "pydantic"):
    sys.modules[name] = None
from synapse_groupreg.cli import main
main()
"""
"""`groupreg` on a machine that has no server."""


@attrs.frozen
class Story:
    """A server on which two people talked, and an inspector with a command line."""

    server: Homeserver
    room: str
    anna: Person
    ben: Person
    inspector: Staff
    folder: Path

    def groupreg(self, *args: str) -> Result:
        env = {"GROUPREG_SESSION": str(self.folder / "session.json")}
        return CliRunner().invoke(main, list(args), env=env, catch_exceptions=False)

    def export(self, *args: str, name: str, case: str = "2026-17") -> Path:
        """A bundle, by the command."""
        out = self.folder / name
        done = self.groupreg("export", *args, "--case", case, "--basis", "article 13.1", "--out", str(out))
        assert done.exit_code == 0, done.output
        assert f"groupreg verify {out}" in done.output
        assert "localhost/retention/" in done.output, "the checkpoint"
        return out

    @property
    def server_key(self) -> str:
        with Client(self.server.url, None) as anybody:
            [(key_id, key)] = anybody.call("GET", "/_matrix/key/v2/server").good()["verify_keys"].items()
        return f"{key_id}={key['key']}"

    def recorded(self, **wanted: Any) -> list[dict[str, Any]]:
        found = self.inspector.groupreg("POST", "records/search", {"reason": "test", "limit": 1000, **wanted}).good()
        records: list[dict[str, Any]] = found["records"]
        return records


@pytest.fixture(scope="module")
def story(start_homeserver: Callable[..., Homeserver], tmp_path_factory: pytest.TempPathFactory) -> Story:
    server = start_homeserver(module_config=MODULE)
    admin, anna, ben = Staff(server, "admin"), Person(server, "anna"), Person(server, "ben")
    inspector = Staff(server, "inspector", roles=["inspector"], granted_by=admin)
    room = anna.found_group()
    ben.join(room).good()
    for number in range(20):
        (anna, ben)[number % 2].send(room, f"{WORDS} {number}").good()
    folder = tmp_path_factory.mktemp("inspector")
    login = {"url": server.url, "token": inspector.token, "user_id": inspector.user_id}
    session = folder / "session.json"
    session.write_text(json.dumps(login))
    session.chmod(0o600)
    made = Story(server, room, anna, ben, inspector, folder)
    assert poll(lambda: len(made.recorded(room_id=room, type=["m.room.message"])) == 20)
    return made


def verified(bundle: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """What `groupreg verify` says where there is no Synapse."""
    command = [sys.executable, "-c", WITHOUT_SYNAPSE, "verify", str(bundle), *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def verified_alone(bundle: Path, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """What the script says that shares no code with us, with nothing but Python and openssl."""
    script = folder / "verify_bundle.py"
    script.write_text(CliRunner().invoke(main, ["verify", "--standalone-script"]).output)
    command = [sys.executable, "-I", "-S", str(script), str(bundle), *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def without(bundle: Path, at: int) -> Path:
    """A copy that lacks a line."""
    lines = bundle.read_bytes().splitlines(keepends=True)
    copy = bundle.with_name(f"without-{at}-{bundle.name}")
    copy.write_bytes(b"".join(lines[:at] + lines[at + 1 :]))
    return copy


@pytest.mark.smoke
def test_a_room_is_exported_and_verified_by_anybody(story: Story, tmp_path: Path) -> None:
    bundle = Path(shutil.copy(story.export("room", story.room, name="room.jsonl"), tmp_path))
    for done in (
        verified(bundle, "--server-key", story.server_key),
        verified_alone(bundle, tmp_path, "--server-key", story.server_key),
    ):
        assert (done.returncode, "VERIFIED" in done.stdout) == (0, True), done.stdout + done.stderr
    said = verified(bundle, "--server-key", story.server_key).stdout
    messages = [one for one in story.recorded(room_id=story.room) if one["kind"] == "event"]
    assert "COMPLETE up to record" in said
    assert f"{len(messages)} records of room {story.room}" in said
    assert "The homeserver's key, which you gave, vouches for the log's key." in said
    assert "UNANCHORED" in said


def test_nobody_is_named_unless_it_is_asked_for_with_a_reason(story: Story) -> None:
    text = story.export("room", story.room, name="tokens.jsonl").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert story.inspector.user_id in lines[0]
    hidden = shown(lines)
    assert {field for field, _ in hidden} == {"room_id", "event_id", "content_sha256", "membership"}
    for name in (story.anna.user_id, story.ben.user_id, WORDS):
        assert name not in text
        assert name not in str(hidden)
    args = ("room", story.room, "--case", "1", "--basis", "13.1", "--identities")
    assert story.groupreg("export", *args).exit_code == 2
    named = story.export("room", story.room, "--identities", "--reason", "court order 5", name="names.jsonl")
    found = shown(named.read_text(encoding="utf-8").splitlines())
    assert {("sender", story.anna.user_id), ("sender", story.ben.user_id)} <= found
    assert verified(named).returncode == 0


def shown(lines: list[str]) -> set[tuple[str, str]]:
    """Every disclosed field and its value."""
    from synapse_groupreg.retention.records import read_disclosure  # noqa: PLC0415 - what an inspector would write

    each = [read_disclosure(one) for line in lines[1:-2] for one in json.loads(line).get("d", ())]
    return {(field, value) for _, field, value in each}


def test_a_record_that_is_left_out_is_noticed_and_named(story: Story, tmp_path: Path) -> None:
    bundle = story.export("room", story.room, name="whole.jsonl")
    count = len(bundle.read_bytes().splitlines())
    for at in (1, 5, count - 4):
        left_out = without(bundle, at)
        done = verified(left_out)
        assert done.returncode == 1
        assert f"line {at + 1}: record" in done.stdout
        assert "that is not shown" in done.stdout or "counts" in done.stdout
        assert verified_alone(left_out, tmp_path).returncode == 1


def test_an_account_a_range_and_a_selection_are_exported(story: Story) -> None:
    account = verified(story.export("account", story.anna.user_id, name="anna.jsonl"))
    assert (account.returncode, f"of what {story.anna.user_id} did" in account.stdout) == (0, True)
    everything = verified(story.export("range", name="all.jsonl"))
    assert (everything.returncode, "COMPLETE: of the log's records from 0 to" in everything.stdout) == (0, True)
    selected = verified(story.export("search", "--account", story.ben.user_id, "--kind", "event", name="some.jsonl"))
    assert (selected.returncode, "A SELECTION" in selected.stdout) == (0, True)
    acts = verified(story.export("range", "--log", "acts", name="acts.jsonl"))
    assert (acts.returncode, "localhost/retention/acts" in acts.stdout) == (0, True)


def test_every_export_and_every_download_is_recorded(story: Story) -> None:
    story.export("account", story.ben.user_id, name="ben.jsonl", case="2026-99")
    mine = poll(lambda: [one for one in story.recorded(kind=["export"]) if one["facts"]["case"] == "2026-99"][1:])
    assert mine, "one of them may still be on its way"
    download, asked = [one for one in story.recorded(kind=["export"]) if one["facts"]["case"] == "2026-99"]
    assert (asked["type"], asked["sender"], asked["target"]) == ("export", story.inspector.user_id, story.ben.user_id)
    assert json.loads(asked["text"])["basis"] == "article 13.1"
    assert (download["type"], download["facts"]["export"]) == ("download", asked["facts"]["export"])
    assert story.ben.user_id not in json.dumps(asked["facts"])
    journal = Staff(story.server, "auditor").acts(action="export")
    assert journal[0]["subject"] == story.ben.user_id


def test_nothing_is_overwritten_and_nothing_half_is_left(story: Story) -> None:
    out = story.export("room", story.room, name="there.jsonl")
    before = out.read_bytes()
    exports = len(story.recorded(kind=["export"]))
    args = ("room", story.room, "--case", "1", "--basis", "13.1", "--out", str(out))
    done = story.groupreg("export", *args)
    assert (done.exit_code, "is there already" in done.output) == (2, True)
    assert out.read_bytes() == before
    assert len(story.recorded(kind=["export"])) == exports, "it was not even asked for"
    missing = story.folder / "missing.jsonl"
    done = story.groupreg("export", "room", "!none:localhost", *args[2:-1], str(missing))
    assert (done.exit_code, missing.exists()) == (1, False)


def test_a_bundle_for_one_recipient_is_read_by_nobody_else(story: Story) -> None:
    identity = pyrage.x25519.Identity.generate()
    keys = story.folder / "identity"
    keys.write_text(str(identity))
    out = story.folder / "secret.jsonl"
    args = ("room", story.room, "--case", "1", "--basis", "13.1", "--out", str(out))
    done = story.groupreg("export", *args, "--age-recipient", str(identity.to_public()))
    assert done.exit_code == 0, done.output
    encrypted = story.folder / "secret.jsonl.age"
    assert not out.exists()
    assert story.room.encode() not in encrypted.read_bytes()
    assert verified(encrypted).returncode == 2
    assert verified(encrypted, "--identity", str(keys)).returncode == 0


def test_only_inspectors_export(story: Story) -> None:
    body = {"mode": "subject", "room_id": story.room, "case": "1", "basis": "13.1"}
    assert story.anna.groupreg("POST", "exports", body).status == 403
    made = story.inspector.groupreg("POST", "exports", body).good()
    assert story.anna.groupreg("GET", f"exports/{made['id']}").status == 403
    other = Staff(story.server, "other", roles=["inspector"], granted_by=Staff(story.server, "admin"))
    assert other.groupreg("GET", f"exports/{made['id']}").status == 404


def test_the_store_is_checked_beside_the_server_and_what_was_changed_is_named(story: Story, tmp_path: Path) -> None:
    files = story.server.files.folder
    config = next(files.glob("*.yaml")) if not (files / "homeserver.yaml").exists() else files / "homeserver.yaml"
    assert story.groupreg("fsck", "--config", str(config)).exit_code == 0
    copy = tmp_path / "keys"
    shutil.copytree(files / "groupreg", copy)
    [file] = (copy / "retention" / "events").glob("*.db")
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("UPDATE records SET ts_ms = ts_ms + 1 WHERE n = 7")
    done = story.groupreg("fsck", "--config", str(config), "--keys", str(copy), "--log", "events")
    assert done.exit_code == 1
    assert "events: record 7 (" in done.output
    assert "was changed in the store" in done.output
    assert "these do not agree" in done.output
