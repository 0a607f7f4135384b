# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store in SQLite: a file a period, of which the newest also says where the log stands.

A transaction over several files is atomic in each file only, so every change that counts is in one: the newest file's
head tables rule, and other files are what they list. Removing a period is removing its file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from synapse_groupreg.storage.store import Fenced, Head, Period
from synapse_groupreg.storage.store_rows import RowReader
from synapse_groupreg.storage.store_schema import COLUMNS, STATE, head_values
from synapse_groupreg.storage.store_sqlite_files import Files, open_beside, open_to_read, open_to_write, told
from synapse_groupreg.storage.store_writing import RowStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from synapse_groupreg.storage.store import KeyRow
    from synapse_groupreg.storage.store_select import Search, Window
    from synapse_groupreg.storage.store_writing import Bases

_OPEN_FILES = 8
_BESIDE = 8
"""Connections that read rows of a file at the same time: each row is on a page of its own, which the disk may have to
fetch, and it fetches several nearly as fast as one."""
_BESIDE_PERIODS = 2
_WORTH = 16
"""Rows that are worth it."""
_TABLES = {name: name for name in (*COLUMNS, "state", "periods", "bases", "checkpoints")}
_AT_ONCE = 2000
_INSERT = {
    table: f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for table, columns in COLUMNS.items()
}
_SET_STATE = f"UPDATE state SET {', '.join(f'{column} = ?' for column in STATE)} WHERE log = ?"
_PUT_STATE = f"INSERT INTO state ({', '.join(STATE)}, log) VALUES ({', '.join('?' * (len(STATE) + 1))})"
_PUT_PERIOD = "INSERT INTO periods (log, shard, month, first, size, closed) VALUES (?, ?, ?, ?, ?, ?)"


class SqliteReader(RowReader):
    """Reads one log in `folder`. See `store_engine.StoreReader`."""

    _open = staticmethod(open_to_read)

    def __init__(self, folder: Path, log: str) -> None:
        super().__init__(log)
        self._files = Files(folder, log)
        self._connections: dict[Period, sqlite3.Connection] = {}
        self._beside: dict[Period, list[sqlite3.Connection]] = {}
        self._threads: ThreadPoolExecutor | None = None

    @override
    def close(self) -> None:
        """Let go of the files."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None
        while self._connections:
            with told():
                self._let_go(next(iter(self._connections)))

    def _let_go(self, period: Period) -> None:
        for connection in (self._connections.pop(period), *self._beside.pop(period, ())):
            connection.close()

    @override
    def _fetch(self, period: Period | None, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with told():
            connection = self._to(period)
            return [] if connection is None else _fetched(connection, sql, values)

    @override
    def _scattered(
        self, period: Period, search: Search, parts: Sequence[Window], numbers: Sequence[int]
    ) -> list[tuple[Any, ...]]:
        if len(numbers) < _WORTH:
            return self._fetch(period, *search.rows(numbers))
        each = -(-len(numbers) // _BESIDE)
        shares = [search.rows(numbers[start : start + each]) for start in range(0, len(numbers), each)]
        with told():
            beside = self._all_beside(period)
            self._threads = self._threads or ThreadPoolExecutor(_BESIDE, "groupreg-retention")
            asked = [
                self._threads.submit(_fetched, connection, *share)
                for connection, share in zip(beside, shares, strict=False)
            ]
            return [row for future in asked for row in future.result()]

    def _all_beside(self, period: Period) -> list[sqlite3.Connection]:
        """Those that read at the same time; none if the period is not there."""
        if self._to(period) is None:
            return []
        found = self._beside.pop(period, None)
        if found is None:
            opened = [self._opened(period, open_beside) for _ in range(_BESIDE)]
            found = [connection for connection in opened if connection]
        self._beside[period] = found
        if len(self._beside) > _BESIDE_PERIODS:
            for connection in self._beside.pop(next(iter(self._beside))):
                connection.close()
        return found

    @override
    def _stream(self, period: Period, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        with told():
            # A connection of its own: it is read on while others come and go.
            if period not in self._files.periods():
                return
            with contextlib.closing(open_to_read(self._files.path(period))) as connection:
                cursor = connection.execute(sql.format(**_TABLES), values)
                while rows := cursor.fetchmany(_AT_ONCE):
                    yield from rows

    @override
    def _bytes(self, period: Period) -> int:
        with told():
            return self._files.bytes(period)

    def _to(self, period: Period | None) -> sqlite3.Connection | None:
        """The connection to a period, or to the newest; None if it is not there."""
        there = self._files.periods()
        for gone in self._connections.keys() - set(there):
            # Until it is let go, a file that was removed takes its space.
            self._let_go(gone)
        if period is None:
            period = there[-1] if there else None
        if period is None or period not in there:
            return None
        connection = self._connections.pop(period, None) or self._opened(period, self._open)
        if connection is None:
            return None
        # Those that were used longest ago stand first.
        self._connections[period] = connection
        while len(self._connections) > _OPEN_FILES:
            self._let_go(next(iter(self._connections)))
        return connection

    def _opened(self, period: Period, how: Callable[[Path], sqlite3.Connection]) -> sqlite3.Connection | None:
        try:
            return how(self._files.path(period))
        except sqlite3.OperationalError:
            if self._files.path(period).exists():
                raise
            return None  # removed since it was listed


class SqliteStore(SqliteReader, RowStore):
    """Writes one log in `folder`. See `store_engine.Store`."""

    _open = staticmethod(open_to_write)

    def __init__(self, folder: Path, log: str) -> None:
        super().__init__(folder, log)
        self._writing_to: sqlite3.Connection | None = None
        with told():
            self._files.make_folder()

    def acquire(self) -> Head | None:
        """Become the owner: raise the epoch, and remove what a crash left. None if the log is empty."""
        with told(), self._files.locked():
            newest = self._to(None)
            if newest is None:
                self._files.clean([])
                return None
            with _transaction(newest):
                newest.execute("UPDATE state SET epoch = epoch + 1 WHERE log = ?", (self._log,))
                kept = newest.execute("SELECT shard, month FROM periods WHERE log = ?", (self._log,))
                self._files.clean([Period(*row) for row in kept])
            return self.head()

    def begin(self, before: Head | None, after: Head, keys: Sequence[KeyRow]) -> Head:
        """Begin a period: its file appears under its name when all is in it, and then it is the newest."""
        if before is not None and after.period <= before.period:
            raise ValueError("Periods are begun in their order.")
        with told(), self._files.locked():
            if before is not None:
                # What the new file takes over is read under the lock of the old one.
                with self._writing(before):
                    self._create(before, after, keys)
            elif self._files.periods():
                raise Fenced
            else:
                self._create(None, after, keys)
        return after

    def _create(self, before: Head | None, after: Head, keys: Sequence[KeyRow]) -> None:
        periods = self._fetch(None, "SELECT log, shard, month, first, size, closed FROM {periods}")
        bases = self._fetch(None, "SELECT log, shard, size, hashes FROM {bases}")
        checkpoints = self._fetch(None, "SELECT log, shard, max(size), note FROM {checkpoints} GROUP BY log, shard")

        def fill(connection: sqlite3.Connection) -> None:
            connection.execute(_PUT_STATE, (*head_values(after), self._log))
            connection.executemany(_PUT_PERIOD, periods)
            if before is not None:
                ended = (before.size, int(before.closed), self._log)
                connection.execute("UPDATE periods SET size = ?, closed = ? WHERE size IS NULL AND log = ?", ended)
            connection.execute(_PUT_PERIOD, (self._log, *after.period, after.first, None, None))
            connection.executemany("INSERT INTO bases (log, shard, size, hashes) VALUES (?, ?, ?, ?)", bases)
            connection.executemany("INSERT INTO checkpoints (log, shard, size, note) VALUES (?, ?, ?, ?)", checkpoints)
            connection.executemany(_INSERT["keys"], keys)

        self._files.create(after.period, fill)

    def purge(self, before: Head, drop: Sequence[Period], after: Head, older: Bases | None = None) -> Head:
        """Remove the oldest periods: first they are no longer listed, then their files have another name."""
        if after.period in drop:
            raise ValueError("The newest period is never removed.")
        with self._writing(before, after):
            self._put_bases(after, older or {})
            self._run(
                None,
                "DELETE FROM {periods} WHERE log = ? AND shard = ? AND month = ?",
                [(self._log, *period) for period in drop],
            )
        for period in drop:
            self._firsts.pop(period, None)
            if period in self._connections:
                self._let_go(period)
        with told():
            self._files.remove(drop)
        return after

    def free(self) -> None:
        """Remove the files of removed periods."""
        with told():
            self._files.free()

    @override
    @contextlib.contextmanager
    def _writing(self, before: Head, after: Head | None = None, *, period: Period | None = None) -> Iterator[None]:
        with told():
            newest = self._to(before.period)
            if newest is None or self._files.periods()[-1] != before.period:
                raise Fenced
            other = None if period in (None, before.period) else self._to(period)
            if period is not None and self._to(period) is None:
                raise KeyError(period)
            with _transaction(newest), contextlib.ExitStack() as also:
                self._check(newest, before)
                if other is not None:
                    # Committed first; the newest file has nothing to commit then, only its lock fences.
                    also.enter_context(_transaction(other))
                if after is not None:
                    newest.execute(_SET_STATE, (*head_values(after), self._log))
                try:
                    yield
                except BaseException:
                    self._forget_words()
                    raise

    def _check(self, newest: sqlite3.Connection, before: Head) -> None:
        now = newest.execute("SELECT epoch, size FROM state WHERE log = ?", (self._log,)).fetchone()
        if now != (before.epoch, before.size):
            raise Fenced

    @override
    def _run(self, period: Period | None, sql: str, many: Sequence[Sequence[Any]] = ((),)) -> None:
        connection = self._to(period)
        assert connection is not None
        if many:
            connection.executemany(sql.format(**_TABLES), many)

    @override
    def _insert(self, period: Period, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._run(period, _INSERT[table], rows)

    @override
    def _forgotten(self, period: Period) -> None:
        with told():
            connection = self._to(period)
            if connection is not None:
                # Deleted cells are overwritten in the file, but older pages stand in the write-ahead log. While a
                # reader still reads there, it can't be cut; it is when this connection is closed.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _fetched(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    return connection.execute(sql.format(**_TABLES), values).fetchall()


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
