# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every command of the README is one that works, word by word, on a server that has the names it uses."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from synapse_groupreg.cli import main
from synapse_groupreg.rig import Homeserver

from .client import Person

README = Path(__file__).parents[2] / "README.md"
ROOT = README.parent
SYNAPSES = "/path/to/synapse/venv/bin/"
PLACE = "example.org"
PASSWORD = "a password of the test"


def commands(text: str) -> list[str]:
    """The lines of all shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line.removeprefix(SYNAPSES) for block in blocks for line in block.splitlines() if line]


ALL = commands(README.read_text(encoding="utf-8"))
GROUPREG = [line for line in ALL if line.startswith("groupreg ")]
MADE = [line for line in ALL if line.startswith("make ")]


def module_config() -> dict[str, object]:
    """The configuration that the README shows."""
    shown = re.search(r"```yaml\n(modules:.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    config: dict[str, object] = yaml.safe_load(shown[1])["modules"][0]["config"]
    return config


def test_every_command_is_accounted_for():
    others = [line for line in ALL if line not in GROUPREG + MADE]
    assert others == ["pip install ."]  # what make does, into an environment that is there


def test_every_make_target_is_there_and_ci_runs_the_tests():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {line.split()[1] for line in MADE} <= set(targets)
    assert re.search(r"^make .*\btest$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operator")


@pytest.fixture(scope="module")
def server(start_homeserver, folder: Path) -> Homeserver:
    """A server with the people, the group and the files that the README speaks of."""
    server: Homeserver = start_homeserver(module_config=module_config(), server_name=PLACE)
    server.register("you", admin=True, password=PASSWORD)
    for name in ("alice", "mallory", "carol"):
        server.register(name)
    Person(server, "founder").found_group(name="Chess", room_alias_name="chess")
    (folder / "members.csv").write_text(f"user_id,assurance,reference\n@alice:{PLACE},real_name,2024-0117\n")
    (folder / "homeserver.yaml").write_text(
        yaml.safe_dump(
            {"modules": [{"module": "synapse_groupreg.GroupRegModule", "config": module_config()}]},
        )
    )
    (folder / "password").write_text(PASSWORD)
    return server


@pytest.mark.parametrize("line", GROUPREG)
def test_the_command_works(server: Homeserver, folder: Path, monkeypatch: pytest.MonkeyPatch, line: str):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GROUPREG_SESSION", str(folder / "session.json"))
    words = shlex.split(line.replace("https://matrix.example.org", server.url))[1:]
    if words[0] == "login":
        words += ["--password-file", "password"]
    done: Result = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
