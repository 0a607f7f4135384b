# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A PostgreSQL server of a test's own, whose files it may look into and which it may kill."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from synapse_groupreg.rig.cluster import Cluster
from synapse_groupreg.rig.postgres import create_database
from synapse_groupreg.rig.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_groupreg.rig import Database


class OwnPostgres:
    """Not started by being made; started anew, it goes on with its files, on the same port."""

    def __init__(self, folder: Path) -> None:
        """`folder` is one that another account may pass: under root, PostgreSQL runs as one."""
        self.cluster = Cluster(folder / "cluster")
        self.cluster.create()
        # What it wrote is with the system, which nobody kills.
        command = self.cluster.command(("fsync=off",))
        self._process = Process("PostgreSQL", command, log=folder / "log", user=self.cluster.user)

    def start(self) -> None:
        self._process.start()
        self._process.wait_until(self.cluster.answers)

    def kill(self) -> None:
        """All of its processes die at once."""
        self._process.kill()

    def make_database(self) -> Database:
        """An empty database."""
        name = f"own_{secrets.token_hex(6)}"
        create_database(self.cluster.database("postgres"), name)
        return self.cluster.database(name)

    def run(self, *statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements, each by itself; the rows of the last one."""
        dsn = self.cluster.database(database).dsn
        with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def passable_folder() -> Iterator[Path]:
    """A folder that another account may enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory(prefix="groupreg-test-") as made:
        folder = Path(made)
        folder.chmod(0o711)
        yield folder


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[OwnPostgres]:
    """A server that runs; a test that kills it starts it again."""
    with passable_folder() as folder:
        server = OwnPostgres(folder)
        server.start()
        yield server
        server.kill()
