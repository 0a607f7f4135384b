# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store's tables in PostgreSQL: those of a period are partitions, one of each table of the log.

They are written and read by the partition's own name; the parents are for whoever looks with SQL, and for a cluster
that distributes by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.errors import SchemaTooNew
from synapse_groupreg.storage.store_schema import HEAD_COLUMNS, PERIOD_COLUMNS, VERSION, checked_period, newer

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

    from synapse_groupreg.storage.store import Period

_LOCK = 0x67727274  # any number that nobody else takes an advisory lock on: "grrt"
_PREFIX = "groupreg_retention"
HEAD_TABLES = {table: f"{_PREFIX}_{table}" for table in HEAD_COLUMNS}
_INDEXES = (
    ("records", "n", "UNIQUE INDEX", "(n)"),
    ("records", "room", "INDEX", "(room, n)"),
    ("records", "actor", "INDEX", "(actor, n)"),
    ("records", "target", "INDEX", "(target, n) WHERE target IS NOT NULL"),
    ("records", "kind", "INDEX", "(kind, n) WHERE kind <> 0"),
    ("names", "ref", "UNIQUE INDEX", "(ref)"),
    ("names", "lookup", "UNIQUE INDEX", "(lookup)"),
    ("words", "ref", "UNIQUE INDEX", "(ref)"),
    ("words", "text", "UNIQUE INDEX", "(text)"),
    ("keys", "purpose", "UNIQUE INDEX", "(purpose)"),
    ("blocks", "number", "UNIQUE INDEX", "(number)"),
    ("spans", "number", "UNIQUE INDEX", "(number)"),
)


_GONE = "_gone"
"""What a removed period's tables are called at the end, until they are dropped."""
_SEEN_BY_ALL_AFTER = 100_000
"""Records, after which the server is to note that all may see them, else it looks at each where an index would do."""


def key_of(period: Period) -> int:
    """A period as the number that partitions are made by."""
    shard, month = checked_period(period)
    return shard * 1_000_000 + int(month.replace("-", ""))


def tables_of(log: str, period: Period) -> dict[str, str]:
    """A period's tables."""
    return {table: f"{_PREFIX}_{log}_{table}_{key_of(period)}" for table in PERIOD_COLUMNS}


def check_version(txn: cursor) -> bool:
    """Whether the store's tables are there. Raises SchemaTooNew."""
    txn.execute("SELECT to_regclass(%s)", (f"{_PREFIX}_version",))
    if txn.fetchone() == (None,):
        return False
    txn.execute(f"SELECT version FROM {_PREFIX}_version")
    [(version,)] = txn.fetchall()
    if version > VERSION:
        raise SchemaTooNew(newer(version))
    return True


def make_tables(txn: cursor, log: str) -> None:
    """Make the tables that are not there, in an open transaction. Raises SchemaTooNew."""
    # Two that start at once would both find nothing and both create.
    txn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    if not check_version(txn):
        txn.execute(f"CREATE TABLE {_PREFIX}_version (only_row INTEGER PRIMARY KEY, version INTEGER NOT NULL)")
        txn.execute(f"INSERT INTO {_PREFIX}_version (only_row, version) VALUES (1, %s)", (VERSION,))
        for table, columns in HEAD_COLUMNS.items():
            # Room in each page for the next version of a row that is replaced at every batch.
            txn.execute(f"CREATE TABLE {HEAD_TABLES[table]} ({columns}) WITH (fillfactor = 50)")
    txn.execute("SELECT to_regclass(%s)", (f"{_PREFIX}_{log}_records",))
    if txn.fetchone() == (None,):
        for table, columns in PERIOD_COLUMNS.items():
            parent = f"{_PREFIX}_{log}_{table}"
            text = columns.format(key="")
            txn.execute(f"CREATE TABLE {parent} (period_key INTEGER NOT NULL, {text}) PARTITION BY LIST (period_key)")
        # Encrypted, so compressing it is in vain.
        txn.execute(f"ALTER TABLE {_PREFIX}_{log}_records ALTER content SET STORAGE EXTERNAL")


def make_partitions(txn: cursor, log: str, period: Period) -> None:
    """Make a period's tables, in an open transaction."""
    key = key_of(period)
    for table, name in tables_of(log, period).items():
        parent = f"{_PREFIX}_{log}_{table}"
        txn.execute(f"CREATE TABLE {name} PARTITION OF {parent} FOR VALUES IN ({key})")
        txn.execute(f"ALTER TABLE {name} ALTER period_key SET DEFAULT {key}")
    tables = tables_of(log, period)
    # By default that is after a fifth of the table, so of a large one the newest records would be slow to find.
    txn.execute(
        f"ALTER TABLE {tables['records']} SET (autovacuum_vacuum_insert_scale_factor = 0, "
        f"autovacuum_vacuum_insert_threshold = {_SEEN_BY_ALL_AFTER})"
    )
    for table, name, kind, columns in _INDEXES:
        txn.execute(f"CREATE {kind} {tables[table]}_{name} ON {tables[table]} {columns}")


def remove_partitions(txn: cursor, log: str, period: Period) -> None:
    """Let nobody find a period's tables any more, in an open transaction, which is a matter of milliseconds."""
    for table, name in tables_of(log, period).items():
        txn.execute(f"ALTER TABLE {_PREFIX}_{log}_{table} DETACH PARTITION {name}")
        txn.execute(f"ALTER TABLE {name} RENAME TO {name}{_GONE}")


def drop_removed(txn: cursor, log: str) -> None:
    """Drop the tables of removed periods, for good: the server unlinks their files, with nothing locked but them."""
    pattern = f"{_PREFIX}_{log}_%{_GONE}".replace("_", "\\_")
    txn.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid) AND relname LIKE %s", (pattern,)
    )
    names = [name for (name,) in txn.fetchall()]
    if names:
        txn.execute(f"DROP TABLE IF EXISTS {', '.join(names)}")
