# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""State that somebody's act asked for and that isn't written yet, such as labels: a crash must not lose it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.storage import quotas

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction

LABELS = "labels"
NUMBER = "number"
"""What is promised; they stand among the promised places, and are no quotas."""
_TRY_FOR_MS = 86_400_000


def promise(txn: Transaction, room_id: str, sender: str, now_ms: int, *, what: str = LABELS) -> None:
    """Remember that this is to be written in a room in somebody's name."""
    quotas.reserve(txn, quotas.room_subject(room_id), what, sender, now_ms + _TRY_FOR_MS)


def is_promised(txn: Transaction, room_id: str, sender: str, now_ms: int) -> bool:
    """Whether a room waits for its labels, asked for by this account."""
    return (room_id, sender) in promised(txn, now_ms)


def promised(txn: Transaction, now_ms: int, *, what: str = LABELS) -> list[tuple[str, str]]:
    """The rooms that wait for this, each with the account in whose name it is written."""
    txn.execute("SELECT subject, holder FROM groupreg_reservations WHERE quota = ? AND expires_ms > ?", (what, now_ms))
    return [(str(row[0]).removeprefix("room:"), str(row[1])) for row in txn.fetchall()]


def settle(txn: Transaction, room_id: str, sender: str, *, what: str = LABELS) -> None:
    """Forget the promise: it is written, or can't be."""
    quotas.release(txn, quotas.room_subject(room_id), what, sender)
