# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A retention store in PostgreSQL whose server dies under load; recording off and on; an old copy that is put back."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from click.testing import CliRunner

from synapse_groupreg.cli import main
from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.published import Published
from synapse_groupreg.handlers.retention.reading import Openers
from synapse_groupreg.homeserver.retention_keys import RetentionKeys
from synapse_groupreg.retention import ed25519
from synapse_groupreg.retention.records import Entry, Kind, LogName, unb64
from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.homeserver_yaml import MODULE
from synapse_groupreg.rig.process import free_port
from synapse_groupreg.storage.stores import open_reader, open_store
from tests.e2e.client import Person, Staff, exported, poll, refused
from tests.e2e.test_recorder import events, keys_of, persisted
from tests.handlers.retention.stage import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from tests.own_postgres import OwnPostgres

METRICS = free_port()
DAY_MS = 86_400_000
OLD_MS = time.time_ns() // 1_000_000 - 500 * DAY_MS
"""When records were made that are older than `keep_at_most`."""

HASTY = """
from synapse_groupreg.handlers.retention import recorder
from synapse_groupreg.homeserver import recorder as keeping

recorder.RETRY_MS = keeping._FIRST_MS = keeping._MEASURE_MS = 300
recorder.CHECKPOINT_EVERY_MS = 1000


class Hasty:
    def __init__(self, config, api):
        pass
"""
"""A module that takes patience from ours."""


@attrs.frozen
class Stage:
    """A server whose records are in a database of their own, and an operator with a command line."""

    server: Homeserver
    store: OwnPostgres
    settings: dict[str, Any]
    admin: Staff
    folder: Path

    def groupreg(self, *args: str) -> Result:
        env = {"GROUPREG_SESSION": str(self.folder / "session.json")}
        return CliRunner().invoke(main, list(args), env=env, catch_exceptions=False)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.admin.status()["retention"]
        return found

    def problem(self) -> str:
        return self.status()["problem"] or ""

    def says(self, problem: str) -> bool:
        return problem in self.problem()

    def size(self, log: str) -> int:
        head = open_reader(self.settings, log).head()
        assert head is not None
        return head.size

    def told(self, kind: Kind, log: LogName) -> list[Any]:
        """The facts of all records of a kind."""
        openers = Openers(lambda name: open_reader(self.settings, name), "localhost", keys_of(self.server))
        with openers.lend(log.value) as opener:
            return [one.facts for one in read(opener) if one.kind is kind]

    def signed(self, log: str) -> int:
        """How many records the checkpoint beside the keys covers."""
        file = self.server.files.folder / "groupreg" / f"retention-{log}.checkpoint"
        return int(file.read_text().splitlines()[1])

    def all_signed(self, log: str) -> int:
        """How many records a log has, once its checkpoint covers them."""
        assert poll(lambda: self.signed(log) == self.size(log))
        return self.size(log)

    def all_recorded(self) -> bool:
        """Whether each event of Synapse's table is recorded, once, in order."""
        return events(self.server, self.settings) == persisted(self.server)


def configured(settings: dict[str, Any], *, enabled: bool = True, refuse: bool = False) -> dict[str, Any]:
    """What homeserver.yaml says of the module."""
    config: dict[str, Any] = {"mode": "enforce", "federation": "closed"}
    config["retention"] = {"store": settings, "enabled": enabled}
    if refuse:
        config["on_error"] = {"retention": "refuse"}
    modules = [{"module": "hasty.Hasty", "config": {}}, {"module": MODULE, "config": config}]
    return {"enable_metrics": True, "modules": modules}


@pytest.fixture(scope="module")
def stage(own_postgres: OwnPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    settings = dict(own_postgres.make_database().synapse_setting())
    folder, home = tmp_path_factory.mktemp("operator"), tmp_path_factory.mktemp("homeserver")
    (home / "hasty.py").write_text(HASTY)
    live_long_ago(home / "groupreg", settings)
    listener = {"port": METRICS, "type": "metrics", "bind_addresses": ["127.0.0.1"]}
    with Homeserver(home, settings=configured(settings), further_listeners=[listener]) as server:
        admin = Staff(server, "admin")
        session = folder / "session.json"
        session.write_text(json.dumps({"url": server.url, "token": admin.token, "user_id": admin.user_id}))
        session.chmod(0o600)
        yield Stage(server, own_postgres, settings, admin, folder)


def live_long_ago(folder: Path, settings: dict[str, Any]) -> None:
    """A month of records that was over long ago, and the beginning of the next."""
    folder.mkdir(mode=0o700)
    keys = RetentionKeys(
        str(folder), "localhost", lambda: ("ed25519:a_rig", lambda said: ed25519.sign(b"5" * 32, said))
    )
    for name in LogName:
        log = Log(name.value, open_store(settings, name.value), "localhost", keys, Published(folder))
        log.open(OLD_MS, {})
        for month in range(2):
            now_ms = OLD_MS + month * 31 * DAY_MS
            kind = Kind.login if name is LogName.events else Kind.look
            log.append([Entry(kind=kind, source="then", position=month, ts_ms=now_ms, actor="@then:x")], {}, now_ms)
        log.close()


@contextmanager
def talking(people: list[Person], room: str) -> Iterator[list[int]]:
    """Everybody sends as fast as the server takes it; the statuses of the answers."""
    over, statuses = threading.Event(), list[int]()

    def talk(person: Person) -> None:
        while not over.is_set():
            statuses.append(person.send(room).status)

    threads = [threading.Thread(target=talk, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_store_that_dies_under_load_is_waited_for_and_nothing_is_lost(stage: Stage) -> None:
    people = [Person(stage.server, "talker") for _ in range(2)]
    room = people[0].found_group()
    people[1].join(room).good()
    with talking(people, room) as statuses:
        assert poll(lambda: len(statuses) > 10)
        stage.store.kill()
        assert (
            poll(stage.problem) == "the retention store can't be used: The retention store's server can't be reached."
        )
        assert poll(lambda: metric("synapse_groupreg_retention_problem") == 1)
        Person(stage.server).join(room).good()
        behind = stage.status()
        assert behind["lag_rows"] > 0
        stage.store.start()
        assert poll(lambda: not stage.problem())
    assert {*statuses} == {200}
    log = stage.server.process_log()
    assert "Nothing is recorded for now: the retention store can't be used" in log
    assert "The recorder goes on; nothing was lost" in log
    assert poll(lambda: metric("synapse_groupreg_retention_problem") == 0)
    assert poll(stage.all_recorded)


def metric(name: str) -> float:
    """The sample of the only server."""
    [line] = [one for one in exported(METRICS).splitlines() if one.startswith(f"{name}{{")]
    return float(line.rpartition(" ")[2])


def restarted(stage: Stage, **how: bool) -> None:
    stage.server.stop()
    stage.server.files = attrs.evolve(stage.server.files, settings=configured(stage.settings, **how))
    stage.server.start()


@pytest.mark.prove
def test_switched_off_nothing_is_recorded_and_what_is_old_goes_and_on_again_all_is_recorded(stage: Stage) -> None:
    person = Person(stage.server)
    room = person.found_group()
    assert poll(stage.all_recorded)
    oldest = open_reader(stage.settings, "events").periods()[0]
    restarted(stage, enabled=False)
    size = stage.size("events")
    said = stage.status()
    assert (said["enabled"], said["problem"], said["lag_rows"]) == (False, None, 0)
    person.send(room).good()
    done = stage.groupreg("records", "search", "--kind", "login", "--reason", "case 5")
    assert "This server keeps no records: retention.enabled is false" in done.output
    [gone] = poll(lambda: stage.told(Kind.purge, LogName.acts))
    assert (gone["log"], gone["months"]) == ("events", [oldest.period.month])
    assert poll(lambda: open_reader(stage.settings, "events").periods()[0].period != oldest.period)
    assert stage.size("events") == size
    restarted(stage)
    assert stage.status()["enabled"]
    assert poll(stage.all_recorded)
    assert stage.problem() == ""


def test_an_old_copy_is_refused_until_an_operator_says_that_it_is_to_go_on(stage: Stage) -> None:
    person, files, copy = Person(stage.server), stage.store.cluster.folder, stage.folder / "copy"
    room = person.found_group()
    assert poll(stage.all_recorded)
    stage.store.kill()
    subprocess.run(["cp", "-a", files, copy], check=True)
    stage.store.start()
    for number in range(5):
        person.send(room, f"lost {number}").good()
    stage.admin.limit(person.user_id, rooms_founded=9).good()
    assert poll(stage.all_recorded)
    lost = {log: stage.all_signed(log) for log in LogName}

    stage.store.kill()
    person.send(room, "and on it goes").good()
    assert poll(stage.problem)
    shutil.rmtree(files)
    subprocess.run(["cp", "-a", copy, files], check=True)
    stage.store.start()
    for log in LogName:
        said = f"the store's log {log} has {stage.size(log)} records and a checkpoint of {lost[log]} was published"
        assert poll(partial(stage.says, said)), stage.problem()
        assert "`groupreg retention epoch`" in stage.problem()
        done = stage.groupreg("retention", "epoch", "--log", log.value, "--reason", "the disk broke")
        assert done.exit_code == 0, done.output
    assert poll(lambda: not stage.problem())
    assert poll(stage.all_recorded), "also what the lost end had"
    again = stage.groupreg("retention", "epoch", "--log", "events", "--reason", "the disk broke")
    assert again.exit_code != 0
    assert "lacks nothing that was signed" in again.output
    for log in LogName:
        [named] = stage.told(Kind.epoch, log)
        assert (named["origin"], named["size"]) == (f"localhost/retention/{log}", lost[log])
        assert len(unb64(named["root"])) == 32
    checked = stage.groupreg("fsck", "--config", str(stage.server.files.path))
    assert checked.exit_code == 0, checked.output


@pytest.mark.prove
def test_where_nothing_may_happen_unrecorded_a_dead_store_stops_everybody(stage: Stage) -> None:
    restarted(stage, refuse=True)
    person = Person(stage.server)
    room = person.found_group()
    stage.store.kill()
    person.send(room).good()
    assert poll(lambda: person.send(room).status == 403, seconds=20)
    refused(person.send(room), "unavailable")
    refused(Person(stage.server).join(room), "unavailable")
    stage.store.start()
    assert poll(lambda: person.send(room).ok, seconds=20)
    assert poll(stage.all_recorded)
