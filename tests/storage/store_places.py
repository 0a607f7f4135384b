# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A place of the test's own for retention stores, on each engine."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from synapse_groupreg.storage.stores import open_reader, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.rig import Database, Postgres
    from synapse_groupreg.storage.store_engine import Store, StoreReader


class Place:
    """Opens stores and closes them all."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self._opened: list[StoreReader] = []

    @property
    def on_sqlite(self) -> bool:
        return bool(self.settings["name"] == "sqlite3")

    def store(self, log: str = "events") -> Store:
        store = open_store(self.settings, log)
        self._opened.append(store)
        return store

    def reader(self, log: str = "events") -> StoreReader:
        reader = open_reader(self.settings, log)
        self._opened.append(reader)
        return reader

    def at_rest(self) -> set[str]:
        """The files or tables of all logs."""
        if self.on_sqlite:
            return {path.name for path in Path(self.settings["args"]["database"]).rglob("*") if path.is_file()}
        asked = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'groupreg_retention%%'"
        return {name for (name,) in self.reader()._fetch(None, asked)}  # type: ignore[attr-defined]  # each engine has it

    def close(self) -> None:
        while self._opened:
            self._opened.pop().close()


def empty(database: Database) -> None:
    """Take every store out of a database."""
    with contextlib.closing(psycopg2.connect(database.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'groupreg_retention%'")
        names = [name for (name,) in cursor.fetchall()]
        if names:
            cursor.execute(f"DROP TABLE IF EXISTS {', '.join(names)} CASCADE")
        connection.commit()


@pytest.fixture(scope="session")
def store_database(postgres: Postgres) -> Database:
    return postgres.create_database()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest) -> Callable[[Path], dict[str, Any]]:
    """Makes the settings of an empty store; the folder is for SQLite."""
    if request.param == "sqlite":
        return lambda folder: {"name": "sqlite3", "args": {"database": str(folder / "store")}}
    database: Database = request.getfixturevalue("store_database")

    def emptied(folder: Path) -> dict[str, Any]:
        del folder
        empty(database)
        return dict(database.synapse_setting())

    return emptied


@pytest.fixture
def place(settings: Callable[[Path], dict[str, Any]], tmp_path: Path) -> Iterator[Place]:
    made = Place(settings(tmp_path))
    yield made
    made.close()
