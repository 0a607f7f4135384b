# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The version of what processes keep in memory, and what changed at each version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction

Subject = tuple[str, str]
"""Kind (account, room, server, policy, everything) and id of what changed."""
EVERYTHING: Subject = ("everything", "")
POLICY: Subject = ("policy", "")
_KEEP_MS = 3_600_000
_TOO_MANY = 5_000


@frozen
class News:
    """What changed since a version; `everything` where it can't be told or isn't worth telling one by one."""

    version: int
    subjects: frozenset[Subject]
    everything: bool


def publish(txn: Transaction, subjects: Iterable[Subject], now_ms: int) -> int:
    """Number a change and say what it touched. The last statement of a transaction: it locks the version row."""
    txn.execute("UPDATE groupreg_version SET version = version + 1 WHERE only_row = 1")
    version = current(txn)
    touched = set(subjects)
    if len(touched) > _TOO_MANY:
        touched = {EVERYTHING}
    for kind, subject in sorted(touched):
        txn.execute(
            "INSERT INTO groupreg_changes (version, subject_kind, subject, changed_ms) VALUES (?, ?, ?, ?)",
            (version, kind, subject, now_ms),
        )
    return version


def current(txn: Transaction) -> int:
    """The newest committed version."""
    txn.execute("SELECT version FROM groupreg_version WHERE only_row = 1")
    return int(txn.fetchone()[0])


def since(txn: Transaction, version: int) -> News:
    """What changed after a version."""
    newest = current(txn)
    if newest == version:
        return News(newest, frozenset(), everything=False)
    txn.execute(
        "SELECT version, subject_kind, subject FROM groupreg_changes WHERE version > ? AND version <= ?",
        (version, newest),
    )
    rows = txn.fetchall()
    # Rows that were forgotten leave a gap: somebody who slept that long reads everything.
    gap = len({row[0] for row in rows}) < newest - version
    subjects = frozenset((row[1], row[2]) for row in rows)
    return News(newest, subjects, everything=gap or EVERYTHING in subjects or len(subjects) > _TOO_MANY)


def forget(txn: Transaction, now_ms: int) -> None:
    """Drop what every process has seen long ago."""
    txn.execute("DELETE FROM groupreg_changes WHERE changed_ms < ?", (now_ms - _KEEP_MS,))
