# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The act journal: who did what, on whom, why, and what was before and after (article 11.4)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.retention.records import Entry, Kind
from synapse_groupreg.storage import paging
from synapse_groupreg.storage.entries import draft, given
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.storage.database import Transaction

Facts = dict[str, Any]
_COLUMNS = "id, ts_ms, author, action, subject, reason, before, after"
_KINDS = {"hold": Kind.hold, "extend-hold": Kind.hold, "lift-hold": Kind.hold}
"""Actions whose records are of a kind of their own."""


@frozen(kw_only=True)
class Act:
    """One line of the journal."""

    id: int
    ts_ms: int
    author: str
    action: str
    subject: str
    reason: str | None
    before: Facts | None
    after: Facts | None


def append(
    txn: Transaction,
    *,
    now_ms: int,
    author: str,
    action: str,
    subject: str,
    reason: str | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> int:
    """Write a line, in the transaction of the act itself; its number."""
    txn.execute(
        "INSERT INTO groupreg_acts (ts_ms, author, action, subject, reason, before, after)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (now_ms, author, action, subject, reason, _dump(before), _dump(after)),
    )
    return int(txn.fetchall()[0][0])


def recorded_otherwise(txn: Transaction, act_id: int) -> None:
    """Of a line just written whoever calls puts a record of another kind into the outbox: `take` passes it over."""
    txn.execute("DELETE FROM groupreg_acts_unrecorded WHERE act_id = ?", (act_id,))


def page(txn: Transaction, filters: Mapping[str, str], start: int, limit: int) -> tuple[list[Act], int]:
    """Acts that match the filters (author, subject, action), the newest first, and how many there are."""
    met = paging.equal(filters, ("author", "subject", "action"))
    rows, total = paging.page(txn, _COLUMNS, "groupreg_acts", *met, start=start, limit=limit)
    return [_act(row) for row in rows], total


def untaken(txn: Transaction) -> bool:
    """Whether `take` would find any."""
    txn.execute("SELECT 1 FROM groupreg_acts_unrecorded LIMIT 1")
    return txn.fetchone() is not None


def waiting(txn: Transaction, *, most: int) -> tuple[int, int | None]:
    """How many lines wait for `take`, and the time of the oldest. No more than `most` are counted."""
    first = "SELECT ts_ms FROM groupreg_acts_unrecorded JOIN groupreg_acts ON id = act_id ORDER BY act_id LIMIT ?"
    txn.execute(f"SELECT count(*), min(ts_ms) FROM ({first}) AS a", (most,))
    rows, oldest = txn.fetchone()
    return int(rows), oldest


def take(txn: Transaction, limit: int) -> list[Entry]:
    """Lines that were not taken into the outbox before, the oldest first; they are now. For one process at a time."""
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_acts_unrecorded JOIN groupreg_acts ON id = act_id ORDER BY act_id LIMIT ?",
        (limit,),
    )
    rows = txn.fetchall()
    for row in rows:
        txn.execute("DELETE FROM groupreg_acts_unrecorded WHERE act_id = ?", (row[0],))
    return [_entry(row) for row in rows]


def _entry(row: tuple[Any, ...]) -> Entry:
    number, ts_ms, author, action, subject, reason, before, after = row
    account = author.startswith("@")
    details = given(subject=subject, reason=reason, before=before, after=after, author=None if account else author)
    return draft(
        _KINDS.get(action, Kind.act),
        ts_ms,
        type=action,
        actor=author if account else None,
        room=subject if subject.startswith("!") else None,
        # A glob names many accounts, or none.
        target=subject if subject.startswith("@") and not {"*", "?"} & set(subject) else None,
        details=details,
        facts={"act": number},
    )


def _act(row: tuple[Any, ...]) -> Act:
    number, ts_ms, author, action, subject, reason, before, after = row
    return Act(
        id=number,
        ts_ms=ts_ms,
        author=author,
        action=action,
        subject=subject,
        reason=reason,
        before=_parse(before),
        after=_parse(after),
    )


def _dump(facts: Mapping[str, Any] | None) -> str | None:
    return None if facts is None else json.dumps(facts, ensure_ascii=False, sort_keys=True)


def _parse(text: str | None) -> Facts | None:
    return None if text is None else json.loads(text)
