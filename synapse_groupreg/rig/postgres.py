# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A PostgreSQL server: the one that the environment names, or one started from a Python package."""

import os
import secrets
import shutil
import signal
import tempfile
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import parse_dsn

from synapse_groupreg.rig.cluster import Cluster
from synapse_groupreg.rig.database import Database
from synapse_groupreg.rig.process import Process, RigError

EXTERNAL = "GROUPREG_TEST_POSTGRES"
"""Environment variable with the address of a server to use instead of starting one; its login must
be allowed to create databases."""

# Only for data that nobody will miss: a crash of the machine may destroy the cluster.
_HASTY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Postgres:
    """A running PostgreSQL server in which `create_database()` makes empty databases."""

    def __init__(self, administration: Database, process: Process | None, folder: Path | None) -> None:
        self.administration = administration
        """The database from which others are created."""
        self._process = process
        self._folder = folder
        self._created: list[str] = []

    @classmethod
    def start(cls) -> Self:
        """The server that GROUPREG_TEST_POSTGRES names, else a fresh one that `stop` removes."""
        address = os.environ.get(EXTERNAL)
        if address:
            return cls(_database_of(address), None, None)
        folder = Path(tempfile.mkdtemp(prefix="groupreg-postgres-"))
        # Passable, not readable: under root the server runs as another account.
        folder.chmod(0o711)
        process: Process | None = None
        try:
            cluster = Cluster(folder / "cluster")
            cluster.create()
            process = Process("PostgreSQL", cluster.command(_HASTY), log=folder / "log", user=cluster.user)
            process.start()
            process.wait_until(cluster.answers)
        except BaseException:
            if process is not None:
                process.kill()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(cluster.database("postgres"), process, folder)

    def create_database(self, *, like: Database | None = None) -> Database:
        """A new database as Synapse wants it (UTF-8, locale C), empty or a copy of one that nobody uses."""
        name = f"groupreg_{secrets.token_hex(6)}"
        create_database(self.administration, name, like="template0" if like is None else like.name)
        self._created.append(name)
        return _named(self.administration, name)

    def stop(self) -> None:
        """Stop the server and remove its data; of a server that is not ours, drop our databases."""
        if self._process is None:
            for name in self._created:
                statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
                _run(self.administration, statement.format(sql.Identifier(name)))
            return
        try:
            self._process.stop(by=signal.SIGINT)
        finally:
            self._process.kill()
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


def create_database(administration: Database, name: str, *, like: str = "template0") -> None:
    """Create the database `name`, as Synapse wants it, in the server of `administration`: a copy of `like`."""
    statement = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' LOCALE 'C' TEMPLATE {}")
    _run(administration, statement.format(sql.Identifier(name), sql.Identifier(like)))


def _run(database: Database, statement: sql.Composed) -> None:
    with closing(psycopg2.connect(database.dsn)) as connection:
        # CREATE and DROP DATABASE refuse to run inside a transaction.
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _named(database: Database, name: str) -> Database:
    return Database(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password,
        name=name,
    )


def _database_of(address: str) -> Database:
    try:
        parts = parse_dsn(address)
    except psycopg2.ProgrammingError as error:
        message = f"{EXTERNAL} is no PostgreSQL address: {str(error).strip()}."
        raise RigError(message) from error
    return Database(
        host=parts.get("host", "127.0.0.1"),
        port=int(parts.get("port", 5432)),
        user=parts.get("user", "postgres"),
        password=parts.get("password", ""),
        name=parts.get("dbname", "postgres"),
    )


def exists(administration: Database, name: str) -> bool:
    """Whether the server of `administration` has a database `name`."""
    with closing(psycopg2.connect(administration.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        return cursor.fetchone() is not None
