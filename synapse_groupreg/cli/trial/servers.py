# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The processes of a trial: Synapse with the module and, if chosen, PostgreSQL and Redis. They outlive the command."""

from __future__ import annotations

import signal
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from synapse_groupreg.cli.failures import Refused
from synapse_groupreg.cli.trial.folder import SERVER_NAME
from synapse_groupreg.rig import redis
from synapse_groupreg.rig.detached import end, holder
from synapse_groupreg.rig.homeserver_yaml import HomeserverFiles, http_listener
from synapse_groupreg.rig.layout import WORKER
from synapse_groupreg.rig.process import Process, wait_for_all
from synapse_groupreg.rig.synapse import MAIN, Member, require_synapse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from synapse_groupreg.cli.trial.folder import Trial
    from synapse_groupreg.rig.database import Database

_DATABASE = "groupreg"
# Not open to whoever else uses this machine.
_SETTINGS = {"enable_registration": False, "enable_registration_without_verification": False}


def running(trial: Trial) -> bool:
    """Whether the trial's Synapse runs, with all of its processes."""
    return all(holder(_lock(trial, name)) is not None for name in trial.processes)


def start(trial: Trial, config: Mapping[str, Any]) -> None:
    """Start what does not run yet, the module with these options, and wait until clients are served."""
    require_synapse()
    database = None if trial.postgres_port is None else _start_postgres(trial, trial.postgres_port)
    if trial.redis_port is not None:
        _start_redis(trial, trial.redis_port)
    if running(trial):
        return
    if holder(trial.synapse_lock) is None:
        _check_free(trial.port)
    main, *workers = _members(trial, _files(trial, database, config))
    # The main process first: it makes the tables.
    for members in ([main], workers):
        _start([member.ready for member in members if holder(_lock(trial, member.name)) is None])


def stop(trial: Trial) -> bool:
    """Stop the servers, Synapse first; whether there was one to stop."""
    stopped = [end(_lock(trial, name)) for name in reversed(trial.processes)]
    stopped.append(end(trial.lock("redis")))
    # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
    stopped.append(end(trial.lock("postgres"), by=signal.SIGINT))
    return any(stopped)


def _lock(trial: Trial, name: str) -> Path:
    return trial.synapse_lock if name == "main" else trial.lock(name)


def _files(trial: Trial, database: Database | None, config: Mapping[str, Any]) -> HomeserverFiles:
    layout, redis_port = trial.layout, trial.redis_port
    several: dict[str, object] = {}
    if layout is not None and redis_port is not None:
        several = layout.settings("127.0.0.1", redis_port)
    files = HomeserverFiles(
        folder=trial.homeserver_yaml.parent,
        port=trial.port,
        server_name=SERVER_NAME,
        database=database,
        module_config=config,
        heading=f"Written anew at each start by `groupreg up`: the module's options belong into {trial.options}",
        registration_secret=trial.registration_secret,
        settings=_SETTINGS | several,
        further_listeners=[] if layout is None else [http_listener(layout.replication_port, "replication")],
    )
    files.write()
    return files


def _members(trial: Trial, files: HomeserverFiles) -> list[Member]:
    """The processes of Synapse, the main one first."""
    folder, arguments = files.folder, files.arguments
    members = [Member.of("main", MAIN, arguments, folder=folder, port=trial.port, lock=trial.synapse_lock)]
    for name, port, path in () if trial.layout is None else trial.layout.write(folder):
        own = [*arguments, "--config-path", str(path)]
        members.append(Member.of(name, WORKER, own, folder=folder, port=port, lock=trial.lock(name)))
    return members


def _start_postgres(trial: Trial, port: int) -> Database:
    from synapse_groupreg.rig.cluster import Cluster  # noqa: PLC0415 - psycopg2 is not needed with SQLite
    from synapse_groupreg.rig.postgres import create_database, exists  # noqa: PLC0415 - as above

    cluster = Cluster(trial.folder / "postgres", port=port, password=trial.postgres_password)
    lock = trial.lock("postgres")
    if holder(lock) is None:
        _check_free(port)
        cluster.create()
        log = trial.folder / "postgres.log"
        process = Process("PostgreSQL", cluster.command(), log=log, user=cluster.user, lock=lock)
        _start([(process, cluster.answers)])
    administration = cluster.database("postgres")
    if not exists(administration, _DATABASE):
        create_database(administration, _DATABASE)
    return cluster.database(_DATABASE)


def _start_redis(trial: Trial, port: int) -> None:
    lock = trial.lock("redis")
    if holder(lock) is None:
        _check_free(port)
        process = Process("Redis", redis.command(port, trial.folder), log=trial.folder / "redis.log", lock=lock)
        _start([(process, partial(redis.answers, port))])


def _start(starting: Sequence[tuple[Process, Callable[[], bool]]]) -> None:
    """Start all at once and leave them once they are ready; none stays when one fails."""
    try:
        for process, _ in starting:
            process.start()
        wait_for_all(starting)
    except BaseException:
        for process, _ in starting:
            process.kill()
        raise
    for process, _ in starting:
        process.leave()


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        # As servers do, lest a port that was just left count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            message = f"Port {port} is taken by another program: stop it, or choose another with --port."
            raise Refused(message) from None
