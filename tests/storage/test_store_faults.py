# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A store that is locked, full, gone, too new or wrongly named: one sentence, nothing half-written, and on it goes."""

from __future__ import annotations

import contextlib
import re
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from psycopg2 import extensions

from synapse_groupreg.errors import BadConfig, SchemaTooNew
from synapse_groupreg.storage import store_postgres, store_sqlite_files
from synapse_groupreg.storage.store import Selection, StoreUnavailable
from synapse_groupreg.storage.store_select import Search, Window
from synapse_groupreg.storage.store_sqlite_files import sqlite_warning
from synapse_groupreg.storage.stores import open_reader, open_store
from tests.engines import on
from tests.storage.store_places import Place
from tests.storage.store_samples import DECEMBER, NOON, NOVEMBER, Log, row

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Place]:
    made = Place({"name": "sqlite3", "args": {"database": str(tmp_path / "a folder?#%")}})
    yield made
    made.close()


def file_of(place: Place) -> Path:
    return Path(place.settings["args"]["database"]) / "events" / "1-2026-11.db"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        yield
        rival.execute("ROLLBACK")


def test_a_locked_store_says_so_and_goes_on_when_it_is_free(files: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_sqlite_files, "BUSY_MS", 50)
    log = Log(files.store())
    log.begin()
    head = log.fill(10)
    with locked(file_of(files)):
        for attempt in (lambda: log.fill(10), lambda: log.begin(DECEMBER), log.store.acquire):
            with pytest.raises(StoreUnavailable, match="locked by another process"):
                attempt()
        assert files.reader().head() == head
    assert log.fill(10).size == 20


def test_a_full_disk_says_so_and_goes_on_when_there_is_space(files: Place) -> None:
    log = Log(files.store())
    log.begin()
    head = log.fill(10)
    connection = log.store._to(None)  # type: ignore[attr-defined]  # SQLite's
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(StoreUnavailable, match="no space left"):
        log.append([row(10 + number, sealed=bytes(4000)) for number in range(10)])
    assert log.store.head() == head
    assert len(log.store.select(NOVEMBER, Selection(), 99, newest_first=True)) == 10
    connection.execute("PRAGMA max_page_count = 1000000")
    assert log.fill(10).size == 20


LIMITED = """
import resource, sys
from tests.storage.store_samples import DECEMBER, Log, row
from synapse_groupreg.storage.store import StoreUnavailable
from synapse_groupreg.storage.stores import open_store

log = Log(open_store({"name": "sqlite3", "args": {"database": sys.argv[1]}}, "events"))
log.begin()
head = log.fill(100)
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, unlimited[1]))
failed = 0
while not failed:
    try:
        head = log.append([row(head.size + n, sealed=bytes(1000)) for n in range(20)])
    except StoreUnavailable as error:
        failed += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, unlimited[1]))
for attempt in (lambda: log.begin(DECEMBER), lambda: log.fill(20)):
    try:
        attempt()
    except StoreUnavailable as error:
        failed += 1
    assert log.store.head() == head, log.store.head()
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
log.head = log.store.acquire()
log.fill(20)
log.begin(DECEMBER)
log.fill(20)
print(failed, log.store.leaves(1, 0, head.size + 40) == [log.rows[n].leaf for n in range(head.size + 40)])
"""


def test_files_that_may_not_grow_are_told_and_nothing_is_lost(files: Place) -> None:
    command = [sys.executable, "-c", LIMITED, files.settings["args"]["database"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (done.stdout, done.stderr[-2000:]) == ("3 True\n", "")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 400_000


def test_only_the_owner_may_look_at_the_files(files: Place) -> None:
    log = Log(files.store())
    log.begin()
    log.fill(10)
    assert file_of(files).parent.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in file_of(files).parent.iterdir()} == {0o600}
    assert (file_of(files).with_name("1-2026-11.db-wal")).exists()


def test_a_commit_is_on_disk_whatever_the_server_would_do(place: Place) -> None:
    """The PostgreSQL of the tests has it off."""
    store: Any = place.store()
    Log(store).begin()
    if place.on_sqlite:
        assert store._to(None).execute("PRAGMA synchronous").fetchone() == (2,)
        assert store._to(None).execute("PRAGMA journal_mode").fetchone() == ("wal",)
    else:
        with store._link.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == ("on",)


def test_a_damaged_file_is_said_to_be_damaged(files: Place) -> None:
    log = Log(files.store())
    log.begin()
    log.store.close()
    file_of(files).write_bytes(b"something else" * 1000)
    with pytest.raises(StoreUnavailable, match="is no database"):
        files.reader().head()


def test_a_store_of_a_newer_version_is_refused(place: Place) -> None:
    log = Log(place.store())
    log.begin()
    log.store.close()
    if place.on_sqlite:
        with contextlib.closing(sqlite3.connect(file_of(place))) as connection:
            connection.execute("PRAGMA user_version = 99")
    else:
        arguments = {key: value for key, value in place.settings["args"].items() if not key.startswith("cp_")}
        with contextlib.closing(psycopg2.connect(**arguments)) as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE groupreg_retention_version SET version = 99")
            connection.commit()
    for use in (place.store().acquire, place.reader().head):
        with pytest.raises(SchemaTooNew, match="version 99"):
            use()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "retention.store.name: must be sqlite3 or psycopg2"),
        ({"name": "mysql", "args": {"a": 1}}, "retention.store.name: must be sqlite3 or psycopg2"),
        ({"name": "psycopg2"}, "retention.store.args: must say where"),
        ({"name": "sqlite3", "args": {"database": ":memory:"}}, "retention.store.args.database: must be a folder"),
        ({"name": "sqlite3", "args": {"database": __file__}}, "retention.store.args.database: must be a folder"),
    ],
)
def test_a_wrong_setting_is_named(given: dict[str, Any], said: str) -> None:
    for open_it in (open_store, open_reader):
        with pytest.raises(BadConfig) as caught:
            open_it(given, "events")
        assert str(caught.value).startswith(said)


def test_without_psycopg2_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "synapse_groupreg.storage.store_postgres", None)
    with pytest.raises(BadConfig, match="psycopg2 is not installed"):
        open_store({"name": "psycopg2", "args": {"host": "h"}}, "events")


def test_sqlite_that_can_lose_commits_is_warned_of() -> None:
    fixed = [(3, 51, 3), (3, 52, 0), (3, 50, 7), (3, 44, 6)]
    assert [sqlite_warning(version) for version in fixed] == [None] * 4
    for version in ((3, 40, 1), (3, 51, 2), (3, 50, 6), (3, 44, 5), (3, 45, 9)):
        warning = sqlite_warning(version)
        assert warning is not None
        assert ".".join(map(str, version)) in warning


# PostgreSQL.


@on("postgres")
def test_whoever_acquires_is_told_its_own_epoch_and_no_rivals(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite it holds a lock meanwhile."""
    Log(place.store()).begin()
    store, rival = place.store(), place.store()
    # A rival that acquires between the write and a look at what was written.
    monkeypatch.setattr(store, "head", rival.acquire)
    head = store.acquire()
    assert head is not None
    assert head.epoch == 2


def test_bytes_are_taken_in_a_process_where_synapse_forbids_them(place: Place) -> None:
    def forbid(value: bytes) -> None:
        raise AssertionError(value)

    taken = extensions.adapters[bytes, extensions.ISQLQuote]
    extensions.register_adapter(bytes, forbid)
    try:
        log = Log(place.store())
        log.begin()
        log.fill(300)
        log.store.erase(log.now(), NOVEMBER, [1, 11], [(5, b"left"), (6, b"left")])
        assert log.store.select(NOVEMBER, Selection(types=["m.room.message"]), 400, newest_first=False)
    finally:
        extensions.register_adapter(bytes, taken)


@on("postgres")
@pytest.mark.parametrize("known", [False, True], ids=["never analysed", "analysed"])
def test_a_page_is_read_in_the_order_of_an_index(place: Place, known: bool) -> None:
    store: Any = place.store()
    log = Log(store)
    log.begin()
    log.fill(3000)
    for wanted in (Selection(room=1), Selection(account=11), Selection(actor=12, from_ms=NOON), Selection(kinds=[3])):
        search = Search(wanted, newest_first=True, leading=store.leading)
        with store._link.cursor() as cursor:
            if known:
                cursor.execute("ANALYZE")
        plan = explained(store, *search.numbers([Window(100, 2000)], 10))
        assert re.findall(r"Seq Scan|Bitmap", plan) == []
        # Only the numbers of several indexes are sorted together.
        assert plan.count("Sort  (") == (1 if wanted.account else 0)
        sql, values = search.rows_between([Window(100, 2000)], [2000, 1970])
        assert "Bitmap Heap Scan" in explained(store, sql, values, before=store_postgres._READ_AHEAD)


def explained(store: Any, sql: str, values: Any, before: str = "SELECT 1") -> str:
    with store._link.cursor() as cursor:
        cursor.execute(f"{before}; EXPLAIN {store._worded(NOVEMBER, sql)}", values)
        return "\n".join(line for (line,) in cursor.fetchall())


def test_a_server_that_is_not_there_is_told_in_one_sentence() -> None:
    nowhere = {"name": "psycopg2", "args": {"host": "127.0.0.1", "port": 1, "user": "u", "password": "p-secret"}}
    for use in (open_store(nowhere, "events").acquire, open_reader(nowhere, "events").head):
        with pytest.raises(StoreUnavailable) as caught:
            use()
        assert str(caught.value) == "The retention store's server can't be reached."
