# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store's connection to PostgreSQL: opened when it is needed, and again after it was lost."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import new_type, register_type
from typing_extensions import override

from synapse_groupreg.storage.store import StoreUnavailable
from synapse_groupreg.storage.store_postgres_schema import check_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from psycopg2.extensions import connection as Connection  # noqa: N812 - a class

_AT_ONCE = 5000
_POOL = ("cp_min", "cp_max", "cp_reconnect", "cp_name", "cp_noisy", "cp_openfun", "cp_good_sql")
"""Arguments of Synapse's pool of connections, which stand in the same place in its configuration."""
_DEFAULTS: dict[str, Any] = {
    "application_name": "groupreg retention",
    "connect_timeout": 10,
    # A server that vanished is noticed within half a minute, not after hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_SETTINGS = (
    # Whatever the server's or the role's default is: what was acknowledged is on disk.
    "SET synchronous_commit = on; SET bytea_output = hex; SET default_transaction_isolation = 'read committed'; "
    # An owner that hangs within a transaction doesn't keep the next one out for ever.
    "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '60s'; SET jit = off; "
    # A page of a search is read in the order of its index. A planner that knows nothing of a new partition would
    # rather read all of it, or collect all that an index names, and sort.
    "SET enable_bitmapscan = off; SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0; "
    "SET client_min_messages = warning"
)
_BYTES = new_type(
    psycopg2.BINARY.values, "GROUPREG_BYTES", lambda text, _: None if text is None else bytes.fromhex(str(text)[2:])
)
"""Bytes as bytes: psycopg2 would give memoryviews of the same text."""

_UNAVAILABLE = {
    errorcodes.CLASS_INSUFFICIENT_RESOURCES: "The retention store's server is full or has too many connections.",
    errorcodes.CLASS_OBJECT_NOT_IN_PREREQUISITE_STATE: "The retention store is locked by another process.",
    errorcodes.CLASS_TRANSACTION_ROLLBACK: "The retention store is locked by another process.",
    errorcodes.CLASS_INVALID_TRANSACTION_STATE: "The retention store's server takes no changes: it is a standby.",
    errorcodes.CLASS_SYSTEM_ERROR: "The retention store's server can't read or write its disk.",
    errorcodes.CLASS_INVALID_AUTHORIZATION_SPECIFICATION: "The retention store's server refuses this login.",
    errorcodes.CLASS_INVALID_CATALOG_NAME: "The retention store's database does not exist.",
    errorcodes.CLASS_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION: "The login may not use the retention store's tables.",
}
_LOST = "The retention store's server can't be reached."


class Cursor(psycopg2.extensions.cursor):
    """A cursor that takes bytes, which Synapse forbids to all cursors of its process."""

    @override
    def execute(self, query: Any, values: Any = None) -> None:
        super().execute(query, _wrapped(values))

    @override
    def mogrify(self, query: Any, values: Any = None) -> bytes:
        return super().mogrify(query, _wrapped(values))


def _wrapped(values: Any) -> Any:
    # Not psycopg2.Binary of everything: None and numbers stay what they are.
    return values and [psycopg2.Binary(value) if isinstance(value, bytes) else value for value in values]


class Link:
    """One connection, in autocommit."""

    def __init__(self, arguments: Mapping[str, Any], *, readonly: bool) -> None:
        given = {key: value for key, value in arguments.items() if key not in _POOL}
        self._arguments = _DEFAULTS | given
        self._readonly = readonly
        self._streams = 0
        self._connection: Connection | None = None

    @contextlib.contextmanager
    def cursor(self) -> Iterator[psycopg2.extensions.cursor]:
        """A cursor of the connection. Raises StoreUnavailable for what an operator has to put right."""
        try:
            with self._opened().cursor() as cursor:
                yield cursor
        except (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.InternalError) as error:
            self.close()
            raise _unavailable(error) from error
        except psycopg2.errors.InsufficientPrivilege as error:
            raise _unavailable(error) from error

    def stream(self, sql: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Rows of a statement, a few at a time, from a cursor on the server that survives its transaction."""
        with self.cursor() as cursor:
            connection = cursor.connection
            self._streams += 1
            name = f"stream_{self._streams}"
            # What is streamed is all of a table, which is best read as it lies. A failure undoes the settings too.
            declared = f"DECLARE {name} CURSOR WITH HOLD FOR {sql}"
            cursor.execute(f"SET enable_seqscan = on; {declared}; SET enable_seqscan = off", values)
            try:
                while True:
                    cursor.execute(f"FETCH {_AT_ONCE} FROM {name}")
                    if not cursor.rowcount:
                        break
                    yield from cursor.fetchall()
            finally:
                # A connection that was lost has taken its cursors along.
                if not connection.closed:
                    cursor.execute(f"CLOSE {name}")

    def close(self) -> None:
        """Let go; the next use connects again."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(psycopg2.Error):
                connection.close()

    def _opened(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = psycopg2.connect(**self._arguments, cursor_factory=Cursor)
            try:
                connection.set_session(autocommit=True, readonly=self._readonly)
                register_type(_BYTES, connection)
                with connection.cursor() as cursor:
                    cursor.execute(_SETTINGS)
                    check_version(cursor)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _unavailable(error: psycopg2.Error) -> StoreUnavailable:
    # The server's own words may hold values; they are in the chained exception.
    code = getattr(error, "pgcode", None) or ""
    return StoreUnavailable(_UNAVAILABLE.get(code[:2], _LOST))
