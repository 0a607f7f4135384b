# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Notices: what people are to be told in their direct room with the server, each once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.storage import paging
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synapse_groupreg.storage.database import Transaction
    from synapse_groupreg.storage.refusals import Refusal

KEY = "org.groupreg.notice"
"""Key in the content of our messages: the number of the notice, by which a restart knows that it was said."""
ANSWER = "answer"
"""The code of a notice that answers a command: it is asked for, so the budget for others doesn't count it."""
APPEAL, HANDOVER = "appeal", "handover"
"""The codes of notices that tell how an appeal was decided, and of an offer of a group and what became of it."""
_STUCK_MS = 60_000
_KEEP_MS = 7 * 86_400_000
_MINUTE_MS = 60_000
_COLUMNS = "id, account, code, attempt, room_id, facts, state, created_ms, next_ms, tries, sent_ms, problem"


@frozen(kw_only=True)
class Notice:
    """One notice. `room_id` is where the refused act happened; empty if in none."""

    id: int
    account: str
    code: str
    attempt: str
    room_id: str
    facts: dict[str, Any]
    state: str
    created_ms: int
    next_ms: int
    tries: int
    sent_ms: int | None
    problem: str | None


def queue(txn: Transaction, refusals: Iterable[Refusal], every_ms: int) -> None:
    """Queue a notice for each refusal that asks for one, unless the same was told within `every_ms`."""
    wanted = {(one.account, one.room_id or "", one.code): one for one in refusals if one.notify}
    for (account, room_id, code), one in sorted(wanted.items(), key=lambda item: item[0]):
        txn.execute(
            "INSERT INTO groupreg_notice_marks (account, room_id, code, last_ms) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (account, room_id, code) DO UPDATE SET last_ms = excluded.last_ms"
            " WHERE groupreg_notice_marks.last_ms <= ?",
            (account, room_id, code, one.ts_ms, one.ts_ms - every_ms),
        )
        if txn.rowcount == 1:
            add(
                txn, account=account, code=code, attempt=one.attempt, room_id=room_id, facts=one.facts, now_ms=one.ts_ms
            )


def add(
    txn: Transaction, *, account: str, code: str, attempt: str, room_id: str, facts: Mapping[str, Any], now_ms: int
) -> None:
    """Queue one notice. `attempt` is what was refused, or what happened to a measure of the kind `code`."""
    txn.execute(
        "INSERT INTO groupreg_notices (account, code, attempt, room_id, facts, state, created_ms, next_ms, tries)"
        " VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?, 0)",
        (account, code, attempt, room_id, json.dumps(facts), now_ms, now_ms),
    )


def answer(txn: Transaction, account: str, room_id: str, text: str, now_ms: int) -> None:
    """Queue the answer to a command that somebody gave in a room."""
    add(txn, account=account, code=ANSWER, attempt=ANSWER, room_id=room_id, facts={"text": text}, now_ms=now_ms)


def claim(txn: Transaction, now_ms: int, budget: int) -> Notice | None:
    """Take the next notice that is due, if the server's budget for this minute is not used up.

    One that was taken a minute ago and never finished is taken again: its process died.
    """
    notice = _next_due(txn, now_ms)
    if notice is not None and notice.code != ANSWER and _sent_lately(txn, now_ms) >= budget:
        notice = _next_due(txn, now_ms, only=ANSWER)
    if notice is None:
        return None
    # Compare and set: of two processes that read the same row one finds it changed, and takes nothing this time.
    txn.execute(
        "UPDATE groupreg_notices SET state = 'sending', next_ms = ? WHERE id = ? AND next_ms = ? AND state = ?",
        (now_ms + _STUCK_MS, notice.id, notice.next_ms, notice.state),
    )
    return notice if txn.rowcount == 1 else None


def _next_due(txn: Transaction, now_ms: int, *, only: str | None = None) -> Notice | None:
    where, values = (" AND code = ?", (only,)) if only else ("", ())
    txn.execute(
        f"SELECT {_COLUMNS} FROM groupreg_notices WHERE state IN ('waiting', 'sending') AND next_ms <= ?{where}"
        " ORDER BY next_ms, id LIMIT 1",
        (now_ms, *values),
    )
    row = txn.fetchone()
    return None if row is None else _notice(row)


def _sent_lately(txn: Transaction, now_ms: int) -> int:
    txn.execute("SELECT count(*) FROM groupreg_notices WHERE sent_ms > ? AND code <> ?", (now_ms - _MINUTE_MS, ANSWER))
    return int(txn.fetchone()[0])


def finish(txn: Transaction, notice_id: int, now_ms: int) -> None:
    """Mark as sent; what it was about is forgotten."""
    txn.execute(
        "UPDATE groupreg_notices SET state = 'sent', sent_ms = ?, facts = NULL, problem = NULL WHERE id = ?",
        (now_ms, notice_id),
    )


def put_back(txn: Transaction, notice_id: int, *, next_ms: int, problem: str) -> None:
    """Try again later."""
    txn.execute(
        "UPDATE groupreg_notices SET state = 'waiting', tries = tries + 1, next_ms = ?, problem = ? WHERE id = ?",
        (next_ms, problem, notice_id),
    )


def give_up(txn: Transaction, notice_id: int, state: str, problem: str) -> None:
    """End a notice that can't be told: `dropped` where nobody would read it, `failed` after too many tries."""
    txn.execute(
        "UPDATE groupreg_notices SET state = ?, facts = NULL, problem = ? WHERE id = ?", (state, problem, notice_id)
    )


def said(txn: Transaction, room_id: str, sender: str, notice_id: int) -> bool:
    """Whether the message of a notice stands among the last in its room."""
    txn.execute(
        "SELECT j.json FROM events e JOIN event_json j ON j.event_id = e.event_id"
        " WHERE e.room_id = ? AND e.sender = ? AND e.type = 'm.room.message' ORDER BY e.stream_ordering DESC LIMIT 50",
        (room_id, sender),
    )
    return any(json.loads(row[0])["content"].get(KEY) == notice_id for row in txn.fetchall())


def room_of(txn: Transaction, account: str) -> str | None:
    """The direct room of an account with the server."""
    txn.execute("SELECT room_id FROM groupreg_notice_rooms WHERE account = ?", (account,))
    row = txn.fetchone()
    return None if row is None else str(row[0])


def set_room(txn: Transaction, account: str, room_id: str) -> None:
    """Remember the direct room of an account."""
    txn.execute(
        "INSERT INTO groupreg_notice_rooms (account, room_id) VALUES (?, ?)"
        " ON CONFLICT (account) DO UPDATE SET room_id = excluded.room_id",
        (account, room_id),
    )


def counts(txn: Transaction) -> dict[str, int]:
    """How many notices there are in each state."""
    txn.execute("SELECT state, count(*) FROM groupreg_notices GROUP BY state")
    return {str(row[0]): int(row[1]) for row in txn.fetchall()}


def page(txn: Transaction, filters: Mapping[str, str], start: int, limit: int) -> tuple[list[Notice], int]:
    """Notices that match the filters (account, state), the newest first, and how many there are."""
    met = paging.equal(filters, ("account", "state"))
    rows, total = paging.page(txn, _COLUMNS, "groupreg_notices", *met, start=start, limit=limit)
    return [_notice(row) for row in rows], total


def forget(txn: Transaction, now_ms: int, every_ms: int) -> dict[str, int]:
    """Drop notices that ended a week ago, and marks that no longer hold anything back; what is left, by state."""
    txn.execute(
        "DELETE FROM groupreg_notices WHERE state IN ('sent', 'dropped', 'failed') AND created_ms < ?",
        (now_ms - _KEEP_MS,),
    )
    txn.execute("DELETE FROM groupreg_notice_marks WHERE last_ms < ?", (now_ms - every_ms,))
    return counts(txn)


def _notice(row: tuple[Any, ...]) -> Notice:
    number, account, code, attempt, room_id, facts, state, *times = row
    created_ms, next_ms, tries, sent_ms, problem = times
    return Notice(
        id=number,
        account=account,
        code=code,
        attempt=attempt,
        room_id=room_id,
        facts={} if facts is None else json.loads(facts),
        state=state,
        created_ms=created_ms,
        next_ms=next_ms,
        tries=tries,
        sent_ms=sent_ms,
        problem=problem,
    )
