# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files of a log that is kept in SQLite: one a period, named `1-2026-11.db` for shard 1 and November 2026."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sqlite3
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from synapse_groupreg.errors import SchemaTooNew
from synapse_groupreg.storage.store import Fenced, Period, StoreUnavailable
from synapse_groupreg.storage.store_schema import (
    HEAD_COLUMNS,
    PERIOD_COLUMNS,
    VERSION,
    checked_log,
    checked_period,
    newer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

BUSY_MS = 5000
"""How long to wait for a lock that another process holds."""
_POLL_SECONDS = 0.02
_CHECKPOINT_PAGES = 8000
"""32 MB of log before it goes into the file: index pages that are written again and again go there once."""
_WRITER_CACHE_KB = 65_536
_READER_CACHE_KB = 8_192
_BESIDE_CACHE_KB = 2_048
_BESIDE = ("-wal", "-shm", "-journal")
_MADE = ".new"
_GONE = ".gone"
_PERIOD = re.compile(r"(\d+)-(\d{4}-\d{2})\.db")

_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "The retention store is locked by another process.",
    sqlite3.SQLITE_LOCKED: "The retention store is locked by another process.",
    sqlite3.SQLITE_FULL: "There is no space left for the retention store.",
    sqlite3.SQLITE_IOERR: "The retention store's disk can't be read or written.",
    sqlite3.SQLITE_CANTOPEN: "A file of the retention store can't be opened.",
    sqlite3.SQLITE_READONLY: "The retention store's files may not be written.",
    sqlite3.SQLITE_PERM: "The retention store's files may not be opened.",
    sqlite3.SQLITE_CORRUPT: "A file of the retention store is damaged.",
    sqlite3.SQLITE_NOTADB: "A file of the retention store is no database.",
    sqlite3.SQLITE_NOMEM: "There is no memory left for the retention store.",
}


class Files:
    """Which files there are, and how one comes and goes: whole or not at all, also when the power fails."""

    def __init__(self, folder: Path, log: str) -> None:
        self._folder = folder / checked_log(log)

    def make_folder(self) -> None:
        """Make the folder, for the owner's eyes only; it is on disk before anything is in it."""
        missing = [path for path in (self._folder, *self._folder.parents) if not path.exists()]
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in missing:
            # A folder that was synced is no use if the power failed before its own name was.
            _sync(path.parent)

    def path(self, period: Period) -> Path:
        """Where a period is."""
        shard, month = checked_period(period)
        return self._folder / f"{shard}-{month}.db"

    def periods(self) -> list[Period]:
        """Periods that have a file, the oldest first."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        found = [_PERIOD.fullmatch(name) for name in names]
        return sorted(Period(int(match[1]), match[2]) for match in found if match)

    def bytes(self, period: Period) -> int:
        """What a period takes on disk."""
        total = 0
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                total += self._beside(self.path(period), suffix).stat().st_size
        return total

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Alone among those who take the log over or begin a period of it."""
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _wait_for(handle)
            yield
        finally:
            os.close(handle)

    def create(self, period: Period, fill: Callable[[sqlite3.Connection], None]) -> None:
        """Make a period's file, with all that `fill` puts into it; it appears when it is complete and on disk."""
        final = self.path(period)
        made = self._beside(final, _MADE)
        if final.exists():
            raise Fenced
        self._discard(made)
        os.close(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            _fill(made, fill)
            _sync(made)
            made.rename(final)
            _sync(self._folder)
        except BaseException:
            self._discard(made)
            raise

    def remove(self, periods: Iterable[Period]) -> None:
        """Let nobody find periods' files any more; `free` gives back what the largest of each takes."""
        for period in periods:
            path = self.path(period)
            with contextlib.suppress(FileNotFoundError):
                path.rename(self._beside(path, _GONE))
            self._discard(path)
        _sync(self._folder)

    def free(self) -> None:
        """Remove the files of removed periods, for good."""
        gone = sorted(self._folder.glob(f"*{_GONE}"))
        for path in gone:
            path.unlink(missing_ok=True)
        if gone:
            _sync(self._folder)

    def clean(self, kept: Iterable[Period]) -> None:
        """Remove what a crash left: half-made files, files of removed periods, and what lies beside no file."""
        names = {self.path(period).name for period in kept}
        for path in sorted(self._folder.iterdir()):
            base = re.sub(r"-(?:wal|shm|journal)$", "", path.name)
            if base not in names and _PERIOD.fullmatch(base.removesuffix(_MADE)):
                path.unlink(missing_ok=True)
        _sync(self._folder)

    def _discard(self, path: Path) -> None:
        for suffix in ("", *_BESIDE):
            self._beside(path, suffix).unlink(missing_ok=True)

    @staticmethod
    def _beside(path: Path, suffix: str) -> Path:
        return path.with_name(path.name + suffix)


def _fill(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    with contextlib.closing(_open(path, "rw")) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN")
        for table, columns in HEAD_COLUMNS.items():
            connection.execute(f"CREATE TABLE {table} ({_spelt(columns)})")
        for table, columns in PERIOD_COLUMNS.items():
            connection.execute(f"CREATE TABLE {table} ({_spelt(columns.format(key=' PRIMARY KEY'))})")
        # Each index ends with the row's number by itself.
        connection.execute("CREATE INDEX records_room ON records (room)")
        connection.execute("CREATE INDEX records_actor ON records (actor)")
        connection.execute("CREATE INDEX records_target ON records (target) WHERE target IS NOT NULL")
        connection.execute("CREATE INDEX records_kind ON records (kind) WHERE kind <> 0")
        connection.execute("CREATE UNIQUE INDEX names_lookup ON names (lookup)")
        connection.execute("CREATE UNIQUE INDEX words_text ON words (text)")
        fill(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")


def _spelt(columns: str) -> str:
    # Only INTEGER PRIMARY KEY is the row's number, and only BLOB leaves values as they are.
    return columns.replace("BIGINT", "INTEGER").replace("BYTEA", "BLOB")


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, and never moves the write-ahead log into the file.

    SQLite before 3.51.3 can lose commits when two connections do that, so only the writer does.
    """
    connection = _open(path, "ro")
    connection.execute("PRAGMA query_only = 1")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KB}")
    return connection


def open_beside(path: Path) -> sqlite3.Connection:
    """One of several that read at the same time."""
    connection = open_to_read(path)
    connection.execute(f"PRAGMA cache_size = -{_BESIDE_CACHE_KB}")
    return connection


def open_to_write(path: Path) -> sqlite3.Connection:
    """The connection that writes: each commit is on disk, and what is deleted is overwritten."""
    connection = _open(path, "rw")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KB}")
    return connection


def _open(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        [version] = connection.execute("PRAGMA user_version").fetchone()
    except BaseException:
        connection.close()
        raise
    if version > VERSION:
        connection.close()
        raise SchemaTooNew(newer(version))
    return connection


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _wait_for(handle: int) -> None:
    until = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise StoreUnavailable(_UNAVAILABLE[sqlite3.SQLITE_BUSY]) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Say what is wrong with the store in the contract's words; a broken constraint is a bug and stays what it is."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None)
        text = None if code is None else _UNAVAILABLE.get(code & 0xFF)
        if text is None:
            raise
        raise StoreUnavailable(text) from error
    except OSError as error:
        message = f"The retention store's folder can't be used: {error.strerror}."
        raise StoreUnavailable(message) from error


_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


def sqlite_warning(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> str | None:
    """What is to be said of the linked SQLite: before 3.51.3 (3.50.7, 3.44.6) two checkpoints at once lose commits."""
    if version >= _FIXED[0] or any(version[:2] == fixed[:2] and version >= fixed for fixed in _FIXED):
        return None
    number = ".".join(str(part) for part in version)
    return (
        f"SQLite {number} can lose commits when two connections checkpoint at once; let no other program but "
        "groupreg fsck, which only reads, open the retention store while the server runs, or use SQLite 3.51.3 or newer"
        ", or PostgreSQL."
    )
