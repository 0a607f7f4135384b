# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The snippets for production, as they stand in `config/`, only on other ports: nginx, workers, module and database."""

from __future__ import annotations

import datetime as dt
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import pytest
import requests
import urllib3
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from synapse_groupreg.rig import Database, Homeserver, Postgres, Redis
from synapse_groupreg.rig.process import Process, free_port
from synapse_groupreg.rig.synapse import healthy
from tests.e2e.client import MATRIX, Person, poll, refused
from tests.programs import program

CONFIG = Path(__file__).parents[2] / "config"
WORKERS = sorted(path for path in (CONFIG / "workers").glob("*.yaml") if path.name != "shared.yaml")
SERVING = ("generic_worker1", "generic_worker2")
NGINX = (CONFIG / "nginx.conf").read_text(encoding="utf-8")
PLACE = "matrix.example.org"


class Ports:
    """Free ports in place of those that the snippets name, the same one everywhere."""

    def __init__(self, redis: Redis) -> None:
        self.taken = {port: free_port() for port in (443, 8448, 8008, 8083, 8084, 9093, 9101, 9102)} | {
            6379: redis.port
        }

    def put_into(self, text: str) -> str:
        named = re.compile(r"\b(" + "|".join(map(str, self.taken)) + r")\b")
        return named.sub(lambda found: str(self.taken[int(found[1])]), text)


@pytest.fixture(scope="module")
def ports(redis: Redis) -> Ports:
    return Ports(redis)


@pytest.fixture(scope="module")
def server(
    ports: Ports,
    postgres: Postgres,
    synapse_database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    quick_starts: None,  # noqa: ARG001 - how it starts
) -> Iterator[Homeserver]:
    """The processes of `config/workers/`, on PostgreSQL."""
    folder = tmp_path_factory.mktemp("production")
    server = Homeserver(
        folder,
        module_config={"mode": "enforce", "federation": "closed", "quotas": {"members_per_room": 1}},
        database=postgres.create_database(like=synapse_database),
        log_levels={"synapse.storage.txn": "DEBUG"},  # tells which process does the upkeep
    )
    ports.taken[8008] = server.files.port
    shared = yaml.safe_load(ports.put_into((CONFIG / "workers" / "shared.yaml").read_text(encoding="utf-8")))
    server.files = attrs.evolve(server.files, settings=shared)
    with ExitStack() as running:
        running.callback(server.stop)
        server.start()
        workers = [running.enter_context(started(server, ports, path)) for path in WORKERS]
        for wait in workers:
            wait()
        yield server


@contextmanager
def started(server: Homeserver, ports: Ports, path: Path) -> Iterator[Callable[[], None]]:
    """One of the workers, starting; call what comes to wait until it serves."""
    folder = server.files.folder
    found = yaml.safe_load(ports.put_into(path.read_text(encoding="utf-8")))
    # Here the log tells more than by default: which transactions a process runs.
    own = found | {"worker_log_config": str(folder / "log.yaml")}
    (folder / path.name).write_text(yaml.safe_dump(own))
    arguments = [*server.files.arguments, "--config-path", str(folder / path.name)]
    worker = Process(path.stem, [sys.executable, "-m", own["worker_app"], *arguments], log=folder / f"{path.stem}.log")

    def wait() -> None:
        for listener in own.get("worker_listeners", ()):
            worker.wait_until(partial(healthy, f"http://127.0.0.1:{listener['port']}"))

    worker.start()
    try:
        yield wait
    finally:
        worker.stop()


def log(server: Homeserver, worker: str) -> str:
    return (server.files.folder / f"{worker}.log").read_text(encoding="utf-8")


def test_the_workers_share_the_work_and_judge_alike(server: Homeserver, ports: Ports) -> None:
    founder, late = Person(server, "founder"), Person(server, "late")
    first, second = (f"http://127.0.0.1:{ports.taken[port]}" for port in (8083, 8084))
    room = founder.at(first).call("POST", f"{MATRIX}/createRoom", {"preset": "public_chat"}).room_id
    refused(late.at(second).call("POST", f"{MATRIX}/join/{room}", {}), "room-full")
    for _ in range(8):
        founder.found(is_direct=True, invite=[late.user_id]).good()
    assert all("send_events" in log(server, one) for one in ("event_persister1", "event_persister2"))


def test_the_upkeep_runs_where_the_background_tasks_run(server: Homeserver) -> None:
    assert poll(lambda: "groupreg_successors" in log(server, "background_worker1"), seconds=60)
    assert "groupreg_successors" not in log(server, "main")


def test_no_two_processes_write_one_log() -> None:
    """Without `worker_log_config`, a process logs to its standard error."""
    assert not any("worker_log_config" in yaml.safe_load(path.read_text(encoding="utf-8")) for path in WORKERS)


def test_the_page_on_installing_starts_every_worker() -> None:
    page = (CONFIG.parent / "docs" / "install.md").read_text(encoding="utf-8")
    [enabled] = re.findall(r"^systemctl enable matrix-synapse-worker@\{(.+)\}\.service$", page, re.MULTILINE)
    assert sorted(enabled.split(",")) == [path.stem for path in WORKERS]


def test_replication_stays_inside(ports: Ports) -> None:
    """Synapse serves the module's API on these listeners too."""
    inner = set()
    for path in (CONFIG / "workers").glob("*.yaml"):
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        for listener in found.get("listeners", found.get("worker_listeners", ())):
            if {"names": ["replication"]} in listener["resources"]:
                assert listener["bind_addresses"] == ["127.0.0.1"]
                inner.add(str(listener["port"]))
    upstreams = set(re.findall(r"server 127\.0\.0\.1:(\d+);", NGINX))
    assert inner
    assert not inner & upstreams
    assert inner | upstreams <= {str(port) for port in ports.taken}


@pytest.fixture(scope="module")
def proxy(server: Homeserver, ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of nginx in front of the server."""
    assert server.running
    nginx, folder = program("nginx"), tmp_path_factory.mktemp("nginx")
    fullchain, key = certificate(folder)
    site = ports.put_into(NGINX)
    for named, path in (("fullchain.pem", fullchain), ("privkey.pem", key)):
        site = re.sub(rf"/etc/ssl/\S+/{named}", str(path), site)
    # Not every machine of tests has IPv6.
    site = re.sub(r" *listen \[::\].*\n", "", site)
    (folder / "site.conf").write_text(site)
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}"
        f" http {{ access_log off; {places} include {folder}/site.conf; }}"
    )
    process = Process("nginx", [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], log=folder / "log")
    process.start()
    try:
        address = f"https://127.0.0.1:{ports.taken[443]}"
        process.wait_until(lambda: answers(address), seconds=20)
        yield address
    finally:
        process.stop()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that nobody trusts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, PLACE)])
    day = dt.timedelta(days=1)
    now = dt.datetime.fromtimestamp(0, dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + day * 40_000)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "fullchain.pem", folder / "privkey.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    paths[1].write_bytes(secret)
    return paths


def ask(method: str, url: str, token: str = "", **how: Any) -> requests.Response:
    """A request over the certificate that nobody trusts."""
    with requests.Session() as session, warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        session.trust_env = False
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return session.request(method, url, headers=headers, verify=False, timeout=30, **how)


def answers(address: str) -> bool:
    try:
        return ask("GET", f"{address}/").status_code == 404
    except requests.RequestException:
        return False


def test_nginx_leads_to_the_rules_and_to_a_refusal(server: Homeserver, proxy: str) -> None:
    founder, late = Person(server, "founder"), Person(server, "late")
    room = ask("POST", f"{proxy}{MATRIX}/createRoom", founder.token, json={"preset": "public_chat"}).json()["room_id"]
    answer = ask("POST", f"{proxy}{MATRIX}/join/{quote(room)}", late.token, json={})
    assert (answer.status_code, answer.json()["org.groupreg.code"]) == (403, "room-full")
    page = ask("GET", f"{proxy}/_synapse/client/groupreg/rules")
    assert page.status_code == 200
    assert 'id="room-full"' in page.text


def test_nginx_sends_what_workers_may_serve_to_the_workers(server: Homeserver, proxy: str) -> None:
    person = Person(server)
    room = ask("POST", f"{proxy}{MATRIX}/createRoom", person.token, json={}).json()["room_id"]
    path = f"{MATRIX}/rooms/{quote(room)}/send/m.room.message/1"
    ask("PUT", proxy + path, person.token, json={"msgtype": "m.text", "body": "hi"}).raise_for_status()
    asked = [ask("GET", f"{proxy}{MATRIX}/{what}", person.token).status_code for what in ("sync", "pushrules/")]
    assert asked == [200, 200]
    served = {name: log(server, name) for name in ("main", *SERVING)}
    # Synapse logs the raw path: nginx changed nothing in it.
    assert [name for name, text in served.items() if f'"PUT {path} ' in text] in (
        ["generic_worker1"],
        ["generic_worker2"],
    )
    assert "/pushrules/" in served["main"]


def test_nginx_keeps_the_admin_api_and_replication_inside(proxy: str) -> None:
    for path in ("/_synapse/admin/v1/server_version", "/_synapse/replication/send_events/x", "/_synapse/metrics"):
        assert ask("GET", proxy + path).status_code == 404
