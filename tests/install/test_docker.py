# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`docker/`, as far as it can be judged without building an image: what it copies is there and suffices."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from synapse_groupreg.cli import main
from synapse_groupreg.rig import Postgres
from synapse_groupreg.rig.homeserver_yaml import HomeserverFiles
from synapse_groupreg.rig.local import request
from synapse_groupreg.rig.process import Process
from synapse_groupreg.rig.synapse import MAIN, healthy

from .test_wheel import ROOT, build, contents

DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
WORKERS: dict[str, Any] = yaml.safe_load((DOCKER / "compose.workers.yaml").read_text(encoding="utf-8"))
EXTRA = DOCKER / "groupreg.yaml"
LAYOUT = sorted(path.name for path in (ROOT / "config" / "workers").iterdir())
KNOWN = {"ARG", "FROM", "WORKDIR", "COPY", "RUN"}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions and what follows each, continued lines joined."""
    text = re.sub(r"^#.*\n|\\\n", "", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def copied() -> list[str]:
    """What is taken from the build context."""
    places = [rest.split() for word, rest in instructions() if word == "COPY"]
    return [source for words in places if not words[0].startswith("--from") for source in words[:-1]]


def test_the_dockerfile_is_made_of_what_we_know() -> None:
    assert {word for word, _ in instructions()} == KNOWN
    assert [rest.partition("=")[0] for word, rest in instructions() if word == "ARG"] == ["SYNAPSE"]
    assert all(rest.startswith("matrixdotorg/synapse:${SYNAPSE}") for word, rest in instructions() if word == "FROM")


def test_the_image_has_the_newest_synapse_that_is_tested() -> None:
    [version] = [rest.partition("=v")[2] for word, rest in instructions() if word == "ARG"]
    pinned = re.search(r"^matrix-synapse==(.*)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned is not None
    assert version == pinned[1]


def test_what_is_copied_suffices_to_build_the_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    assert contents(build("wheel", source, tmp_path / "small")) == contents(build("wheel", ROOT, tmp_path / "whole"))


def test_what_is_copied_is_not_ignored() -> None:
    lines = (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == set(copied())


def test_every_file_of_the_composition_is_there() -> None:
    synapse = COMPOSE["services"]["synapse"]
    context = (DOCKER / synapse["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / synapse["build"]["dockerfile"]).is_file()
    services = [*COMPOSE["services"].values(), *WORKERS["services"].values()]
    for service in services:
        for source, _, _ in (volume.partition(":") for volume in service.get("volumes", ())):
            assert source in COMPOSE["volumes"] or source.startswith("${") or (DOCKER / source).exists()
        assert set(service.get("depends_on", ())) <= {*COMPOSE["services"], *WORKERS["services"]}


def test_secrets_come_from_outside_and_nothing_listens_to_the_world() -> None:
    text = json.dumps(COMPOSE)
    assert set(re.findall(r"\$\{(\w+):\?", text)) == {"POSTGRES_PASSWORD", "SERVER_NAME"}
    assert text.count("PASSWORD}") == 0
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_workers_bring_their_secrets_and_only_nginx_is_open_to_the_world() -> None:
    text = json.dumps(WORKERS)
    assert set(re.findall(r"\$\{(\w+):\?", text)) == {"POSTGRES_PASSWORD", "CERTIFICATE"}
    assert WORKERS["secrets"] == {"replication": {"environment": "REPLICATION_SECRET"}}
    published = {name: service["ports"] for name, service in WORKERS["services"].items() if "ports" in service}
    assert published == {"nginx": ["443:443", "8448:8448"]}


def of_layout(folder: Path, name: str) -> dict[str, Any]:
    """A file of the workers' layout, without what depends on where its processes run."""
    found: dict[str, Any] = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
    for listener in found.get("listeners", found.get("worker_listeners", ())):
        listener.pop("bind_addresses", None)
    for place in found.get("instance_map", {}).values():
        del place["host"]
    found.get("redis", {}).pop("host", None)
    elsewhere = ("worker_replication_secret", "worker_replication_secret_path")
    return {key: value for key, value in found.items() if key not in elsewhere}


@pytest.mark.parametrize("name", LAYOUT)
def test_the_workers_are_those_of_the_snippets(name: str) -> None:
    """Those are started by `test_production.py`."""
    assert of_layout(DOCKER / "workers", name) == of_layout(ROOT / "config" / "workers", name)


def test_each_container_runs_the_process_that_others_find_there() -> None:
    shared = yaml.safe_load((DOCKER / "workers" / "shared.yaml").read_text(encoding="utf-8"))
    services = WORKERS["services"]
    assert {place["host"]: name for name, place in shared["instance_map"].items()} == {
        "synapse": "main",
        "event-persister1": "event_persister1",
        "event-persister2": "event_persister2",
    }
    assert shared["redis"]["host"] in services
    assert shared["worker_replication_secret_path"] == "/run/secrets/replication"
    own = {name: service["command"][-1] for name, service in services.items() if "SYNAPSE_WORKER" in str(service)}
    paths = {name.replace("-", "_"): command.rpartition("/")[2] for name, command in own.items()}
    assert sorted([*paths.values(), "shared.yaml"]) == LAYOUT
    assert all(path == f"{name}.yaml" for name, path in paths.items())
    # Synapse's HTTP client takes no other names for hosts.
    assert all(re.fullmatch("[a-z0-9-]+", name) for name in services)


def test_nginx_leads_to_containers_that_serve_clients_and_to_no_replication() -> None:
    (_, _, script) = WORKERS["services"]["nginx"]["command"]
    site = (ROOT / "config" / "nginx.conf").read_text(encoding="utf-8")
    for there, here in re.findall(r"-e s/([\d.:]+)/([\w.:-]+)/", script):
        assert there in site
        site = site.replace(there, here)
    served = {
        "synapse": 8008,
        **{f"generic-worker{n}": 8082 + n for n in (1, 2)},
    }
    assert set(re.findall(r"server ([\w.-]+:\d+);", site)) == {f"{host}:{port}" for host, port in served.items()}


def test_the_modules_configuration_is_right() -> None:
    done = CliRunner().invoke(main, ["check-config", str(EXTRA)])
    assert done.exit_code == 0, done.output


def test_both_services_mean_the_same_database() -> None:
    arguments = yaml.safe_load(EXTRA.read_text(encoding="utf-8"))["database"]["args"]
    postgres = COMPOSE["services"]["postgres"]["environment"]
    assert arguments["host"] in COMPOSE["services"]
    # PostgreSQL's image names the first database after the user.
    assert {arguments["user"], arguments["dbname"]} == {postgres["POSTGRES_USER"]}


def test_synapse_takes_the_second_file_beside_the_first(tmp_path: Path, postgres: Postgres) -> None:
    """As `command:` of the composition has it; only the database is another one."""
    assert COMPOSE["services"]["synapse"]["command"][1::2] == ["--config-path"] * 2
    extra = yaml.safe_load(EXTRA.read_text(encoding="utf-8"))
    database = postgres.create_database().synapse_setting()
    extra["database"] = {"name": extra["database"]["name"], "args": extra["database"]["args"] | database["args"]}
    files = HomeserverFiles(folder=tmp_path / "server")
    files.write()
    second = tmp_path / "groupreg.yaml"
    second.write_text(yaml.safe_dump(extra))
    command = [sys.executable, "-m", MAIN, *files.arguments, "--config-path", str(second)]
    synapse = Process("Synapse", command, log=tmp_path / "log")
    synapse.start()
    try:
        synapse.wait_until(lambda: healthy(files.url))
        assert request("GET", f"{files.url}/_synapse/client/groupreg/rules").ok
        # The key lies beside the first file, which is in the volume.
        assert (files.folder / "groupreg" / "identity.key").is_file()
    finally:
        synapse.stop()
