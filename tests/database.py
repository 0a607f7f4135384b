# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real databases for tests without a server: Synapse's own tables and ours, on SQLite and on PostgreSQL.

`storage.Database` without a reactor: every transaction runs at once, on one connection. `another()` gives a second
connection to the same data, for tests of rivals (in threads of their own).
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

import psycopg2
import pytest
from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED
from synapse.storage.database import LoggingDatabaseConnection
from synapse.storage.engines import PostgresEngine, Sqlite3Engine
from synapse.storage.prepare_database import prepare_database
from twisted.internet.defer import Deferred

from synapse_groupreg.storage.database import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from synapse_groupreg.rig import Database as Place
    from synapse_groupreg.rig import Postgres
    from synapse_groupreg.storage.database import Dialect, Transaction

P = ParamSpec("P")
R = TypeVar("R")

SERVER = "test.example.org"
_TRIES = 5  # as many as Synapse makes
SYNAPSES = (
    *("users", "user_threepids", "account_data", "pushers", "rooms", "room_aliases", "room_stats_current"),
    *("room_stats_state", "events", "event_json", "current_state_events", "room_memberships"),
    *("local_current_membership", "stream_positions", "event_reports", "room_reports", "user_reports"),
    *("devices", "access_tokens", "current_state_delta_stream", "redactions", "rejections", "profiles"),
    "background_updates",
)
"""The tables of Synapse's into which tests write."""


def result_of(awaitable: Coroutine[Any, Any, R]) -> R:
    """What a coroutine returns that has nothing to wait for."""
    outcome: list[Any] = []
    deferred = Deferred.fromCoroutine(awaitable)
    deferred.addBoth(outcome.append)
    assert outcome, "the coroutine waits for something"
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    result: R = outcome[0]
    return result


class TestDatabase:
    """`storage.Database` on one connection of the test's own."""

    __test__ = False  # a helper, whatever its name says to pytest

    def __init__(self, connect: Callable[[], LoggingDatabaseConnection], dialect: Dialect, where: Path | Place) -> None:
        self.where = where
        """For processes of a test's own."""
        self._connect = connect
        self._connection = connect()
        self.dialect: Dialect = dialect
        self.runs: list[str] = []
        """The names of all transactions that were run."""
        self.fail: Exception | None = None
        """Raised by the next transactions instead of running them, while set."""

    async def run(
        self, name: str, work: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """See `storage.Database.run`; finished when it returns."""
        self.runs.append(name)
        if self.fail is not None:
            raise self.fail
        for attempt in range(1, _TRIES + 1):
            try:
                with self.begin() as txn:
                    return work(txn, *args, **kwargs)
            except Exception as error:
                if attempt == _TRIES or not self._connection.engine.is_deadlock(error):
                    raise
        raise AssertionError

    def do(self, work: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function in a transaction, now; for arranging and looking, so it is not among `runs`."""
        with self.begin() as txn:
            return work(txn, *args, **kwargs)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        with self.begin() as txn:
            txn.execute(statement, values)
            return [tuple(row) for row in txn.fetchall()]

    @contextlib.contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A transaction: committed at the end, rolled back if it fails."""
        txn = self._connection.cursor(txn_name="test")
        if self.dialect == "sqlite":
            txn.execute("BEGIN IMMEDIATE")
        try:
            yield txn
        except BaseException:
            self._connection.rollback()
            raise
        else:
            self._connection.commit()
        finally:
            txn.close()

    def another(self) -> Self:
        """A rival: the same data over a connection of its own. Close it."""
        return type(self)(self._connect, self.dialect, self.where)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def open_sqlite(path: Path) -> TestDatabase:
    """A database in a file."""

    def connect() -> LoggingDatabaseConnection:
        raw = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
        connection = _logging(raw, Sqlite3Engine({"args": {"database": str(path)}}))
        raw.execute("PRAGMA synchronous = OFF")
        return connection

    return TestDatabase(connect, "sqlite", path)


def open_postgres(place: Place) -> TestDatabase:
    """A database on a server."""

    def connect() -> LoggingDatabaseConnection:
        raw = psycopg2.connect(place.dsn)
        connection = _logging(raw, PostgresEngine({"args": {}}))
        raw.set_isolation_level(ISOLATION_LEVEL_READ_COMMITTED)
        return connection

    return TestDatabase(connect, "postgres", place)


def _logging(raw: Any, engine: Sqlite3Engine | PostgresEngine) -> LoggingDatabaseConnection:
    connection = LoggingDatabaseConnection(conn=raw, engine=engine, default_txn_name="test", server_name=SERVER)
    engine.on_new_connection(connection)
    return connection


def prepare(database: TestDatabase, *, ours: bool = True) -> None:
    """Give an empty database Synapse's tables, and ours unless a test makes them itself."""
    make_synapses(database)
    database.do(_build_index)
    if ours:
        migrate(database.begin, database.dialect)


def make_synapses(database: TestDatabase) -> None:
    """Give an empty database what Synapse gives it as it first starts."""
    connection = database._connection
    if database.dialect == "sqlite":
        connection.conn.isolation_level = ""  # type: ignore[attr-defined]  # prepare_database commits by itself
    prepare_database(connection, connection.engine, config=None)
    if database.dialect == "sqlite":
        connection.conn.isolation_level = None  # type: ignore[attr-defined]  # as above


def _build_index(txn: Transaction) -> None:
    """Do what Synapse does in the first minute, in the background."""
    name = "current_state_delta_stream_room_"
    txn.execute(f"CREATE INDEX {name}idx ON current_state_delta_stream (room_id, stream_id)")
    txn.execute("DELETE FROM background_updates WHERE update_name = ?", (f"{name}index",))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared database that tests copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    database = open_sqlite(path)
    prepare(database)
    database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture
def sqlite_db(sqlite_template: Path, tmp_path: Path) -> Iterator[TestDatabase]:
    """A prepared SQLite database of the test's own."""
    path = tmp_path / "homeserver.db"
    shutil.copy(sqlite_template, path)
    database = open_sqlite(path)
    yield database
    database.close()


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> Place:
    """A prepared database that tests copy."""
    place = postgres.create_database()
    database = open_postgres(place)
    prepare(database)
    database.close()
    return place


@pytest.fixture(scope="session")
def shared_pg(postgres: Postgres, postgres_template: Place) -> Iterator[TestDatabase]:
    """One PostgreSQL database for all tests, each of which finds it empty: making one takes a second."""
    database = open_postgres(postgres.create_database(like=postgres_template))
    yield database
    database.close()


@pytest.fixture
def pg_db(shared_pg: TestDatabase) -> TestDatabase:
    """A PostgreSQL database in which nothing is."""
    shared_pg.fail = None
    shared_pg.runs.clear()
    shared_pg.do(_empty)
    return shared_pg


def _empty(txn: Transaction) -> None:
    txn.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE ?", ("groupreg_%",))
    ours = [str(row[0]) for row in txn.fetchall() if row[0] != "groupreg_schema"]
    txn.execute("ALTER TABLE groupreg_acts DISABLE TRIGGER ALL")
    for table in (*SYNAPSES, *ours):
        txn.execute(f"DELETE FROM {table}")
    txn.execute("ALTER TABLE groupreg_acts ENABLE TRIGGER ALL")
    txn.execute("INSERT INTO groupreg_version (only_row, version) VALUES (1, 0)")


@pytest.fixture(params=["sqlite", "postgres"])
def db(request: pytest.FixtureRequest) -> TestDatabase:
    """A test that asks for it runs over both kinds."""
    database: TestDatabase = request.getfixturevalue("sqlite_db" if request.param == "sqlite" else "pg_db")
    return database
