# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg up` and `down` with a real server: what they print is tried as printed."""

import json
import shlex
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from synapse_groupreg.cli.output import Output
from synapse_groupreg.cli.trial import guide, samples
from synapse_groupreg.cli.trial.folder import Trial
from synapse_groupreg.rig.detached import end, holder
from synapse_groupreg.rig.layout import Layout

GROUPREG = Path(sys.executable).with_name("groupreg")


def groupreg(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command as a person would, in `folder`."""
    return subprocess.run([GROUPREG, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def staff(folder: Path, line: str) -> None:
    """Run a printed `groupreg ...` line."""
    done = groupreg(folder, *shlex.split(line)[1:])
    assert done.returncode == 0, done.stderr


def person(folder: Path, line: str) -> requests.Response:
    """Do what a printed `curl ... -H @FILE URL -d BODY` line does."""
    words = shlex.split(line)
    header = words[words.index("-H") + 1].removeprefix("@")
    name, _, value = (folder / header).read_text().strip().partition(": ")
    url = next(word for word in words if word.startswith("http"))
    return requests.post(url, headers={name: value}, data=words[words.index("-d") + 1], timeout=30)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which `groupreg up` was called and, at the end, whatever it started is stopped."""
    folder = tmp_path_factory.mktemp("up")
    try:
        done = groupreg(folder, "up", "--json")
        assert done.returncode == 0, done.stderr
        (folder / "printed.json").write_text(done.stdout)
        yield folder
    finally:
        groupreg(folder, "down")


@pytest.fixture
def printed(place: Path) -> dict[str, Any]:
    """What `groupreg up` printed."""
    told: dict[str, Any] = json.loads((place / "printed.json").read_text())
    return told


@pytest.mark.smoke
@pytest.mark.parametrize(("number", "code"), [(0, "room-full"), (1, "identity-required"), (2, "account-blacklisted")])
def test_each_thing_to_try_is_refused_and_then_allowed(place: Path, printed: dict[str, Any], number: int, code: str):
    attempt = printed["try"][number]
    if attempt["before"]:
        assert person(place, attempt["act"]).ok
        staff(place, attempt["before"])
    refused = person(place, attempt["act"])
    assert (refused.status_code, refused.json()["org.groupreg.code"]) == (403, code)
    staff(place, attempt["change"])
    assert person(place, attempt["act"]).ok


def test_a_second_up_continues_with_the_same_people_and_the_options_written_meanwhile(
    place: Path, printed: dict[str, Any]
):
    options, homeserver_yaml = place / "data" / "groupreg.yaml", place / "data" / "synapse" / "homeserver.yaml"
    assert options.read_text().count("\n# groups: {categories: [study, sport]}") == 1
    assert str(options) in homeserver_yaml.read_text().splitlines()[0]
    options.write_text("groups: {categories: [chess]}\nquotas: {rooms_joined: 11}\n")
    assert "stop it with `groupreg down` first" in groupreg(place, "up").stderr
    deactivate = f"{printed['url']}/_synapse/admin/v1/deactivate/@frank:localhost"
    assert person(place, f"curl -H @data/auth/admin {deactivate} -d '{{}}'").ok
    assert groupreg(place, "down").stdout == "Stopped.\n"
    again = groupreg(place, "up", "--json")
    assert json.loads(again.stdout) == printed
    policy = json.loads(groupreg(place, "--session", "data/session.json", "policy", "--json").stdout)
    assert (policy["quotas"]["rooms_joined"], policy["quotas"]["rooms_founded"]) == (11, 2)
    assert groupreg(place, "up").stderr == ""


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("groups: {categorys: [a]}\nmode: maybe", ("has 2 problems", "did you mean 'categories'?", "mode: ")),
        ("modules: []", ("must be options of the module",)),
        ("- a", ("must be options of the module",)),
        ("a: [", ("is no valid YAML",)),
    ],
)
def test_options_that_are_wrong_are_told_and_nothing_starts(tmp_path: Path, written: str, said: tuple[str, ...]):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "groupreg.yaml").write_text(written)
    done = groupreg(tmp_path, "up")
    assert (done.returncode, [one for one in said if one not in done.stderr]) == (2, [])
    assert holder(tmp_path / "data" / "synapse.lock") is None


def test_up_while_it_runs_says_the_same_at_once(place: Path, printed: dict[str, Any]):
    assert json.loads(groupreg(place, "up", "--json").stdout) == printed


def test_up_for_people_names_address_and_accounts(place: Path, printed: dict[str, Any]):
    text = groupreg(place, "up").stdout
    assert printed["url"] in text
    assert all(account["password"] in text for account in printed["accounts"])


def test_no_secret_is_readable_by_others(place: Path):
    secret = [path for path in (place / "data").rglob("*") if path.suffix in {".json", ".yaml", ".key"}]
    secret += list((place / "data" / "auth").iterdir())
    assert secret
    assert [path for path in secret if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_another_port_while_it_runs_is_refused(place: Path):
    done = groupreg(place, "up", "--port", "1")
    assert done.returncode == 1
    assert "already runs" in done.stderr


def test_postgres_for_data_in_sqlite_is_refused(place: Path):
    done = groupreg(place, "up", "--postgres")
    assert done.returncode == 2
    assert "keeps its data in SQLite" in done.stderr


def test_postgres_holds_the_data_over_a_stop():
    # Not below pytest's folder, which is closed to the account that PostgreSQL runs as under root.
    with tempfile.TemporaryDirectory(prefix="groupreg-up-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        try:
            told = json.loads(groupreg(folder, "up", "--postgres", "--json").stdout)
            assert told["database"] == "postgres"
            groupreg(folder, "down")
            assert json.loads(groupreg(folder, "up", "--json").stdout) == told
        finally:
            assert groupreg(folder, "down").stdout == "Stopped.\n"


def test_workers_for_a_server_of_one_process_are_refused(place: Path):
    done = groupreg(place, "up", "--workers")
    assert done.returncode == 2
    assert "runs in one process" in done.stderr


@pytest.mark.parametrize("workers", [False, True])
def test_what_is_to_be_tried_is_to_be_tried_at_each_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, workers: bool
):
    trial = Trial(
        folder=tmp_path,
        port=1,
        postgres_port=None,
        registration_secret="",
        postgres_password="",
        layout=Layout(clients={"generic_worker1": 2, "generic_worker2": 3}, persisters={"one": 4}) if workers else None,
        passwords=dict.fromkeys((samples.ADMIN, *samples.ASSURANCE), ""),
        rooms={samples.NOTICES: "!room"},
    )
    guide.show(Output(), trial)
    there = "at http://127.0.0.1:2 or http://127.0.0.1:3 in place of http://127.0.0.1:1."
    assert (there in capsys.readouterr().out) == workers


@pytest.mark.prove
def test_workers_serve_clients_too_come_back_one_by_one_and_stop_together():
    with tempfile.TemporaryDirectory(prefix="groupreg-up-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        try:
            told = json.loads(groupreg(folder, "up", "--workers", "--json").stdout)
            locks = [
                folder / "data" / f"{one}.lock" for one in (*told["processes"], "postgres", "redis") if one != "main"
            ]
            full = next(iter(told["groups"]))
            auth = (folder / "data" / "auth" / "dave").read_text().strip().partition(": ")
            for process in told["processes"].values():
                if process["serves_clients"]:
                    url = f"http://127.0.0.1:{process['port']}/_matrix/client/v3/join/{quote(full)}"
                    answer = requests.post(url, headers={auth[0]: auth[2]}, json={}, timeout=30)
                    assert (answer.status_code, answer.json()["org.groupreg.code"]) == (403, "room-full")
            assert end(folder / "data" / "event_persister2.lock")
            assert json.loads(groupreg(folder, "up", "--json").stdout) == told
            assert all(holder(lock) for lock in locks)
        finally:
            assert groupreg(folder, "down").stdout == "Stopped.\n"
        assert not any(holder(lock) for lock in locks)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("unfinished")
    done = groupreg(tmp_path, "up", "--data", ".")
    assert done.returncode == 2
    assert "holds files of something else" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.usefixtures("place")
def test_a_taken_port_is_told(tmp_path: Path, printed: dict[str, Any]):
    port = printed["url"].rpartition(":")[2]
    done = groupreg(tmp_path, "up", "--port", port)
    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr
    assert holder(tmp_path / "data" / "synapse.lock") is None


def test_down_where_nothing_runs_is_no_failure(tmp_path: Path):
    done = groupreg(tmp_path, "down")
    assert (done.returncode, done.stdout) == (0, "No server of data runs.\n")
