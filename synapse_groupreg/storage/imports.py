# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identities from a file: staged in chunks, then recorded in one transaction by a handful of statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction

PROVIDER = "import"
"""The provider of identities that came from a file."""
_STALE_MS = 86_400_000
_NAMES = " ".join(f"WHEN {level.value} THEN '{level.name}'" for level in Assurance)
_PERSON = '"person": "known"'


@frozen(kw_only=True)
class ImportRow:
    """A line of the file; of the reference only its keyed digest."""

    line: int
    user_id: str
    assurance: Assurance
    digest: str | None
    new_person_id: str


@frozen(kw_only=True)
class Tally:
    """What a commit did, in accounts."""

    accounts: int
    linked: int
    unchanged: int


def begin(txn: Transaction, import_id: str, author: str, reason: str | None, now_ms: int) -> None:
    """Open an import, and drop those that were abandoned."""
    txn.execute(
        "DELETE FROM groupreg_import_rows WHERE import_id IN"
        " (SELECT import_id FROM groupreg_imports WHERE created_ms < ?)",
        (now_ms - _STALE_MS,),
    )
    txn.execute("DELETE FROM groupreg_imports WHERE created_ms < ?", (now_ms - _STALE_MS,))
    txn.execute(
        "INSERT INTO groupreg_imports (import_id, author, created_ms, reason) VALUES (?, ?, ?, ?)",
        (import_id, author, now_ms, reason),
    )


def author_and_reason(txn: Transaction, import_id: str) -> tuple[str, str | None] | None:
    """Who opened an import, and why."""
    txn.execute("SELECT author, reason FROM groupreg_imports WHERE import_id = ?", (import_id,))
    row = txn.fetchone()
    return None if row is None else (row[0], row[1])


def line_of(txn: Transaction, import_id: str, user_id: str) -> int | None:
    """The line that already names this account."""
    txn.execute("SELECT line FROM groupreg_import_rows WHERE import_id = ? AND user_id = ?", (import_id, user_id))
    row = txn.fetchone()
    return None if row is None else int(row[0])


def stage(txn: Transaction, import_id: str, rows: Iterable[ImportRow]) -> int:
    """Add lines; how many there are now."""
    for row in rows:
        txn.execute(
            "INSERT INTO groupreg_import_rows (import_id, user_id, line, assurance, person_id, digest)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (import_id, row.user_id, row.line, row.assurance.value, row.new_person_id, row.digest),
        )
    return size(txn, import_id)


def size(txn: Transaction, import_id: str) -> int:
    """How many lines are staged."""
    txn.execute("SELECT count(*) FROM groupreg_import_rows WHERE import_id = ?", (import_id,))
    return int(txn.fetchone()[0])


def users(txn: Transaction, import_id: str) -> list[str]:
    """The accounts that are staged."""
    txn.execute("SELECT user_id FROM groupreg_import_rows WHERE import_id = ?", (import_id,))
    return [str(row[0]) for row in txn.fetchall()]


def new_persons(txn: Transaction, import_id: str) -> list[tuple[str, str | None]]:
    """The accounts that the file takes away from the person to whom they are linked, each with its new person."""
    txn.execute(
        "SELECT i.user_id, p.person_id FROM groupreg_import_rows i"
        " JOIN groupreg_person_accounts a ON a.user_id = i.user_id LEFT JOIN groupreg_persons p ON p.digest = i.digest"
        " WHERE i.import_id = ? AND i.digest IS NOT NULL AND (p.person_id IS NULL OR p.person_id <> a.person_id)"
        " ORDER BY i.line",
        (import_id,),
    )
    return [(str(row[0]), row[1]) for row in txn.fetchall()]


def _shown(column: str) -> str:
    """SQL for the beginning of a JSON object that names an assurance."""
    return f"""'{{"assurance": "' || CASE {column} {_NAMES} END || '"'"""


def journal(txn: Transaction, import_id: str, author: str, reason: str | None, now_ms: int) -> None:
    """Write a line for each account that the commit will change: who was verified is an act on a person."""
    txn.execute(
        "INSERT INTO groupreg_acts (ts_ms, author, action, subject, reason, before, after)"
        " SELECT ?, ?, 'import', i.user_id, ?,"
        f" CASE WHEN o.assurance IS NULL THEN NULL ELSE {_shown('o.assurance')} || '}}' END,"
        f" {_shown('i.assurance')} || CASE WHEN i.digest IS NULL THEN '}}' ELSE ', {_PERSON}}}' END"
        " FROM groupreg_import_rows i"
        " LEFT JOIN groupreg_identities o ON o.user_id = i.user_id AND o.provider = ?"
        " LEFT JOIN groupreg_person_accounts a ON a.user_id = i.user_id"
        " LEFT JOIN groupreg_persons p ON p.digest = i.digest"
        " WHERE i.import_id = ? AND (o.assurance IS NULL OR o.assurance <> i.assurance OR (i.digest IS NOT NULL"
        "  AND (a.person_id IS NULL OR p.person_id IS NULL OR a.person_id <> p.person_id)))"
        " ORDER BY i.line",
        (now_ms, author, reason, PROVIDER, import_id),
    )


def commit(txn: Transaction, import_id: str, now_ms: int) -> Tally:
    """Record everything that is staged."""
    total = size(txn, import_id)
    txn.execute(
        "INSERT INTO groupreg_persons (person_id, digest)"
        " SELECT min(person_id), digest FROM groupreg_import_rows WHERE import_id = ? AND digest IS NOT NULL"
        " GROUP BY digest ON CONFLICT (digest) DO NOTHING",
        (import_id,),
    )
    txn.execute(
        "INSERT INTO groupreg_person_accounts (user_id, person_id)"
        " SELECT i.user_id, p.person_id FROM groupreg_import_rows i JOIN groupreg_persons p ON p.digest = i.digest"
        " WHERE i.import_id = ? ON CONFLICT (user_id) DO UPDATE SET person_id = excluded.person_id"
        " WHERE groupreg_person_accounts.person_id <> excluded.person_id",
        (import_id,),
    )
    linked = txn.rowcount
    txn.execute(
        "INSERT INTO groupreg_limits (subject, quota, value)"
        " SELECT 'person:' || a.person_id, l.quota, min(l.value) FROM groupreg_import_rows i"
        " JOIN groupreg_person_accounts a ON a.user_id = i.user_id"
        " JOIN groupreg_limits l ON l.subject = 'account:' || i.user_id WHERE i.import_id = ?"
        " GROUP BY a.person_id, l.quota ON CONFLICT (subject, quota) DO NOTHING",
        (import_id,),
    )
    txn.execute(
        "INSERT INTO groupreg_identities (user_id, provider, assurance, since_ms)"
        " SELECT user_id, ?, assurance, ? FROM groupreg_import_rows WHERE import_id = ?"
        " ON CONFLICT (user_id, provider) DO UPDATE SET assurance = excluded.assurance, since_ms = excluded.since_ms"
        " WHERE groupreg_identities.assurance <> excluded.assurance",
        (PROVIDER, now_ms, import_id),
    )
    changed = txn.rowcount
    discard(txn, import_id)
    return Tally(accounts=changed, linked=linked, unchanged=total - changed)


def discard(txn: Transaction, import_id: str) -> None:
    """Forget an import."""
    txn.execute("DELETE FROM groupreg_import_rows WHERE import_id = ?", (import_id,))
    txn.execute("DELETE FROM groupreg_imports WHERE import_id = ?", (import_id,))
