# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real Synapse of several processes, which talk over Redis."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from synapse_groupreg.rig.database import Database
from synapse_groupreg.rig.homeserver_yaml import http_listener
from synapse_groupreg.rig.layout import WORKER, Layout, write_worker
from synapse_groupreg.rig.postgres import Postgres
from synapse_groupreg.rig.process import ended_tidily, free_port
from synapse_groupreg.rig.redis import Redis
from synapse_groupreg.rig.synapse import Homeserver, Member


class WorkerHomeserver(Homeserver):
    """A Synapse of one main process and others, of which the generic workers serve clients as the main one does.

    Without `persisters` the main process writes the events, without `background` it runs the background tasks.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database: Database,
        redis: Redis,
        workers: int = 2,
        persisters: int = 0,
        background: bool = False,
        module_config: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
        server_name: str = "localhost",
        log_levels: Mapping[str, str] | None = None,
    ) -> None:
        self.layout = Layout.of(clients=workers, persisters=persisters, background=background)
        super().__init__(
            folder,
            module_config=module_config,
            database=database,
            settings=self.layout.settings(redis.host, redis.port) | dict(settings or {}),
            server_name=server_name,
            log_levels=log_levels,
            further_listeners=[http_listener(self.layout.replication_port, "replication")],
        )
        self.files.folder.mkdir(parents=True, exist_ok=True)
        self._workers = [self._worker(*written) for written in self.layout.write(self.files.folder)]

    @property
    def urls(self) -> tuple[str, ...]:
        """Where clients find each process that serves them, the main one first."""
        return (self.url, *(self.member(name).url for name in self.layout.clients))

    def member(self, name: str) -> Member:
        """The process `name`, such as `main`, `generic_worker1` or `event_persister2`, to end and to start."""
        return next(member for member in self._members() if member.name == name)

    def add(self, name: str, settings: Mapping[str, object] | None = None) -> Member:
        """One more process, not yet started, which serves clients; `settings` hold in it alone."""
        port = free_port()
        path = write_worker(self.files.folder, name, port, "client", "federation", settings=settings)
        member = self._worker(name, port, path)
        self._workers.append(member)
        return member

    def _worker(self, name: str, port: int, path: Path) -> Member:
        arguments = [*self.files.arguments, "--config-path", str(path)]
        return Member.of(name, WORKER, arguments, folder=self.files.folder, port=port)


@contextmanager
def deployment(
    *, workers: int = 2, persisters: int = 2, background: bool = True, **more: object
) -> Iterator[WorkerHomeserver]:
    """A homeserver laid out as in `config/workers/`, on servers of its own unless the environment names some.

    It takes what `WorkerHomeserver` takes. Nothing of it is left afterwards, after a failure, Ctrl-C or SIGTERM either.
    """
    with ended_tidily(), ExitStack() as running:
        folder = running.enter_context(TemporaryDirectory(prefix="groupreg-synapse-"))
        postgres = running.enter_context(Postgres.start())
        redis = running.enter_context(Redis.start())
        places = {"database": postgres.create_database(), "redis": redis}
        kinds = {"workers": workers, "persisters": persisters, "background": background}
        server = WorkerHomeserver(Path(folder), **places, **kinds, **more)  # type: ignore[arg-type] # by its constructor
        yield running.enter_context(server)
