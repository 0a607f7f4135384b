# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever the way, the schema ends up the same, once."""

from __future__ import annotations

import sqlite3
import sys
import textwrap
import threading
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.errors import SchemaTooNew
from synapse_groupreg.storage import database as storage
from synapse_groupreg.storage.database import migrate, migrations, statements
from tests.database import TestDatabase, open_postgres, open_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_groupreg.rig import Database as Place

NEWEST = migrations()[-1][0]
RIVALS = 6
_MORE = """
ALTER TABLE groupreg_meta ADD COLUMN more TEXT

CREATE INDEX groupreg_more ON groupreg_meta (more)
"""


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestDatabase]:
    """A database without any table."""
    if request.param == "sqlite":
        database = open_sqlite(tmp_path / "empty.db")
    else:
        place: Place = request.getfixturevalue("postgres_database")
        database = open_postgres(place)
    yield database
    database.close()


@pytest.fixture
def other(empty: TestDatabase, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestDatabase]:
    """Another one of the same kind."""
    if empty.dialect == "sqlite":
        database = open_sqlite(tmp_path / "other.db")
    else:
        database = open_postgres(request.getfixturevalue("postgres").create_database())
    yield database
    database.close()


def schema_of(database: TestDatabase) -> list[tuple[object, ...]]:
    """Everything that makes up the schema, in words of the database."""
    if database.dialect == "sqlite":
        return database.rows("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
    return [
        *database.rows(
            "SELECT table_name, column_name, data_type, is_nullable, is_identity, column_default"
            " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
        ),
        *database.rows("SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 2"),
        *database.rows(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
        ),
        *database.rows(
            "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE NOT tgisinternal ORDER BY 1, 2"
        ),
    ]


def test_an_empty_database_gets_every_migration(empty: TestDatabase) -> None:
    assert migrate(empty.begin, empty.dialect) == NEWEST
    assert [row[0] for row in empty.rows("SELECT version FROM groupreg_schema ORDER BY version")] == [
        number for number, _ in migrations()
    ]
    assert empty.rows("SELECT version FROM groupreg_version") == [(0,)]


def test_migrating_again_changes_nothing(empty: TestDatabase) -> None:
    migrate(empty.begin, empty.dialect)
    empty.do(lambda txn: txn.execute("INSERT INTO groupreg_meta (name, value) VALUES ('kept', 'yes')"))
    before = schema_of(empty)
    assert migrate(empty.begin, empty.dialect) == NEWEST
    assert schema_of(empty) == before
    assert empty.rows("SELECT value FROM groupreg_meta") == [("yes",)]


def test_step_by_step_equals_at_once(empty: TestDatabase, other: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    # As long as there is one migration, a second one shows that steps are steps.
    known = [*migrations(), (NEWEST + 1, _MORE)]
    monkeypatch.setattr(storage, "migrations", lambda: known)
    reached = [migrate(empty.begin, empty.dialect, steps=steps) for steps in range(1, len(known) + 1)]
    assert reached == [number for number, _ in known]
    assert migrate(other.begin, other.dialect) == NEWEST + 1
    assert schema_of(empty) == schema_of(other)


def test_a_migration_that_fails_leaves_nothing_of_itself(empty: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = "CREATE TABLE groupreg_half (a TEXT)\n\nINSERT INTO groupreg_no_such_table (a) VALUES (1)"
    known = migrations()
    monkeypatch.setattr(storage, "migrations", lambda: [*known, (NEWEST + 1, broken)])
    with pytest.raises(Exception, match="groupreg_no_such_table"):
        migrate(empty.begin, empty.dialect)
    monkeypatch.undo()
    assert not any("groupreg_half" in map(str, row) for row in schema_of(empty))
    assert migrate(empty.begin, empty.dialect) == NEWEST


def test_a_newer_schema_is_refused_and_left_alone(empty: TestDatabase) -> None:
    migrate(empty.begin, empty.dialect)
    empty.do(lambda txn: txn.execute("INSERT INTO groupreg_schema (version) VALUES (?)", (NEWEST + 7,)))
    before = schema_of(empty)
    with pytest.raises(SchemaTooNew, match=f"schema {NEWEST + 7}.*knows {NEWEST}"):
        migrate(empty.begin, empty.dialect)
    assert schema_of(empty) == before


def test_rival_processes_on_postgresql_migrate_once(postgres_database: Place) -> None:
    start = threading.Barrier(RIVALS)
    outcomes: list[object] = []

    def rival() -> None:
        database = open_postgres(postgres_database)
        try:
            start.wait()
            outcomes.append(migrate(database.begin, database.dialect))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            outcomes.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=rival) for _ in range(RIVALS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [NEWEST] * RIVALS


_RIVAL = """
import contextlib, sqlite3, sys
from synapse_groupreg.storage.database import migrate
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)

@contextlib.contextmanager
def begin():
    cursor = connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    try:
        yield cursor
    except BaseException:
        connection.rollback()
        raise
    connection.commit()

sys.stdin.readline()  # all start together
print(migrate(begin, "sqlite"))
connection.close()
"""


def test_rival_processes_on_sqlite_migrate_once(tmp_path: Path) -> None:
    path = tmp_path / "rivals.db"
    sqlite3.connect(path).close()
    rivals = [
        Popen([sys.executable, "-c", _RIVAL, str(path)], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
        for _ in range(3)
    ]
    for rival in rivals:
        assert rival.stdin is not None
        rival.stdin.write("go\n")
        rival.stdin.flush()
    answers = [rival.communicate(timeout=60) for rival in rivals]
    assert answers == [(f"{NEWEST}\n", "")] * 3


def test_a_statement_for_one_dialect_runs_on_that_one_alone() -> None:
    text = textwrap.dedent("""\
        -- For both.
        CREATE TABLE a (id {identity})

        -- only sqlite
        CREATE TABLE b (c TEXT)

        -- only postgres
        CREATE TABLE d (e TEXT)
        """)
    assert statements(text, "sqlite") == [
        "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE TABLE b (c TEXT)",
    ]
    assert statements(text, "postgres") == [
        "CREATE TABLE a (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)",
        "CREATE TABLE d (e TEXT)",
    ]
