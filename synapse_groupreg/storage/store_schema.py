# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tables of the retention store, written once for both engines, and how a head is kept in one of them.

Two kinds: head tables say where a log stands, period tables hold one period's records and what finds them. Within a
period a record is numbered `n` from the period's first on, and its texts (source, type, verdict) are numbers of
`words`: numbers of four bytes instead of eight and of texts, in each row and in each index.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from synapse_groupreg.retention.tree import BLOCK_LEVEL
from synapse_groupreg.storage.store import Head, Period

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = 1
"""Of these tables. A store of a newer version is refused."""
BLOCK = 1 << BLOCK_LEVEL
SPAN = 1 << 8
"""Blocks whose times one row of `spans` tells: a search by time reads hundreds of rows, not tens of thousands."""
HASH_BYTES = 32
MOST_RECORDS = 1 << 31
"""In one period, because of the four bytes: 800 a second, day and night, for a month."""

HEAD_COLUMNS = {
    "state": (
        "log TEXT PRIMARY KEY, epoch BIGINT NOT NULL, shard INTEGER NOT NULL, month TEXT NOT NULL, "
        "first BIGINT NOT NULL, size BIGINT NOT NULL, frontier BYTEA NOT NULL, cursors TEXT NOT NULL, "
        "closed INTEGER NOT NULL, base BYTEA NOT NULL, base_size BIGINT NOT NULL, newest_ms BIGINT NOT NULL, "
        "purged_ms BIGINT NOT NULL"
    ),
    # What is kept. `size` and `closed` are those at its end, and NULL for the newest period: see `state`.
    "periods": (
        "log TEXT NOT NULL, shard INTEGER NOT NULL, month TEXT NOT NULL, first BIGINT NOT NULL, size BIGINT, "
        "closed INTEGER, PRIMARY KEY (log, shard, month)"
    ),
    "bases": (
        "log TEXT NOT NULL, shard INTEGER NOT NULL, size BIGINT NOT NULL, hashes BYTEA NOT NULL, "
        "PRIMARY KEY (log, shard)"
    ),
    "checkpoints": (
        "log TEXT NOT NULL, shard INTEGER NOT NULL, size BIGINT NOT NULL, note TEXT NOT NULL, "
        "PRIMARY KEY (log, shard, size)"
    ),
}
# The order of the columns of `records` leaves PostgreSQL no gaps to fill for alignment.
PERIOD_COLUMNS = {
    "records": (
        "n INTEGER NOT NULL{key}, ts_ms BIGINT NOT NULL, position BIGINT NOT NULL, room INTEGER, actor INTEGER, "
        "target INTEGER, room_prev INTEGER, actor_prev INTEGER, type INTEGER, source INTEGER NOT NULL, "
        "verdict INTEGER, times INTEGER, kind SMALLINT NOT NULL, leaf BYTEA NOT NULL, sealed BYTEA NOT NULL, "
        "facts TEXT, content BYTEA"
    ),
    "names": (
        "ref INTEGER NOT NULL{key}, kind TEXT NOT NULL, token BYTEA NOT NULL, lookup BYTEA NOT NULL, sealed BYTEA"
    ),
    # Texts as UTF-8 bytes: a type of event may hold U+0000, which PostgreSQL's TEXT may not.
    "words": "ref INTEGER NOT NULL{key}, text BYTEA NOT NULL",
    "keys": "purpose TEXT NOT NULL{key}, wrapped_by TEXT NOT NULL, wrapped BYTEA NOT NULL",
    "blocks": "number BIGINT NOT NULL{key}, node BYTEA NOT NULL, first_ms BIGINT NOT NULL, last_ms BIGINT NOT NULL",
    # As `blocks`, but only of blocks that lie wholly within the period.
    "spans": "number BIGINT NOT NULL{key}, first_ms BIGINT NOT NULL, last_ms BIGINT NOT NULL",
}
COLUMNS = {table: tuple(re.findall(r"(?:^|, )([a-z_]+) ", text)) for table, text in PERIOD_COLUMNS.items()}

STATE = (
    *("epoch", "shard", "month", "first", "size", "frontier"),
    *("cursors", "closed", "base", "base_size", "newest_ms", "purged_ms"),
)


def head_values(head: Head) -> tuple[Any, ...]:
    """A head as the values of STATE."""
    return (
        head.epoch,
        head.period.shard,
        head.period.month,
        head.first,
        head.size,
        b"".join(head.frontier),
        json.dumps(dict(head.cursors), sort_keys=True),
        int(head.closed),
        b"".join(head.base),
        head.base_size,
        head.newest_ms,
        head.purged_ms,
    )


def head_of(row: Sequence[Any]) -> Head:
    """The inverse of `head_values`."""
    epoch, shard, month, first, size, frontier, cursors, closed, base, base_size, newest_ms, purged_ms = row
    return Head(
        epoch=epoch,
        period=Period(shard, month),
        first=first,
        size=size,
        frontier=hashes(frontier),
        cursors=json.loads(cursors),
        closed=bool(closed),
        base=hashes(base),
        base_size=base_size,
        newest_ms=newest_ms,
        purged_ms=purged_ms,
    )


def hashes(joined: bytes) -> tuple[bytes, ...]:
    """Hashes that were put one after another."""
    return tuple(joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES))


def newer(version: int) -> str:
    """What is wrong with a store of a newer version."""
    return f"The retention store has version {version}; this synapse_groupreg knows {VERSION}: install a newer one."


def checked_log(log: str) -> str:
    """A log's name, which becomes part of names of tables and files."""
    if not re.fullmatch(r"[a-z]{1,16}", log):
        raise ValueError("A log is named by lower case letters.")
    return log


def checked_period(period: Period) -> Period:
    """A period, which becomes part of names of tables and files."""
    if period.shard < 1 or not re.fullmatch(r"\d{4}-\d{2}", period.month):
        raise ValueError("A period is a shard's number and a month, as in (1, '2026-11').")
    return period
