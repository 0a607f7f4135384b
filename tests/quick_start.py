# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Homeservers that start three seconds sooner: forked from a process that has read Synapse already, on its tables."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.database import make_synapses, open_postgres, open_sqlite
from tests.fork_server import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_groupreg.rig import Database, Postgres

SERVER = Path(__file__).with_name("fork_server.py")


class Forked:
    """What the rig uses of a `subprocess.Popen`, for a child of the server's."""

    def __init__(self, command: Sequence[str], end: int) -> None:
        self.args = command
        self.returncode: int | None = None
        self._end = os.fdopen(end, "rb", buffering=0)
        self.pid = int(self._end.readline())

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._end], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            # Nothing to read: the server has ended, and its children with it.
            self.returncode = int(self._end.readline() or -signal.SIGTERM)
            self._end.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class ForkServer:
    """`fork_server.py` in a process of its own."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._read_at = outlook(os.environ)
        with theirs:
            self._process = subprocess.Popen([sys.executable, "-P", SERVER], stdin=theirs, start_new_session=True)

    def popen(self, command: Sequence[str], **how: Any) -> Forked | subprocess.Popen[bytes]:
        """In place of `subprocess.Popen`, as the rig calls it: only what is a plain Synapse process is forked."""
        match command:
            case [sys.executable, "-m", program, *arguments] if program in PROGRAMS and not how["pass_fds"]:
                if outlook(os.environ) == self._read_at:
                    return self._fork(program, arguments, how["cwd"], how["stdout"].fileno())
        return subprocess.Popen(command, **how)

    def _fork(self, program: str, arguments: Sequence[str], folder: Path, output: int) -> Forked:
        asked = {
            "program": program,
            "arguments": arguments,
            "folder": str(folder),
            "environment": dict(os.environ),
        }
        end, theirs = os.pipe()
        try:
            socket.send_fds(self._requests, [json.dumps(asked).encode()], [output, theirs])
        finally:
            os.close(theirs)
        return Forked([program, *arguments], end)

    def stop(self) -> None:
        self._requests.close()
        self._process.wait()


def outlook(environment: Any) -> dict[str, str]:
    """What of an environment decides what Python reads, and how."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "SYNAPSE"))}


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Lives as long as the test run."""
    server = ForkServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def quick_starts(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever Synapse a module starts through the fixtures of `conftest.py` is forked, on Linux."""
    with pytest.MonkeyPatch.context() as patch:
        if sys.platform == "linux":
            patch.setattr("synapse_groupreg.rig.process.Popen", request.getfixturevalue("fork_server").popen)
        yield


@pytest.fixture(scope="session")
def synapse_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database as Synapse makes it when it first starts, to copy."""
    path = tmp_path_factory.mktemp("synapse") / "homeserver.db"
    database = open_sqlite(path)
    make_synapses(database)
    database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture(scope="session")
def synapse_database(postgres: Postgres) -> Database:
    """The same on PostgreSQL."""
    place = postgres.create_database()
    database = open_postgres(place)
    make_synapses(database)
    database.close()
    return place
