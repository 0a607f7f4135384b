# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rig's PostgreSQL and Redis."""

import socket
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from synapse_groupreg.rig import Database, Postgres, Redis, RigError
from synapse_groupreg.rig.process import Process, free_port


def test_a_database_is_new_empty_and_as_synapse_wants_it(postgres_database: Database):
    with closing(psycopg2.connect(postgres_database.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datcollate, datctype FROM pg_database WHERE datname = current_database()")
        assert cursor.fetchone() == ("C", "C")
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchone() == (0,)


def test_a_given_postgres_is_used_and_left_as_it_was(postgres: Postgres, monkeypatch: pytest.MonkeyPatch):
    administration = postgres.create_database()
    monkeypatch.setenv("GROUPREG_TEST_POSTGRES", administration.dsn)
    with Postgres.start() as given:
        made = given.create_database()
        psycopg2.connect(made.dsn).close()
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(made.dsn)
    psycopg2.connect(administration.dsn).close()


def test_our_postgres_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GROUPREG_TEST_POSTGRES", raising=False)
    # Not below pytest's folder, which is closed to the account that PostgreSQL runs as under root.
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="groupreg-none-") as place:
        Path(place).chmod(0o711)
        monkeypatch.setattr("tempfile.tempdir", place)
        with Postgres.start() as server:
            assert list(Path(place).iterdir())
            dsn = server.create_database().dsn
        assert list(Path(place).iterdir()) == []
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(dsn)


def test_an_address_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GROUPREG_TEST_POSTGRES", "postgres is over there")
    with pytest.raises(RigError, match="GROUPREG_TEST_POSTGRES is no PostgreSQL address"):
        Postgres.start()
    monkeypatch.setenv("GROUPREG_TEST_REDIS", "here:there")
    with pytest.raises(RigError, match="GROUPREG_TEST_REDIS must be host:port"):
        Redis.start()


def test_our_redis_ends_with_its_user(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GROUPREG_TEST_REDIS", raising=False)
    with Redis.start() as server:
        socket.create_connection((server.host, server.port), timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), timeout=5)


def test_a_process_that_dies_while_starting_is_quoted(tmp_path: Path):
    process = Process("Sorrow", ["sh", "-c", "echo no such luck; exit 3"], log=tmp_path / "log")
    process.start()
    with pytest.raises(RigError, match=r"Sorrow ended with code 3 while starting:\n  no such luck"):
        process.wait_until(lambda: False)


def test_a_process_that_never_answers_is_ended(tmp_path: Path):
    process = Process("Silence", ["sleep", "60"], log=tmp_path / "log")
    process.start()
    with pytest.raises(RigError, match=r"Silence did not answer in 0\.2 s"):
        process.wait_until(lambda: False, seconds=0.2)
    assert not process.running


def test_a_free_port_can_be_taken():
    with socket.create_server(("127.0.0.1", free_port())):
        pass
