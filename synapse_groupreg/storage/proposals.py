# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Acts that wait for a second member of staff."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.storage import paging
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction

_COLUMNS = (
    "id, action, payload, subject, author, accounts, sample, created_ms, expires_ms, decided_ms, decided_by, approved"
)


@frozen(kw_only=True)
class Proposal:
    """An act as its author wanted it, whom it would touch, and what became of it."""

    id: int
    action: str
    payload: dict[str, Any]
    """The action's own fields."""
    subject: str
    author: str
    accounts: int
    """How many accounts of this server it would touch."""
    sample: list[str]
    """The first of them."""
    created_ms: int
    expires_ms: int
    decided_ms: int | None = None
    decided_by: str | None = None
    approved: bool | None = None

    def state(self, now_ms: int) -> str:
        """What became of it: open, approved, rejected or expired."""
        if self.approved is None:
            return "open" if now_ms < self.expires_ms else "expired"
        return "approved" if self.approved else "rejected"


def get(txn: Transaction, proposal_id: int) -> Proposal | None:
    """One proposal."""
    txn.execute(f"SELECT {_COLUMNS} FROM groupreg_proposals WHERE id = ?", (proposal_id,))
    row = txn.fetchone()
    return None if row is None else _proposal(row)


def same(txn: Transaction, wanted: Proposal, now_ms: int) -> Proposal | None:
    """The open proposal in which the same author wants the same."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_proposals WHERE author = ? AND action = ? AND payload = ?"
        " AND approved IS NULL AND expires_ms > ?",
        (wanted.author, wanted.action, _dump(wanted.payload), now_ms),
    )
    row = txn.fetchone()
    return None if row is None else _proposal(row)


def insert(txn: Transaction, wanted: Proposal) -> Proposal:
    """Write a new proposal; the one returned has its number."""
    txn.execute(
        "INSERT INTO groupreg_proposals (action, payload, subject, author, accounts, sample, created_ms, expires_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            wanted.action,
            _dump(wanted.payload),
            wanted.subject,
            wanted.author,
            wanted.accounts,
            json.dumps(wanted.sample),
            wanted.created_ms,
            wanted.expires_ms,
        ),
    )
    return attrs.evolve(wanted, id=int(txn.fetchone()[0]))


def decide(txn: Transaction, proposal_id: int, *, approved: bool, by: str, now_ms: int) -> bool:
    """Decide an open proposal; False if somebody else did so meanwhile. The row's lock lets one of two win."""
    txn.execute(
        "UPDATE groupreg_proposals SET approved = ?, decided_by = ?, decided_ms = ? WHERE id = ? AND approved IS NULL",
        (int(approved), by, now_ms, proposal_id),
    )
    return txn.rowcount == 1


def page(txn: Transaction, *, decided: bool, now_ms: int, start: int, limit: int) -> tuple[list[Proposal], int]:
    """Proposals, the newest first, and how many there are; with `decided` also those that are over."""
    met = () if decided else ("approved IS NULL AND expires_ms > ?", [now_ms])
    rows, total = paging.page(txn, _COLUMNS, "groupreg_proposals", *met, start=start, limit=limit)
    return [_proposal(row) for row in rows], total


def _dump(payload: dict[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False, sort_keys=True)


def _proposal(row: tuple[Any, ...]) -> Proposal:
    number, action, payload, subject, author, accounts, sample, *times_and_decision = row
    created_ms, expires_ms, decided_ms, decided_by, approved = times_and_decision
    return Proposal(
        id=number,
        action=action,
        payload=json.loads(payload),
        subject=subject,
        author=author,
        accounts=accounts,
        sample=json.loads(sample),
        created_ms=created_ms,
        expires_ms=expires_ms,
        decided_ms=decided_ms,
        decided_by=decided_by,
        approved=None if approved is None else bool(approved),
    )
