# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Erasing what a person wrote in appeals, as soon as no duty to keep it runs (article 6.3).

They stand in Synapse's database, and in the packets that quote them; for holds they count as what the log of acts has.
That there was an appeal stays, as the measure does, and so does the answer, which is the staff's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.handlers.retention.log import month_of
from synapse_groupreg.retention.records import Kind, LogName
from synapse_groupreg.storage import appeals, erasures, outbox, packets
from synapse_groupreg.storage.entries import draft

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_groupreg.policy.appeals import Appeal
    from synapse_groupreg.storage.database import Transaction
    from synapse_groupreg.storage.erasures import Erasure
    from synapse_groupreg.storage.keeping import Hold

_DAY_MS = 86_400_000


def erase(
    txn: Transaction,
    erasure: Erasure,
    holds: Sequence[Hold],
    *,
    duty_ms: int,
    believed: bool,
    now_ms: int,
    seal: Callable[[bytes], bytes],
) -> int | None:
    """Erase the texts that nothing keeps, and record how many; until when the rest waits, None if nothing does.

    `believed`: whether the clock may tell that a duty is over.
    """
    found = _ends(txn, erasure, holds, duty_ms, now_ms)
    due = [one for one, until_ms, _ in found if believed and until_ms < now_ms]
    if due:
        numbers = [one.id for one in due]
        appeals.erase(txn, numbers, now_ms)
        packets.erase_appeals(txn, numbers, now_ms)
        erasures.add_records(txn, erasure.id, len(due))
        facts = {"erasure": erasure.id, "log": "appeals", "records": len(due)}
        outbox.append(txn, [draft(Kind.erase, now_ms, type="erase", facts=facts)], seal)
    return min((max(until_ms, now_ms) for one, until_ms, _ in found if one not in due), default=None)


def outlook(txn: Transaction, erasure: Erasure, holds: Sequence[Hold], *, duty_ms: int) -> list[dict[str, Any]]:
    """What would be erased of appeals, month by month, and what waits until when, and why; like that of a log."""
    months: dict[tuple[str, int | None, str | None], int] = {}
    for one, until_ms, by in _ends(txn, erasure, holds, duty_ms, erasure.asked_ms):
        waits = until_ms >= erasure.asked_ms
        key = (month_of(one.made_ms), until_ms if waits else None, by if waits else None)
        months[key] = months.get(key, 0) + 1
    return [
        {"log": "appeals", "month": month, "records": count, "until_ms": until_ms, "kept_by": by}
        for (month, until_ms, by), count in months.items()
    ]


def _ends(
    txn: Transaction, erasure: Erasure, holds: Sequence[Hold], duty_ms: int, now_ms: int
) -> list[tuple[Appeal, int, str]]:
    """What somebody wrote, with until when it has to be kept, and by what."""
    assert erasure.account is not None
    mine = [one for one in holds if one.log == LogName.acts.value]
    found = []
    for one in appeals.written_by(txn, erasure.account, erasure.asked_ms):
        last_ms = one.decided_ms or now_ms
        keeps = [(0 if erasure.duty_ended is not None else last_ms + duty_ms, "keep")]
        if one.outcome is None:  # without it nobody could decide
            keeps.append((now_ms + _DAY_MS, "open appeal"))
        keeps += [(hold.until_ms, f"hold {hold.id}") for hold in mine if hold.touches(one.made_ms, last_ms)]
        until_ms, by = max(keeps)
        found.append((one, until_ms, by))
    return found
