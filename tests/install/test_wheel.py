# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is shipped: the wheel has every file, and a Synapse that has nothing else of ours refuses a join with it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "synapse_groupreg"

STORY = """
import pathlib, sys
import synapse_groupreg
from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.local import request

package, folder = pathlib.Path(synapse_groupreg.__file__), pathlib.Path(sys.argv[1])
assert sys.prefix in str(package), package
config = {"mode": "enforce", "federation": "closed", "preset": "groups-2017", "quotas": {"members_per_room": 1},
          "identity": {"required": {"post": "none", "found": "none", "join": "none"}}}

def call(path, token, body):
    return request("POST", f"{server.url}/_matrix/client/v3/{path}?access_token={token}", json=body)

with Homeserver(folder, module_config=config) as server:
    founder, late = server.register("founder"), server.register("late")
    room = call("createRoom", founder, {"preset": "public_chat"}).json()["room_id"]
    answer = call(f"join/{room}", late, {})
    assert answer.json()["org.groupreg.code"] == "room-full", answer.text
    assert "room-full" in request("GET", f"{server.url}/_synapse/client/groupreg/rules").text
print("refused")
"""


def data_files(folder: Path) -> set[str]:
    """Every file below the package's folder but what Python compiled."""
    return {
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def build(kind: str, source: Path, into: Path) -> Path:
    """A wheel or an sdist of the project in `source`, without fetching anything."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    [built] = into.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    shipped = {name for name in contents(wheel) if not name.split("/")[0].endswith(".dist-info")}
    assert shipped == data_files(PACKAGE)
    assert {Path(name).suffix for name in shipped} >= {".py", ".sql", ".toml", ".yaml", ".j2", ".css", ".typed"}


def test_the_wheel_carries_its_licence_and_its_command(wheel: Path) -> None:
    files = {name.split("/", 1)[1]: text.decode() for name, text in contents(wheel).items() if ".dist-info/" in name}
    assert files["licenses/LICENSE"] == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "groupreg = synapse_groupreg.cli:main" in files["entry_points.txt"]
    # Synapse only as an extra: pip would fetch a second one beside the operator's.
    needed = Parser().parsestr(files["METADATA"]).get_all("Requires-Dist", [])
    synapse = [one for one in needed if one.startswith("matrix-synapse")]
    assert synapse
    assert all("extra ==" in one for one in synapse)


def test_the_source_distribution_makes_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    [source] = (tmp_path / "source").iterdir()
    again = build("wheel", source, tmp_path / "wheel")
    assert contents(again) == contents(wheel)


def test_the_source_distribution_has_what_operators_copy_and_no_data(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    wanted = ("README.md", "CHANGELOG.md", "LICENSE", "constraints.txt", "config/groupreg.example.yaml")
    assert {*wanted, "config/nginx.conf", "docker/Dockerfile", "docs/install.md", "tests/conftest.py"} <= names
    assert {name.split("/")[0] for name in names} & {".venv", "build", "data", "dist"} == set()


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment with the wheel; Synapse and the libraries are those of the tests, without the project."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    # Only after pip, which must not find the project there. Path files of that place (an editable install) don't count.
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    others = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (Path(site.stdout.strip()) / "libraries.pth").write_text("\n".join(others))
    return folder


def run(environment: Path, *command: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    done = subprocess.run(command, cwd=environment, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_synapse_runs_with_the_installed_wheel_and_a_join_is_refused(environment: Path) -> None:
    python = str(environment / "bin" / "python")
    assert run(environment, python, "-c", STORY, str(environment / "server")).strip() == "refused"


def test_the_installed_command_works_and_says_its_version(environment: Path) -> None:
    config = ROOT / "config" / "groupreg.example.yaml"
    groupreg = str(environment / "bin" / "groupreg")
    run(environment, groupreg, "check-config", str(config))
    assert run(environment, groupreg, "--version").strip().endswith(metadata.version("synapse-groupreg"))
