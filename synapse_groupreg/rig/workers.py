# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real Synapse of several processes: the main one and generic workers, which talk over Redis."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from synapse_groupreg.rig.database import Database
from synapse_groupreg.rig.homeserver_yaml import http_listener, write_private_yaml
from synapse_groupreg.rig.process import free_port
from synapse_groupreg.rig.redis import Redis
from synapse_groupreg.rig.synapse import Homeserver, Member


class WorkerHomeserver(Homeserver):
    """A Synapse of one main process and generic workers, each of which serves clients.

    The main process writes events and runs the background tasks.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database: Database,
        redis: Redis,
        workers: int = 2,
        module_config: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
        server_name: str = "localhost",
        log_levels: Mapping[str, str] | None = None,
    ) -> None:
        replication = free_port()
        shared: dict[str, object] = {
            "redis": {"enabled": True, "host": redis.host, "port": redis.port},
            "worker_replication_secret": secrets.token_urlsafe(24),
            "instance_map": {"main": {"host": "127.0.0.1", "port": replication}},
        }
        super().__init__(
            folder,
            module_config=module_config,
            database=database,
            settings=shared | dict(settings or {}),
            server_name=server_name,
            log_levels=log_levels,
            further_listeners=[http_listener(replication, "replication")],
        )
        self._workers = [self._worker(f"worker{number}") for number in range(1, workers + 1)]

    @property
    def urls(self) -> tuple[str, ...]:
        """Where clients find each process, the main one first."""
        return (self.url, *(worker.url for worker in self._workers))

    def _worker(self, name: str) -> Member:
        folder = self.files.folder
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        path = folder / f"{name}.yaml"
        own: dict[str, object] = {
            "worker_app": "synapse.app.generic_worker",
            "worker_name": name,
            "worker_listeners": [http_listener(port, "client")],
            "worker_log_config": str(folder / "log.yaml"),
        }
        write_private_yaml(path, own)
        arguments = [*self.files.arguments, "--config-path", str(path)]
        return Member.of(name, "synapse.app.generic_worker", arguments, folder=folder, port=port)
