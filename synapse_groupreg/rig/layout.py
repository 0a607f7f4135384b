# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which processes a homeserver has beside its main one, and what Synapse is told of them; as in `config/workers/`."""

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from attrs import field, frozen

from synapse_groupreg.rig.homeserver_yaml import http_listener, write_private_yaml
from synapse_groupreg.rig.process import free_port

WORKER = "synapse.app.generic_worker"
"""The program of every process but the main one."""


@frozen(kw_only=True)
class Layout:
    """The processes beside the main one, by name, each with the port on which it listens."""

    clients: Mapping[str, int] = field(factory=dict)
    """They serve clients and other servers, and create events."""
    persisters: Mapping[str, int] = field(factory=dict)
    """They write events; without any, the main process does."""
    background: Mapping[str, int] = field(factory=dict)
    """At most one: it runs the background tasks; without it, the main process does."""
    replication_port: int = field(factory=free_port)
    """Where the main process serves the others."""
    secret: str = field(factory=lambda: secrets.token_urlsafe(24), repr=False)
    """What the processes know each other by."""

    @classmethod
    def of(cls, *, clients: int = 2, persisters: int = 2, background: bool = True) -> Self:
        """So many processes of each kind, on free ports."""
        return cls(
            clients=_ports("generic_worker", clients),
            persisters=_ports("event_persister", persisters),
            background=_ports("background_worker", int(background)),
        )

    def ports(self) -> dict[str, int]:
        """The port of every process."""
        return {**self.clients, **self.persisters, **self.background}

    def settings(self, redis_host: str, redis_port: int) -> dict[str, object]:
        """What homeserver.yaml, which all of them read, says of them."""
        places = {"main": self.replication_port, **self.persisters}
        said: dict[str, object] = {
            "redis": {"enabled": True, "host": redis_host, "port": redis_port},
            "worker_replication_secret": self.secret,
            "instance_map": {name: {"host": "127.0.0.1", "port": port} for name, port in places.items()},
        }
        if self.persisters:
            said["stream_writers"] = {"events": list(self.persisters)}
        for name in self.background:
            said["run_background_tasks_on"] = name
        return said

    def write(self, folder: Path) -> Iterator[tuple[str, int, Path]]:
        """Write the file of each process into the homeserver's folder; its name, its port and the file."""
        # Nobody has to talk to the background process, but it is to say when it is up.
        for served, ports in (
            (("client", "federation"), self.clients),
            (("replication",), self.persisters),
            (("health",), self.background),
        ):
            for name, port in ports.items():
                yield name, port, write_worker(folder, name, port, *served)


def write_worker(
    folder: Path, name: str, port: int, *served: str, settings: Mapping[str, object] | None = None
) -> Path:
    """Write the file of the process `name`; `settings` win, in it alone, over those of homeserver.yaml."""
    path = folder / f"{name}.yaml"
    own: dict[str, object] = {
        "worker_app": WORKER,
        "worker_name": name,
        "worker_listeners": [http_listener(port, *served, "metrics")],
        "worker_log_config": str(folder / "log.yaml"),
    }
    write_private_yaml(path, own | dict(settings or {}))
    return path


def _ports(kind: str, count: int) -> dict[str, int]:
    return {f"{kind}{number}": free_port() for number in range(1, count + 1)}
