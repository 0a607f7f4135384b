# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Synapse's database remembers of the retention store: which logs there are, their keys, and what was signed.

It is written after the store and the published checkpoint, and may be put back from a backup: so it may be behind the
store, and a store that has more than is remembered is a healthy one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.storage import keeping
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from synapse_groupreg.storage.database import Transaction

_COLUMNS = "log, shard, signing_key, wrapping_key, origin, size, root, noted_ms"


@frozen(kw_only=True)
class KnownLog:
    """A shard of a log."""

    log: str
    shard: int
    signing_key: str
    """The public half."""
    wrapping_key: str
    """Its id."""
    origin: str
    size: int
    """Of the last checkpoint that was signed; 0 before the first."""
    root: str
    """Its root, base64url; empty before the first."""
    noted_ms: int = attrs.field(eq=False)
    """When this was written: no record that the checkpoint covers is younger."""


def everything(txn: Transaction) -> list[KnownLog]:
    """All shards of all logs, each log's newest last."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_logs ORDER BY log, shard")
    return [
        KnownLog(
            log=row[0],
            shard=row[1],
            signing_key=row[2],
            wrapping_key=row[3],
            origin=row[4],
            size=row[5],
            root=row[6],
            noted_ms=row[7],
        )
        for row in txn.fetchall()
    ]


def newest(known: Iterable[KnownLog]) -> dict[str, KnownLog]:
    """Of each log the shard that is written to."""
    return {one.log: one for one in known}


def remember(txn: Transaction, logs: Iterable[KnownLog]) -> None:
    """Write down how these are now."""
    for one in logs:
        txn.execute(
            f"INSERT INTO groupreg_logs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (log, shard) DO UPDATE SET signing_key = excluded.signing_key,"
            " wrapping_key = excluded.wrapping_key, origin = excluded.origin, size = excluded.size,"
            " root = excluded.root, noted_ms = excluded.noted_ms",
            (one.log, one.shard, one.signing_key, one.wrapping_key, one.origin, one.size, one.root, one.noted_ms),
        )


@frozen(kw_only=True)
class Remembered:
    """What Synapse's database says of the retention store when a process starts."""

    logs: Mapping[str, KnownLog]
    """The newest shard of each log that was ever begun."""
    given_up: AbstractSet[str]
    """Logs that staff let go on without what was lost."""
    renewing: bool
    """Whether keys are being renewed."""


def remembered(txn: Transaction) -> Remembered:
    """Read what is remembered."""
    work = keeping.waiting(txn)
    return Remembered(
        logs=newest(everything(txn)),
        given_up={one.log for one in work if one.kind == keeping.EPOCH},
        renewing=any(one.kind == keeping.ROTATE for one in work),
    )
