# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real Synapse in a process of its own."""

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs
import requests
from attrs import frozen

from synapse_groupreg.rig.accounts import register
from synapse_groupreg.rig.database import Database
from synapse_groupreg.rig.homeserver_yaml import HomeserverFiles
from synapse_groupreg.rig.local import request
from synapse_groupreg.rig.process import Process, RigError, wait_for_all

SAMPLE_PASSWORD = "of no worth outside this machine"  # noqa: S105 - of loopback servers only
"""The password of every account that `Homeserver.register` makes when told none."""

MAIN = "synapse.app.homeserver"
"""The program that serves a homeserver on its own and leads its workers."""


@frozen
class Member:
    """One process of a homeserver and the port on which it listens."""

    name: str
    process: Process
    port: int

    @classmethod
    def of(
        cls,
        name: str,
        program: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        port: int,
        lock: Path | None = None,
    ) -> Self:
        """The process `name` that runs the Python module `program`, not yet started."""
        command = [sys.executable, "-m", program, *arguments]
        return cls(name, Process(f"Synapse ({name})", command, log=folder / f"{name}.log", lock=lock), port)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ready(self) -> tuple[Process, Callable[[], bool]]:
        """For `wait_for_all`."""
        return self.process, partial(healthy, self.url)

    def start(self) -> None:
        """Start it, alone, and wait until it serves."""
        self.process.start()
        wait_for_all([self.ready])

    def stop(self) -> None:
        """Stop it as an operator would."""
        self.process.stop()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()


class Homeserver:
    """A Synapse of one process in `folder`, on SQLite or on `database`, answering at `url`.

    `with Homeserver(folder, module_config={...}) as server:` starts and stops it. Stopped, it keeps its
    data; started again, it goes on with them, on the same port.
    """

    def __init__(
        self,
        folder: Path,
        *,
        module_config: Mapping[str, object] | None = None,
        database: Database | None = None,
        settings: Mapping[str, object] | None = None,
        server_name: str = "localhost",
        log_levels: Mapping[str, str] | None = None,
        further_listeners: Sequence[Mapping[str, object]] = (),
    ) -> None:
        self.files = HomeserverFiles(
            folder=folder.resolve(),
            module_config=module_config,
            database=database,
            settings=settings or {},
            server_name=server_name,
            log_levels=log_levels or {},
            further_listeners=further_listeners,
        )
        self._main = Member.of("main", MAIN, self.files.arguments, folder=self.files.folder, port=self.files.port)
        self._workers: list[Member] = []

    @property
    def url(self) -> str:
        """Where clients find it."""
        return self.files.url

    @property
    def server_name(self) -> str:
        """The part of its user ids after the colon."""
        return self.files.server_name

    @property
    def running(self) -> bool:
        """Whether its main process is alive."""
        return self._main.process.running

    def start(self) -> None:
        """Start it and wait until it serves clients."""
        require_synapse()
        self.files.write()
        try:
            # The main process first: it makes the tables.
            self._main.start()
            for worker in self._workers:
                worker.process.start()
            wait_for_all([member.ready for member in self._members()])
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop it as an operator would."""
        try:
            for member in self._members():
                member.process.ask_to_stop()
            for member in self._members():
                member.process.stop()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it as a crash would."""
        for member in self._members():
            member.process.kill()

    def restart(self, *, module_config: Mapping[str, object] | None = None) -> None:
        """Stop it if it runs and start it on the same data, with another module configuration if given."""
        self.stop()
        if module_config is not None:
            self.files = attrs.evolve(self.files, module_config=module_config)
        self.start()

    def register(self, name: str, *, admin: bool = False, password: str = SAMPLE_PASSWORD) -> str:
        """Make the account `name`; the answer is its access token."""
        return register(self.url, self.files.registration_secret, name, password, admin=admin)

    def user_id(self, name: str) -> str:
        """The full id of the local account `name`."""
        return f"@{name}:{self.server_name}"

    def process_log(self) -> str:
        """All that its processes have written since the first start, the main one's first."""
        logs = [member.process.log for member in reversed(self._members())]
        return "".join(log.read_text(errors="replace") for log in logs if log.exists())

    def _members(self) -> list[Member]:
        """Its processes in the order in which they are stopped."""
        return [*self._workers, self._main]

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()


def require_synapse() -> None:
    """Raise unless Synapse can be started from this Python environment."""
    if importlib.util.find_spec("synapse") is None:
        message = "Synapse is not installed in this Python environment: install the extra `synapse`."
        raise RigError(message)


def healthy(url: str) -> bool:
    """Whether a Synapse process serves clients at `url`."""
    try:
        return request("GET", f"{url}/health", seconds=2).ok
    except requests.RequestException:
        return False
