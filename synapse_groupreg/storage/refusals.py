# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Refusals, summed up by account, code, attempt and minute; a flood makes one row and keeps its exact count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.retention.records import Entry, Kind
from synapse_groupreg.storage import paging
from synapse_groupreg.storage.entries import draft
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synapse_groupreg.storage.database import Transaction

_COLUMNS = "minute_ms, account, code, attempt, room_id, count, dry, first_ms, last_ms"
_MINUTE_MS = 60_000
_STRAGGLERS_MS = 5_000
"""How long after its minute a refusal may still come in, without making an entry of its own."""


@frozen(kw_only=True)
class Refusal:
    """One attempt that a rule objected to; `dry` if it was let through all the same."""

    ts_ms: int
    account: str
    code: str
    attempt: str
    room_id: str | None
    dry: bool
    notify: bool = False
    """Whether the person should be told by a message as well."""
    facts: dict[str, Any] = attrs.field(factory=dict)
    """What that message may mention."""
    details: dict[str, str] = attrs.field(factory=dict)
    """Where it was tried from, for the record, if that is to be kept: `ip`, `user_agent`."""


@frozen(kw_only=True)
class Summary:
    """All refusals of an account under one code in one minute."""

    minute_ms: int
    account: str
    code: str
    attempt: str
    room_id: str | None
    count: int
    dry: bool
    first_ms: int
    last_ms: int


def add(txn: Transaction, refusals: Iterable[Refusal], *, record: bool = False) -> list[Entry]:
    """Count refusals in, in any order of their times. `room_id` is that of the one counted last.

    With `record`, what is new in its minute is returned for the outbox of the same transaction; of the others only the
    count grows, and `take` finds it once the minute is over.
    """
    found = list(refusals)
    news = [summary for summary in _summed_up(found) if _count_in(txn, summary, record=record)]
    return [_entry(summary, summary.first_ms, summary.count, _details(found, summary)) for summary in news if record]


def _count_in(txn: Transaction, summary: Summary, *, record: bool) -> bool:
    """Whether it was the first of its minute."""
    txn.execute(
        "INSERT INTO groupreg_refusals"
        " (minute_ms, account, code, attempt, dry, room_id, count, first_ms, last_ms, recorded)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (minute_ms, account, code, attempt, dry) DO UPDATE SET room_id = excluded.room_id,"
        " count = groupreg_refusals.count + excluded.count,"
        " first_ms = CASE WHEN excluded.first_ms < groupreg_refusals.first_ms"
        "  THEN excluded.first_ms ELSE groupreg_refusals.first_ms END,"
        " last_ms = CASE WHEN excluded.last_ms > groupreg_refusals.last_ms"
        "  THEN excluded.last_ms ELSE groupreg_refusals.last_ms END"
        " RETURNING count",
        (
            summary.minute_ms,
            summary.account,
            summary.code,
            summary.attempt,
            int(summary.dry),
            summary.room_id,
            summary.count,
            summary.first_ms,
            summary.last_ms,
            summary.count if record else 0,
        ),
    )
    ((count,),) = txn.fetchall()
    return int(count) == summary.count  # any that were there before have added to it


def untaken(txn: Transaction, now_ms: int) -> bool:
    """Whether `take` would find any."""
    return bool(_behind(txn, now_ms, 1))


def waiting(txn: Transaction, now_ms: int, *, most: int) -> tuple[int, int | None]:
    """How many counts wait for `take`, and since when they could be taken. No more than `most` are counted."""
    found = _behind(txn, now_ms, most)
    return len(found), found[0][0] + _MINUTE_MS + _STRAGGLERS_MS if found else None


def _behind(txn: Transaction, now_ms: int, limit: int) -> list[Any]:
    txn.execute(
        "SELECT minute_ms, account, code, attempt, dry, recorded FROM groupreg_refusals"
        " WHERE recorded < count AND minute_ms <= ? ORDER BY minute_ms, account, code, attempt, dry LIMIT ?",
        (now_ms - _MINUTE_MS - _STRAGGLERS_MS, limit),
    )
    return txn.fetchall()


def take(txn: Transaction, now_ms: int, limit: int) -> list[Entry]:
    """What the counts of minutes that are over have that was not recorded; it counts as recorded now.

    For one process at a time.
    """
    entries = []
    for *place, recorded in _behind(txn, now_ms, limit):
        # The count of this moment: whoever counts in meanwhile comes before this statement or waits for its end.
        txn.execute(
            "UPDATE groupreg_refusals SET recorded = count"
            " WHERE minute_ms = ? AND account = ? AND code = ? AND attempt = ? AND dry = ?"
            f" RETURNING {_COLUMNS}",
            place,
        )
        ((*values,),) = txn.fetchall()
        summary = _summary(tuple(values))
        entries.append(_entry(summary, summary.last_ms if recorded else summary.first_ms, summary.count - recorded))
    return entries


def _entry(summary: Summary, ts_ms: int, count: int, details: Mapping[str, str] | None = None) -> Entry:
    verdict = f"{'dry' if summary.dry else 'refused'}:{summary.code}"
    return draft(
        Kind.refusal,
        ts_ms,
        type=summary.attempt,
        verdict=verdict,
        count=count,
        room=summary.room_id,
        actor=summary.account,
        details=details or {},
    )


def _details(refusals: Iterable[Refusal], summary: Summary) -> dict[str, str]:
    """Where the first of them was tried from."""
    same = [one for one in refusals if _key(one) == _key_of(summary)]
    return min(same, key=lambda one: one.ts_ms).details


def page(txn: Transaction, filters: Mapping[str, str], start: int, limit: int) -> tuple[list[Summary], int]:
    """Summaries that match the filters (account, code, room_id), the newest first, and how many there are."""
    met, order = paging.equal(filters, ("account", "code", "room_id")), "last_ms DESC, account, code"
    rows, total = paging.page(txn, _COLUMNS, "groupreg_refusals", *met, order=order, start=start, limit=limit)
    return [_summary(row) for row in rows], total


def counts(txn: Transaction) -> dict[tuple[str, bool], int]:
    """How many attempts each code refused or, if dry, would have refused."""
    txn.execute("SELECT code, dry, sum(count) FROM groupreg_refusals GROUP BY code, dry")
    return {(code, bool(dry)): int(count) for code, dry, count in txn.fetchall()}


def _summed_up(refusals: Iterable[Refusal]) -> list[Summary]:
    sums: dict[tuple[int, str, str, str, bool], Summary] = {}
    for one in refusals:
        key = _key(one)
        before = sums.get(key)
        sums[key] = Summary(
            minute_ms=key[0],
            account=one.account,
            code=one.code,
            attempt=one.attempt,
            dry=one.dry,
            room_id=one.room_id,
            count=1 if before is None else before.count + 1,
            first_ms=one.ts_ms if before is None else min(before.first_ms, one.ts_ms),
            last_ms=one.ts_ms if before is None else max(before.last_ms, one.ts_ms),
        )
    # One order for all processes: rows locked crosswise would be a deadlock.
    return [sums[key] for key in sorted(sums)]


def _key(one: Refusal) -> tuple[int, str, str, str, bool]:
    return one.ts_ms - one.ts_ms % _MINUTE_MS, one.account, one.code, one.attempt, one.dry


def _key_of(summary: Summary) -> tuple[int, str, str, str, bool]:
    return summary.minute_ms, summary.account, summary.code, summary.attempt, summary.dry


def _summary(row: tuple[Any, ...]) -> Summary:
    minute_ms, account, code, attempt, room_id, count, dry, first_ms, last_ms = row
    return Summary(
        minute_ms=minute_ms,
        account=account,
        code=code,
        attempt=attempt,
        room_id=room_id,
        count=count,
        dry=bool(dry),
        first_ms=first_ms,
        last_ms=last_ms,
    )
