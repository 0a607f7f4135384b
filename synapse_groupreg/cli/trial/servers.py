# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The processes of a trial: Synapse with the module and, if chosen, PostgreSQL. They outlive the command."""

from __future__ import annotations

import signal
import socket
from functools import partial
from typing import TYPE_CHECKING

from synapse_groupreg.cli.failures import Refused
from synapse_groupreg.cli.trial.folder import SERVER_NAME
from synapse_groupreg.rig.detached import end, holder
from synapse_groupreg.rig.homeserver_yaml import HomeserverFiles
from synapse_groupreg.rig.process import Process
from synapse_groupreg.rig.synapse import MAIN, Member, healthy, require_synapse

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.cli.trial.folder import Trial
    from synapse_groupreg.rig.database import Database

MODULE_CONFIG = {
    "mode": "enforce",
    "preset": "groups-2017",
    "federation": "closed",
    # Few enough to run into by hand.
    "quotas": {"members_per_room": 500, "rooms_founded": 2, "rooms_joined": 10},
    "identity": {"required": {"post": "real_name", "found": "real_name", "join": "none"}},
    "texts": {"default_language": "en"},
}
"""The preset's rules with smaller numbers; unverified people may look around."""

_DATABASE = "groupreg"
# Not open to whoever else uses this machine.
_SETTINGS = {"enable_registration": False, "enable_registration_without_verification": False}


def running(trial: Trial) -> bool:
    """Whether the trial's Synapse runs."""
    return holder(trial.synapse_lock) is not None


def start(trial: Trial) -> None:
    """Start what does not run yet and wait until clients are served."""
    require_synapse()
    database = None if trial.postgres_port is None else _start_postgres(trial, trial.postgres_port)
    if running(trial):
        return
    _check_free(trial.port)
    files = HomeserverFiles(
        folder=trial.folder / "synapse",
        port=trial.port,
        server_name=SERVER_NAME,
        database=database,
        module_config=MODULE_CONFIG,
        registration_secret=trial.registration_secret,
        settings=_SETTINGS,
    )
    files.write()
    synapse = Member.of("main", MAIN, files.arguments, folder=files.folder, port=trial.port, lock=trial.synapse_lock)
    _start(synapse.process, partial(healthy, synapse.url))


def stop(trial: Trial) -> bool:
    """Stop the servers, Synapse first; whether there was one to stop."""
    stopped = end(trial.synapse_lock)
    # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
    return end(trial.postgres_lock, by=signal.SIGINT) or stopped


def _start_postgres(trial: Trial, port: int) -> Database:
    from synapse_groupreg.rig.cluster import Cluster  # noqa: PLC0415 - psycopg2 is not needed with SQLite
    from synapse_groupreg.rig.postgres import create_database, exists  # noqa: PLC0415

    cluster = Cluster(trial.folder / "postgres", port=port, password=trial.postgres_password)
    if holder(trial.postgres_lock) is None:
        _check_free(port)
        cluster.create()
        command = cluster.command()
        log = trial.folder / "postgres.log"
        process = Process("PostgreSQL", command, log=log, user=cluster.user, lock=trial.postgres_lock)
        _start(process, cluster.answers)
    administration = cluster.database("postgres")
    if not exists(administration, _DATABASE):
        create_database(administration, _DATABASE)
    return cluster.database(_DATABASE)


def _start(process: Process, ready: Callable[[], bool]) -> None:
    process.start()
    try:
        process.wait_until(ready)
    except BaseException:
        process.kill()
        raise
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
