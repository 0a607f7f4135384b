# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Refusals, summed up by account, code, attempt and minute; a flood makes one row and keeps its exact count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synapse_groupreg.storage.database import Transaction

_MINUTE_MS = 60_000


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
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


def add(txn: Transaction, refusals: Iterable[Refusal]) -> None:
    """Count refusals in, in any order of their times. `room_id` is that of the one counted last."""
    for summary in _summed_up(refusals):
        txn.execute(
            "INSERT INTO groupreg_refusals"
            " (minute_ms, account, code, attempt, dry, room_id, count, first_ms, last_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (minute_ms, account, code, attempt, dry) DO UPDATE SET room_id = excluded.room_id,"
            " count = groupreg_refusals.count + excluded.count,"
            " first_ms = CASE WHEN excluded.first_ms < groupreg_refusals.first_ms"
            "  THEN excluded.first_ms ELSE groupreg_refusals.first_ms END,"
            " last_ms = CASE WHEN excluded.last_ms > groupreg_refusals.last_ms"
            "  THEN excluded.last_ms ELSE groupreg_refusals.last_ms END",
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
            ),
        )


def page(txn: Transaction, filters: Mapping[str, str], start: int, limit: int) -> tuple[list[Summary], int]:
    """Summaries that match the filters (account, code, room_id), the newest first, and how many there are."""
    columns = [column for column in ("account", "code", "room_id") if column in filters]
    where = " AND ".join(f"{column} = ?" for column in columns) or "1 = 1"
    values = [filters[column] for column in columns]
    txn.execute(f"SELECT count(*) FROM groupreg_refusals WHERE {where}", values)
    total = int(txn.fetchone()[0])
    txn.execute(
        "SELECT minute_ms, account, code, attempt, room_id, count, dry, first_ms, last_ms FROM groupreg_refusals"
        f" WHERE {where} ORDER BY last_ms DESC, account, code LIMIT ? OFFSET ?",
        (*values, limit, start),
    )
    return [_summary(row) for row in txn.fetchall()], total


def counts(txn: Transaction) -> dict[tuple[str, bool], int]:
    """How many attempts each code refused or, if dry, would have refused."""
    txn.execute("SELECT code, dry, sum(count) FROM groupreg_refusals GROUP BY code, dry")
    return {(code, bool(dry)): int(count) for code, dry, count in txn.fetchall()}


def _summed_up(refusals: Iterable[Refusal]) -> list[Summary]:
    sums: dict[tuple[int, str, str, str, bool], Summary] = {}
    for one in refusals:
        key = (one.ts_ms - one.ts_ms % _MINUTE_MS, one.account, one.code, one.attempt, one.dry)
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
