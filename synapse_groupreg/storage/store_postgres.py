# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store in PostgreSQL: a period is a set of partitions, a batch a COPY in its head's transaction."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extras import execute_batch
from typing_extensions import override

from synapse_groupreg.storage.store import Fenced, Head, Period
from synapse_groupreg.storage.store_postgres_link import Link
from synapse_groupreg.storage.store_postgres_schema import (
    HEAD_TABLES,
    drop_removed,
    make_partitions,
    make_tables,
    remove_partitions,
    tables_of,
)
from synapse_groupreg.storage.store_rows import RowReader
from synapse_groupreg.storage.store_schema import COLUMNS, STATE, head_of, head_values
from synapse_groupreg.storage.store_writing import RowStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class

    from synapse_groupreg.storage.store import KeyRow
    from synapse_groupreg.storage.store_select import Search, Window
    from synapse_groupreg.storage.store_writing import Bases

_STATE = HEAD_TABLES["state"]
_SET_STATE = (
    f"BEGIN; UPDATE {_STATE} SET {', '.join(f'{column} = %s' for column in STATE)} "
    "WHERE log = %s AND epoch = %s AND size = %s"
)
_LOCK_STATE = f"BEGIN; SELECT 1 FROM {_STATE} WHERE log = %s AND epoch = %s AND size = %s FOR UPDATE"
_RAISE_EPOCH = f"UPDATE {_STATE} SET epoch = epoch + 1 WHERE log = %s RETURNING {', '.join(STATE)}"
_PUT_STATE = (
    f"INSERT INTO {_STATE} ({', '.join(STATE)}, log) VALUES ({', '.join(['%s'] * (len(STATE) + 1))}) "
    "ON CONFLICT (log) DO NOTHING"
)
_READ_AHEAD = (
    "SET LOCAL enable_bitmapscan = on; SET LOCAL enable_indexscan = off; SET LOCAL effective_io_concurrency = 64"
)
"""For the one plan that has the server fetch pages before it comes to them; until the end of the statements given."""
_NULL = "None"
_RECORD = "\t".join(["%s"] * 13 + ["\\\\x%s"] * 2 + ["%s"] * 2) + "\n"
_BYTEA = "\\\\x"
"""How COPY's text form begins bytes: a backslash, itself escaped, and an x."""
_LINES_AT_ONCE = 250


class PostgresReader(RowReader):
    """Reads one log; the arguments are psycopg2's. See `store_engine.StoreReader`."""

    # A comparison of pairs: the planner of a table without statistics then has no other index to choose.
    leading = "({column}, n) >= (?, ?) AND ({column}, n) <= (?, ?)"
    _readonly = True

    def __init__(self, arguments: Mapping[str, Any], log: str) -> None:
        super().__init__(log)
        self._link = Link(arguments, readonly=self._readonly)

    @override
    def close(self) -> None:
        """Let go of the connection."""
        self._link.close()

    @override
    def _fetch(self, period: Period | None, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._link.cursor() as cursor:
            try:
                cursor.execute(self._worded(period, sql), values)
            except psycopg2.errors.UndefinedTable:
                return []
            return cursor.fetchall()

    @override
    def _scattered(
        self, period: Period, search: Search, parts: Sequence[Window], numbers: Sequence[int]
    ) -> list[tuple[Any, ...]]:
        sql, values = search.rows_between(parts, numbers)
        return self._fetch(period, f"{_READ_AHEAD}; {sql}", values)

    @override
    def _stream(self, period: Period, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        with contextlib.suppress(psycopg2.errors.UndefinedTable):
            yield from self._link.stream(self._worded(period, sql), values)

    @override
    def _bytes(self, period: Period) -> int:
        names = list(tables_of(self._log, period).values())
        rows = self._fetch(None, "SELECT sum(pg_total_relation_size(to_regclass(t))) FROM unnest(?) t", (names,))
        return int(rows[0][0] or 0)

    def _worded(self, period: Period | None, sql: str) -> str:
        tables = HEAD_TABLES if period is None else tables_of(self._log, period)
        return sql.format(**tables).replace("?", "%s")


class PostgresStore(PostgresReader, RowStore):
    """Writes one log; the arguments are psycopg2's. See `store_engine.Store`."""

    _readonly = False

    def __init__(self, arguments: Mapping[str, Any], log: str) -> None:
        super().__init__(arguments, log)
        self._arguments = arguments
        self._prepared = False

    def _prepare(self) -> None:
        if not self._prepared:
            with self._undone_unless_done("BEGIN") as cursor:
                make_tables(cursor, self._log)
            self._prepared = True

    def acquire(self) -> Head | None:
        """Become the owner: raise the epoch. None if the log is empty."""
        self._prepare()
        with self._link.cursor() as cursor:
            # Answered by the statement itself: a moment later the epoch may be a rival's.
            cursor.execute(_RAISE_EPOCH, (self._log,))
            rows = cursor.fetchall()
        return head_of(rows[0]) if rows else None

    def begin(self, before: Head | None, after: Head, keys: Sequence[KeyRow]) -> Head:
        """Begin a period."""
        if before is not None and after.period <= before.period:
            raise ValueError("Periods are begun in their order.")
        self._prepare()
        with self._writing(before, after):
            if before is not None:
                ended = [(before.size, int(before.closed), self._log)]
                self._run(None, "UPDATE {periods} SET size = ?, closed = ? WHERE size IS NULL AND log = ?", ended)
            with self._link.cursor() as cursor:
                make_partitions(cursor, self._log, after.period)
            put = "INSERT INTO {periods} (log, shard, month, first) VALUES (?, ?, ?, ?)"
            self._run(None, put, [(self._log, *after.period, after.first)])
            self._insert(after.period, "keys", keys)
        return after

    def purge(self, before: Head, drop: Sequence[Period], after: Head, older: Bases | None = None) -> Head:
        """Remove the oldest periods."""
        if after.period in drop:
            raise ValueError("The newest period is never removed.")
        with self._writing(before, after):
            self._put_bases(after, older or {})
            gone = [(self._log, *period) for period in drop]
            self._run(None, "DELETE FROM {periods} WHERE log = ? AND shard = ? AND month = ?", gone)
            with self._link.cursor() as cursor:
                for period in drop:
                    remove_partitions(cursor, self._log, period)
        return after

    def free(self) -> None:
        """Drop the tables of removed periods, by a connection of its own."""
        link = Link(self._arguments, readonly=False)
        with contextlib.closing(link), link.cursor() as cursor:
            drop_removed(cursor, self._log)

    @override
    @contextlib.contextmanager
    def _writing(
        self, before: Head | None, after: Head | None = None, *, period: Period | None = None
    ) -> Iterator[None]:
        del period  # All periods are in the same database.
        with self._undone_unless_done(*self._claim(before, after)) as cursor:
            if cursor.rowcount != 1:
                raise Fenced
            try:
                yield
            except psycopg2.errors.UndefinedTable as error:
                raise KeyError("The period is not there.") from error

    def _claim(self, before: Head | None, after: Head | None) -> tuple[str, Sequence[Any]]:
        """What begins a transaction and touches one row, if the head is still `before`."""
        if before is None:
            assert after is not None
            return f"BEGIN; {_PUT_STATE}", (*head_values(after), self._log)
        here = (self._log, before.epoch, before.size)
        return (_LOCK_STATE, here) if after is None else (_SET_STATE, (*head_values(after), *here))

    @contextlib.contextmanager
    def _undone_unless_done(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Cursor]:
        """A transaction that begins with this statement."""
        try:
            with self._link.cursor() as cursor:
                try:
                    cursor.execute(sql, values)
                except psycopg2.errors.UndefinedTable:
                    raise Fenced from None  # nobody has made the tables, so nobody owns the log
                yield cursor
                cursor.execute("COMMIT")
                # Of a transaction in which something failed, COMMIT is a ROLLBACK and no error.
                assert cursor.statusmessage == "COMMIT"
        except BaseException:
            self._forget_words()
            self._link.close()
            raise

    @override
    def _run(self, period: Period | None, sql: str, many: Sequence[Sequence[Any]] = ((),)) -> None:
        with self._link.cursor() as cursor:
            execute_batch(cursor, self._worded(period, sql), many)

    @override
    def _insert(self, period: Period, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        columns = ", ".join(COLUMNS[table])
        sql = f"COPY {tables_of(self._log, period)[table]} ({columns}) FROM STDIN WITH (NULL '{_NULL}')"
        with self._link.cursor() as cursor:
            lines = _Lines(rows, _records if table == "records" else _lines)
            cursor.copy_expert(sql, lines)  # type: ignore[arg-type]  # a COPY asks for no single lines

    @override
    def _forgotten(self, period: Period) -> None:
        tables = tables_of(self._log, period)
        with self._link.cursor() as cursor:
            # Written anew: without FULL, the free space of pages keeps what stood there.
            for table in ("names", "records"):
                cursor.execute(f"VACUUM (FULL) {tables[table]}")


class _Lines:
    """A file that is made as it is read: while the server puts some lines away, the next are made."""

    def __init__(self, rows: Sequence[tuple[Any, ...]], form: Callable[[Sequence[tuple[Any, ...]]], list[str]]) -> None:
        self._pieces = (rows[start : start + _LINES_AT_ONCE] for start in range(0, len(rows), _LINES_AT_ONCE))
        self._form = form

    def read(self, _size: int = -1) -> bytes:
        """The next lines, however many bytes that is; none at the end."""
        return "".join(self._form(next(self._pieces, ()))).encode()


def _records(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Lines of COPY's text form, by one formatting each; `NULL` is what Python calls None."""
    return [
        _RECORD
        % (
            *row[:13],
            row[13].hex(),
            row[14].hex(),
            None if row[15] is None else _escaped(row[15]),
            None if row[16] is None else _BYTEA + row[16].hex(),
        )
        for row in rows
    ]


def _lines(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """The same for any table, and slower."""
    return ["\t".join(map(_field, row)) + "\n" for row in rows]


def _field(value: Any) -> str:
    if isinstance(value, bytes):
        return _BYTEA + value.hex()
    return _escaped(value) if isinstance(value, str) else str(value)


def _escaped(text: str) -> str:
    # Also a text that would be read as NULL: any escaped character is that character.
    if text == _NULL:
        return "\\" + text
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
