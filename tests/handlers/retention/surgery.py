# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What somebody can do who has the store's files or database, and not the keys: its tables, by SQL."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2

from synapse_groupreg.retention.tree import Frontier, leaf_hash
from synapse_groupreg.storage.store_postgres_schema import HEAD_TABLES, tables_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.storage.store import Period
    from tests.handlers.retention.stage import Archive

COLUMNS = (
    "n, ts_ms, position, room, actor, target, room_prev, actor_prev, type, source, verdict, times, kind, leaf, sealed,"
    " facts, content"
)


def operate(archive: Archive, period: Period, sql: str, *values: Any, log: str = "events") -> list[tuple[Any, ...]]:
    """Run a statement; `{records}`, `{names}`, `{state}` and so on stand for the tables."""
    settings = archive.place.settings
    if archive.place.on_sqlite:
        file = Path(settings["args"]["database"], log, f"{period.shard}-{period.month}.db")
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            named = _Own()
            return connection.execute(sql.format_map(named), values).fetchall()
    names = {**HEAD_TABLES, **tables_of(log, period)}
    arguments = {key: value for key, value in settings["args"].items() if not key.startswith("cp_")}
    with contextlib.closing(psycopg2.connect(**arguments)) as connection, connection, connection.cursor() as cursor:
        # Synapse, once it is imported, forbids bytes to all of psycopg2.
        given = [psycopg2.Binary(value) if isinstance(value, bytes) else value for value in values]
        cursor.execute(sql.format(**names).replace("?", "%s"), given)
        return [tuple(map(_plain, row)) for row in cursor.fetchall()] if cursor.description else []


class _Own(dict[str, str]):
    """Tables that are called what they are."""

    def __missing__(self, key: str) -> str:
        return key


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def with_its_hash(archive: Archive, period: Period, index: int) -> None:
    """Put the right hash beside a record that was changed, as who knows the code can."""
    with archive.openers.lend("events") as opener:
        [row] = [one.row for one in archive.records() if one.row.idx == index]
        [record] = opener.open(period, [row])
    first = next(info.first for info in archive.place.reader().periods() if info.period == period)
    leaf = leaf_hash(record.header().text().encode())
    operate(archive, period, "UPDATE {records} SET leaf = ? WHERE n = ?", leaf, index - first)


def moved(rows: Sequence[tuple[Any, ...]], n: int) -> tuple[Any, ...]:
    """A row with another number."""
    return (n, *rows[0][1:])


def cut_off(archive: Archive, period: Period, *, signed: bool) -> None:
    """Take the end of the log away, with what the head says of it; `signed`: and with its checkpoints."""
    info = archive.place.reader().periods()[-1]
    size = info.end - 3
    frontier = Frontier()
    frontier.extend(archive.place.reader().leaves(1, 0, size))
    operate(archive, period, "DELETE FROM {records} WHERE n >= ?", size - info.first)
    sql = "UPDATE {state} SET size = ?, frontier = ? WHERE log = ?"
    operate(archive, period, sql, size, b"".join(frontier.hashes), "events")
    if signed:
        operate(archive, period, "DELETE FROM {checkpoints} WHERE log = ?", "events")
